"""Real pypiserver: one directory that its operator fills, and one that is empty."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.process import RunningProgram, running
from auditor.lab.drive.subject import AccessLine, Inventory, Place, inventory_of
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import BROKEN

__all__ = ["PypiServer", "PypiServers"]

# Two lines per request, as the server that comes with it serves one after the other: what came
# with it, and what became of it.
_ASKED = re.compile(r"asked-by (.*)")
_ANSWERED = re.compile(r'\S+ - - \[[^\]]*\] "(\S+) (\S+) HTTP/[\d.]+" (\d{3}) \S+')


@dataclass(kw_only=True)
class PypiServer:
    """One pypiserver.

    Attributes:
        command: `pypi-server`.
        name: of this one; its files are in a directory that is called so.
        options: more of its options.
        home: where it runs; known once it does.
    """

    command: Path
    name: str = "pypiserver"
    options: Sequence[str] = ()
    home: Path = field(default=Path(), init=False)
    _program: RunningProgram | None = field(default=None, init=False)

    @property
    def root(self) -> Path:
        """The directory that it serves."""
        return self.home / self.name

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        if self._program is None:
            raise RuntimeError("the server is not running")
        return self._program.url

    @property
    def simple_url(self) -> str:
        """What a client is given."""
        return f"{self.url}/simple/"

    @asynccontextmanager
    async def running(self, fallback_url: str, directory: Path) -> AsyncIterator[None]:
        """Serve a directory of its own; what it has not is looked for at the fallback."""
        self.home = directory
        self.root.mkdir(parents=True, exist_ok=True)

        def command(port: int) -> Sequence[str | Path]:
            bound = ("--interface", "127.0.0.1", "--port", str(port), "--server", "wsgiref")
            log = ("--log-file", str(self._log), "--log-frmt", "%(message)s", "-v")
            asked = ("--log-req-frmt", "asked-by %(HTTP_USER_AGENT)s")
            silent = ("--log-res-frmt", "", "--log-err-frmt", "")
            fallback = ("--fallback-url", fallback_url)
            options = (*bound, *fallback, *log, *asked, *silent, *self.options)
            return [self.command, "run", *options, self.root]

        async with running(self.name, command, home=directory) as self._program:
            yield
        self._program = None

    def put(self, *artifacts: Artifact) -> None:
        """Put files into its directory, as its operator does."""
        for artifact in artifacts:
            (self.root / artifact.filename).write_bytes(artifact.content)

    def access_log(self) -> list[AccessLine]:
        """Return what it wrote of every request."""
        if not self._log.exists():
            return []
        lines, agent = [], ""
        for text in self._log.read_text(encoding="utf-8").splitlines():
            if asked := _ASKED.fullmatch(text):
                agent = asked[1]
            elif found := _ANSWERED.fullmatch(text):
                method, path, status = found.groups()
                lines.append(
                    AccessLine(method=method, path=path, status=int(status), user_agent=agent)
                )
                agent = ""
        return lines

    @property
    def _log(self) -> Path:
        return self.home / f"{self.name}-access.log"


@dataclass(kw_only=True)
class PypiServers:
    """Two of them: `local` has copies that its operator made once, `empty` has none.

    Attributes:
        command: `pypi-server`.
    """

    command: Path
    local: PypiServer = field(init=False)
    empty: PypiServer = field(init=False)
    _upstream: Upstream | None = field(default=None, init=False)
    _log: list[AccessLine] = field(default_factory=list, init=False)
    _read: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.local = PypiServer(command=self.command, name="local")
        self.empty = PypiServer(command=self.command, name="empty")

    @property
    def name(self) -> str:
        """Of the program."""
        return "pypiserver"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Copy what there is, and serve; the fallback of both is the upstream."""
        self._upstream = upstream
        async with (
            self.local.running(upstream.simple_url, directory),
            self.empty.running(upstream.simple_url, directory),
        ):
            await self.refresh()
            yield

    async def refresh(self) -> None:
        """Copy what the upstream has, until the broken release has been copied.

        Nothing ever tells the operator that it is broken, and nothing copies by itself.
        """
        if self._upstream is not None and not self._has_broken():
            listed = [file.artifact for file in self._upstream.index.state().files]
            await asyncio.to_thread(self.local.put, *listed)

    def _has_broken(self) -> bool:
        return any(f"-{BROKEN}" in path.name for path in self.local.root.iterdir())

    def places(self) -> Sequence[Place]:
        """Return the full one, over HTTP and with its disk, and the empty one."""
        local = {"kind": "pypiserver", "url": self.local.simple_url}
        empty = {"kind": "pypiserver", "url": self.empty.simple_url}
        return [
            Place(name="local", table=local, index_url=self.local.simple_url),
            Place(
                name="local with disk",
                table={**local, "path": str(self.local.root)},
                index_url=self.local.simple_url,
            ),
            # The inventory is that of the other one; this one must stay empty.
            Place(name="empty", table=empty, index_url=self.empty.simple_url, checks_held=False),
        ]

    def inventory(self) -> Inventory:
        """Return what the two hold."""
        return {**inventory_of(self.local.root), **inventory_of(self.empty.root)}

    def access_log(self) -> Sequence[AccessLine]:
        """Return the logs of both, what is new always at the end."""
        for server in (self.local, self.empty):
            lines = server.access_log()
            self._log += lines[self._read.get(server.name, 0) :]
            self._read[server.name] = len(lines)
        return list(self._log)
