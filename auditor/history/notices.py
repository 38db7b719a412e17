"""What each channel was told of each row, and the messages that are still to be delivered.

Both are written in the transaction that records the run: after a crash nothing is forgotten, and a
message that was being delivered is delivered once more under the same id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.history.state import from_ms, to_ms

__all__ = [
    "Told",
    "Waiting",
    "give_up",
    "is_delivered",
    "last_message_at",
    "put_into_outbox",
    "rows_seen_since",
    "told_to",
    "waiting_for",
    "write_told",
]

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel believes of a row.

    Attributes:
        status, failing: as it was told.
        at: when, UTC.
        next_status, next_failing: what it will be told if that lasts; None: nothing new.
        times: how many runs in a row have seen that.
    """

    status: str
    failing: bool
    at: datetime
    next_status: str | None = None
    next_failing: bool | None = None
    times: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that has not been delivered.

    Attributes:
        number: in the file.
        delivery: its id, the same however often it is sent.
        body: the message, as JSON.
        made_at: UTC.
        attempts: how many runs have tried.
    """

    number: int
    delivery: str
    body: str
    made_at: datetime
    attempts: int


def told_to(connection: sqlite3.Connection, channel: str, incident: int) -> dict[Row, Told]:
    """Return what a channel was told of an incident, by location and vantage."""
    rows = connection.execute(
        "SELECT location, vantage, status, failing, told_at, next_status, next_failing, times "
        "FROM told WHERE channel = ? AND incident = ?",
        (channel, incident),
    )
    return {
        (location, vantage): Told(
            status=status,
            failing=bool(failing),
            at=from_ms(at),
            next_status=next_status,
            next_failing=None if next_failing is None else bool(next_failing),
            times=times,
        )
        for location, vantage, status, failing, at, next_status, next_failing, times in rows
    }


def write_told(
    connection: sqlite3.Connection, channel: str, incident: int, told: Mapping[Row, Told]
) -> None:
    """Keep what a channel was told of some rows."""
    connection.executemany(
        "INSERT OR REPLACE INTO told (channel, incident, location, vantage, status, failing, "
        "told_at, next_status, next_failing, times) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                channel,
                incident,
                *row,
                each.status,
                each.failing,
                to_ms(each.at),
                each.next_status,
                each.next_failing,
                each.times,
            )
            for row, each in told.items()
        ),
    )


def put_into_outbox(
    connection: sqlite3.Connection,
    channel: str,
    incident: int,
    *,
    delivery: str,
    body: str,
    made_at: datetime,
) -> None:
    """Keep a message until it is delivered; one of that id is kept once."""
    connection.execute(
        "INSERT INTO outbox (channel, incident, delivery, body, made_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (delivery) DO NOTHING",
        (channel, incident, delivery, body, to_ms(made_at)),
    )


def rows_seen_since(
    connection: sqlite3.Connection, incident: int, moment: datetime
) -> frozenset[Row]:
    """The rows of an incident that somebody has looked at since a moment."""
    rows = connection.execute(
        "SELECT location, vantage FROM series WHERE incident = ? AND last_seen >= ?",
        (incident, to_ms(moment)),
    )
    return frozenset((location, vantage) for location, vantage in rows)


def last_message_at(connection: sqlite3.Connection, channel: str, incident: int) -> datetime | None:
    """When the newest message on an incident was made for a channel, UTC; None: there is none."""
    (newest,) = connection.execute(
        "SELECT max(made_at) FROM outbox WHERE channel = ? AND incident = ?", (channel, incident)
    ).fetchone()
    return None if newest is None else from_ms(newest)


def waiting_for(connection: sqlite3.Connection, channel: str, limit: int) -> tuple[Waiting, ...]:
    """The oldest messages that are to be delivered through a channel."""
    rows = connection.execute(
        "SELECT id, delivery, body, made_at, attempts FROM outbox WHERE channel = ? "
        "AND sent_at IS NULL AND given_up_at IS NULL ORDER BY id LIMIT ?",
        (channel, limit),
    )
    return tuple(
        Waiting(
            number=number,
            delivery=delivery,
            body=body,
            made_at=from_ms(made_at),
            attempts=attempts,
        )
        for number, delivery, body, made_at, attempts in rows
    )


def is_delivered(connection: sqlite3.Connection, number: int, at: datetime) -> None:
    """Note that a message was delivered."""
    connection.execute(
        "UPDATE outbox SET sent_at = ?, attempts = attempts + 1 WHERE id = ?", (to_ms(at), number)
    )


def give_up(connection: sqlite3.Connection, number: int, at: datetime | None) -> None:
    """Note that a message could not be delivered; with a time, nobody will try again."""
    connection.execute(
        "UPDATE outbox SET attempts = attempts + 1, given_up_at = ? WHERE id = ?",
        (None if at is None else to_ms(at), number),
    )
