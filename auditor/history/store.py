"""Records runs: what changed is stored once, with when it was last seen so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditor.history.artifacts import record_artifacts, record_fix_seen
from auditor.history.database import BUSY_TIMEOUT_S, explained, open_writable, writing
from auditor.history.state import Change, State, from_ms, state_of, to_ms
from auditor.model import Observation, Outcome, Plan, Run, Verdict
from auditor.model.run_id import run_id

__all__ = ["History", "Recorded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording a run made of it.

    Attributes:
        incident: number of the incident in the file.
        changes: what differs from what was known; every row the first time.
        rows: every row of the run that was seen, with how it stands now.
        is_new: whether this run had not been recorded before.
        notes: what a person should know, such as a clock that went back.
    """

    incident: int
    changes: tuple[Change, ...]
    rows: tuple[Change, ...]
    is_new: bool
    notes: tuple[str, ...] = ()


class History:
    """The file, open for recording.

    Args:
        path: of the file.
        busy_timeout_s: how long to wait for another run that writes.

    Raises:
        HistoryError: it cannot be used.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self.connection = open_writable(path, busy_timeout_s=busy_timeout_s)

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with explained(self.path):
            self.connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction. Raises HistoryError; nothing of it is kept then."""
        with explained(self.path), writing(self.connection):
            yield self.connection

    def record(
        self,
        run: Run,
        observations: Sequence[Observation] = (),
        plan: Plan | None = None,
        *,
        now: datetime | None = None,
    ) -> Recorded:
        """Record one run in a transaction of its own; see `record_run`."""
        with self.writing() as connection:
            return record_run(connection, run, observations, plan, now=now)


def record_run(
    connection: sqlite3.Connection,
    run: Run,
    observations: Sequence[Observation] = (),
    plan: Plan | None = None,
    *,
    now: datetime | None = None,
) -> Recorded:
    """Record one run within the caller's transaction. A run that is known already changes nothing.

    Args:
        connection: in a transaction.
        run: what was judged.
        observations: what it was judged from; first sights of files are taken from it.
        plan: names the source; None: no first sights are kept.
        now: the clock of this machine, UTC; None: it is asked.
    """
    incident = _incident(connection, run)
    if not _insert_run(connection, incident, run):
        return Recorded(incident=incident, changes=(), rows=(), is_new=False)
    clock = to_ms(now or datetime.now(UTC))
    known = _known_rows(connection, incident)
    changes: list[Change] = []
    rows: list[Change] = []
    seen_again: list[tuple[int, str, bool, int]] = []
    notes: dict[str, None] = {}
    for verdict in _seen(run):
        found = known.get((verdict.location.name, verdict.vantage))
        at_ms, note = _time_of(to_ms(run.finished_at), found, clock)
        if note:
            notes[note] = None
        if at_ms is None:
            continue
        row, is_change = _record_row(connection, incident, verdict, found, at_ms)
        rows.append(row)
        changes += [row] if is_change else []
        if found is not None:
            place = verdict.location
            seen_again.append((to_ms(row.at), place.role.value, place.required, found.number))
    connection.executemany(
        "UPDATE series SET last_seen = ?, role = ?, required = ? WHERE id = ?", seen_again
    )
    ours = [o for o in observations if o.incident == run.incident.id]
    if plan is not None:
        record_artifacts(connection, incident, run.incident, plan, ours)
    record_fix_seen(connection, incident, run)
    return Recorded(
        incident=incident,
        changes=tuple(changes),
        rows=tuple(rows),
        is_new=True,
        notes=tuple(notes),
    )


def _seen(run: Run) -> Iterator[Verdict]:
    """The rows that somebody looked at. What was not looked at has not changed."""
    for verdict in run.verdicts:
        if verdict.outcome is not Outcome.SKIPPED:
            yield verdict


def _incident(connection: sqlite3.Connection, run: Run) -> int:
    published = run.incident.published_at
    (number,) = connection.execute(
        "INSERT INTO incidents (name, project, published_at) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET project = excluded.project, "
        "published_at = coalesce(excluded.published_at, published_at) RETURNING id",
        (run.incident.id, run.incident.project, to_ms(published) if published else None),
    ).fetchone()
    return int(number)


def _insert_run(connection: sqlite3.Connection, incident: int, run: Run) -> bool:
    summary = run.summary
    done = connection.execute(
        "INSERT INTO runs (name, incident, started_at, finished_at, status, exit_code, locations, "
        "fix_chosen, broken_persists, unknown, interrupted) VALUES (?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT (name) DO NOTHING",
        (
            run_id(run),
            incident,
            to_ms(run.started_at),
            to_ms(run.finished_at),
            summary.status.value,
            summary.exit_code,
            summary.locations,
            summary.fix_chosen,
            summary.broken_persists,
            summary.unknown,
            run.interrupted,
        ),
    )
    return done.rowcount == 1


@dataclass(frozen=True, slots=True)
class _Known:
    """A row as the file has it."""

    number: int
    first_seen: int
    last_seen: int
    state: int
    document: str


def _known_rows(connection: sqlite3.Connection, incident: int) -> dict[tuple[str, str], _Known]:
    found = connection.execute(
        "SELECT location, vantage, series.id, first_seen, last_seen, state, document FROM series "
        "JOIN states ON states.id = state WHERE incident = ?",
        (incident,),
    )
    return {(location, vantage): _Known(*rest) for location, vantage, *rest in found}


def _time_of(at_ms: int, known: _Known | None, clock: int) -> tuple[int | None, str]:
    """When a row is to be recorded as seen, and what a person should know.

    Times in a series only grow. What was seen earlier than the newest entry is old news, unless
    the clock went back: then it is news, and stands right after that entry.
    """
    if known is None or at_ms >= known.last_seen:
        return at_ms, ""
    if clock >= known.last_seen:
        return None, _note_old(at_ms, known.last_seen)
    return known.last_seen, _note_clock(clock, known.last_seen)


def _record_row(
    connection: sqlite3.Connection,
    incident: int,
    verdict: Verdict,
    known: _Known | None,
    at_ms: int,
) -> tuple[Change, bool]:
    """Record one row; return how it stands, and whether that is a change."""
    location, after = verdict.location, state_of(verdict)
    document = after.encode()
    is_change = known is None or known.document != document
    if known is None:
        _begin(connection, incident, verdict, _state_id(connection, document), at_ms)
    elif is_change:
        at_ms = max(at_ms, known.last_seen + 1)
        connection.execute(
            "INSERT INTO spans (series, first_seen, last_seen, state) VALUES (?, ?, ?, ?)",
            (known.number, known.first_seen, known.last_seen, known.state),
        )
        connection.execute(
            "UPDATE series SET first_seen = ?, state = ? WHERE id = ?",
            (at_ms, _state_id(connection, document), known.number),
        )
    row = Change(
        location=location.name,
        vantage=verdict.vantage,
        role=location.role.value,
        required=location.required,
        at=from_ms(at_ms),
        before=State.decode(known.document) if known and is_change else None,
        until=from_ms(known.last_seen) if known else None,
        after=after,
    )
    return row, is_change


def _begin(
    connection: sqlite3.Connection, incident: int, verdict: Verdict, state: int, at_ms: int
) -> None:
    location = verdict.location
    connection.execute(
        "INSERT INTO series (incident, location, vantage, kind, role, required, first_seen, "
        "last_seen, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident,
            location.name,
            verdict.vantage,
            location.kind,
            location.role.value,
            location.required,
            at_ms,
            at_ms,
            state,
        ),
    )


def _state_id(connection: sqlite3.Connection, document: str) -> int:
    found = connection.execute("SELECT id FROM states WHERE document = ?", (document,)).fetchone()
    if found is None:
        found = connection.execute(
            "INSERT INTO states (document) VALUES (?) RETURNING id", (document,)
        ).fetchone()
    return int(found[0])


def _note_old(at_ms: int, last_seen: int) -> str:
    at, known = from_ms(at_ms), from_ms(last_seen)
    return (
        f"what was seen at {at:%Y-%m-%d %H:%M:%S} UTC is older than what the history knows "
        f"({known:%Y-%m-%d %H:%M:%S} UTC), and changes nothing there; record observations in the "
        "order in which they were made"
    )


def _note_clock(clock: int, last_seen: int) -> str:
    ahead = timedelta(seconds=round((last_seen - clock) / 1000))
    return (
        f"the clock of this machine is {ahead} behind the newest entry of the history; what was "
        "seen is recorded as seen right after that entry: set the clock (NTP)"
    )
