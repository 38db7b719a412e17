"""Many places at once, against the slowest of them alone: an audit by the engine and real probes.

A page is one project at one place as all four client classes see it: four requests, which a place
gets at once (`concurrency_per_host = 4`). So P pages take a place at least P times its latency, and
an audit that of the slowest place, after the source was asked for the first page. A find-links page
is the same for every client, and one request.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import requests

from auditor.engine import Audit, Event
from auditor.eventloop import run
from auditor.model import Incident, Location, Observation, Outcome, Plan, Role, Vantage
from auditor.registry import load_kinds
from probes.kit.index import VIEWS
from probes.kit.views import page_headers
from tests.bench.latency_server import latencies, project
from tests.bench.measure import Goal, compile_product, interleaved, median_ratio
from tests.bench.pages import JSON_TYPE

__all__ = ["fan_out_goals"]

HEALTHY, HANGING, PAGES = 47, 3, 20
DEADLINE_S = 3.0
# All four requests of every place at once; the shipped default is 64 over all places.
ENOUGH = 4 * (HEALTHY + HANGING)
KINDS = load_kinds()
JSON = {"Accept": JSON_TYPE}
Headers = list[tuple[str, str]]
VIEW_HEADERS: list[Headers] = [list(page_headers(view, "bench")) for view in VIEWS]


@dataclass(frozen=True)
class _Seen:
    """One audit: seconds in all, until the last healthy place, and of the longest stall."""

    took_s: float
    healthy_s: float
    stall_s: float


def fan_out_goals(rounds: int, *, quick: bool = False) -> Iterator[Goal]:
    """Measure with places on this machine that wait before they answer."""
    healthy, pages = (5, 2) if quick else (HEALTHY, PAGES)
    deadline_s = 1.0 if quick else DEADLINE_S
    with _places(healthy, HANGING, pages) as ports:
        well, hanging = ports[:healthy], ports[healthy:]
        yield from _healthy_goals(well, 1, 1.15, rounds, kind="wheelhouse")
        for count, gate in ((1, 1.15), (pages, 1.10)):
            yield from _healthy_goals(well, count, gate, rounds)
        yield _bare_goal(well, rounds)
        yield from _hanging_goals(well, hanging, deadline_s)
        yield _requests_goal(well, rounds)
        yield _pip_goal(well, rounds)


def _healthy_goals(
    ports: Sequence[int], pages: int, gate: float, rounds: int, *, kind: str = "simple"
) -> Iterator[Goal]:
    two = [ports[0], ports[-1]]
    stalls: list[float] = []

    def took(places: Sequence[int], concurrency: int) -> float:
        seen = _audit(places, pages, concurrency, kind=kind)
        stalls.append(seen.stall_s)
        return seen.took_s

    found = interleaved(
        {
            "two": lambda: took(two, ENOUGH),
            "all": lambda: took(ports, ENOUGH),
            "default": lambda: took(ports, 64),
        },
        rounds,
    )
    each = f"{len(ports)} places, {pages} {'page' if pages == 1 else 'pages'} each"
    if kind == "wheelhouse":
        each = f"{len(ports) - 1} find-links pages and an index"
    bound_s = latencies(2)[0] + pages * latencies(2)[1]
    floor = (
        f"the same audit of the source and the slowest place alone (arithmetic: {bound_s:.2f} s)"
    )
    for case, name in (("all", f"{each}, --concurrency {ENOUGH}"), ("default", f"{each}, default")):
        note = f"{min(found[case]):.2f} s"
        ratio = median_ratio(found[case], found["two"])
        yield Goal(name=name, ratio=ratio, gate=gate, floor=floor, note=note)
    yield _stall_goal(each, max(stalls))


def _bare_goal(ports: Sequence[int], rounds: int) -> Goal:
    """How much of a single page is ours: the same requests, nothing read, kept or decided."""
    found = interleaved(
        {"ours": lambda: _audit(ports, 1, ENOUGH).took_s, "bare": lambda: _bare_s(ports)}, rounds
    )
    return Goal(
        name=f"{len(ports)} places, 1 page each: ours / aiohttp alone",
        ratio=median_ratio(found["ours"], found["bare"]),
        gate=1.15,
        floor=f"aiohttp: the source in four views, then the same {4 * (len(ports) - 1)} requests",
        note=f"{min(found['ours']):.2f} s, {min(found['bare']):.2f} s",
    )


def _bare_s(ports: Sequence[int]) -> float:
    async def place(port: int) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            await asyncio.gather(*(view(session, port, headers) for headers in VIEW_HEADERS))

    async def view(session: aiohttp.ClientSession, port: int, headers: Headers) -> None:
        async with session.get(_page_url(port), headers=headers) as response:
            await response.read()

    async def everything() -> None:
        await place(ports[0])
        await asyncio.gather(*map(place, ports[1:]))

    started = time.perf_counter()
    run(everything())
    return time.perf_counter() - started


def _hanging_goals(
    ports: Sequence[int], hanging: Sequence[int], deadline_s: float
) -> Iterator[Goal]:
    seen = _audit([*ports, *hanging], 1, ENOUGH, deadline_s=deadline_s, hanging=len(hanging))
    each = f"{len(ports)} places and {len(hanging)} that hang"
    floor = f"the deadline of each place (timeout_s = {deadline_s:g})"
    yield Goal(name=each, ratio=seen.took_s / deadline_s, gate=1.05, floor=floor)
    yield Goal(
        name=f"{each}: the last healthy one is reported",
        ratio=seen.healthy_s / deadline_s,
        gate=0.5,
        floor=floor,
    )
    yield _stall_goal(each, seen.stall_s)


def _stall_goal(name: str, stall_s: float) -> Goal:
    return Goal(
        name=f"{name}: longest stall of the event loop",
        ratio=stall_s / 0.1,
        gate=1,
        floor="100 ms, in which nothing else could be sent or read",
    )


def _requests_goal(ports: Sequence[int], rounds: int) -> Goal:
    """One `requests.get` after another, one view only, against all four views of all places."""

    def loop() -> float:
        started = time.perf_counter()
        for port in ports:
            requests.get(f"{_url(port)}{project(0)}/", headers=JSON, timeout=30).json()
        return time.perf_counter() - started

    found = interleaved(
        {"loop": loop, "ours": lambda: _audit(ports, 1, ENOUGH).took_s}, min(rounds, 3)
    )
    return Goal(
        name=f"{len(ports)} places, 1 page each, after the imports",
        ratio=median_ratio(found["loop"], found["ours"]),
        gate=15 if len(ports) == HEALTHY else None,
        at_least=True,
        floor="requests.get of the JSON page, one place after another (ours asks in four views)",
        note=f"{min(found['ours']):.2f} s, {min(found['loop']):.2f} s",
    )


def _pip_goal(ports: Sequence[int], rounds: int) -> Goal:
    """One `pip index versions` after another; derived from the fastest and the slowest place."""
    compile_product()
    program = str(Path(sys.executable).with_name("auditor"))
    page = ["audit", project(0), "--broken", "1.0.24", "--fixed", "1.0.25", "--concurrency"]
    ours = [program, *page, str(ENOUGH), "--format", "json", "--no-progress", "--exit-zero"]
    for number, port in enumerate(ports):
        ours += ["--location", f"p{number}:simple={_url(port)}"]
    pip = [sys.executable, "-m", "pip", "index", "versions", project(0), "--isolated"]
    pip += ["--no-cache-dir", "--disable-pip-version-check", "--retries", "0", "--index-url"]
    found = interleaved(
        {
            "fast": lambda: _wall_s([*pip, _url(ports[0])]),
            "slow": lambda: _wall_s([*pip, _url(ports[-1])]),
            "ours": lambda: _wall_s(ours),
        },
        rounds,
    )
    mean = [(fast + slow) / 2 for fast, slow in zip(found["fast"], found["slow"], strict=True)]
    loop = [one * len(ports) for one in mean]
    return Goal(
        name=f"auditor audit of {len(ports)} places, start to report",
        ratio=median_ratio(loop, found["ours"]),
        gate=25,
        at_least=True,
        floor=f"pip index versions, {len(ports)} times (derived from the fastest and the slowest)",
        note=f"{min(found['ours']):.2f} s, pip {min(mean):.2f} s each",
    )


def _wall_s(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _audit(
    ports: Sequence[int],
    pages: int,
    concurrency: int,
    *,
    deadline_s: float = 60.0,
    hanging: int = 0,
    kind: str = "simple",
) -> _Seen:
    """Audit the places, of which the first is the source and the last ones may hang.

    Args:
        kind: of all but the first.
    """
    names = [f"p{number}" for number in range(len(ports))]
    healthy = set(names[: len(names) - hanging])
    plan = Plan(
        incidents=tuple(
            Incident(id=project(n), project=project(n), broken=("1.0.24",), fixed=("1.0.25",))
            for n in range(pages)
        ),
        locations=tuple(
            Location(
                name=name,
                kind="simple" if name == names[0] else kind,
                role=Role.INDEX,
                url=_url(port) if kind == "simple" or name == names[0] else _page_url(port),
                upstream=None if name == names[0] else names[0],
                timeout_s=deadline_s,
            )
            for name, port in zip(names, ports, strict=True)
        ),
        vantage=Vantage(id="bench"),
        concurrency=concurrency,
        tool_version="0",
        created_at=datetime.now(UTC),
    )
    finished: list[float] = []

    def note(event: Event) -> None:
        if event.phase == "finished" and event.location in healthy:
            finished.append(time.perf_counter())

    audit = Audit(plan, {}, KINDS, on_event=note)
    started = time.perf_counter()
    observations, stall_s = run(_watched(audit))
    took_s = time.perf_counter() - started
    _check(observations, healthy, pages)
    return _Seen(took_s, max(finished) - started, stall_s)


async def _watched(audit: Audit) -> tuple[tuple[Observation, ...], float]:
    """Run an audit; say for how long the event loop was ever kept from anything else."""
    stalls = [0.0]

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            stalls.append(time.perf_counter() - before - 0.01)

    ticking = asyncio.create_task(tick())
    observations = await audit.run()
    ticking.cancel()
    return observations, max(stalls)


def _check(observations: Sequence[Observation], healthy: set[str], pages: int) -> None:
    """Speed counts only if everything was read."""
    read = [o for o in observations if o.outcome is Outcome.OBSERVED and o.location in healthy]
    files = {len(page.candidates) for o in read for page in o.pages}
    if len(read) != len(healthy) * pages or files != {52}:
        raise RuntimeError(f"{len(read)} of {len(healthy) * pages} read, {files} files per page")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/simple/"


def _page_url(port: int) -> str:
    return f"{_url(port)}{project(0)}/"


@contextmanager
def _places(healthy: int, hanging: int, projects: int) -> Iterator[list[int]]:
    command = [sys.executable, "-m", "tests.bench.latency_server"]
    command += [str(healthy), str(hanging), str(projects)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            if server.stdout is None:
                raise RuntimeError("the server has no output")
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()
