"""Kind `lockfile` on what real tools write: each pins the broken release, and each is rolled on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.story import incident_toml
from auditor.model import PinState, Status, Verdict
from auditor.registry import load_kinds
from auditor.verdict import judge
from tests.real.conftest import Upstream
from tests.real.programs import clean_environment

pytestmark = [pytest.mark.real, pytest.mark.slow]

PYPROJECT = """[project]
name = "app"
version = "0.1.0"
requires-python = ">=3.11,<4"
dependencies = ["brokenpkg"]
"""
POETRY_SOURCE = """
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "company"
url = "{url}"
priority = "primary"
"""
PDM_SOURCE = """
[[tool.pdm.source]]
name = "pypi"
url = "{url}"
verify_ssl = false
"""


@dataclass(frozen=True)
class Case:
    """How a tool locks, and how it moves one project on.

    `source` is added to pyproject.toml; `{url}` is the index. `forward` is None where the file is
    simply written anew.
    """

    program: str
    file: str
    source: str
    lock: tuple[str, ...]
    forward: tuple[str, ...]
    first: tuple[str, ...] = ()


UV = ("--no-config", "--no-cache", "--index-url", "{url}")
CASES = {
    "uv.lock": Case(
        "uv",
        "uv.lock",
        "",
        ("lock", *UV),
        ("lock", *UV, "--upgrade-package", "brokenpkg>=1.2.4"),
    ),
    "compiled": Case(
        "uv",
        "requirements.txt",
        "",
        ("pip", "compile", "pyproject.toml", "--generate-hashes", "-o", "requirements.txt", *UV),
        (
            *("pip", "compile", "pyproject.toml", "--generate-hashes", "-o", "requirements.txt"),
            *(*UV, "--upgrade-package", "brokenpkg>=1.2.4"),
        ),
    ),
    "pylock of uv": Case(
        "uv",
        "pylock.toml",
        "",
        ("pip", "compile", "pyproject.toml", "-o", "pylock.toml", *UV),
        (
            *("pip", "compile", "pyproject.toml", "-o", "pylock.toml", *UV),
            *("--upgrade-package", "brokenpkg>=1.2.4"),
        ),
    ),
    "pylock of pip": Case(
        "pip-command",
        "pylock.toml",
        "",
        ("lock", "--isolated", "--no-cache-dir", "--index-url", "{url}", "brokenpkg"),
        ("lock", "--isolated", "--no-cache-dir", "--index-url", "{url}", "brokenpkg"),
    ),
    "poetry.lock": Case(
        "poetry",
        "poetry.lock",
        POETRY_SOURCE,
        ("lock", "--no-cache", "--no-interaction"),
        ("update", "--lock", "--no-cache", "--no-interaction", "brokenpkg"),
    ),
    "pdm.lock": Case(
        "pdm",
        "pdm.lock",
        PDM_SOURCE,
        ("lock", "--quiet"),
        ("update", "--no-sync", "--quiet", "brokenpkg"),
        # Its cached page is still fresh, and would pin the broken release again.
        first=("cache", "clear"),
    ),
}


@pytest.mark.parametrize("name", list(CASES))
async def test_a_real_lock_is_pinned_until_its_tool_moves_it_on(
    name: str, upstream: Upstream, tmp_path: Path, real_program: Callable[[str], str]
) -> None:
    case = CASES[name]
    program = real_program(case.program)
    project = tmp_path / "app"
    project.mkdir()
    url = upstream.server.simple_url
    source = case.source.format(url=url)
    (project / "pyproject.toml").write_text(PYPROJECT + source, encoding="utf-8")

    await _run(program, case.lock, url, project)
    locked = await _audited(upstream, project / case.file)
    (pin,) = locked.pins
    assert (locked.status, pin.version, pin.state) == (Status.PINNED, "1.2.3", PinState.FORCED)
    ours = {artifact.sha256 for artifact in upstream.releases["1.2.3"]}
    assert {file.hashes.get("sha256") for file in pin.files} <= ours
    assert _names_the_line(pin.where, project / case.file)

    upstream.publish_fix()
    if case.first:
        await _run(program, case.first, url, project)
    await _run(program, case.forward, url, project)
    moved = await _audited(upstream, project / case.file)
    assert (moved.status, moved.pins[0].version) == (Status.CLEAN, "1.2.4")


def _names_the_line(where: str, path: Path) -> bool:
    name, _, line = where.rpartition(":")
    text = path.read_text(encoding="utf-8").splitlines()[int(line) - 1]
    return Path(name) == path and "brokenpkg" in text


async def _run(program: str, arguments: tuple[str, ...], url: str, project: Path) -> None:
    words = [word.format(url=url) for word in arguments]
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        cwd=project,
        env=_environment(project.parent),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def _environment(home: Path) -> Mapping[str, str]:
    """Keep the tools to this directory: no configuration, cache or keyring of this user."""
    return {
        **clean_environment(home),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "POETRY_VIRTUALENVS_CREATE": "false",
        "PDM_CHECK_UPDATE": "false",
        "PDM_CACHE_DIR": str(home / "pdm-cache"),
    }


async def _audited(upstream: Upstream, path: Path) -> Verdict:
    """Audit the lock beside the index that it was made from."""
    text = (
        incident_toml()
        + f"""
[[locations]]
name = "source"
kind = "pypi"
url = "{upstream.server.simple_url}"

[[locations]]
name = "lock"
kind = "lockfile"
path = "{path}"
"""
    )
    kinds = load_kinds()
    resolved = resolve(parse_document(text, name="t", directory=Path.cwd()), kinds, environ={})
    observations = await Audit(resolved.plan, resolved.credentials, kinds).run()
    (run,) = judge(resolved.plan, observations)
    return next(verdict for verdict in run.verdicts if verdict.location.name == "lock")
