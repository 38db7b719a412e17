"""Feeds the history back into the question: what is known of files, and since when of the fix."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from auditor.history.artifacts import files_first_seen
from auditor.history.database import explained, open_readable
from auditor.history.state import from_ms
from auditor.model import Incident, Observation, Plan
from auditor.model.source import find_source

__all__ = ["recall", "with_first_sight"]


def recall(plan: Plan, path: Path) -> Plan:
    """Add what earlier runs have seen to each incident; a file that is not there yet adds nothing.

    Raises:
        HistoryError: the file cannot be used.
    """
    if not path.exists() or path.stat().st_size == 0:
        return plan
    with closing(open_readable(path)) as connection, explained(path):
        incidents = tuple(_recalled(connection, plan, each) for each in plan.incidents)
    return replace(plan, incidents=incidents)


def _recalled(connection: sqlite3.Connection, plan: Plan, incident: Incident) -> Incident:
    source = find_source(plan.locations)
    known = files_first_seen(connection, incident.id, source) if source else ()
    configured = {print_.filename for print_ in incident.fingerprints}
    references = tuple(f for f, _ in known if f.filename not in configured)
    # The question may have changed since: what it calls broken today counts.
    broken = tuple(f for f in references if incident.is_broken(f.version))
    found = connection.execute(
        "SELECT fix_seen_at FROM incidents WHERE name = ?", (incident.id,)
    ).fetchone()
    seen_at = from_ms(found[0]) if found and found[0] is not None else None
    return replace(
        incident,
        fingerprints=(*incident.fingerprints, *broken),
        references=references,
        fix_seen_at=incident.fix_seen_at or seen_at,
    )


def with_first_sight(plan: Plan, observations: Sequence[Observation]) -> Plan:
    """Start the clock of each fix that is seen for the first time in these observations."""
    return replace(plan, incidents=tuple(_dated(i, observations) for i in plan.incidents))


def _dated(incident: Incident, observations: Sequence[Observation]) -> Incident:
    if incident.fix_seen_at is not None:
        return incident
    times = [
        o.finished_at
        for o in observations
        if o.incident == incident.id
        and any(incident.is_named_fixed(c.version) for page in o.pages for c in page.candidates)
    ]
    return replace(incident, fix_seen_at=min(times, default=None))
