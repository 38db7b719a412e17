"""Bounds on what is asked at once, shared by every probe of an audit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiolimiter import AsyncLimiter

__all__ = ["HOST_RATE_PER_S", "Limits"]

# Requests that one host gets per second at most, beside the bound on how many at once.
HOST_RATE_PER_S = 100


class Limits:
    """Bounds shared by every probe of an audit: places at once; per host, at once and per second.

    Places are counted rather than requests: a place asks its four views at once, and making one
    place wait for another's answers would make the audit slower than its slowest place.
    """

    def __init__(
        self, concurrency: int, concurrency_per_host: int, rate_per_s: float | None = None
    ) -> None:
        self._rate_per_s = HOST_RATE_PER_S if rate_per_s is None else rate_per_s
        self._places = asyncio.Semaphore(concurrency)
        self._doors: dict[str, asyncio.Lock] = {}
        self._inside: Counter[str] = Counter()
        self._per_host = concurrency_per_host
        self._hosts: dict[str, _Slots] = {}

    @asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[None]:
        """Wait until that place may be looked at, and hold it; several looks at one count once."""
        async with self._doors.setdefault(name, asyncio.Lock()):
            if not self._inside[name]:
                await self._places.acquire()
            self._inside[name] += 1
        try:
            yield
        finally:
            self._inside[name] -= 1
            if not self._inside[name]:
                self._places.release()

    def slot(self, host: str) -> AbstractAsyncContextManager[None]:
        """Wait for a place on that host (`name:port`) and hold it."""
        if host not in self._hosts:
            self._hosts[host] = _Slots(self._per_host, self._rate_per_s)
        return self._hosts[host]


class _Slots(AbstractAsyncContextManager[None]):
    """The places on one host; each entry takes one, if there is one and in its time."""

    def __init__(self, at_once: int, rate_per_s: float) -> None:
        self._at_once = asyncio.Semaphore(at_once)
        self._rate = AsyncLimiter(rate_per_s, time_period=1)

    async def __aenter__(self) -> None:
        await self._at_once.acquire()
        try:
            await self._rate.acquire()
        except BaseException:
            self._at_once.release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._at_once.release()
