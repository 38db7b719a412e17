"""Opens the file, and says in our own words what is wrong with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from auditor.errors import HistoryError
from auditor.history.migrations import APPLICATION_ID, MIGRATIONS, migrate

__all__ = ["BUSY_TIMEOUT_S", "explained", "open_readable", "open_writable", "writing"]

# How long the second of two runs waits for the first one to write; that takes milliseconds.
BUSY_TIMEOUT_S = 30.0
_RETRY_S = 0.02

_CAUSES = {
    # Forgetting needs some space as well: what is deleted is written to the log first.
    "FULL": "the disk is full; free some space, then shorten it with `auditor history prune`",
    "READONLY": "it is read-only; give this user the right to write the file and its directory",
    "PERM": "access is denied; give this user the right to write the file and its directory",
    "CANTOPEN": "it cannot be opened; create its directory, and give this user the right to write",
    "NOTADB": "it is no history, or damaged; move it away, and the next run begins a new one",
    "CORRUPT": "it is damaged; move it away, and the next run begins a new one "
    "(`sqlite3 FILE .recover` may save its rows)",
    "BUSY": "another run has been writing it for too long; let that one end, and run again",
    "LOCKED": "another run has been writing it for too long; let that one end, and run again",
    "IOERR": "the disk failed to write or read it, or is full; look at the disk, and run again",
    "TOOBIG": "the disk is full; free some space",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into one sentence with its cause and the next step."""
    try:
        yield
    except sqlite3.Error as error:
        cause = "it is a directory; name a file in it" if path.is_dir() else _cause(error)
        raise HistoryError(f"history {path}: {cause}") from error
    except HistoryError as error:
        if str(path) in str(error):
            raise
        raise HistoryError(f"history {path}: {error}") from error
    except OSError as error:
        raise HistoryError(
            f"history {path}: {error.strerror or error}; name another file, or correct this one"
        ) from error


def _cause(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    family = name.removeprefix("SQLITE_").split("_")[0]
    if isinstance(error, sqlite3.DatabaseError) and family in _CAUSES:
        return _CAUSES[family]
    # A table or column that is not there: made by something else, or altered.
    return f"it cannot be used ({error}); move it away, and the next run begins a new one"


def open_writable(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open a file for recording; it comes into being, and up to date, if need be.

    Raises:
        HistoryError: it cannot be used.
    """
    with explained(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        try:
            _settle(connection, path, busy_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection


def open_readable(path: Path) -> sqlite3.Connection:
    """Open a file for reading alone.

    Raises:
        HistoryError: there is none, or it cannot be used.
    """
    if not path.exists():
        raise HistoryError(
            f"history {path}: there is no such file; `auditor audit --history {path}` begins one"
        )
    with explained(path):
        connection = _connect_readable(path)
        try:
            _check(connection, path)
            (seen,) = connection.execute("PRAGMA user_version").fetchone()
        except BaseException:
            connection.close()
            raise
        if seen < len(MIGRATIONS):
            connection.close()
            open_writable(path).close()
            return _connect_readable(path)
        return connection


def _connect_readable(path: Path) -> sqlite3.Connection:
    """A file in WAL mode that lies where nothing can be written has no log: it is read as it is."""
    address = f"file:{quote(str(path.absolute()))}"
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    connection.isolation_level = None
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
        connection.isolation_level = None
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that nobody else writes beside: all of it happens, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _settle(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    _check(connection, path)
    _write_ahead(connection, busy_timeout_s)
    # A run is written once every few minutes: it can wait for the disk, and survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    (seen,) = connection.execute("PRAGMA user_version").fetchone()
    if seen < len(MIGRATIONS):
        with writing(connection):
            migrate(connection)


def _write_ahead(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Readers and the writer do not wait for each other. Where the file system can't, they do.

    SQLite does not wait by itself while two connections change this mode at once.
    """
    until = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is somebody else's, and what is newer than this program."""
    (seen,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != APPLICATION_ID and (tables or owner):
        raise HistoryError(
            f"history {path}: it is another program's database; name a file of its own"
        )
    if seen > len(MIGRATIONS):
        raise HistoryError(
            f"history {path}: it was written by a newer auditor (revision {seen}, this one knows "
            f"{len(MIGRATIONS)}); use that one, or name another file"
        )
