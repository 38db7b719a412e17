"""One observation of every cache that a path or a pattern names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from auditor.contracts import Assignment
from auditor.model import Evidence, HeldState, Holding, Observation, Outcome
from probes.client_caches.home import Client, Home, open_home
from probes.http_stores.homes import Homes, find_homes
from probes.kit.answer import shown
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder

__all__ = ["MAX_PAGES", "observe_caches"]

# A page of the project per index and home: more is no cache of a client.
MAX_PAGES = 1_000
_MAX_NOTES = 50
_MAX_CHARS = 8_000


async def observe_caches(assignment: Assignment, client: Client) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    started_at = assignment.now()
    path = local_path(assignment.location.path or assignment.location.url or "")
    homes = await in_thread(lambda stop: find_homes(path))
    # That is where a location comes from which nobody named: this user's, by default.
    is_implied = assignment.location.declared_at == f"{client.name}'s cache"
    read = await in_thread(
        lambda stop: [
            open_home(home, client, assignment.incident, stop, is_implied=is_implied)
            for home in homes.found
        ]
    )
    return _observation(assignment, homes, read, started_at)


def _observation(
    assignment: Assignment, homes: Homes, read: Sequence[Home], started_at: datetime
) -> Observation:
    outcome, detail = _outcome(homes, read, assignment.location.path or "")
    recorder = EvidenceRecorder()
    opened = [home for home in read if home.outcome is Outcome.OBSERVED]
    holdings = [
        write(_prefix(homes, home), recorder) for home in opened for write in home.reading.holdings
    ]
    kept = [write for home in opened for write in home.reading.kept_pages][:MAX_PAGES]
    pages = [write(sample, recorder) for sample, write in enumerate(kept, start=1)]
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pages=pages,
        holdings=[_storable(holding) for holding in holdings],
        holdings_complete=_is_complete(homes, read, holdings) if opened else None,
        evidence=[_storable_evidence(item) for item in recorder.all()],
        notes=[shown(note, _MAX_CHARS) for note in _notes(homes, read)[:_MAX_NOTES]],
    )


def _storable(holding: Holding) -> Holding:
    """Names come from the disk of others, and need be no text at all."""
    filename, how = shown(holding.filename, _MAX_CHARS), shown(holding.how, _MAX_CHARS)
    version = None if holding.version is None else shown(holding.version, _MAX_CHARS)
    return replace(holding, filename=filename, how=how, version=version)


def _storable_evidence(item: Evidence) -> Evidence:
    response = {name: shown(value, _MAX_CHARS) for name, value in item.response.items()}
    return replace(item, response=response, reproduce=shown(item.reproduce, _MAX_CHARS))


def _prefix(homes: Homes, home: Home) -> str:
    return f"{home.path}: " if homes.is_pattern else ""


def _outcome(homes: Homes, read: Sequence[Home], asked: str) -> tuple[Outcome, str]:
    """The best of all homes, unless one that could not be read may hold anything."""
    ranked = (Outcome.OBSERVED, Outcome.DENIED, Outcome.MALFORMED, Outcome.UNREACHABLE)
    for outcome in ranked:
        found = [home for home in read if home.outcome is outcome]
        if found:
            return outcome, found[0].problem
        if outcome is Outcome.OBSERVED and homes.unreadable:
            unread = ", ".join(homes.unreadable[:5])
            return Outcome.DENIED, f"{unread} may not be read by this user; run the audit as root"
    if read:
        return Outcome.ABSENT, read[0].problem
    # Not *absent*: a pattern that is mistyped, or below what is not mounted, matches nothing too.
    problem = f"{asked} matches nothing; check the pattern, and whether its directory is mounted"
    return Outcome.UNREACHABLE, problem


def _is_complete(homes: Homes, read: Sequence[Home], holdings: Sequence[Holding]) -> bool:
    settled = (Outcome.OBSERVED, Outcome.ABSENT)
    return (
        not homes.unreadable
        and all(home.outcome in settled and home.reading.complete for home in read)
        and not any(holding.state is HeldState.UNKNOWN for holding in holdings)
    )


def _notes(homes: Homes, read: Sequence[Home]) -> list[str]:
    notes = [f"{place} may not be read: what is there is unknown" for place in homes.unreadable]
    for home in read:
        where = _prefix(homes, home)
        if home.problem and home.outcome is not Outcome.OBSERVED:
            notes.append(home.problem)
        told = [*home.reading.notes(), *home.reading.remarks]
        notes += [where + note for note in told]
        notes += [
            f"{where}{place}: metadata of version {version} was asked for (PEP 658); "
            "the file itself is another entry"
            for place, version in sorted(home.reading.metadata.items())
        ]
    return notes
