"""Walks directories and recognises the places in them, by what each kind says of itself."""

from __future__ import annotations

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
_PASSED_OVER = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", "proc", "sys"})


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
        unread: directories that could not be listed, with the cause.
        directories, files: how many were met.
    """

    places: list[Recognised] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    directories: int = 0
    files: int = 0


def scan(
    paths: Sequence[Path], kinds: Mapping[str, ProbeKind], stop: threading.Event | None = None
) -> Scan:
    """Look at these paths and everything below; no symbolic link is followed.

    Args:
        paths: files or directories. What was named on purpose is looked at, link or not.
        kinds: those that may recognise something.
        stop: ends the walk early.
    """
    found = Scan()
    asked = [kind for kind in kinds.values() if kind.recognises is not None]
    for path in paths:
        if path.is_dir():
            _walk(path, asked, found, stop or threading.Event())
        else:
            _meet_file(path, asked, found)
    found.places = sorted(dict.fromkeys(found.places), key=lambda place: (place.path, place.kind))
    return found


def _walk(top: Path, kinds: Sequence[ProbeKind], found: Scan, stop: threading.Event) -> None:
    pending = [(top, 0)]
    while pending and not stop.is_set():
        path, depth = pending.pop()
        if found.directories >= _MAX_DIRECTORIES or depth > _MAX_DEPTH:
            found.unread.append(f"{path}: too deep, or too many directories")
            return
        try:
            below, files = _listed(path)
        except OSError as error:
            found.unread.append(f"{path}: {error.strerror or error}")
            continue
        found.directories += 1
        if _meet_directory(path, frozenset([*below, *files]), kinds, found):
            continue
        for name in files:
            _meet_file(path / name, kinds, found)
        pending += ((path / name, depth + 1) for name in below if name not in _PASSED_OVER)


def _listed(path: Path) -> tuple[list[str], list[str]]:
    below: list[str] = []
    files: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.append(entry.name)
    return below, files


def _meet_directory(
    path: Path, names: frozenset[str], kinds: Sequence[ProbeKind], found: Scan
) -> bool:
    """Ask every kind; say whether one of them owns everything below."""
    claiming = list(_claiming(Met(path, names), kinds))
    found.places += [Recognised(kind.name, path) for kind in claiming]
    return any(kind.owns_subtree for kind in claiming)


def _meet_file(path: Path, kinds: Sequence[ProbeKind], found: Scan) -> None:
    found.files += 1
    found.places += [Recognised(kind.name, path) for kind in _claiming(Met(path), kinds)]


def _claiming(met: Met, kinds: Sequence[ProbeKind]) -> Iterator[ProbeKind]:
    return (kind for kind in kinds if kind.recognises is not None and kind.recognises(met))
