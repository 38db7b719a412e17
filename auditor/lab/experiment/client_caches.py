"""The cache directories of clients that had installed the broken release."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.lab.drive.process import ProgramFailed, run
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.asking import (
    BY_HASH,
    BY_URL,
    NO_NETWORK,
    OFFLINE,
    ask_from,
    download,
)
from auditor.lab.experiment.scenarios import broken_wheel
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, GOOD, PROJECT
from auditor.model import Gets

__all__ = ["ClientCache", "PdmCache", "PipCache", "PoetryCache", "UvCache", "Wheelhouse"]


@dataclass(kw_only=True)
class ClientCache(ABC):
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

    @abstractmethod
    async def fill(self) -> None:
        """Install the broken release."""

    async def ask(self) -> Mapping[str, Gets]:
        """Ask with this cache."""
        return {}

    async def call(self, *command: str | Path, **environment: str) -> int:
        """Run the client; return its exit code."""
        return (await self.told(*command, **environment))[0]

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that it is run with."""
        return {}

    async def told(self, *command: str | Path, **environment: str) -> tuple[int, str]:
        """Run the client; return its exit code and all that it wrote."""
        environment = {**self.environment, **environment}
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
        return

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
        offline = await download(url, cache=self.cache, environment=NO_NETWORK)
        return {BY_URL: _asked_for(online), OFFLINE: _asked_for(offline)}


@dataclass(kw_only=True)
class Wheelhouse(ClientCache):
    """A directory of wheels that pip was once told to download, and now installs from."""

    name = "pip"
    kind = "wheelhouse"

    async def fill(self) -> None:
        """Download the releases that there are."""
        for version in (GOOD, BROKEN):
            options = ("--index-url", self.upstream.simple_url, "--no-deps", "--no-cache-dir")
            await self.must(
                *(sys.executable, "-m", "pip", "download", "--quiet", *options),
                *("--dest", self.cache, f"{PROJECT}=={version}"),
            )

    async def ask(self) -> Mapping[str, Gets]:
        """Ask in every way; none needs a network."""
        file = self.cache / broken_wheel().filename
        return await ask_from(("--no-index", "--find-links", str(self.cache)), file.as_uri())

    def places(self) -> Sequence[Place]:
        """Return the directory; what is in it can be seen."""
        return [replace(place, checks_held=True) for place in super().places()]


@dataclass(kw_only=True)
class UvCache(ClientCache):
    """uv's."""

    name = "uv"
    kind = "uv-cache"

    async def fill(self) -> None:
        """Install by name and by URL, as users with and without a lock do."""
        index = ("--index-url", self.upstream.simple_url)
        await self.must(*self._install(f"{PROJECT}=={BROKEN}"), *index)
        await self.must(*self._install(f"{PROJECT} @ {self.file_url}"), "--no-index")

    async def ask(self) -> Mapping[str, Gets]:
        """Ask by URL, with a network and without."""
        url = f"{PROJECT} @ {self.file_url}"
        online = await self.call(*self._install(url), "--no-index")
        offline = await self.call(*self._install(url), "--no-index", "--offline")
        return {
            BY_URL: Gets.ERROR if online else Gets.BROKEN,
            OFFLINE: Gets.ERROR if offline else Gets.BROKEN,
        }

    def _install(self, requirement: str) -> Sequence[str | Path]:
        # What is in a target already would not be installed again.
        target = tempfile.mkdtemp(dir=self.home)
        return [
            *(self.command, "--no-config", "pip", "install", "--quiet", "--no-deps"),
            *("--python", sys.executable, "--cache-dir", self.cache),
            *("--allow-insecure-host", LOOPBACK, "--target", target, requirement),
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

    @property
    def environment(self) -> Mapping[str, str]:
        """Its cache, and no keyring of this user."""
        return {
            "POETRY_CACHE_DIR": str(self.cache),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    async def fill(self) -> None:
        """Lock and install a project that asks for the broken release."""
        project = self.home / "project"
        project.mkdir()
        source = (
            f'[[tool.poetry.source]]\nname = "lab"\nurl = "{self.upstream.simple_url}"\n'
            'priority = "primary"\n[tool.poetry]\npackage-mode = false\n'
        )
        (project / "pyproject.toml").write_text(_project("user", source), encoding="utf-8")
        await self.must(*self._command("lock"))
        if await self._install("filled") is not Gets.BROKEN:
            raise ProgramFailed("Poetry did not get the broken release at the beginning")

    async def ask(self) -> Mapping[str, Gets]:
        """Install from the lock into a new environment, with a network and without."""
        return {
            BY_HASH: await self._install("online"),
            OFFLINE: await self._install("offline", **NO_NETWORK),
        }

    async def _install(self, place: str, **environment: str) -> Gets:
        where = {"POETRY_VIRTUALENVS_PATH": str(self.home / place)}
        command = (*self._command("install"), "--no-root")
        return _came(await self.call(*command, **where, **environment))

    def _command(self, step: str) -> Sequence[str | Path]:
        project = ("--directory", self.home / "project")
        return (self.command, *project, "--no-interaction", step)


@dataclass(kw_only=True)
class PdmCache(ClientCache):
    """PDM's."""

    name = "pdm"
    kind = "pdm-cache"

    @property
    def environment(self) -> Mapping[str, str]:
        """Its cache, and no settings of this user."""
        return {
            "PDM_CACHE_DIR": str(self.cache),
            "PDM_CHECK_UPDATE": "false",
            "PDM_CONFIG_FILE": os.devnull,
        }

    @property
    def _project(self) -> Path:
        return self.home / "project"

    async def fill(self) -> None:
        """Lock and install a project that asks for the broken release."""
        self._project.mkdir()
        source = (
            f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{self.upstream.simple_url}"\n'
            "verify_ssl = false\n[tool.pdm]\ndistribution = false\n"
        )
        text = _project("user", source)
        (self._project / "pyproject.toml").write_text(text, encoding="utf-8")
        await self._place("filled")
        for step in ("lock", "sync"):
            await self.must(*self._command(step))

    async def ask(self) -> Mapping[str, Gets]:
        """Install from the lock into a new environment, with a network and without."""
        found = {}
        for how, network in ((BY_HASH, {}), (OFFLINE, NO_NETWORK)):
            await self._place(how)
            found[how] = _came(await self.call(*self._command("sync"), **network))
        return found

    async def _place(self, name: str) -> None:
        """Give the project an environment of its own: as it is, PDM takes that of its Python."""
        environment = self.home / name
        await self.must(sys.executable, "-m", "venv", "--without-pip", environment)
        python = ("--first", "--no-version-file", environment / "bin" / "python")
        await self.must(*self._command("use"), *python)

    def _command(self, step: str) -> Sequence[str | Path]:
        return (self.command, step, "--project", self._project)


def _came(exit_code: int) -> Gets:
    return Gets.ERROR if exit_code else Gets.BROKEN


def _asked_for(gets: Gets) -> Gets:
    return Gets.ERROR if gets is Gets.NOTHING else gets
