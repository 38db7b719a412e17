"""A database that another program may be writing, read without a lock and without leaving a trace.

SQLite itself creates two files beside a database in WAL mode, even for a reader, and takes locks.
So the database is copied with its write-ahead log to a place of our own, and the copy is opened.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditor.errors import ProbeError
from probes.http_stores.disk import opened
from probes.kit.disk import NotReadable

__all__ = ["Unusable", "copied", "in_memory"]

_CHUNK_BYTES = 2**22
_TRIES = 4
# What is left free where the copy goes.
_SPARE_BYTES = 2**28
# A row is one chunk of a body, which hishel makes of what it reads from the network at once.
_MAX_ROW_BYTES = 2**28
_STEPS_BETWEEN_LOOKS = 100_000
# Where a database says whether it is in WAL mode, which none in memory can be.
# https://www.sqlite.org/fileformat.html (file format version numbers)
_HEADER = struct.Struct(
    ">16xH10xI68x"
)  # size of a page, where 1 stands for 65,536; number of pages
_MODES, _WAL, _NO_WAL = slice(18, 20), b"\x02\x02", b"\x01\x01"

_State = tuple[tuple[int, int, int] | None, ...]


class Unusable(ProbeError):
    """The database cannot be read as a whole; the text says why."""


@contextmanager
def copied(path: Path, stop: threading.Event) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """Open a copy of a database; it is removed in the end.

    Args:
        path: of the database.
        stop: ends copying and every query.

    Yields:
        The connection, and whether nobody wrote while the copy was made.

    Raises:
        OSError, NotReadable: it is not there, or may not be read.
        Unusable: see there.
    """
    with tempfile.TemporaryDirectory(prefix="auditor-pdm-") as directory:
        target = Path(directory) / "copy.db"
        still = _copy(path, target, stop)
        connection = sqlite3.connect(f"{target.as_uri()}?mode=rw", uri=True)
        try:
            _restrain(connection, stop)
            yield connection, still
        except (sqlite3.Error, UnicodeError) as error:  # damage can make text of no encoding
            raise Unusable(f"SQLite cannot read it: {error}") from error
        finally:
            connection.close()


@contextmanager
def in_memory(content: bytes, stop: threading.Event) -> Iterator[sqlite3.Connection]:
    """Open a database that was read as a whole, such as one in an archive. There is no log to it.

    Raises:
        Unusable: see there.
    """
    _check_whole(content)
    connection = sqlite3.connect(":memory:")
    try:
        if content[_MODES] == _WAL:
            content = content[: _MODES.start] + _NO_WAL + content[_MODES.stop :]
        connection.deserialize(content)
        _restrain(connection, stop)
        yield connection
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise Unusable(f"SQLite cannot read it: {error}") from error
    finally:
        connection.close()


def _check_whole(content: bytes) -> None:
    """SQLite takes a database that was cut behind a page for a smaller one."""
    if len(content) < _HEADER.size:
        raise Unusable("it is cut short, or no database")
    page_bytes, pages = _HEADER.unpack_from(content)
    if len(content) < pages * (page_bytes if page_bytes > 1 else 2**16):
        raise Unusable("it is cut short")


def _copy(path: Path, target: Path, stop: threading.Event) -> bool:
    """Copy until nothing changed meanwhile. A copy of which that is not known may lack a page."""
    log, log_copy = _log_of(path), _log_of(target)
    for _ in range(_TRIES):
        before = _state(path, log)
        _check_room(before, target)
        with suppress(FileNotFoundError):
            log_copy.unlink()
        _copy_file(path, target, stop)
        with suppress(FileNotFoundError):
            _copy_file(log, log_copy, stop)
        if _state(path, log) == before:
            return True
    return False


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _state(*paths: Path) -> _State:
    return tuple(map(_state_of, paths))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_room(state: _State, target: Path) -> None:
    needed = sum(one[1] for one in state if one is not None)
    free = shutil.disk_usage(target.parent).free
    if needed + _SPARE_BYTES > free:
        raise Unusable(
            f"a copy of {needed} bytes does not fit into {target.parent.parent}; "
            "set TMPDIR to a directory with more room"
        )


def _copy_file(source: Path, target: Path, stop: threading.Event) -> None:
    with opened(str(source)) as file, target.open("wb") as copy:
        at = 0
        while chunk := os.pread(file.descriptor, _CHUNK_BYTES, at):
            if stop.is_set():
                raise NotReadable("reading it was stopped")
            copy.write(chunk)
            at += len(chunk)


def _restrain(connection: sqlite3.Connection, stop: threading.Event) -> None:
    """Keep a database that somebody made to harm its reader from doing so."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_ROW_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(lambda: int(stop.is_set()), _STEPS_BETWEEN_LOOKS)
