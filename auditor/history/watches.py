"""How far a watch has come, so that the next one goes on where it was cut off."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from auditor.history.state import from_ms, to_ms

__all__ = ["WatchEntry", "end_watch", "find_watch", "keep_watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEntry:
    """A watch that has not ended.

    Attributes:
        question: digest of what is watched.
        started_at, deadline: UTC.
        outcome: of its last look; "" before the first one.
        agreeing: how many looks in a row had that outcome.
        looks: how many there were.
        updated_at: when the last one ended, UTC.
    """

    question: str
    started_at: datetime
    deadline: datetime
    outcome: str = ""
    agreeing: int = 0
    looks: int = 0
    updated_at: datetime


def find_watch(connection: sqlite3.Connection, question: str, now: datetime) -> WatchEntry | None:
    """Return the watch of that question that is not over yet; None if there is none.

    One that claims to begin in the future was written by a clock that went back; it is not trusted.
    """
    row = connection.execute(
        "SELECT started_at, deadline, outcome, agreeing, looks, updated_at FROM watches "
        "WHERE question = ? AND deadline > ? AND updated_at <= ?",
        (question, to_ms(now), to_ms(now)),
    ).fetchone()
    if row is None:
        return None
    started_at, deadline, outcome, agreeing, looks, updated_at = row
    return WatchEntry(
        question=question,
        started_at=from_ms(started_at),
        deadline=from_ms(deadline),
        outcome=outcome,
        agreeing=agreeing,
        looks=looks,
        updated_at=from_ms(updated_at),
    )


def keep_watch(connection: sqlite3.Connection, entry: WatchEntry) -> None:
    """Keep how far a watch has come."""
    connection.execute(
        "INSERT OR REPLACE INTO watches (question, started_at, deadline, outcome, agreeing, looks, "
        "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry.question,
            to_ms(entry.started_at),
            to_ms(entry.deadline),
            entry.outcome,
            entry.agreeing,
            entry.looks,
            to_ms(entry.updated_at),
        ),
    )


def end_watch(connection: sqlite3.Connection, question: str) -> None:
    """Forget a watch that came to its end."""
    connection.execute("DELETE FROM watches WHERE question = ?", (question,))
