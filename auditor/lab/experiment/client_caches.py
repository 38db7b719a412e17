"""The cache directories of clients that had installed the broken release."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.drive.process import ProgramFailed, run
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.asking import BY_URL, OFFLINE, download
from auditor.lab.experiment.scenarios import broken_wheel
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, PROJECT
from auditor.model import Gets

__all__ = ["ClientCache", "PdmCache", "PipCache", "PoetryCache", "UvCache"]

# Nothing listens there: a request through this proxy is one without a network.
_NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), f"http://{LOOPBACK}:9")


@dataclass(kw_only=True)
class ClientCache:
    """The cache of one client, which a user filled by installing."""

    command: Path
    home: Path = field(default=Path(), init=False)
    upstream: Upstream = field(init=False, repr=False)

    name = ""
    kind = ""

    @property
    def cache(self) -> Path:
        """Its directory."""
        return self.home / "cache"

    @property
    def file_url(self) -> str:
        """Where the source offers the broken file."""
        return f"{self.upstream.url_of(broken_wheel())}#sha256={broken_wheel().sha256}"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Fill it."""
        self.upstream, self.home = upstream, directory
        self.cache.mkdir(parents=True)
        await self.fill()
        yield

    async def fill(self) -> None:
        """Install the broken release."""
        raise NotImplementedError

    async def ask(self) -> Mapping[str, Gets]:
        """Ask with this cache."""
        return {}

    async def call(self, *command: str | Path, **environment: str) -> int:
        """Run the client; return its exit code."""
        return (await self.told(*command, **environment))[0]

    async def told(self, *command: str | Path, **environment: str) -> tuple[int, str]:
        """Run the client; return its exit code and all that it wrote."""
        done = await run(command, home=self.home, environment=environment)
        return done.returncode, done.stdout + done.stderr

    async def must(self, *command: str | Path, **environment: str) -> None:
        """Run the client.

        Raises:
            ProgramFailed: it says that it failed.
        """
        code, text = await self.told(*command, **environment)
        if code:
            raise ProgramFailed(f"{self.name}: {text}")

    def places(self) -> Sequence[Place]:
        """Return the directory."""
        table = {"kind": self.kind, "path": str(self.cache)}
        index_url = self.upstream.simple_url
        return [Place(name=self.kind, table=table, index_url=index_url, checks_held=False)]

    async def refresh(self) -> None:
        """Nothing refreshes it but its client."""

    def inventory(self) -> Inventory:
        """Only its kind knows how to read it."""
        return {}

    def access_log(self) -> Sequence[AccessLine] | None:
        """It answers nobody."""
        return None


@dataclass(kw_only=True)
class PipCache(ClientCache):
    """pip's."""

    name = "pip"
    kind = "pip-cache"

    async def fill(self) -> None:
        """Download by name, as everybody did."""
        index = ("--index-url", self.upstream.simple_url)
        got = await download(*index, f"{PROJECT}=={BROKEN}", cache=self.cache)
        if got is not Gets.BROKEN:
            raise ProgramFailed("pip did not get the broken release at the beginning")

    async def ask(self) -> Mapping[str, Gets]:
        """Ask by URL, with a network and without."""
        url = f"{PROJECT} @ {self.file_url}"
        online = await download(url, cache=self.cache)
        offline = await download(url, cache=self.cache, environment=_NO_NETWORK)
        return {BY_URL: _asked_for(online), OFFLINE: _asked_for(offline)}


@dataclass(kw_only=True)
class UvCache(ClientCache):
    """uv's."""

    name = "uv"
    kind = "uv-cache"

    async def fill(self) -> None:
        """Install by name and by URL, as users with and without a lock do."""
        index = ("--index-url", self.upstream.simple_url)
        await self.must(*self._install("named", f"{PROJECT}=={BROKEN}"), *index)
        await self.must(*self._install("direct", f"{PROJECT} @ {self.file_url}"), "--no-index")

    async def ask(self) -> Mapping[str, Gets]:
        """Ask by URL, with a network and without."""
        url = f"{PROJECT} @ {self.file_url}"
        online = await self.call(*self._install("online", url), "--no-index")
        offline = await self.call(*self._install("offline", url), "--no-index", "--offline")
        return {
            BY_URL: Gets.ERROR if online else Gets.BROKEN,
            OFFLINE: Gets.ERROR if offline else Gets.BROKEN,
        }

    def _install(self, target: str, requirement: str) -> Sequence[str | Path]:
        return [
            *(self.command, "--no-config", "pip", "install", "--quiet", "--no-deps"),
            *("--python", sys.executable, "--cache-dir", self.cache),
            *("--allow-insecure-host", LOOPBACK, "--target", self.home / target, requirement),
        ]


def _project(name: str, more: str) -> str:
    python = f"=={sysconfig.get_python_version()}.*"
    return (
        f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = "{python}"\n'
        f'dependencies = ["{PROJECT}=={BROKEN}"]\n{more}'
    )


@dataclass(kw_only=True)
class PoetryCache(ClientCache):
    """Poetry's."""

    name = "poetry"
    kind = "poetry-cache"

    async def fill(self) -> None:
        """Lock and install a project that asks for the broken release."""
        project = self.home / "project"
        project.mkdir()
        source = (
            f'[[tool.poetry.source]]\nname = "lab"\nurl = "{self.upstream.simple_url}"\n'
            'priority = "primary"\n[tool.poetry]\npackage-mode = false\n'
        )
        (project / "pyproject.toml").write_text(_project("user", source), encoding="utf-8")
        environment = {
            "POETRY_CACHE_DIR": str(self.cache),
            "POETRY_VIRTUALENVS_PATH": str(self.home / "environments"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        command = (self.command, "--directory", project, "--no-interaction")
        await self.must(*command, "lock", **environment)
        await self.must(*command, "install", "--no-root", **environment)


@dataclass(kw_only=True)
class PdmCache(ClientCache):
    """PDM's."""

    name = "pdm"
    kind = "pdm-cache"

    async def fill(self) -> None:
        """Lock and install a project that asks for the broken release."""
        project = self.home / "project"
        project.mkdir()
        source = (
            f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{self.upstream.simple_url}"\n'
            "verify_ssl = false\n[tool.pdm]\ndistribution = false\n"
        )
        (project / "pyproject.toml").write_text(_project("user", source), encoding="utf-8")
        environment = {
            "PDM_CACHE_DIR": str(self.cache),
            "PDM_CHECK_UPDATE": "false",
            "PDM_CONFIG_FILE": os.devnull,
        }
        python = ("use", "--project", project, "--first", "--no-version-file", sys.executable)
        await self.must(self.command, *python, **environment)
        for step in ("lock", "sync"):
            await self.must(self.command, step, "--project", project, **environment)


def _asked_for(gets: Gets) -> Gets:
    return Gets.ERROR if gets is Gets.NOTHING else gets
