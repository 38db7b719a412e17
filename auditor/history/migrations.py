"""The tables, as the steps that made them. A step that was released is never altered.

`PRAGMA user_version` counts the steps that a file has seen. Times are milliseconds since 1970.
"""

from __future__ import annotations

import sqlite3

__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate"]

# https://www.sqlite.org/pragma.html#pragma_application_id; tells our files from any other's.
APPLICATION_ID = 0x50524F41

_RUNS = (
    """CREATE TABLE incidents (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, project TEXT NOT NULL,
        published_at INTEGER, fix_seen_at INTEGER)""",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL, status TEXT NOT NULL,
        exit_code INTEGER NOT NULL, locations INTEGER NOT NULL, fix_chosen INTEGER NOT NULL,
        broken_persists INTEGER NOT NULL, unknown INTEGER NOT NULL,
        interrupted INTEGER NOT NULL)""",
    "CREATE INDEX runs_of_incident ON runs (incident, id)",
    "CREATE TABLE states (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE)",
    # What is true now stands in `series`; a row of `spans` is written when it ends. A run in which
    # nothing changes therefore writes one number per location, close together.
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY, incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        location TEXT NOT NULL, vantage TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
        required INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
        state INTEGER NOT NULL REFERENCES states, UNIQUE (incident, location, vantage))""",
    """CREATE TABLE spans (
        series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
        first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
        state INTEGER NOT NULL REFERENCES states, PRIMARY KEY (series, first_seen))
        WITHOUT ROWID""",
    """CREATE TABLE artifacts (
        incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        source TEXT NOT NULL, filename TEXT NOT NULL, version TEXT, size INTEGER, sha256 TEXT,
        md5 TEXT, url TEXT, broken INTEGER NOT NULL, first_seen INTEGER NOT NULL,
        PRIMARY KEY (incident, source, filename)) WITHOUT ROWID""",
)
_NOTICES = (
    """CREATE TABLE told (
        channel TEXT NOT NULL, incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        location TEXT NOT NULL, vantage TEXT NOT NULL, status TEXT NOT NULL,
        failing INTEGER NOT NULL, told_at INTEGER NOT NULL, next_status TEXT,
        next_failing INTEGER, times INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (channel, incident, location, vantage)) WITHOUT ROWID""",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, channel TEXT NOT NULL,
        incident INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
        delivery TEXT NOT NULL UNIQUE, body TEXT NOT NULL, made_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, sent_at INTEGER, given_up_at INTEGER)""",
    "CREATE INDEX outbox_waiting ON outbox (channel, id) WHERE sent_at IS NULL",
)
_WATCHES = (
    """CREATE TABLE watches (
        question TEXT PRIMARY KEY, started_at INTEGER NOT NULL, deadline INTEGER NOT NULL,
        outcome TEXT NOT NULL, agreeing INTEGER NOT NULL, looks INTEGER NOT NULL,
        updated_at INTEGER NOT NULL) WITHOUT ROWID""",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_RUNS, _NOTICES, _WATCHES)


def migrate(connection: sqlite3.Connection, *, up_to: int = len(MIGRATIONS)) -> None:
    """Bring a file to a revision, within the transaction that the caller has begun."""
    (seen,) = connection.execute("PRAGMA user_version").fetchone()
    for number in range(seen, up_to):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
