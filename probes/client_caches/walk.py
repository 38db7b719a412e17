"""Walks through one bucket: names only, no link followed, ready for a client that writes."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from probes.client_caches.home import CacheReading

__all__ = ["entries_of", "walk"]

_MAX_DEPTH = 8
_MAX_ENTRIES = 5_000_000


def entries_of(home: str, place: str, reading: CacheReading) -> list[os.DirEntry[str]]:
    """List one directory, in order; empty if it is gone. What may not be listed is noted."""
    try:
        with os.scandir(f"{home}/{place}") as found:
            return sorted(found, key=lambda item: item.name)
    except (FileNotFoundError, NotADirectoryError):
        return []  # a client removed or replaced it meanwhile
    except OSError:
        reading.note("directories that may not be listed", place, hides=True)
        return []


def walk(
    home: str,
    directory: str,
    reading: CacheReading,
    *,
    links: bool = False,
    whole: Container[str] = frozenset(),
) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of every file below a directory, and of some directories.

    Args:
        home: the cache.
        directory: where to begin, relative to it.
        reading: gets what could not be looked into.
        links: whether symbolic links are yielded too; they are never followed.
        whole: names of directories that are yielded and not gone into.
    """
    pending = [(directory, 0)]
    seen = 0
    while pending:
        place, depth = pending.pop()
        for item in entries_of(home, place, reading):
            seen += 1
            below = f"{place}/{item.name}"
            if item.is_dir(follow_symlinks=False):
                if item.name in whole:
                    yield below, item.name
                elif depth < _MAX_DEPTH:
                    pending.append((below, depth + 1))
                else:
                    reading.note("directories deeper than any client makes them", below, hides=True)
            elif links or not item.is_symlink():
                yield below, item.name
            else:
                what = "symbolic links where uv makes none, which are not followed"
                reading.note(what, below, hides=True)
        if seen > _MAX_ENTRIES:
            reading.note("directories left out: too many entries", place, hides=True)
            return
