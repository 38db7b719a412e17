"""What became of the broken release at the source: the argument against deleting starts here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from auditor.model import (
    Candidate,
    HeldState,
    Incident,
    Observation,
    Outcome,
    Page,
    PageOutcome,
)
from auditor.model.file_table import listed_with
from auditor.verdict.line import ReleaseLine

__all__ = ["SourceState", "have_broken", "source_state"]

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)


class SourceState(StrEnum):
    """What the source's pages say of the broken release."""

    LISTED = "listed"
    DELETED = "deleted"  # no page lists it, and somebody knows that it existed
    PROJECT_GONE = "project-gone"  # no page of the project at all
    QUARANTINED = "quarantined"  # PEP 792: by the staff of the index, every file hidden
    UNKNOWN = "unknown"

    @property
    def gone(self) -> bool:
        """Whether nobody gets it from the source's pages any more."""
        return self in (SourceState.DELETED, SourceState.PROJECT_GONE, SourceState.QUARANTINED)


def source_state(
    at_source: Sequence[Observation],
    elsewhere: Sequence[Observation],
    files: Mapping[str, Candidate],
    incident: Incident,
    line: ReleaseLine,
) -> SourceState:
    """Say what became of it. That nobody ever saw it is no deletion: the version may be mistyped.

    Args:
        at_source, elsewhere: every observation of the incident.
        files: what the source's pages list.
        incident, line: what is looked for.
    """
    pages = [p for o in at_source for p in o.pages if p.outcome is not PageOutcome.REFUSED]
    if any(_is_broken(c, incident, line) for c in files.values()):
        return SourceState.LISTED
    if any(p.project_status == "quarantined" and not p.candidates for p in pages):
        return SourceState.QUARANTINED
    if not pages or not all(map(_is_read, pages)):
        return SourceState.UNKNOWN
    if all(o.outcome is Outcome.ABSENT for o in at_source):
        carried = any(o.outcome is Outcome.OBSERVED and _carries(o) for o in elsewhere)
        return SourceState.PROJECT_GONE if carried else SourceState.UNKNOWN
    known = incident.fingerprints or have_broken([*at_source, *elsewhere], incident, line)
    stale = any(s.lists_broken for o in at_source for s in o.surfaces)
    return SourceState.DELETED if known or stale else SourceState.UNKNOWN


def have_broken(
    observations: Sequence[Observation], incident: Incident, line: ReleaseLine
) -> tuple[str, ...]:
    """Name the locations that list or hold the broken release."""
    return tuple(sorted({o.location for o in observations if _has_broken(o, incident, line)}))


def _has_broken(observation: Observation, incident: Incident, line: ReleaseLine) -> bool:
    listings = {id(p.candidates): p.candidates for p in observation.pages}.values()
    listed = any(listed_with(files, line.is_broken, incident.broken_sha256) for files in listings)
    return listed or any(
        h.state in _HERE and (line.is_broken(h.version) or h.sha256 in incident.broken_sha256)
        for h in observation.holdings
    )


def _carries(observation: Observation) -> bool:
    listed = any(page.candidates for page in observation.pages)
    return listed or any(h.state in _HERE for h in observation.holdings)


def _is_broken(candidate: Candidate, incident: Incident, line: ReleaseLine) -> bool:
    digest = candidate.hashes.get("sha256")
    return line.is_broken(candidate.version) or digest in incident.broken_sha256


def _is_read(page: Page) -> bool:
    return page.outcome is PageOutcome.ABSENT or (
        page.outcome is PageOutcome.OBSERVED and page.complete
    )
