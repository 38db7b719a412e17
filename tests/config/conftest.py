"""A configuration that is right, for tests to spoil, and a machine without pip settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from auditor.config import Options, Resolved, parse_document, resolve
from auditor.contracts import ProbeKind
from auditor.registry import load_kinds

GOOD = """\
[[incidents]]
project = "brokenpkg"
broken = ["1.2.3"]
fixed = ["1.2.4"]

[[locations]]
name = "origin"
kind = "simple"
url = "http://127.0.0.1:8000/simple/"
"""

Resolve = Callable[..., Resolved]


@pytest.fixture
def resolve_text(tmp_path: Path) -> Resolve:
    """Resolve a text as if it stood in `audit.toml`."""

    def resolve_it(
        text: str,
        *,
        environ: Mapping[str, str] | None = None,
        kinds: Mapping[str, ProbeKind] | None = None,
        options: Options | None = None,
    ) -> Resolved:
        document = parse_document(text, name="audit.toml", directory=tmp_path)
        installed = load_kinds() if kinds is None else kinds
        return resolve(document, installed, options, environ=environ or {})

    return resolve_it


@pytest.fixture
def no_pip_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let pip find neither files nor variables, until the test sets some."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return monkeypatch
