"""Walks through one store and has every body recognised. Ready for a client that writes meanwhile.

20,000 entries take about twice as long as `grep -r` over them, which finds less: most pages are
stored compressed. One thread: two of them took 1.7 times as long, four 2.5 times, because nearly
all of it is Python's own work on small files.
"""

from __future__ import annotations

import os
import threading

from auditor.model import Incident
from probes.http_stores.content import Unsearched
from probes.http_stores.disk import Body, OpenFile, opened
from probes.http_stores.entry import Damaged, Entry, Foreign, is_entry_name, read_entry
from probes.http_stores.finding import StoreReading
from probes.http_stores.recognise import Recogniser, Stored
from probes.kit.disk import NotReadable

__all__ = ["StoreScan"]

# One file or two per entry; a cache of that many would hold terabytes.
_MAX_ENTRIES = 2_000_000
# a/b/c/d/e/NAME: a client's own depth is five.
_MAX_DEPTH = 8


class StoreScan:
    """A walk through the stores of one cache, for one incident."""

    def __init__(self, home: str, incident: Incident, stop: threading.Event) -> None:
        """Make it.

        Args:
            home: the cache, to which every place is relative.
            incident: what to look for.
            stop: ends the walk.
        """
        self._home = home
        self._stop = stop
        self._recogniser = Recogniser(incident, stop)

    def read(self, store: str) -> StoreReading:
        """Read a store to its end.

        Args:
            store: its directory, relative to the cache.
        """
        reading = self._walk(store)
        reading.complete = reading.complete and not self._stop.is_set()
        if not reading.complete:
            # A directory that may not be listed may still be entered by who knows the way.
            met = {file.place for file in reading.files}
            looked_up = self.look_up(store).files
            reading.files += [file for file in looked_up if file.place not in met]
        return reading

    def look_up(self, store: str) -> StoreReading:
        """Read only the entries of broken artifacts whose URL is known: no walk is needed."""
        reading = StoreReading()
        for key in self._recogniser.keys:
            place = f"{store}/{'/'.join(key[:5])}"
            names = (key, f"{key}.body")
            here = {n for n in names if os.access(f"{self._home}/{place}/{n}", os.F_OK)}
            self._read_files(place, here, reading)
        return reading

    def _walk(self, directory: str) -> StoreReading:
        reading = StoreReading()
        pending = [(directory, 0)]
        while pending and not self._stop.is_set():
            place, depth = pending.pop()
            pending += ((below, depth + 1) for below in self._list(place, depth, reading))
            if reading.entries > _MAX_ENTRIES:
                reading.note("directories left out: too many entries", place, hides=True)
                break
        return reading

    def _list(self, place: str, depth: int, reading: StoreReading) -> list[str]:
        """Read the files of one directory; return the directories in it."""
        below: list[str] = []
        files: set[str] = set()
        try:
            with os.scandir(f"{self._home}/{place}") as found:
                for item in found:
                    _sort(item, place, below, files, reading)
        except FileNotFoundError:
            return []  # a client removed it meanwhile
        except OSError:
            reading.note("directories that may not be listed", place, hides=True)
            return []
        self._read_files(place, files, reading)
        if depth >= _MAX_DEPTH and below:
            reading.note("directories deeper than any client makes them", place, hides=True)
            return []
        return below

    def _read_files(self, place: str, names: set[str], reading: StoreReading) -> None:
        for name in names:
            if self._stop.is_set():
                return
            if name.endswith(".body") and name[:-5] in names:
                continue  # it is read with its entry
            path = f"{place}/{name}"
            try:
                self._read_file(path, name, f"{name}.body" in names, reading)
            except FileNotFoundError:
                continue  # a client removed or replaced it meanwhile
            except Unsearched:
                reading.note("archives too large to be searched to their end", path, hides=True)
            except (OSError, NotReadable):
                reading.note("files that may not be read", path, hides=True)
                self._recogniser.unread(path, name, reading)

    def _read_file(self, place: str, name: str, has_body: bool, reading: StoreReading) -> None:
        with opened(f"{self._home}/{place}") as file:
            if not is_entry_name(name):
                # A body whose entry is gone, or what a client left behind half-way.
                reading.note("files without an entry, which clients ignore", place)
                key = name.partition(".")[0]
                self._recogniser.recognise(_stored(place, key, file, None), reading)
                return
            reading.entries += 1
            entry = _entry(place, file, reading)
            if not has_body:
                self._read_inside(place, name, file, entry, reading)
        if has_body:
            place = f"{place}.body"
            with opened(f"{self._home}/{place}") as file:
                self._recogniser.recognise(_stored(place, name, file, entry), reading)

    def _read_inside(
        self, place: str, key: str, file: OpenFile, entry: Entry | None, reading: StoreReading
    ) -> None:
        """Read the body inside an entry, where pip kept it before 23.3."""
        if entry is None:
            body = Body(file.descriptor, 0, file.size)
            self._recogniser.trace(place, key, body, reading)
        elif entry.body_size:
            stored = _stored(place, key, file, entry, entry.body_at, entry.body_size)
            self._recogniser.recognise(stored, reading)
        else:
            reading.note("entries without a body, which clients ignore", place)


def _stored(
    place: str,
    key: str,
    file: OpenFile,
    entry: Entry | None,
    start: int = 0,
    size: int | None = None,
) -> Stored:
    return Stored(
        place=place,
        key=key,
        start=start,
        body=Body(file.descriptor, start, file.size if size is None else size),
        entry=entry,
        modified_s=file.modified_s,
    )


def _sort(
    item: os.DirEntry[str], place: str, below: list[str], files: set[str], reading: StoreReading
) -> None:
    if item.is_dir(follow_symlinks=False):
        below.append(f"{place}/{item.name}")
    elif item.is_file(follow_symlinks=False):
        files.add(item.name)
    elif item.is_symlink():
        # A client would follow it; where it leads may be anywhere on this machine.
        reading.note("symbolic links, which are not followed", f"{place}/{item.name}", hides=True)
    else:
        reading.note("FIFOs, sockets and devices", f"{place}/{item.name}")


def _entry(place: str, file: OpenFile, reading: StoreReading) -> Entry | None:
    try:
        return read_entry(file.descriptor, file.size)
    except Foreign as foreign:
        reading.note(f"files that are no entries ({foreign})", place)
    except Damaged as damage:
        reading.note(f"damaged entries ({damage})", place)
    return None
