"""Searches a directory for broken files that no installer would find in it.

Installers look neither into subdirectories nor at files with other names. Bytes that lie there are
held all the same, and a directory in which they were not searched for is not clean.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.model import Holding, Incident
from probes.kit.answer import shown
from probes.kit.files import (
    Unsearched,
    disguised_holding,
    held_version,
    oddly_named_holding,
    read_distribution,
)
from probes.kit.sought import Sought

__all__ = ["Found", "search"]

# Directories of wheels have one level or two; a directory with more entries below it is a home or
# a whole disk, and is said not to be searched to its end.
MAX_ENTRIES_BELOW = 200_000
_MAX_NOTES = 20


@dataclass(slots=True)
class Found:
    """What the search brought to light.

    Attributes:
        holdings: with the directory in which each lies.
        complete: whether everything was searched.
        notes: what was not, and why.
    """

    holdings: list[tuple[Path, Holding]] = field(default_factory=list)
    complete: bool = True
    notes: list[str] = field(default_factory=list)

    def skip(self, why: str) -> None:
        """Say what was not searched."""
        self.complete = False
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(f"not searched: {shown(why)}")


def search(
    directory: Path,
    names: Sequence[str],
    incident: Incident,
    stop: threading.Event,
    *,
    below: bool = True,
) -> Found:
    """Look at files that installers pass over, and at whatever lies in subdirectories.

    Args:
        directory: where to look.
        names: what is in it and has not been read as a file of the project.
        incident: what to look for.
        stop: ends the search.
        below: whether to go into subdirectories.
    """
    found, sought = Found(), Sought(incident)
    for name in names:
        _look_at(directory / name, incident, sought, stop, found)
    if below:
        _walk(directory, incident, sought, stop, found)
    return found


def _walk(
    top: Path, incident: Incident, sought: Sought, stop: threading.Event, found: Found
) -> None:
    root, entries = top.resolve(), 0
    pending = _directories(top, root, found)
    while pending:
        directory = pending.pop()
        pending += _directories(directory, root, found)
        for name in _files(directory, found):
            entries += 1
            if stop.is_set() or entries > MAX_ENTRIES_BELOW:
                found.skip(f"more than {MAX_ENTRIES_BELOW} files in subdirectories")
                return
            _look_at(directory / name, incident, sought, stop, found, top=top)


def _directories(directory: Path, root: Path, found: Found) -> list[Path]:
    """List the directories in one. Links are not followed; those that lead inside need not be."""
    below: list[Path] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif _leads_to_directory(entry) and not Path(entry.path).resolve().is_relative_to(
                    root
                ):
                    found.skip(f"{entry.path} is a link to a directory elsewhere")
    except OSError as error:
        found.skip(f"{directory}: {error.strerror}")
    return below


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    """Whether it is a directory or a link to one.

    Of a link that leads to itself, or to where nobody may look, opening it tells which it is.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


def _files(directory: Path, found: Found) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if not _leads_to_directory(entry)]
    except OSError:
        return []  # said when its subdirectories were listed


def _look_at(
    path: Path,
    incident: Incident,
    sought: Sought,
    stop: threading.Event,
    found: Found,
    *,
    top: Path | None = None,
) -> None:
    holding: Holding | None = None
    if held_version(path.name, incident.project) is not None:
        holding = read_distribution(path, incident.project, stop).holding
    else:
        try:
            holding = disguised_holding(path, sought, stop)
            holding = holding or oddly_named_holding(path, incident.project, stop)
        except Unsearched as unsearched:
            found.skip(str(unsearched))
    if holding is not None:
        if top is not None:
            where = path.parent.relative_to(top)
            how = f"{holding.how}; in the subdirectory {where}, where installers do not look"
            holding = replace(holding, how=how)
        found.holdings.append((path.parent, holding))
