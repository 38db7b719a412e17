"""Libraries that block, kept from keeping us: threads that nobody waits for, and their requests.

A server that sends one byte at a time holds a thread for as long as it likes. The threads of an
executor are joined when the event loop and when the process ends; these are not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from itertools import count
from typing import TypeVar

from auditor.contracts import Ledger
from auditor.model import RequestRecord

__all__ = ["InFlight", "in_daemon_thread"]

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T], *, name: str) -> T:
    """Do work in a thread of its own; who is cancelled meanwhile leaves it behind.

    Args:
        work: may block.
        name: of the thread.
    """
    loop, context = asyncio.get_running_loop(), copy_context()
    done: asyncio.Future[T] = loop.create_future()

    def succeed(result: T) -> None:
        if not done.done():
            done.set_result(result)

    def fail(error: BaseException) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            try:
                result = context.run(work)
            except BaseException as error:  # noqa: BLE001  # raised again where it is awaited
                loop.call_soon_threadsafe(fail, error)
            else:
                loop.call_soon_threadsafe(succeed, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


class InFlight:
    """Requests of such threads, in the ledger even if their threads never come back.

    Args:
        ledger: of the location.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[int, RequestRecord] = {}
        self._numbers = count()
        self._lock = threading.Lock()

    def began(self, record: RequestRecord) -> int:
        """Remember a request that is about to be sent; returns its number."""
        with self._lock:
            number = next(self._numbers)
            self._open[number] = record
        return number

    def ended(self, number: int, status: int | None) -> None:
        """Write a request down, with the status of its answer; None: there was none."""
        with self._lock:
            record = self._open.pop(number, None)
            if record is not None:
                self._ledger.write(replace(record, status=status))

    def give_up(self) -> None:
        """Write down what is still on its way: its answer does not count any more."""
        with self._lock:
            for record in self._open.values():
                self._ledger.write(record)
            self._open.clear()
