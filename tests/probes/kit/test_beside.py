"""Bodies that are worked on beside the event loop."""

from __future__ import annotations

import asyncio
import threading

from probes.kit import beside
from probes.kit.beside import beside_the_loop


async def test_one_thread_works_on_one_body_after_another() -> None:
    threads = await asyncio.gather(*(beside_the_loop(threading.get_ident, 1) for _ in range(8)))
    assert len({*threads}) == 1
    assert threading.get_ident() not in threads


async def test_nobody_waits_for_a_body_that_could_take_long() -> None:
    go = threading.Event()
    slow = asyncio.create_task(beside_the_loop(go.wait, beside.SHORT_BYTES + 1))
    await asyncio.sleep(0)
    try:
        assert await asyncio.wait_for(beside_the_loop(lambda: "done", 1), 20) == "done"
    finally:
        go.set()
    assert await slow


def test_a_forked_process_begins_a_thread_of_its_own() -> None:
    assert beside._reader(-1) is not beside._reader(-2)
    beside._reader.cache_clear()
