"""Runs a coroutine on the quickest event loop that is installed."""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Callable, Coroutine
from typing import TypeVar, cast

__all__ = ["loop_factory", "run"]

# A page makes thousands of objects that stay, and hardly a cycle: Python's own 700 would look at
# all of them again and again.
GARBAGE_OBJECTS = 50_000

_T = TypeVar("_T")


def run(main: Coroutine[object, object, _T]) -> _T:
    """Run to the end, as `asyncio.run` does, in a process of ours; with uvloop where it exists.

    What is loaded by now stays until the process ends: no later garbage collection looks at it
    again, which would keep every answer waiting.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    found: list[_T] = []

    async def keep() -> None:
        # A task is written out with its result when the runner takes its signal handler back
        # (CPython, enum.py: the text of an error that nobody sees), and ours is a whole audit.
        found.append(await main)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(keep())
    return found[0]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a loop of uvloop; None, asyncio's own, where it is not installed."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:  # also on Windows, for which it does not exist
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
