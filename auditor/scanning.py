"""Walks directories and recognises the places in them, by what each kind says of itself."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditor.contracts import Met, ProbeKind

__all__ = ["Recognised", "Scan", "scan"]

# A home directory has some million files.
_MAX_DIRECTORIES = 2_000_000
_MAX_DEPTH = 40
# Nothing of interest is below; version control keeps objects, not files.
_PASSED_OVER = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__"})
# Where the kernel shows itself: below these names, if something is mounted there.
_OF_KERNEL = frozenset({"proc", "sys"})


@dataclass(frozen=True, slots=True)
class Recognised:
    """One place that was recognised: its kind and where it lies."""

    kind: str
    path: Path


@dataclass
class Scan:
    """What a walk found.

    Attributes:
        places: what was recognised, in the order of their paths.
        unread: what was not looked into and could be a place, with the cause.
        directories, files: how many were met.
    """

    places: list[Recognised] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    directories: int = 0
    files: int = 0


def scan(
    paths: Sequence[Path], kinds: Mapping[str, ProbeKind], stop: threading.Event | None = None
) -> Scan:
    """Look at these paths and everything below.

    A link to a file is that file; one to a directory is not followed, and is told as unread if it
    leads out of these paths.

    Args:
        paths: files or directories. What was named on purpose is looked at, link or not.
        kinds: those that may recognise something.
        stop: ends the walk early.
    """
    asked = [kind for kind in kinds.values() if kind.recognises is not None]
    walk = _Walk(asked, [path.resolve() for path in paths], stop or threading.Event())
    for path in paths:
        if path.is_dir():
            walk.below(path)
        else:
            walk.meet_file(path, asked)
    found = walk.found
    found.places += _linked_elsewhere(walk.linked, found.places)
    found.places = sorted(dict.fromkeys(found.places), key=lambda place: (place.path, place.kind))
    return found


def _linked_elsewhere(
    linked: Sequence[Recognised], places: Sequence[Recognised]
) -> Iterator[Recognised]:
    """Those links to files that were not met under their own names."""
    met = {(place.kind, place.path.resolve()) for place in places}
    return (place for place in linked if (place.kind, place.path.resolve()) not in met)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What lies in a directory: names of directories, files, and links to either.

    Attributes:
        unknown: names of what cannot be told to be either, each with the cause.
    """

    directories: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    linked_directories: list[str] = field(default_factory=list)
    linked_files: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)

    def names(self) -> frozenset[str]:
        """All of them, as a kind is shown them."""
        linked = (*self.linked_directories, *self.linked_files)
        return frozenset((*self.directories, *self.files, *linked))


@dataclass
class _Walk:
    """One walk.

    Attributes:
        kinds: those that may recognise something.
        tops: what was asked for, without links.
        stop: ends it early.
        linked: files that are called like a place and are links.
    """

    kinds: Sequence[ProbeKind]
    tops: Sequence[Path]
    stop: threading.Event
    found: Scan = field(default_factory=Scan)
    linked: list[Recognised] = field(default_factory=list)

    def below(self, top: Path) -> None:
        """Meet a directory and everything below it."""
        pending = [(top, 0)]
        while pending and not self.stop.is_set():
            path, depth = pending.pop()
            if self.found.directories >= _MAX_DIRECTORIES or depth > _MAX_DEPTH:
                self.found.unread.append(f"{path}: too deep, or too many directories")
                return
            try:
                listing = _listed(path)
            except OSError as error:
                self.found.unread.append(f"{path}: {error.strerror or error}")
                continue
            self.found.directories += 1
            self.found.unread += (f"{path / name}: {cause}" for name, cause in listing.unknown)
            if not self._meet_directory(path, listing):
                pending += ((path / n, depth + 1) for n in listing.directories if _enters(path, n))

    def _meet_directory(self, path: Path, listing: _Listing) -> bool:
        """Ask every kind; say whether one of them owns everything below."""
        met = Met(path, listing.names())
        claiming = list(_claiming(met, self.kinds))
        self.found.places += [Recognised(kind.name, path) for kind in claiming]
        if any(_owns(kind, met, claiming) for kind in self.kinds):
            return True
        # The files of a directory that is a place as a whole are no places of the same kind.
        others = [kind for kind in self.kinds if kind not in claiming]
        for name in listing.files:
            self.meet_file(path / name, others)
        for name in listing.linked_files:
            self._meet_link(path / name, others)
        for name in listing.linked_directories:
            self._pass_over(path / name)
        return False

    def meet_file(self, path: Path, kinds: Sequence[ProbeKind]) -> None:
        """Ask these kinds whether a file is a place of theirs."""
        self.found.files += 1
        places = [Recognised(kind.name, path) for kind in _asked(path, kinds)]
        self.found.places += places
        if not places:
            self._doubt(path)

    def _meet_link(self, path: Path, kinds: Sequence[ProbeKind]) -> None:
        places = [Recognised(kind.name, path) for kind in _asked(path, kinds)]
        self.linked += places
        if not places and self._leads_out(path):
            self._doubt(path)

    def _doubt(self, path: Path) -> None:
        """Tell of a file that nobody recognises, and that could be a place all the same."""
        met = Met(path)
        doubts = (kind.doubts(met) for kind in self.kinds if kind.doubts is not None)
        if cause := next(filter(None, doubts), ""):
            self.found.unread.append(f"{path}: {cause}")

    def _pass_over(self, link: Path) -> None:
        """Tell of a link to a directory, unless that is met anyway."""
        if link.name not in _PASSED_OVER and self._leads_out(link):
            text = f"{link}: a link to {link.resolve()}; name that to have it looked at"
            self.found.unread.append(text)

    def _leads_out(self, link: Path) -> bool:
        """Whether what it leads to is met under no name of its own."""
        try:
            target = link.resolve()
        except (OSError, RuntimeError):  # a loop
            return False
        return not any(target.is_relative_to(top) for top in self.tops)


def _enters(path: Path, name: str) -> bool:
    if name in _PASSED_OVER:
        return False
    return name not in _OF_KERNEL or not os.path.ismount(path / name)


def _listed(path: Path) -> _Listing:
    listing = _Listing()
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                _sort(entry, listing)
            except OSError as error:
                # A link that leads to itself leads nowhere; of anything else, it is not known.
                if error.errno != errno.ELOOP:
                    listing.unknown.append((entry.name, error.strerror or str(error)))
    return listing


def _sort(entry: os.DirEntry[str], listing: _Listing) -> None:
    is_link = entry.is_symlink()
    if entry.is_dir():
        (listing.linked_directories if is_link else listing.directories).append(entry.name)
    elif entry.is_file():
        (listing.linked_files if is_link else listing.files).append(entry.name)


def _owns(kind: ProbeKind, met: Met, claiming: Sequence[ProbeKind]) -> bool:
    if kind.owns is not None:
        return kind.owns(met)
    return kind.owns_subtree and kind in claiming


def _asked(path: Path, kinds: Sequence[ProbeKind]) -> Iterator[ProbeKind]:
    return _claiming(Met(path), kinds)


def _claiming(met: Met, kinds: Sequence[ProbeKind]) -> Iterator[ProbeKind]:
    return (kind for kind in kinds if kind.recognises is not None and kind.recognises(met))
