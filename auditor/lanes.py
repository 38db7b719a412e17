"""Who is looked at when: looks wait in lanes, one for each host, and incidents are let in in turn.

A look is one place for one incident. How many of them are under way at a host at once is bounded
here, and not only how many requests it gets: a look's time runs while its requests wait for the
host, so that too many at once would run out of time on a host that answers well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auditor.model import Incident, Location, Observation

__all__ = ["Lane", "Look", "Unfinished", "Window", "by_project", "from_the_top", "host_of"]

# Incidents that are under way at once: enough that every host has work while the slowest one
# catches up. What they have seen is held until they are judged.
MAX_INCIDENTS = 32
# Files that the pages of those may list together, of about a kilobyte each. One incident that
# has more than that is let in alone.
MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Look:
    """One place that is to be looked at for one incident."""

    location: Location
    incident: Incident


@dataclass(slots=True)
class Unfinished:
    """What was seen for one incident so far.

    Attributes:
        left: how many places are still to be looked at.
        seen: one observation for each of the others.
        files: how many files the pages list, those that share a list counted once.
        complete: set when nothing more is to be expected.
    """

    left: int
    seen: list[Observation] = field(default_factory=list)
    files: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    _lists: set[int] = field(default_factory=set)

    def take(self, observation: Observation) -> int:
        """Add what was seen at one place; return how many more files that holds."""
        more = 0
        for page in observation.pages:
            if id(page.candidates) not in self._lists:
                self._lists.add(id(page.candidates))
                more += len(page.candidates)
        self.seen.append(observation)
        self.files += more
        self.left -= 1
        if not self.left:
            self.complete.set()
        return more


class Lane:
    """Looks that wait for one host, the first come first; each worker takes one after another.

    Args:
        places: how many locations the host has.
        at_once: looks that one of them alone may have under way.
        incidents: how many there are in all.

    Attributes:
        places: as given.
        workers: how many there are to be.
    """

    def __init__(self, places: int, at_once: int, incidents: int) -> None:
        self.places = places
        # All places are begun at once for a single incident, and no more than that for many.
        self.workers = min(max(places, at_once), places * incidents)
        self._waiting: deque[Look] = deque()
        self._more = asyncio.Event()
        self._closed = False

    def add(self, look: Look) -> None:
        """Let a look wait for its turn."""
        self._waiting.append(look)
        self._more.set()

    def close(self) -> None:
        """Say that nothing will be added any more."""
        self._closed = True
        self._more.set()

    async def next(self) -> Look | None:
        """Return the look whose turn it is; None when there will be none."""
        while not self._waiting:
            if self._closed:
                return None
            self._more.clear()
            await self._more.wait()
        return self._waiting.popleft()


class Window:
    """Lets incidents in while what those that are in hold is bounded."""

    def __init__(self) -> None:
        self._inside = 0
        self._files = 0
        self._left = asyncio.Event()

    async def enter(self) -> None:
        """Wait until one more may be begun."""
        while self._inside and (self._inside >= MAX_INCIDENTS or self._files >= MAX_FILES):
            self._left.clear()
            await self._left.wait()
        self._inside += 1

    def holds(self, files: int) -> None:
        """Count what was seen for one of them."""
        self._files += files

    def leave(self, files: int) -> None:
        """Forget one of them, and what it held."""
        self._inside -= 1
        self._files -= files
        self._left.set()


def host_of(location: Location) -> str:
    """Name the lane of a place: its host and port, or the place itself where there is none."""
    url = location.url or ""
    if url.lower().startswith(("http://", "https://")):
        try:
            return urlsplit(url).netloc.rpartition("@")[2].lower()
        except ValueError:  # its probe will say so
            return f"place {location.name}"
    return f"place {location.name}"


def from_the_top(locations: Iterable[Location]) -> list[Location]:
    """Order places so that none comes before one that it copies from.

    A look may wait for those above it. In this order, none that it waits for waits behind it.
    """
    places = list(locations)
    above = {place.name: place.upstream for place in places}
    return sorted(places, key=lambda place: sum(1 for _ in _chain(place.name, above)))


def _chain(name: str, above: Mapping[str, str | None]) -> Iterator[str]:
    met: set[str] = set()
    upstream = above[name]
    while upstream is not None and upstream in above and upstream not in met:
        met.add(upstream)
        yield upstream
        upstream = above[upstream]


def by_project(incidents: Sequence[Incident]) -> tuple[Incident, ...]:
    """Put incidents about one project one behind the other, at the place of the first one."""
    first: dict[str, int] = {}
    for incident in incidents:
        first.setdefault(incident.project, len(first))
    return tuple(sorted(incidents, key=lambda incident: first[incident.project]))
