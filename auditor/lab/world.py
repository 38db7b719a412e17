"""The embedded world: one small PyPI, and copies of it in every state an audit can meet."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from auditor.lab.artifacts import Artifact
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.pip_home import lay_pip_cache
from auditor.lab.placement import Expected, Placement
from auditor.lab.roster import MirrorPlan, plan_mirrors
from auditor.lab.server import LOOPBACK, LoggedRequest, LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.story import BROKEN, GOOD, PROJECT, incident_toml, play
from auditor.model import Status

__all__ = ["World", "lay_wheelhouse"]

SOURCE, SOURCE_FILES = "source", "source-files"

Lay = Callable[["World"], Awaitable[Placement]]


async def lay_wheelhouse(world: World) -> Placement:
    """Put the wheels of the good and the broken release into a directory, and no others."""
    directory = world.directory / "wheelhouse"
    wheels = [world.story.releases[version][0] for version in (GOOD, BROKEN)]
    await asyncio.to_thread(_write, directory, wheels)
    return Placement(
        name="wheelhouse",
        kind="wheelhouse",
        path=directory,
        expected=Expected(Status.EXPOSED, ("fix-not-listed",)),
    )


def _write(directory: Path, artifacts: Sequence[Artifact]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for artifact in artifacts:
        (directory / artifact.filename).write_bytes(artifact.content)


class World:
    """Everything of design section 13, on loopback for as long as the context lasts.

    Attributes:
        directory: where the locations on disk are.
        now: UTC, to which every age refers.
        index: the source's state, to be changed while it serves.
        story: the steps that led there, and the artifacts.
        servers: by name; the source's file host is `source-files`.
        placements: every location, the source first.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: datetime | None = None,
        stores: Sequence[Lay] = (lay_wheelhouse, lay_pip_cache),
    ) -> None:
        """Make it without starting it.

        Args:
            directory: to lay stores in; it comes into being if need be.
            now: UTC; None: the system's clock.
            stores: what lays a location on disk, called in this order once every server answers:
                a client's cache can then be filled by a real client.
        """
        self.directory = directory
        self.now = now or datetime.now(UTC)
        self.index = EmbeddedIndex(PROJECT)
        self.story = play(self.index, self.now)
        self.servers: dict[str, LoopbackServer] = {}
        self.placements: list[Placement] = []
        self._stores = stores
        self._stack = AsyncExitStack()

    @property
    def expected(self) -> dict[str, Expected]:
        """What an audit must say, by location."""
        return {placement.name: placement.expected for placement in self.placements}

    def config_toml(self) -> str:
        """Write a configuration that names the incident and every location."""
        return "\n".join([incident_toml(), *(placement.toml() for placement in self.placements)])

    def file_requests(self) -> list[LoggedRequest]:
        """Every request for an artifact that any server got."""
        return [entry for server in self.servers.values() for entry in server.file_requests()]

    def url_at_source(self, artifact: Artifact) -> str:
        """Return where the source offers a file: as with PyPI, not on the host of its pages."""
        return f"{self.servers[SOURCE_FILES].url}{artifact.path}"

    async def __aenter__(self) -> World:
        try:
            await self._start_source()
            for name, plan in plan_mirrors(self.story).items():
                await self._start_mirror(name, plan)
            self._reserve_dead_port()
            for lay in self._stores:
                self.placements.append(await lay(self))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, server: LoopbackServer) -> LoopbackServer:
        self.servers[server.name] = await self._stack.enter_async_context(server)
        return server

    async def _start_source(self) -> None:
        await self._start(LoopbackServer(SOURCE_FILES, FileSite(self.index.files)))
        site = IndexSite(self.index, url_of=self.url_at_source, legacy=True)
        server = await self._start(LoopbackServer(SOURCE, site))
        expected = Expected(Status.ROLLED_FORWARD, ("broken-listed",))
        self.placements.append(
            Placement(name=SOURCE, kind="pypi", url=server.simple_url, expected=expected)
        )

    async def _start_mirror(self, name: str, plan: MirrorPlan) -> None:
        if plan.holdings is None:
            server = LoopbackServer(name, IndexSite(plan.pages, url_of=self.url_at_source))
        else:
            pages = IndexSite(plan.pages, spoil=plan.spoil)
            server = LoopbackServer(name, pages, FileSite(plan.holdings.files))
        await self._start(server)
        self.placements.append(
            Placement(
                name=name,
                kind="simple",
                url=server.simple_url,
                upstream=SOURCE,
                expected_lag=plan.expected_lag,
                samples=plan.samples,
                expected=plan.expected,
            )
        )

    def _reserve_dead_port(self) -> None:
        # Bound, but nothing listens: connections are refused, and nobody else can get the port.
        dead = socket.socket()
        self._stack.callback(dead.close)
        dead.bind((LOOPBACK, 0))
        self.placements.append(
            Placement(
                name="down",
                kind="simple",
                url=f"http://{LOOPBACK}:{dead.getsockname()[1]}/simple/",
                upstream=SOURCE,
                expected=Expected(Status.UNKNOWN, ("unreachable",)),
            )
        )
