"""What every caching proxy in front of an index has in common, as a subject of the story."""

from __future__ import annotations

import asyncio
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.drive.process import CompletedRun, ProgramFailed, RunningProgram, run, running
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import BROKEN, FIXED, GOOD, PROJECT, tampered_wheel
from auditor.model import SettingValue

__all__ = [
    "CachingFront",
    "artifacts_in",
    "held_in",
    "inventory_by_digest",
    "own",
    "story_artifacts",
]


@dataclass(kw_only=True)
class CachingFront(ABC):
    """One caching proxy in front of an upstream that serves pages and files on one host.

    Attributes:
        command: the server program.
        home: where it runs; known once it does.
        upstream: what it copies; likewise.
    """

    command: Path
    home: Path = field(default=Path(), init=False)
    upstream: Upstream = field(init=False, repr=False)
    program: RunningProgram | None = field(default=None, init=False)

    name = "cache"
    keeps_on_disk = True

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        if self.program is None:
            raise RuntimeError(f"{self.name} is not running")
        return self.program.url

    @property
    def proxy(self) -> str | None:
        """What a client is given as its proxy; None: it needs none."""
        return None

    @property
    def simple_url(self) -> str:
        """What a client is given."""
        return f"{self.url}/simple/"

    @property
    def page_path(self) -> str:
        """The path of the project's page."""
        return f"/simple/{PROJECT}/"

    @property
    def cache_path(self) -> Path:
        """The directory that it keeps its answers in."""
        return self.home / "cache"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Run it, with an empty cache."""
        self.upstream = upstream
        self.home = directory / self.name
        await asyncio.to_thread(self._make_directories)
        await self.prepare()
        async with running(self.name, self.arguments, home=self.home) as self.program:
            yield
        self.program = None

    def _make_directories(self) -> None:
        self.cache_path.mkdir(parents=True)
        own(self.home, self.user)
        own(self.cache_path, self.user)

    @property
    def user(self) -> str:
        """Whom its workers run as if it is started as root."""
        return "root"

    async def prepare(self) -> None:
        """Do what must be done before its first start."""
        return

    @abstractmethod
    def arguments(self, port: int) -> Sequence[str | Path]:
        """Write its configuration; return the command that starts it."""

    @abstractmethod
    async def purge(self, path: str) -> None:
        """Make it forget every variant of what it keeps of a path, as its operator would."""

    async def refresh(self) -> None:
        """Make it read the project's page again."""
        await self.purge(self.page_path)

    def settings(self) -> dict[str, SettingValue]:
        """Return what a configuration says of it beside its URL."""
        return {"cache_path": str(self.cache_path)} if self.keeps_on_disk else {}

    def places(self) -> Sequence[Place]:
        """Return it as its operator sees it, and as anybody else does."""
        remote: dict[str, SettingValue] = {"kind": "http-cache", "url": self.simple_url}
        local = {**remote, **self.settings()}
        places = [
            Place(
                name=self.name,
                table=local,
                index_url=self.simple_url,
                held_known=self.keeps_on_disk or bool(self.settings()),
                checks_held=self.keeps_on_disk,
            )
        ]
        if self.settings():
            places.append(
                Place(
                    name=f"{self.name} from afar",
                    table=remote,
                    index_url=self.simple_url,
                    held_known=self.answers_safely,
                    checks_held=self.keeps_on_disk,
                )
            )
        return places

    @property
    def answers_safely(self) -> bool:
        """Whether anybody can ask it over HTTP what it holds, without making it fetch that."""
        return False

    def inventory(self) -> Inventory:
        """Return what it holds on disk, found by the bytes of every file of the story."""
        return held_in(self.cache_path)

    @abstractmethod
    def access_log(self) -> Sequence[AccessLine]:
        """Return what it was asked."""

    async def call(self, *command: str | Path) -> CompletedRun:
        """Run one of its tools.

        Raises:
            ProgramFailed: it says that it failed.
        """
        done = await run(command, home=self.home)
        if done.returncode:
            raise ProgramFailed(f"{command[0]}: {done.stdout}{done.stderr}")
        return done

    def write(self, name: str, text: str) -> Path:
        """Write one of its files."""
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        return path


def own(path: Path, user: str) -> None:
    """Give a directory to the user that a server's workers run as; only root can, and must."""
    if os.geteuid() == 0 and user != "root":
        shutil.chown(path, user)


def held_in(directory: Path) -> Inventory:
    """Search every file of a cache for the very bytes of the story's artifacts."""
    return inventory_by_digest(artifacts_in(directory))


def artifacts_in(directory: Path) -> list[Artifact]:
    """Return every artifact of the story whose very bytes are in a file of a directory."""
    wanted = story_artifacts()
    found: list[Artifact] = []
    for path in directory.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue
        found += [artifact for artifact in wanted if artifact.content in content]
    return found


def inventory_by_digest(artifacts: Iterable[Artifact]) -> Inventory:
    """Return the digests of these artifacts, by file name."""
    found: dict[str, set[str]] = {}
    for artifact in artifacts:
        found.setdefault(artifact.filename, set()).add(artifact.sha256)
    return {name: frozenset(digests) for name, digests in found.items()}


def story_artifacts() -> list[Artifact]:
    """Return every file of the story, the one that takes the broken file's name included."""
    releases = [a for v in (GOOD, BROKEN, FIXED) for a in build_release(PROJECT, v)]
    return [*releases, tampered_wheel()]
