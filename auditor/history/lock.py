"""Lets one run at a time work with a history; a lock that dies with its process.

SQLite's own locks are held by the operating system, on every one of them, and go when the process
goes, however it ends. A file with a number in it would have to be cleaned up after `kill -9`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import HistoryError
from auditor.history.database import explained

__all__ = ["only_run"]


@contextmanager
def only_run(history: Path, *, wait_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock beside a history.

    Yields:
        Whether it is ours; False: another run has it, and `wait_s` seconds did not help.

    Raises:
        HistoryError: the lock cannot be made, such as in a directory that is read-only.
    """
    path = history.with_name(f"{history.name}-lock")
    with explained(path):
        connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None)
    try:
        yield _is_taken(connection, path)
    finally:
        connection.close()


def _is_taken(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        with explained(path):
            connection.execute("BEGIN EXCLUSIVE")
    except HistoryError as error:
        cause = error.__cause__
        if getattr(cause, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return False
        raise
    return True
