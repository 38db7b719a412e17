"""A project in a bucket of many keys: what it takes must not grow with the bucket."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from auditor.contracts import Assignment, Credentials, Ledger
from auditor.model import Incident, Location, Observation, Outcome, Role, Vantage
from probes.s3 import KIND
from probes.s3_bucket import search
from tests.bench.measure import Goal, Measure, interleaved, median_ratio

__all__ = ["bucket_goals"]

# Beyond what is listed by the way, which is set to so many pages here.
SWEEP_PAGES = 2
FEW, MANY = 5_000, 100_000
RELEASES = 25
PROJECT = "project00050"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_ROOTS = {"versions": "ListVersionsResult", "versioning": "VersioningConfiguration"}


def bucket_goals(rounds: int, *, quick: bool) -> Iterator[Goal]:
    """Measure one project among few and among many keys."""
    many = 2 * FEW if quick else MANY
    with _swept_at_most(), serving(_keys(FEW)) as small, serving(_keys(many)) as large:
        found = interleaved({"small": _looking(small), "large": _looking(large)}, rounds)
    yield Goal(
        name=f"s3: one project among {many:,} keys of a bucket, wall",
        ratio=median_ratio(found["large"], found["small"]),
        gate=1.5,
        floor=f"the same among {FEW} keys",
        note=f"{1000 * min(found['large']):.0f} ms, {1000 * min(found['small']):.0f} ms",
    )
    pages = (2, 4) if quick else (2, 12)
    with serving(_keys(1000 * pages[0])) as small, serving(_keys(1000 * pages[1])) as large:
        peaks = [_peak_bytes(small), _peak_bytes(large)]
    yield Goal(
        name=f"s3: a list of all {1000 * pages[1]:,} keys, peak of memory",
        ratio=peaks[1] / peaks[0],
        gate=1.5,
        floor=f"the same of {1000 * pages[0]:,} keys",
        note=f"{peaks[1] / 2**20:.1f} MB",
    )


@contextmanager
def _swept_at_most() -> Iterator[None]:
    usual, search.SWEEP_PAGES = search.SWEEP_PAGES, SWEEP_PAGES
    try:
        yield
    finally:
        search.SWEEP_PAGES = usual


def _keys(count: int) -> list[str]:
    """Return a flat wheelhouse: the project with its releases, and others with one each."""
    ours = [f"{PROJECT}-1.{n}-py3-none-any.whl" for n in range(RELEASES)]
    names = (f"project{n:05}" for n in range(count + RELEASES))
    others = (f"{name}-1.0-py3-none-any.whl" for name in names if name != PROJECT)
    return sorted([*ours, *islice(others, count - RELEASES)])


def _peak_bytes(endpoint_url: str) -> int:
    """Return the most that Python held at once while every key was listed."""
    _look(endpoint_url)
    tracemalloc.start()
    try:
        _look(endpoint_url, list_all=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _looking(endpoint_url: str) -> Measure:
    def measure() -> float:
        _look(endpoint_url)  # boto3 is loaded, connections of the machine are warm
        started = time.perf_counter()
        _look(endpoint_url)
        return time.perf_counter() - started

    return measure


def _look(endpoint_url: str, *, list_all: bool = False) -> None:
    found = asyncio.run(_observed(endpoint_url, list_all))
    if found.outcome is not Outcome.OBSERVED or len(found.holdings) != RELEASES:
        raise RuntimeError(f"not found: {found.outcome} {found.detail} {found.notes}")


async def _observed(endpoint_url: str, list_all: bool) -> Observation:
    return await KIND.observe(_assignment(endpoint_url, list_all))


class _Limits:
    def slot(self, host: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()


def _assignment(endpoint_url: str, list_all: bool) -> Assignment:
    settings = {"bucket": "wheels", "endpoint_url": endpoint_url, "list_all": list_all}
    return Assignment(
        incident=Incident(id="x", project=PROJECT, broken=("1.3",), fixed=("1.4",)),
        location=Location(
            name="bucket", kind="s3", role=Role.STORE, url="s3://wheels/", settings=settings
        ),
        vantage=Vantage(id="bench"),
        credentials=Credentials(username="bench", password="bench"),
        limits=_Limits(),
        ledger=Ledger(),
        user_agent_suffix="propagation-auditor/bench",
        now=lambda: datetime.now(UTC),
    )


@contextmanager
def serving(keys: Sequence[str]) -> Iterator[str]:
    """Serve the list of a bucket from memory; a page costs what its keys cost."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(keys))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(keys: Sequence[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(_page(keys, urlsplit(self.path).query).encode())

        def do_HEAD(self) -> None:
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("ETag", f'"{"0" * 32}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler


def _page(keys: Sequence[str], query: str) -> str:
    asked = parse_qs(query, keep_blank_values=True)
    root = next((_ROOTS[name] for name in _ROOTS if name in asked), "ListBucketResult")
    prefix, most = asked.get("prefix", [""])[0], int(asked.get("max-keys", ["1000"])[0])
    first = bisect_left(keys, prefix)
    last = bisect_left(keys, f"{prefix}\uffff") if prefix else len(keys)
    first = max(first, _begin(keys, asked))
    shown = keys[first : min(last, first + most)] if root != "VersioningConfiguration" else ()
    tag = "Version" if root == "ListVersionsResult" else "Contents"
    entries = "".join(map((_VERSION if tag == "Version" else _ENTRY).format, shown))
    mark = shown[-1] if shown and first + most < last else ""
    cut = "".join(f"<{name}>{mark}</{name}>" for name in _MARKS) if mark else ""
    cut += f"<IsTruncated>{str(bool(mark)).lower()}</IsTruncated>"
    return f"{_HEAD}<{root}>{entries}{cut}</{root}>"


_MARKS = ("NextContinuationToken", "NextKeyMarker", "NextVersionIdMarker")


def _begin(keys: Sequence[str], asked: Mapping[str, list[str]]) -> int:
    """Return where a page begins that goes on after another."""
    marks = asked.get("continuation-token") or asked.get("key-marker")
    return bisect_right(keys, marks[0]) if marks else 0


_FACTS = '<Size>1000</Size><ETag>"{0}"</ETag><LastModified>2026-11-23T08:00:00Z</LastModified>'
_FACTS = _FACTS.replace("{0}", "0" * 32)
_ENTRY = "<Contents><Key>{}</Key>" + _FACTS + "</Contents>"
_VERSION = (
    "<Version><Key>{}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
    + _FACTS
    + "</Version>"
)
