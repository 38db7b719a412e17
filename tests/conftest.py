"""Options and fixtures that every test may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.verdict.rules import RULES

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite the golden files with what is seen"
    )
    parser.addoption("--drop-rule", metavar="RULE", help="judge without this rule")


def pytest_configure(config: pytest.Config) -> None:
    rule = config.getoption("--drop-rule")
    if rule:
        del RULES[rule]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # Bytes that hold a time, as gzip's do, would be called otherwise in each process that collects.
    return argname if isinstance(val, bytes) else None


@dataclass(frozen=True)
class Golden:
    """Compares text with a file under tests/golden, or rewrites the file when told to."""

    update: bool

    def check(self, name: str, text: str) -> None:
        path = GOLDEN / name
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        assert expected == text, f"{name} differs; if intended, run pytest with --update-goldens"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(update=bool(request.config.getoption("--update-goldens")))
