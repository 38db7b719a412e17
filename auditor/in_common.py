"""What the probes of one audit have in common, and the record of what one of them sends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar, cast

from auditor.model import RequestRecord

__all__ = ["Ledger", "Shared"]

T = TypeVar("T")


class Shared:
    """What the probes of one audit have in common, made when first wanted: open connections, pages.

    Nothing in it may depend on one place's secrets, unless its key names that place.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, object] = {}
        self._closing: dict[Hashable, Callable[[], Awaitable[None]]] = {}
        self._of_place: defaultdict[str, set[Hashable]] = defaultdict(set)

    def one(
        self,
        make: Callable[[], T],
        *key: Hashable,
        close: Callable[[T], Awaitable[None]] | None = None,
        place: str | None = None,
    ) -> T:
        """Return what was made under this key, or make it.

        Args:
            make: makes it.
            key: tells it from everything else in here.
            close: what the audit calls with it in the end; None: nothing.
            place: name of the only location that it is for, after whose last look that end comes;
                None: it is for the whole audit.
        """
        if key not in self._made:
            made = make()
            self._made[key] = made
            if close is not None:
                self._closing[key] = partial(close, made)
            if place is not None:
                self._of_place[place].add(key)
        return cast(T, self._made[key])

    async def leave(self, place: str) -> None:
        """Close and forget what was for one location only, which nobody will look at again."""
        await self._close(self._of_place.pop(place, ()))

    async def close(self) -> None:
        """Close all that wants to be closed, and forget everything."""
        await self._close((*self._made, *self._closing))
        self._of_place.clear()

    async def _close(self, keys: Iterable[Hashable]) -> None:
        async with AsyncExitStack() as stack:  # one that fails keeps no other from being closed
            for key in dict.fromkeys(keys):
                stack.push_async_callback(self._close_one, key)

    async def _close_one(self, key: Hashable) -> None:
        self._made.pop(key, None)
        if key in self._closing:
            await self._closing[key]()
            # Not if that was cancelled: then it is closed with all the rest.
            self._closing.pop(key, None)


class Ledger:
    """Every request made for one location, kept even when the probe is cancelled."""

    def __init__(self) -> None:
        self._records: list[RequestRecord] = []

    def write(self, record: RequestRecord) -> None:
        """Add one request."""
        self._records.append(record)

    def records(self) -> tuple[RequestRecord, ...]:
        """Return the requests in the order in which they were made."""
        return tuple(self._records)
