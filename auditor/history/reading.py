"""Reads the history back: incidents, runs, rows over time, and what changed between moments."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditor.errors import HistoryError
from auditor.history.state import Change, State, from_ms, to_ms

__all__ = [
    "IncidentEntry",
    "RunEntry",
    "Series",
    "Span",
    "changes_between",
    "changes_of",
    "find_incident",
    "incidents_of",
    "prune",
    "runs_of",
    "series_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEntry:
    """One incident that the history knows.

    Attributes:
        number: in the file.
        name, project: of the incident.
        published_at, fix_seen_at: of the fix, UTC; None if not known.
        runs: how many there are.
        since, until: when the first and the last of them ended, UTC; None if there are none left.
    """

    number: int
    name: str
    project: str
    published_at: datetime | None
    fix_seen_at: datetime | None
    runs: int
    since: datetime | None
    until: datetime | None

    @property
    def clock_starts_at(self) -> datetime | None:
        """When the fix became available, as far as anybody knows."""
        return self.published_at or self.fix_seen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One run, in few numbers; see `Summary` and `run_id`."""

    name: str
    started_at: datetime
    finished_at: datetime
    status: str
    exit_code: int
    locations: int
    fix_chosen: int
    broken_persists: int
    unknown: int
    interrupted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which a row was seen to be the same.

    Attributes:
        first_seen, last_seen: UTC. Between this and the next span it became another.
        state: how it was.
    """

    first_seen: datetime
    last_seen: datetime
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One row over time.

    Attributes:
        location, vantage, kind, role, required: of the row.
        spans: oldest first, at least one.
    """

    location: str
    vantage: str
    kind: str
    role: str
    required: bool
    spans: tuple[Span, ...]

    @property
    def last_seen(self) -> datetime:
        """When it was last seen at all."""
        return self.spans[-1].last_seen

    def at(self, moment: datetime) -> State | None:
        """How it was known to be at a moment; None: it had not been seen yet."""
        known = [span for span in self.spans if span.first_seen <= moment]
        return known[-1].state if known else None


def incidents_of(connection: sqlite3.Connection) -> tuple[IncidentEntry, ...]:
    """Every incident, by name."""
    rows = connection.execute(
        "SELECT incidents.id, incidents.name, project, published_at, fix_seen_at, "
        "count(runs.id), min(finished_at), max(finished_at) FROM incidents "
        "LEFT JOIN runs ON runs.incident = incidents.id GROUP BY incidents.id ORDER BY 2"
    )
    return tuple(
        IncidentEntry(
            number=number,
            name=name,
            project=project,
            published_at=_time(published),
            fix_seen_at=_time(seen),
            runs=runs,
            since=_time(since),
            until=_time(until),
        )
        for number, name, project, published, seen, runs, since, until in rows
    )


def find_incident(connection: sqlite3.Connection, name: str) -> IncidentEntry:
    """Return one incident. Raises HistoryError if there is none of that name."""
    entries = incidents_of(connection)
    for entry in entries:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in entries) or "none"
    raise HistoryError(f"the history knows no incident {name!r}; known: {known}")


def runs_of(
    connection: sqlite3.Connection, incident: int, *, newest: int | None = None
) -> tuple[RunEntry, ...]:
    """The runs of an incident, in the order in which they were recorded; only the newest few."""
    rows = connection.execute(
        "SELECT name, started_at, finished_at, status, exit_code, locations, fix_chosen, "
        "broken_persists, unknown, interrupted FROM runs WHERE incident = ? "
        "ORDER BY id DESC LIMIT ?",
        (incident, -1 if newest is None else newest),
    ).fetchall()
    return tuple(
        RunEntry(
            name=name,
            started_at=from_ms(started),
            finished_at=from_ms(finished),
            status=status,
            exit_code=code,
            locations=locations,
            fix_chosen=chosen,
            broken_persists=persists,
            unknown=unknown,
            interrupted=bool(interrupted),
        )
        for (
            name,
            started,
            finished,
            status,
            code,
            locations,
            chosen,
            persists,
            unknown,
            interrupted,
        ) in reversed(rows)
    )


_SPANS = """
SELECT series.id, spans.first_seen, spans.last_seen, spans.state
FROM series JOIN spans ON spans.series = series.id WHERE incident = :incident
UNION ALL
SELECT id, first_seen, last_seen, state FROM series WHERE incident = :incident
ORDER BY 1, 2
"""


def series_of(connection: sqlite3.Connection, incident: int) -> tuple[Series, ...]:
    """Every row of an incident over time, by name and vantage."""
    # Few states are ever seen, and each is decoded once however many spans have it.
    states: dict[int, State] = {}
    spans: dict[int, list[Span]] = {}
    for number, first_seen, last_seen, state in connection.execute(
        _SPANS, {"incident": incident}
    ).fetchall():
        if state not in states:
            states[state] = _state(connection, state)
        span = Span(
            first_seen=from_ms(first_seen), last_seen=from_ms(last_seen), state=states[state]
        )
        spans.setdefault(number, []).append(span)
    rows = connection.execute(
        "SELECT id, location, vantage, kind, role, required FROM series WHERE incident = ? "
        "ORDER BY location, vantage",
        (incident,),
    )
    return tuple(
        Series(
            location=location,
            vantage=vantage,
            kind=kind,
            role=role,
            required=bool(required),
            spans=tuple(spans[number]),
        )
        for number, location, vantage, kind, role, required in rows
    )


def changes_of(series: Iterable[Series]) -> tuple[Change, ...]:
    """Every change of these rows, oldest first; the first sight of each is one."""
    changes: list[Change] = []
    for row in series:
        for before, after in zip((None, *row.spans), row.spans, strict=False):
            changes.append(
                Change(
                    location=row.location,
                    vantage=row.vantage,
                    role=row.role,
                    required=row.required,
                    at=after.first_seen,
                    before=before.state if before else None,
                    until=before.last_seen if before else None,
                    after=after.state,
                )
            )
    return tuple(sorted(changes, key=lambda c: (c.at, c.location, c.vantage)))


def changes_between(
    series: Iterable[Series], first: datetime, second: datetime
) -> tuple[Change, ...]:
    """What was different at the second moment, rows included that the first one did not know."""
    changes: list[Change] = []
    for row in series:
        before, after = row.at(first), row.at(second)
        if after is not None and before != after:
            since = [s.first_seen for s in row.spans if s.first_seen <= second]
            known = [s.last_seen for s in row.spans if s.first_seen <= first]
            changes.append(
                Change(
                    location=row.location,
                    vantage=row.vantage,
                    role=row.role,
                    required=row.required,
                    at=since[-1],
                    before=before,
                    until=min(known[-1], first) if known else None,
                    after=after,
                )
            )
    return tuple(changes)


def prune(connection: sqlite3.Connection, older_than: datetime) -> dict[str, int]:
    """Forget what ended before a moment, in a transaction of the caller's.

    What was true at that moment stays, however long it had been true, unless nobody has looked at
    that row since. First sights stay: they are the reference against which files are compared.

    Returns:
        How many rows of which table went.
    """
    moment = to_ms(older_than)
    gone = {
        "runs": "DELETE FROM runs WHERE finished_at < ?",
        "spans": "DELETE FROM spans WHERE last_seen < ?",
        "series": "DELETE FROM series WHERE last_seen < ?",
        "outbox": "DELETE FROM outbox WHERE coalesce(sent_at, given_up_at) < ?",
        "watches": "DELETE FROM watches WHERE updated_at < ?",
    }
    counts = {
        name: connection.execute(statement, (moment,)).rowcount for name, statement in gone.items()
    }
    counts["states"] = connection.execute(
        "DELETE FROM states WHERE id NOT IN (SELECT state FROM series UNION "
        "SELECT state FROM spans)"
    ).rowcount
    return counts


def _state(connection: sqlite3.Connection, number: int) -> State:
    (text,) = connection.execute("SELECT document FROM states WHERE id = ?", (number,)).fetchone()
    return State.decode(text)


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
