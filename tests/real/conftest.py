"""Real pips of several versions, and the index that they fill their caches from."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LoopbackServer
from auditor.lab.site import IndexSite
from tests.real_programs import in_ci

INSTALLED = version("pip")


@dataclass(frozen=True)
class PipRun:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Pip:
    """One version of pip; `home` is where it is installed, None for the one of this environment."""

    version: str
    home: Path | None

    async def run(self, *arguments: str | Path) -> PipRun:
        """Run it, untouched by how pip is configured on this machine."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith("PIP_") and not name.lower().endswith("_proxy")
        }
        path = {} if self.home is None else {"PYTHONPATH": str(self.home)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"),
            *(str(argument) for argument in arguments),
            env={**kept, **path, "PIP_CONFIG_FILE": os.devnull},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate()
        return PipRun(process.returncode or 0, stdout.decode(), stderr.decode())


PipOf = Callable[[str], Pip]


@pytest.fixture(scope="session")
def pip_of(tmp_path_factory: pytest.TempPathFactory) -> PipOf:
    """Return pip of a version, installed once per session from the configured registry."""
    base = tmp_path_factory.getbasetemp()
    # The workers of pytest-xdist have one directory each, below that of the session.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def get(wanted: str) -> Pip:
        if wanted == INSTALLED:
            return Pip(wanted, None)
        home = shared / f"pip-{wanted}"
        if not home.exists():
            _install(wanted, tmp_path_factory.mktemp("pip") / "home", home)
        return Pip(wanted, home)

    return get


def _install(wanted: str, made: Path, home: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--target", str(made), f"pip=={wanted}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if run.returncode:
        message = f"pip {wanted} cannot be installed: {run.stderr[-300:]}"
        if in_ci():
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    try:
        made.rename(home)
    except OSError:  # another worker was faster
        assert home.exists()


@dataclass(frozen=True)
class Upstream:
    """A small index on loopback: 1.2.2 is good, 1.2.3 broken and the newest."""

    index: EmbeddedIndex
    server: LoopbackServer
    releases: dict[str, tuple[Artifact, Artifact]]

    def url(self, artifact: Artifact) -> str:
        return f"{self.server.url}{artifact.path}"

    def publish_fix(self) -> None:
        self.releases["1.2.4"] = build_release("brokenpkg", "1.2.4")
        self.index.publish(*self.releases["1.2.4"], at=datetime.now(UTC))

    def arguments(self, cache: Path) -> tuple[str | Path, ...]:
        """Options that make pip use this index and keep what it gets over plain http."""
        index = ("--index-url", self.server.simple_url, "--trusted-host", "127.0.0.1")
        return (*index, "--no-deps", "--cache-dir", cache)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    index = EmbeddedIndex("brokenpkg")
    releases = {v: build_release("brokenpkg", v) for v in ("1.2.2", "1.2.3")}
    for files in releases.values():
        index.publish(*files, at=datetime.now(UTC))
    server = LoopbackServer("source", IndexSite(index), FileSite(index.files))
    async with server:
        yield Upstream(index, server, releases)
