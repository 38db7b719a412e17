"""From the first byte sent to the decision, against a bare GET of the same page by aiohttp.

"Ours" is all that an audit does for a page: the guarded session, its limits and its ledger, what is
kept as evidence, the age of the answer, the page read, a choice made, broken and fixed files found.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import aiohttp
from isal import isal_zlib

from auditor.contracts import Assignment, Ledger, Shared
from auditor.eventloop import run
from auditor.limits import Limits
from auditor.model import Incident, Location, PageOutcome, Role, Vantage, View
from auditor.model.file_table import listed_with
from auditor.selection import choose_all, running_environment
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader
from probes.kit.pages.memory import PageMemory
from probes.kit.session import GuardedSession
from probes.kit.views import page_headers
from tests.bench.measure import Goal, Measure, interleaved, median_ratio
from tests.bench.page_server import LARGE, SMALL
from tests.bench.pages import Shape, make_page

__all__ = ["fetching_goals", "page_server"]

AGENT = "propagation-auditor/bench"
FLOOR = "aiohttp: session.get of the same page with the same headers, and read(), isal, CPU"
_Once = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class _Case:
    """One page, and how often it is fetched for one measurement."""

    shape: Shape
    label: str
    times: int


CASES = (_Case(SMALL, "20 KB", 200), _Case(LARGE, "1.1 MB", 12))


def fetching_goals(rounds: int, *, quick: bool = False) -> Iterator[Goal]:
    """Measure CPU of this process; the server is another one."""
    with page_server() as url:
        for case in CASES:
            times = 2 if quick else case.times
            yield from _page_goals(case, url, rounds, times)


def _page_goals(case: _Case, url: str, rounds: int, times: int) -> Iterator[Goal]:
    ours = _Ours(case.shape, url)
    found = interleaved(
        {
            "bare": _cpu_of(lambda: _bare(f"{url}/{case.shape.project}/"), times),
            "new": _cpu_of(ours.anew, times),
            "seen": _cpu_of(ours.seen, times),
        },
        rounds,
    )
    for which, gate, words in (
        ("new", 2.5, "fetched and decided"),
        ("seen", 1.8, "the same, body seen before"),
    ):
        yield Goal(
            name=f"a page of {case.label}, {words}: ours / bare GET",
            ratio=median_ratio(found[which], found["bare"]),
            gate=gate,
            floor=FLOOR,
            note=f"{1e6 * min(found[which]):.0f} us, bare {1e6 * min(found['bare']):.0f} us",
        )


def _cpu_of(opened: Callable[[], AbstractAsyncContextManager[_Once]], times: int) -> Measure:
    """Return what measures CPU seconds of one fetch, connections kept."""

    async def measured() -> float:
        async with opened() as once:
            await once()
            started = time.process_time()
            for _ in range(times):
                await once()
            return (time.process_time() - started) / times

    return lambda: run(measured())


@asynccontextmanager
async def _bare(url: str) -> AsyncIterator[_Once]:
    headers = list(page_headers(View.PIP, AGENT))
    # The fastest that aiohttp can be told to use; its default would flatter us.
    aiohttp.set_zlib_backend(isal_zlib)
    async with aiohttp.ClientSession() as session:

        async def once() -> bytes:
            async with session.get(url, headers=headers) as response:
                return await response.read()

        yield once


class _Ours:
    """The product's own way through one page, as a place of kind `simple` goes it."""

    def __init__(self, shape: Shape, url: str) -> None:
        page = make_page(shape)
        self._project = shape.project
        self._url = f"{url}/{shape.project}/"
        self._incident = Incident(
            id="bench", project=shape.project, broken=(page.broken,), fixed=(page.fixed,)
        )
        self._is_broken = cache(self._incident.is_broken)
        self._is_fixed = cache(self._incident.is_named_fixed)
        self._environments = (running_environment(),)

    @asynccontextmanager
    async def anew(self) -> AsyncIterator[_Once]:
        """Read each body as if it were the first one; what a version is stays known."""
        shared = Shared()
        assignment = self._assignment(shared)
        async with GuardedSession(assignment) as session:

            async def once() -> None:
                shared.one(PageMemory, "pages").__init__()  # type: ignore[misc]  # an empty one
                await self._fetch(assignment, session)

            yield once
        await shared.close()

    @asynccontextmanager
    async def seen(self) -> AsyncIterator[_Once]:
        """Read the same body again and again, as from many mirrors."""
        shared = Shared()
        assignment = self._assignment(shared)
        choices: dict[int, object] = {}
        async with GuardedSession(assignment) as session:
            yield lambda: self._fetch(assignment, session, choices)
        await shared.close()

    async def _fetch(
        self,
        assignment: Assignment,
        session: GuardedSession,
        choices: dict[int, object] | None = None,
    ) -> None:
        reader = IndexReader(assignment, session, EvidenceRecorder(session.redactor))
        (page,) = await reader.read(self._url, views=(View.PIP,))
        if page.outcome is not PageOutcome.OBSERVED:
            raise RuntimeError(page.detail)
        if choices is None or id(page.candidates) not in choices:
            chosen = choose_all(page.candidates, self._environments, self._project)
            broken = listed_with(page.candidates, self._is_broken)
            fixed = listed_with(page.candidates, self._is_fixed)
            if not chosen or not broken or not fixed:
                raise RuntimeError(f"{self._project}: files are missing")
            if choices is not None:
                choices[id(page.candidates)] = (page, chosen, broken, fixed)

    def _assignment(self, shared: Shared) -> Assignment:
        return Assignment(
            incident=self._incident,
            location=Location(name="bench", kind="simple", role=Role.INDEX, url=self._url),
            vantage=Vantage(id="bench"),
            limits=_Unhurried(64, 64),
            ledger=Ledger(),
            shared=shared,
            user_agent_suffix=AGENT,
            now=lambda: datetime.now(UTC),
        )


class _Unhurried(Limits):
    """The product's limits, so high that nobody waits."""

    def __init__(self, concurrency: int, concurrency_per_host: int) -> None:
        super().__init__(concurrency, concurrency_per_host, rate_per_s=1e9)


@contextmanager
def page_server() -> Iterator[str]:
    """Serve the pages from a process of its own; yield its address."""
    command = [sys.executable, "-m", "tests.bench.page_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            if server.stdout is None:
                raise RuntimeError("the server has no output")
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()
