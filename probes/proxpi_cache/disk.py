"""What lies in proxpi's cache directory: `HOST/PATH OF THE URL/FILENAME`, and nothing else tells.

proxpi never removes a file because its upstream did: it only stops to serve it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.model import Candidate, HeldState, Holding, Incident, Page, PageOutcome
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import witness
from probes.kit.tree import read_tree

__all__ = ["DiskReading", "read_cache"]


@dataclass(frozen=True, slots=True)
class DiskReading:
    """What the cache directory holds.

    Attributes:
        holdings: of broken and fixed files.
        complete: whether all of it was searched.
        notes: what was not, and why.
        differing: files whose copies all have another digest than every page states.
    """

    holdings: tuple[Holding, ...] = ()
    complete: bool = False
    notes: tuple[str, ...] = ()
    differing: tuple[Holding, ...] = field(default=())


def read_cache(
    top: Path,
    incident: Incident,
    pages: Iterable[Page],
    stop: threading.Event,
    recorder: EvidenceRecorder,
) -> DiskReading:
    """Search the cache directory for the files of the incident.

    Args:
        top: what PROXPI_CACHE_DIR names.
        incident: the question.
        pages: what the server lists, of which it serves files.
        stop: set when the probe is cancelled.
        recorder: keeps what was read.
    """
    if not top.is_dir():
        return DiskReading(notes=(f"on disk: {top} is no directory that can be read",))
    read = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
    listed = _digests(c for page in read for c in page.candidates)
    reading = read_tree(top, incident, stop)
    holdings: list[Holding] = []
    for file in reading.files:
        held = _shown(file.holding, listed if read else None)
        holdings += witness([held], (top / file.relative).parent, incident, recorder)
    return DiskReading(
        tuple(holdings),
        reading.complete,
        tuple(f"on disk: {text}" for text in reading.problems),
        _differing(holdings, listed),
    )


def _digests(candidates: Iterable[Candidate]) -> dict[str, set[str]]:
    """Return the SHA-256 that the pages state for each listed name."""
    found: dict[str, set[str]] = {}
    for candidate in candidates:
        stated = candidate.hashes.get("sha256")
        found.setdefault(candidate.filename, set()).update([stated] if stated else [])
    return found


def _shown(holding: Holding, listed: dict[str, set[str]] | None) -> Holding:
    """Mark a file that proxpi keeps and does not list: it answers 404 for it."""
    if holding.state is not HeldState.HELD or listed is None or holding.filename in listed:
        return holding
    why = "no page lists it, so that proxpi answers 404 for it and keeps it"
    return replace(holding, state=HeldState.SHADOWED, how=f"{holding.how}; {why}")


def _differing(holdings: Iterable[Holding], listed: dict[str, set[str]]) -> tuple[Holding, ...]:
    kept: dict[str, list[Holding]] = {}
    for holding in holdings:
        if holding.state is HeldState.HELD and holding.sha256:
            kept.setdefault(holding.filename, []).append(holding)
    return tuple(
        copies[0]
        for filename, copies in kept.items()
        if listed.get(filename) and not {c.sha256 for c in copies} & listed[filename]
    )
