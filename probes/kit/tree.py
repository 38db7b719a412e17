"""Searches a directory tree for the files of an incident: by their names, and by their content."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auditor.model import Holding, Incident
from probes.kit.files import Unsearched, disguised_holding, held_version, read_distribution
from probes.kit.sought import Sought

__all__ = ["TreeFile", "TreeReading", "read_tree"]

# A server's directory with more entries than this is a whole disk. It is said not to be searched
# to its end.
MAX_TREE_ENTRIES = 2_000_000
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A broken or fixed file on disk; `relative` is its path below the top."""

    relative: Path
    holding: Holding


@dataclass(slots=True)
class TreeReading:
    """What a search brought to light.

    Attributes:
        files: the broken and the fixed ones.
        complete: whether everything was searched.
        problems: what was not, and why; no more than a few.
    """

    files: list[TreeFile] = field(default_factory=list)
    complete: bool = True
    problems: list[str] = field(default_factory=list)

    def miss(self, why: str) -> None:
        """Say what was not searched."""
        self.complete = False
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(f"not searched: {why}")


def read_tree(top: Path, incident: Incident, stop: threading.Event) -> TreeReading:
    """Find and hash the incident's files below a directory. Nothing is written or unpacked.

    Args:
        top: the directory; links that lead out of it are not followed.
        incident: the question; its known digests are found under any name.
        stop: set when the probe is cancelled.
    """
    reading, sought = TreeReading(), Sought(incident)
    for path in _files_below(top, stop, reading):
        holding = _look_at(path, incident, sought, stop, reading)
        if holding is not None:
            reading.files.append(TreeFile(path.relative_to(top), holding))
    reading.files.sort(key=lambda file: str(file.relative))
    return reading


def _files_below(top: Path, stop: threading.Event, reading: TreeReading) -> Iterator[Path]:
    waiting, entries_left = [str(top)], MAX_TREE_ENTRIES
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    entries_left -= 1
                    if stop.is_set() or entries_left < 0:
                        reading.miss("there are too many files, or there was no time")
                        return
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_dir():
                        _check_link(Path(entry.path), top, reading)
                    else:
                        yield Path(entry.path)
        except OSError as error:
            reading.miss(f"{directory}: {error.strerror or type(error).__name__}")


def _check_link(link: Path, top: Path, reading: TreeReading) -> None:
    if not link.resolve().is_relative_to(top.resolve()):
        reading.miss(f"{link} is a link to a directory elsewhere")


def _look_at(
    path: Path, incident: Incident, sought: Sought, stop: threading.Event, reading: TreeReading
) -> Holding | None:
    version = held_version(path.name, incident.project)
    if incident.is_broken(version) or incident.is_named_fixed(version):
        return read_distribution(path, incident.project, stop).holding
    try:
        return disguised_holding(path, sought, stop)
    except Unsearched as unsearched:
        reading.miss(str(unsearched))
        return None
