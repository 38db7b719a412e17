"""Work on large bodies beside the event loop, and most of it one body after another.

Two threads that read pages at once are no faster than one, as the interpreter runs one at a time,
and hold two pages where one would do; what each has freed stays with it besides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["SHORT_BYTES", "beside_the_loop"]

# Whatever is in a body of up to this much, it is done with in a second or two. A larger one gets a
# thread that others need not wait for: a hostile place must not use up their time.
SHORT_BYTES = 2**21

T = TypeVar("T")


async def beside_the_loop(work: Callable[[], T], body_bytes: int) -> T:
    """Do work on a body in a thread, after that on others that came before it.

    Args:
        work: what to do.
        body_bytes: length of the body.
    """
    if body_bytes > SHORT_BYTES:
        return await asyncio.to_thread(work)
    return await asyncio.get_running_loop().run_in_executor(_reader(os.getpid()), work)


@lru_cache(maxsize=1)
def _reader(process: int) -> ThreadPoolExecutor:
    """Return the thread of a process: one that was forked has none of its parent's."""
    # Only now: most pages are small, and it would be imported before the first request.
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="page reader")
