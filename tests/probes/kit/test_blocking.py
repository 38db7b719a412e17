"""Servers that trickle: what asks them through a library that blocks still ends in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from auditor.contracts import Assignment, Ledger, ProbeKind
from auditor.model import Outcome, RequestRecord, Role, Touch
from probes import devpi, s3
from probes.kit.blocking import InFlight, in_daemon_thread
from tests.probes.conftest import MakeAssignment

TIMEOUT_S, DROP_S = 1.5, 0.1
FOR_EVER_S = 40 * TIMEOUT_S
NOW = datetime(2026, 11, 23, tzinfo=UTC)
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
DRIPS = {
    "within the body": (BODY, b" "),
    "within the headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
}


@asynccontextmanager
async def dripping(beginning: bytes, drop: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve an answer that never ends, a drop at a time; yield the address and who got how many."""
    drops: list[int] = []  # a number for each connection

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(beginning)
            mine = len(drops)
            drops.append(0)
            while True:
                writer.write(drop)
                drops[mine] += 1
                await writer.drain()
                await asyncio.sleep(DROP_S)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", drops
    finally:
        server.close()


def at(kind: ProbeKind, url: str, assign: MakeAssignment) -> Assignment:
    if kind is s3.KIND:
        settings = {"bucket": "wheels", "endpoint_url": url}
        more = {"role": Role.STORE, "settings": settings, "timeout_s": TIMEOUT_S}
        return assign("s3://wheels/", kind="s3", **more)
    return assign(f"{url}/root/pypi/+simple/", kind="devpi", timeout_s=TIMEOUT_S)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [s3.KIND, devpi.KIND], ids=["s3", "devpi"])
@pytest.mark.parametrize("drip", DRIPS)
async def test_a_server_that_trickles_costs_no_more_than_the_locations_time(
    kind: ProbeKind, drip: str, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    async with dripping(*DRIPS[drip]) as (url, drops):
        work = at(kind, url, assign)
        # The server would go on for ever.
        found = await asyncio.wait_for(kind.observe(work), FOR_EVER_S)
        longest = max(drops)

    assert found.outcome in (Outcome.UNREACHABLE, Outcome.MALFORMED)
    # By the server's own clock, which is as slow as this machine: importing a client counts too.
    assert longest <= (TIMEOUT_S + 1.5) / DROP_S
    assert found.requests
    # Whatever is still at it keeps no process from ending.
    left = [t for t in threading.enumerate() if t.name.startswith(("s3-", "devpi"))]
    assert all(thread.daemon for thread in left)


async def test_work_is_done_and_what_it_raises_is_raised() -> None:
    assert await in_daemon_thread(lambda: threading.current_thread().daemon, name="x") is True
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0, name="x")


async def test_who_is_cancelled_does_not_wait_for_the_thread() -> None:
    over = threading.Event()
    waiting = asyncio.ensure_future(in_daemon_thread(lambda: over.wait(30), name="x"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 1)
    over.set()


def sent(url: str) -> RequestRecord:
    return RequestRecord(
        location="x", method="GET", url=url, touch=Touch.INERT, status=None, sent_at=NOW
    )


def test_a_request_that_is_given_up_is_in_the_ledger_once() -> None:
    ledger = Ledger()
    requests = InFlight(ledger)
    first, second = requests.began(sent("/a")), requests.began(sent("/b"))
    requests.ended(first, 200)
    requests.give_up()
    requests.ended(second, 200)

    assert [(r.url, r.status) for r in ledger.records()] == [("/a", 200), ("/b", None)]
