"""Real clients, each with a cache that its jobs fill: pip, uv, Poetry and PDM."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2
from typing import ClassVar

from auditor.lab.artifacts import Artifact, ArtifactType
from auditor.lab.drive.caches.front import artifacts_in, inventory_by_digest, story_artifacts
from auditor.lab.drive.preloaded_pip import PIP_LOG, run_pip
from auditor.lab.drive.process import run
from auditor.lab.drive.subject import Inventory
from auditor.lab.server import LOOPBACK
from auditor.lab.story import PROJECT
from auditor.model.filename import version_in

__all__ = ["Job", "PdmClient", "PipClient", "PoetryClient", "RealClient", "UvClient"]

# Longer than any page of the story lives.
_LATER_S = 3600
# Runs a client of Python as if it were so many seconds later: its name, how many, MODULE:FUNCTION.
_AT_A_LATER_TIME = """\
import importlib, sys, time
name, later, entry, *words = sys.argv[1:]
now = time.time
time.time = lambda: now() + float(later)
module, _, function = entry.partition(":")
sys.argv = [name, *words]
sys.exit(getattr(importlib.import_module(module), function)())
"""
_PYTHON = f"=={sysconfig.get_python_version()}.*"
_PYPROJECT = f"""\
[project]
name = "job"
version = "0"
requires-python = "{_PYTHON}"
dependencies = ["{PROJECT}"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job that installs the project with a cache, and forgets everything else.

    Attributes:
        index_url: where from.
        cache: the client's cache directory.
        directory: an empty one, for the job alone.
        later: whether it runs when every page that is kept has expired.
    """

    index_url: str
    cache: Path
    directory: Path
    later: bool = False

    @property
    def log(self) -> Path:
        """Where all that the client wrote is."""
        return self.directory / PIP_LOG


@dataclass(kw_only=True)
class RealClient(ABC):
    """A client with a cache of its own.

    Attributes:
        command: its program.
    """

    command: Path

    kind = ""

    @abstractmethod
    async def install(self, job: Job) -> str | None:
        """Install the project as it is unpinned; return the version, None if there is none."""

    async def choose(self, job: Job) -> str | None:
        """Return the version that it would install, if that is told at less cost."""
        return await self.install(job)

    async def run(
        self, job: Job, command: Sequence[str | Path], environment: Mapping[str, str]
    ) -> int:
        """Run a program for a job; return its exit code. What it wrote is in the job's log."""
        done = await run(command, home=job.directory, environment=environment)
        job.log.write_text(done.stdout + done.stderr, encoding="utf-8")
        return done.returncode

    def holds(self, cache: Path) -> Inventory:
        """Return every file of the story in a cache, found by its bytes, packed or unpacked."""
        return inventory_by_digest([*artifacts_in(cache), *_unpacked_in(cache)])


@dataclass(kw_only=True)
class PipClient(RealClient):
    """A version of pip.

    Attributes:
        home: where that version is installed; None: it is the one of this environment.
        trusts_pages: whether it takes a page that it keeps without asking, as from 26.2 on.
    """

    command: Path = Path(sys.executable)
    home: Path | None = None
    trusts_pages: bool = True

    kind = "pip-cache"

    async def install(self, job: Job) -> str | None:
        """Download it: what is kept is the same as with an installation."""
        got = job.directory / "got"
        words: list[str | Path] = [
            *("download", "--isolated", "--disable-pip-version-check", "--no-input"),
            *("--no-deps", "--retries", "0", "--cache-dir", job.cache, "--dest", got),
            *("--index-url", job.index_url, "--trusted-host", LOOPBACK, PROJECT),
        ]
        if job.later and self.trusts_pages:
            words += ["--refresh-package", PROJECT]
        if self.home is None:
            await run_pip(*words, home=job.directory)
        else:
            settings = {"PYTHONPATH": str(self.home), "PIP_CONFIG_FILE": os.devnull}
            pip = (self.command, "-m", "pip", *words)
            await self.run(job, pip, settings)
        names = [path.name for path in got.iterdir()] if got.is_dir() else []
        return version_in(names[0], PROJECT) if names else None


@dataclass(kw_only=True)
class UvClient(RealClient):
    """uv."""

    kind = "uv-cache"

    async def install(self, job: Job) -> str | None:
        """Install it into a directory."""
        site = job.directory / "site"
        words: list[str | Path] = [
            *(self.command, "--no-config", "pip", "install", "--no-deps", "--target", site),
            *("--python", sys.executable, "--cache-dir", job.cache, "--link-mode", "copy"),
            *("--index-url", job.index_url, "--allow-insecure-host", LOOPBACK, PROJECT),
        ]
        if job.later:
            words += ["--refresh-package", PROJECT]
        await self.run(job, words, {})
        infos = [path.name for path in site.glob("*.dist-info")]
        return infos[0].removesuffix(".dist-info").partition("-")[2] if infos else None


@dataclass(kw_only=True)
class _LockingClient(RealClient):
    """A client that locks a project and installs from the lock."""

    entry = ""
    lock_file = ""
    locking: ClassVar[tuple[str, ...]] = ()
    installing: ClassVar[tuple[str, ...]] = ()

    async def install(self, job: Job) -> str | None:
        """Lock and install a new project, as the first job of a branch does."""
        return await self._play(job, self.installing)

    async def choose(self, job: Job) -> str | None:
        """Lock a new project."""
        return await self._play(job, self.locking)

    async def _play(self, job: Job, words: tuple[str, ...]) -> str | None:
        text = _PYPROJECT + self.settings(job.index_url)
        (job.directory / "pyproject.toml").write_text(text, encoding="utf-8")
        await self.prepare(job)
        code = await self._call(job, words)
        lock = job.directory / self.lock_file
        return _locked(lock) if code == 0 and lock.exists() else None

    @abstractmethod
    def settings(self, index_url: str) -> str:
        """Return what its part of a project file says."""

    @abstractmethod
    def environment(self, job: Job) -> Mapping[str, str]:
        """Return the variables that it is run with."""

    async def prepare(self, job: Job) -> None:
        """Make where it installs to."""

    async def _call(self, job: Job, words: tuple[str, ...]) -> int:
        """Run it, at its time; return its exit code."""
        command: list[str | Path] = [self.command, *words]
        if job.later:
            # Its own environment's: what a script names in its first line may be a shell.
            python = self.command.with_name("python")
            late = (python, "-c", _AT_A_LATER_TIME, self.command.name, str(_LATER_S), self.entry)
            command = [*late, *words]
        return await self.run(job, command, self.environment(job))


@dataclass(kw_only=True)
class PoetryClient(_LockingClient):
    """Poetry."""

    kind = "poetry-cache"
    entry = "poetry.console.application:main"
    lock_file = "poetry.lock"
    locking = ("lock", "--no-interaction")
    installing = ("install", "--no-interaction", "--no-root")

    def settings(self, index_url: str) -> str:
        """Name the index."""
        return (
            "[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\n"
            f'name = "corp"\nurl = "{index_url}"\npriority = "primary"\n'
        )

    def environment(self, job: Job) -> Mapping[str, str]:
        """Name its cache and the job's own environment, and no keyring of this user."""
        return {
            "POETRY_CACHE_DIR": str(job.cache),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "VIRTUAL_ENV": str(job.directory / "venv"),
        }

    async def prepare(self, job: Job) -> None:
        """Make an environment, which Poetry takes several times as long for."""
        venv = (sys.executable, "-m", "venv", "--without-pip", job.directory / "venv")
        await run(venv, home=job.directory)


@dataclass(kw_only=True)
class PdmClient(_LockingClient):
    """PDM."""

    kind = "pdm-cache"
    entry = "pdm.core:main"
    lock_file = "pdm.lock"
    locking = ("lock",)
    installing = ("install", "--no-self")

    def settings(self, index_url: str) -> str:
        """Name the index."""
        return (
            "[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\n"
            f'name = "pypi"\nurl = "{index_url}"\nverify_ssl = false\n'
        )

    def environment(self, job: Job) -> Mapping[str, str]:
        """Name its cache, and no environment but the job's own directory."""
        return {
            "PDM_CACHE_DIR": str(job.cache),
            "PDM_CHECK_UPDATE": "0",
            "PDM_CONFIG_FILE": os.devnull,
            "PDM_IGNORE_ACTIVE_VENV": "1",
            "PDM_PYTHON": sys.executable,
            "PDM_USE_VENV": "0",
        }

    def holds(self, cache: Path) -> Inventory:
        """Return also what is in its database, where a file may be in several pieces."""
        stored = _stored_in(cache / "http" / "http-cache.db")
        return inventory_by_digest([*artifacts_in(cache), *_unpacked_in(cache), *stored])


def _unpacked_in(cache: Path) -> Iterator[Artifact]:
    """Yield every wheel of the story whose files lie in one directory, as they are in the wheel."""
    for wheel in (a for a in story_artifacts() if a.type is ArtifactType.WHEEL):
        with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
            # Who installs from there writes a RECORD of its own.
            members = {n: archive.read(n) for n in archive.namelist() if not n.endswith("/RECORD")}
        (metadata,) = [name for name in members if name.endswith("/METADATA")]
        homes = [found.parents[1] for found in cache.rglob(metadata)]
        if any(all(_content(h / n) == c for n, c in members.items()) for h in homes):
            yield wheel


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _stored_in(database: Path) -> list[Artifact]:
    """Put the answers of a database together, from a copy: a look must not leave a trace."""
    if not database.exists():
        return []
    with tempfile.TemporaryDirectory(prefix="auditor-lab-") as name:
        for part in database.parent.glob(f"{database.name}*"):
            copy2(part, name)
        with closing(sqlite3.connect(Path(name) / database.name)) as copied:
            rows: Iterable[tuple[bytes, bytes]] = copied.execute(
                "SELECT entry_id, chunk_data FROM streams ORDER BY entry_id, chunk_number"
            )
            bodies: dict[bytes, bytes] = {}
            for entry, chunk in rows:
                bodies[entry] = bodies.get(entry, b"") + chunk
    return [a for a in story_artifacts() if any(a.content in b for b in bodies.values())]


def _locked(lock: Path) -> str | None:
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return next((str(p["version"]) for p in packages if p["name"] == PROJECT), None)
