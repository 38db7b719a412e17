"""Asking again: only where a second attempt may cure what became of the first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["ATTEMPTS", "retried"]

ATTEMPTS = 3

T = TypeVar("T")

# stamina reports each retry to this logger; our ledger has them all. Without a handler Python
# would print them to the terminal.
logging.getLogger("stamina").addHandler(logging.NullHandler())


async def retried(
    ask: Callable[[], Awaitable[T]],
    on: Callable[[Exception], bool | float],
    timeout_s: float,
    wait_s: float,
) -> T:
    """Return what `ask` returns, called up to three times.

    Args:
        ask: makes one attempt.
        on: whether an error is worth another attempt, or after how many seconds it is.
        timeout_s: after which no further attempt begins.
        wait_s: before the second attempt; later ones wait longer.

    Raises:
        Exception: what the last attempt raised.
    """
    try:
        return await ask()
    except Exception as error:
        if on(error) is False:
            raise
        failed: list[Exception] = [error]
    # Only now: most audits never ask anything twice, and this import costs as much as a request.
    import stamina

    async for attempt in stamina.retry_context(
        on=on, attempts=ATTEMPTS, timeout=timeout_s, wait_initial=wait_s, wait_jitter=wait_s
    ):
        with attempt:
            if failed:  # the attempt that was made above counts as the first of the three
                raise failed.pop()
            return await ask()
    raise AssertionError("a retry context returns or raises")  # pragma: no cover  # for mypy
