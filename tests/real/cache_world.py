"""One or two real caches in front of an upstream, and clients that ask them what installers ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.steps import Script, Step
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Fingerprint, Observation, Run, SettingValue, Verdict, View
from probes.kit.views import ARTIFACT_HEADERS, page_headers

__all__ = ["CLIENTS", "Got", "World", "world_of"]

CLIENTS = {view: dict(page_headers(view, "client")) for view in View}


@dataclass(frozen=True)
class Got:
    """What a client got."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def serial(self) -> int | None:
        text = self.headers.get("X-PyPI-Last-Serial")
        return int(text) if text else None


@dataclass
class World:
    """What a test plays with.

    Attributes:
        upstream, script: the source, at the step where a test left it.
        session: of every client.
        known: the broken files, as an earlier audit or a configuration knows them.
    """

    upstream: Upstream
    script: Script
    session: aiohttp.ClientSession
    known: tuple[Fingerprint, ...] = field(default=())

    @property
    def wheel(self) -> Artifact:
        return self.script.releases[BROKEN][0]

    @property
    def fixed_wheel(self) -> Artifact:
        return self.script.releases[FIXED][0]

    async def take(self, *steps: Step) -> None:
        for step in steps:
            await self.script.take(step)
            if step is Step.BROKEN:
                self.known = tuple(
                    Fingerprint(
                        filename=a.filename,
                        version=a.version,
                        sha256=a.fingerprint().sha256,
                        url=self.upstream.url_of(a),
                    )
                    for a in self.script.releases[BROKEN]
                )

    async def ask(self, method: str, url: str, headers: Mapping[str, str], **more: str) -> Got:
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as answer:
            try:
                body = await answer.read()
            except aiohttp.ClientPayloadError:
                body = b""
            return Got(answer.status, body, dict(answer.headers))

    async def page(self, front: CachingFront, view: View = View.PIP) -> Got:
        """Read the project's page as an installer does."""
        return await self.ask("GET", f"{front.url}{front.page_path}", CLIENTS[view])

    async def file(self, front: CachingFront, artifact: Artifact, method: str = "GET") -> Got:
        """Get a file as pip does."""
        # Where fewer bytes come than were announced, the end of the connection tells at once.
        headers = {**dict(ARTIFACT_HEADERS), "Connection": "close"}
        return await self.ask(method, f"{front.url}{artifact.path}", headers)

    async def until_new(self, front: CachingFront, view: View) -> None:
        """Ask for the page, as impatient users do, until it is the upstream's."""
        while (await self.page(front, view)).serial != self.upstream.index.serial:  # noqa: ASYNC110  # a cache wakes nobody
            await asyncio.sleep(0.05)

    async def until_refused(self, url: str, headers: Mapping[str, str]) -> None:
        """Ask until the cache says that it has nothing to give."""
        while (await self.ask("HEAD", url, headers)).status != 504:  # noqa: ASYNC110  # a cache wakes nobody
            await asyncio.sleep(0.05)

    async def audit(
        self, front: CachingFront, *, settings: Mapping[str, SettingValue] | None = None
    ) -> tuple[Verdict, Observation, Run]:
        """Audit one cache; by default with all that its operator would configure."""
        more = front.settings() if settings is None else settings
        table: dict[str, SettingValue] = {"kind": "http-cache", "url": front.simple_url, **more}
        place = Place(name=front.name, table=table, index_url=front.simple_url)
        run, observations = await audit_places(self.upstream, [place], self.known)
        verdict = next(v for v in run.verdicts if v.location.name == front.name)
        observation = next(o for o in observations if o.location == front.name)
        return verdict, observation, run


@asynccontextmanager
async def world_of(
    directory: Path,
    *fronts: CachingFront,
    steps: Sequence[Step] = (Step.WARM, Step.BROKEN),
    lifetime: Lifetime | None = None,
) -> AsyncIterator[World]:
    """Start the upstream and the caches in front of it."""
    async with AsyncExitStack() as stack:
        serving = serving_together(EmbeddedIndex(PROJECT), lifetime)
        upstream = await stack.enter_async_context(serving)
        # What is transferred is what counts here: nothing is decoded.
        session = aiohttp.ClientSession(auto_decompress=False)
        await stack.enter_async_context(session)
        world = World(upstream, Script.at(upstream), session)
        await world.take(*steps)
        for front in fronts:
            await stack.enter_async_context(front.running(upstream, directory))
        yield world
