"""Where a wheel's tags rank in one environment, for whichever installer's order of tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

__all__ = ["TagRanks", "TagRow", "TagSet"]

# A large project has some hundred distinct tag sets.
MAX_REMEMBERED_TAGS = 10_000


class TagRow(NamedTuple):
    """Tags beside each other in an order of preference that differ by their platform alone."""

    interpreter: str
    abi: str
    platforms: tuple[str, ...]


class TagSet(Protocol):
    """The tags of a wheel, as its name has them: all combinations of three lists."""

    @property
    def text(self) -> str:
        """As written, by which they are remembered."""

    @property
    def pythons(self) -> Collection[str]:
        """Interpreters."""

    @property
    def abis(self) -> Collection[str]:
        """Binary interfaces."""

    @property
    def platforms(self) -> Collection[str]:
        """Platforms."""


class TagRanks:
    """The tags that an environment takes, with every rank that was ever looked up.

    Args:
        rows: best first.

    Attributes:
        count: how many tags there are; every rank is below.
    """

    def __init__(self, rows: Iterable[TagRow]) -> None:
        self.count = 0
        self._known: dict[str, int | None] = {}
        self._rows: list[tuple[str, str, int, Mapping[str, int]]] = []
        for row in rows:
            self._rows.append((row.interpreter, row.abi, self.count, _positions(row.platforms)))
            self.count += len(row.platforms)

    def of(self, tags: TagSet) -> int | None:
        """Return the rank of the best tag of a wheel, 0 being the best; None if none fits."""
        try:
            return self._known[tags.text]
        except KeyError:
            if len(self._known) > MAX_REMEMBERED_TAGS:
                self._known.clear()
            return self._known.setdefault(tags.text, self._best(tags))

    def _best(self, tags: TagSet) -> int | None:
        """Intersect without multiplying out: a hostile name can stand for billions of tags."""
        ranks: dict[tuple[str, str, str], int] = {}
        for interpreter, abi, start, positions in self._rows:
            if interpreter in tags.pythons and abi in tags.abis:
                for platform in tags.platforms:
                    if platform in positions:
                        # A tag that is listed twice has its last rank, as in pip's own table.
                        ranks[interpreter, abi, platform] = start + positions[platform]
        return min(ranks.values(), default=None)


@lru_cache(maxsize=256)
def _positions(platforms: tuple[str, ...]) -> Mapping[str, int]:
    """Return where each platform stands in a row; the same one comes in many rows."""
    return {platform: position for position, platform in enumerate(platforms)}
