"""Answers as hishel 1.x stores them: msgpack of request and response, and bodies in chunks."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from probes.http_stores.disk import Body
from probes.pdm_store.database import Unusable

__all__ = ["Answer", "ChunkedBody", "read_answers"]

_COLUMNS = {"entries": {"id", "data", "deleted_at"}, "streams": {"entry_id", "chunk_number"}}
# hishel writes an empty chunk of this number when the body is whole.
_END = -1
_MAX_CHUNKS = 4_000_000
_LATEST_S = 7_258_118_400.0  # the year 2200


class _Request(msgspec.Struct):
    url: str
    headers: dict[str, list[str]] = {}


class _Response(msgspec.Struct):
    status_code: int
    headers: dict[str, list[str]] = {}


class _Meta(msgspec.Struct):
    created_at: float = 0.0


class _Pair(msgspec.Struct):
    request: _Request
    response: _Response | None = None
    meta: _Meta = msgspec.field(default_factory=_Meta)


_DECODER = msgspec.msgpack.Decoder(_Pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One stored answer.

    Attributes:
        id: of the entry, hexadecimal.
        url: what was asked; "" if the entry cannot be read.
        status: HTTP status.
        headers: of the answer; names in lower case.
        request_headers: as they were sent; names in lower case.
        stored_s: when it was stored, seconds since 1970.
        is_deleted: whether hishel has marked it for removal and uses it no more.
        is_whole: whether the body was stored to its end.
        body: as it was transferred.
    """

    id: str
    url: str
    status: int
    headers: Mapping[str, str]
    request_headers: Mapping[str, str]
    stored_s: float
    is_deleted: bool
    is_whole: bool
    body: ChunkedBody


class ChunkedBody(Body):
    """A body in chunks, of which one at a time is in memory."""

    def __init__(
        self, connection: sqlite3.Connection, entry: bytes, chunks: Sequence[tuple[int, int]]
    ) -> None:
        """Make it.

        Args:
            connection: to the database.
            entry: whose body it is.
            chunks: number and size of each, in order.
        """
        starts: list[int] = []
        size = 0
        for _, length in chunks:
            starts.append(size)
            size += length
        super().__init__(b"", 0, size)
        self._connection = connection
        self._entry = entry
        self._chunks = chunks
        self._starts = starts
        self._loaded: tuple[int, bytes] = (-1, b"")

    def again(self) -> ChunkedBody:
        """Return the same body, read from its beginning."""
        return ChunkedBody(self._connection, self._entry, self._chunks)

    def part(self, start: int, size: int) -> bytes:
        """Return bytes from a place, wherever reading is."""
        end = min(self.size, start + max(0, size))
        pieces: list[bytes] = []
        index = max(0, bisect_right(self._starts, start) - 1)
        while start < end and index < len(self._chunks):
            offset = start - self._starts[index]
            piece = self._chunk(index)[offset : offset + end - start]
            pieces.append(piece)
            start += len(piece)
            index += 1
        return b"".join(pieces)

    def _chunk(self, index: int) -> bytes:
        if self._loaded[0] != index:
            number, length = self._chunks[index]
            row = self._connection.execute(
                "SELECT chunk_data FROM streams WHERE entry_id = ? AND chunk_number = ?",
                (self._entry, number),
            ).fetchone()
            data = row[0] if row and isinstance(row[0], bytes) else b""
            if len(data) != length:
                raise Unusable("a chunk has another length than it says")
            self._loaded = (index, data)
        return self._loaded[1]


def read_answers(connection: sqlite3.Connection) -> Iterator[Answer]:
    """Yield every answer of a database; its body may be read until the next one.

    Raises:
        Unusable: it is no database of hishel 1.x.
        sqlite3.Error: it is damaged.
    """
    _check_layout(connection)
    for entry, data, deleted_at in connection.execute("SELECT id, data, deleted_at FROM entries"):
        if not isinstance(entry, bytes) or not isinstance(data, bytes):
            raise Unusable("an entry that is no bytes")
        yield _answer(connection, entry, data, is_deleted=deleted_at is not None)


def _check_layout(connection: sqlite3.Connection) -> None:
    """Refuse tables of another layout, and views: those would run what their maker wrote."""
    for table, wanted in _COLUMNS.items():
        kind = connection.execute(
            "SELECT type FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        if kind is None or kind[0] != "table":
            raise Unusable(f"it has no table {table}: it is laid out in a way that is not known")
        columns = {
            row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        }
        if not wanted <= columns:
            missing = ", ".join(sorted(wanted - columns))
            raise Unusable(f"its table {table} has no {missing}: a layout that is not known")


def _answer(
    connection: sqlite3.Connection, entry: bytes, data: bytes, *, is_deleted: bool
) -> Answer:
    chunks, is_whole = _chunks(connection, entry)
    body = ChunkedBody(connection, entry, chunks)
    try:
        pair = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pair = _Pair(request=_Request(url=""))
    response = pair.response or _Response(status_code=0)
    return Answer(
        id=entry.hex(),
        url=pair.request.url,
        status=response.status_code,
        headers=_joined(response.headers),
        request_headers=_joined(pair.request.headers),
        stored_s=pair.meta.created_at if 0 <= pair.meta.created_at <= _LATEST_S else 0.0,
        is_deleted=is_deleted,
        is_whole=is_whole,
        body=body,
    )


def _chunks(connection: sqlite3.Connection, entry: bytes) -> tuple[list[tuple[int, int]], bool]:
    rows = connection.execute(
        "SELECT chunk_number, length(chunk_data) FROM streams WHERE entry_id = ? "
        "ORDER BY chunk_number LIMIT ?",
        (entry, _MAX_CHUNKS),
    ).fetchall()
    if not all(isinstance(value, int) for row in rows for value in row):
        raise Unusable("a chunk without number or length")
    found = [(number, size) for number, size in rows if number >= 0]
    return found, any(number == _END for number, _ in rows)


def _joined(headers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name.lower(): ", ".join(values) for name, values in headers.items()}
