"""Everything that one look at a mirror's directory shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.contracts import Assignment
from auditor.model import Candidate, HeldState, Holding, Incident, Page
from auditor.model.filename import version_in
from probes.bandersnatch_mirror.artifacts import (
    KnownFile,
    Walk,
    hold,
    known_files,
    legacy_files,
    of_candidates,
    walk,
)
from probes.bandersnatch_mirror.disk_pages import kept_candidates, pages_of, read_disk_pages
from probes.bandersnatch_mirror.layout import Tree, find_tree
from probes.bandersnatch_mirror.marks import read_marks
from probes.kit.disk import NotReadable
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import witness

__all__ = ["DiskReading", "read_mirror"]

_WALK_ADVICE = (
    "only files whose path is known were looked for; orphans = true walks the whole tree for "
    "others, as `bandersnatch verify --dry-run --delete` does"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskReading:
    """What was read.

    Attributes:
        pages: one per view, or the one that says that there is none.
        holdings: the broken and the fixed files whose path is known.
        complete: whether `packages/` was walked to its end; None: not asked for.
        notes: marks, and what could not be read.
    """

    pages: tuple[Page, ...]
    holdings: tuple[Holding, ...]
    complete: bool | None
    notes: tuple[str, ...]


def read_mirror(
    path: Path, assignment: Assignment, recorder: EvidenceRecorder, stop: threading.Event
) -> DiskReading:
    """Read a mirror without changing anything in it, its lock included.

    Raises:
        NoMirror: there is none.
    """
    incident = assignment.incident
    tree = find_tree(path, incident.project)
    pages = pages_of(read_disk_pages(tree, incident.project), tree, assignment, recorder)
    notes = list(read_marks(tree, incident.project))
    walked = walk(tree, incident, stop) if assignment.location.settings.get("orphans") else None
    known = _known(tree, incident, pages, walked, notes)
    holdings = tuple(hold(file, tree.web, stop) for file in known)
    unread = any(holding.state is HeldState.UNKNOWN for holding in holdings)
    if walked is None:
        notes.append(_WALK_ADVICE)
    else:
        notes += [f"could not be walked: {place}" for place in walked.unreadable]
    return DiskReading(
        pages=pages,
        holdings=tuple(_witnessed(known, holdings, tree, incident, recorder)),
        complete=None if walked is None else walked.complete and not unread,
        notes=tuple(notes),
    )


def _known(
    tree: Tree,
    incident: Incident,
    pages: Sequence[Page],
    walked: Walk | None,
    notes: list[str],
) -> tuple[KnownFile, ...]:
    listed = [candidate for page in pages for candidate in page.candidates]
    json_file = tree.web / "json" / incident.project
    try:
        legacy = legacy_files(json_file, incident.project)
    except FileNotFoundError:
        legacy = []
    except (OSError, NotReadable, ValueError, RecursionError) as error:
        notes.append(f"{json_file} cannot be read: {getattr(error, 'strerror', None) or error}")
        legacy = []
    others = [
        *of_candidates(f"json/{incident.project}", legacy),
        *of_candidates("an older page", kept_candidates(tree, incident.project)),
        *of_candidates("the walk", _walked(walked, tree, incident)),
    ]
    return known_files(incident, listed, others)


def _walked(walked: Walk | None, tree: Tree, incident: Incident) -> Iterator[Candidate]:
    for relative in walked.found if walked else ():
        filename = relative.rpartition("/")[2]
        version = version_in(filename, incident.project)
        url = (tree.web / relative).as_uri()
        yield Candidate(filename=filename, version=version, url=url)


def _witnessed(
    known: Sequence[KnownFile],
    holdings: Sequence[Holding],
    tree: Tree,
    incident: Incident,
    recorder: EvidenceRecorder,
) -> Iterator[Holding]:
    for file, holding in zip(known, holdings, strict=True):
        directory = (tree.web / file.relative).parent
        (seen,) = witness([holding], directory, incident, recorder)
        yield replace(seen, how=f"{seen.how} ({file.relative})")
