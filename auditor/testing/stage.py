"""What a probe under test is set before: a small index on loopback, and the same on disk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LOOPBACK, LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.story import PROJECT, Story, play

__all__ = ["PASSWORD", "USERNAME", "Playing", "Stage", "dead_stage", "live_stage"]

USERNAME, PASSWORD = "auditor", "c0ntract-canary-9f2b"
SETTLE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One incident: 1.2.2 is good, 1.2.3 broken and yanked, 1.2.4 the fix.

    Attributes:
        url: root of a server; it has `/simple/`, PyPI's legacy JSON, and the files.
        directory: holds the wheels of all three releases. It is the test's own: make in it
            whatever your kind reads.
        project: the name that is asked for.
        story: the artifacts, for those who need more than their names.
    """

    url: str
    directory: Path
    project: str
    story: Story

    @property
    def simple_url(self) -> str:
        """What one would give to `pip --index-url`."""
        return f"{self.url}/simple/"

    @property
    def page_url(self) -> str:
        """The project's page, which also serves as a page for `pip --find-links`."""
        return f"{self.simple_url}{self.project}/"


class Playing:
    """A stage whose server can be told what to answer.

    Attributes:
        stage: as its author sees it.
        server: its log is what the ledger is compared with.
        asked: is set when the server has been asked for something.
    """

    def __init__(self, stage: Stage, server: LoopbackServer) -> None:
        self.stage = stage
        self.server = server
        self.asked = asyncio.Event()
        self._over = asyncio.Event()
        self._begun = 0
        server.intercept = self._honestly

    def answer(self, make: Callable[[web.Request], web.Response]) -> None:
        """Answer everything from now on with this."""

        async def intercept(request: web.Request) -> web.StreamResponse:
            self._note()
            return make(request)

        self.server.intercept = intercept

    def hang(self) -> None:
        """Answer nothing from now on."""

        async def intercept(request: web.Request) -> web.StreamResponse:
            self._note()
            await self._over.wait()
            return web.Response(status=503)

        self.server.intercept = intercept

    async def settle(self) -> None:
        """Let every request that hangs end, so that it comes into the log."""
        self._over.set()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + SETTLE_S
        while self._is_busy() and loop.time() < until_s:  # noqa: ASYNC110 (a log wakes nobody)
            await asyncio.sleep(0.001)

    def _is_busy(self) -> bool:
        return len(self.server.log) < self._begun

    async def _honestly(self, request: web.Request) -> None:
        self._note()

    def _note(self) -> None:
        self.asked.set()
        self._begun += 1


@asynccontextmanager
async def live_stage(directory: Path) -> AsyncIterator[Playing]:
    """Start the server and fill the directory."""
    index = EmbeddedIndex(PROJECT)
    story = play(index, datetime.now(UTC))
    await asyncio.to_thread(_fill, directory, story)
    server = LoopbackServer("stage", IndexSite(index, legacy=True), FileSite(index.files))
    async with server:
        stage = Stage(url=server.url, directory=directory, project=PROJECT, story=story)
        playing = Playing(stage, server)
        try:
            yield playing
        finally:
            await playing.settle()


@asynccontextmanager
async def dead_stage(directory: Path) -> AsyncIterator[Stage]:
    """Reserve a port at which nothing listens; the directory is filled, to be taken away later."""
    story = play(EmbeddedIndex(PROJECT), datetime.now(UTC))
    await asyncio.to_thread(_fill, directory, story)
    with socket.socket() as dead:
        dead.bind((LOOPBACK, 0))
        url = f"http://{LOOPBACK}:{dead.getsockname()[1]}"
        yield Stage(url=url, directory=directory, project=PROJECT, story=story)


def _fill(directory: Path, story: Story) -> None:
    directory.mkdir(parents=True)
    for wheel, _ in story.releases.values():
        (directory / wheel.filename).write_bytes(wheel.content)
