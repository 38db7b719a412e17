"""Content codings (RFC 9110, section 8.4.1), undone within bounds: a bomb costs its bound only."""

from __future__ import annotations

import importlib
import io
import re
import zlib
from collections.abc import Iterator
from functools import cache
from functools import partial as bound
from types import ModuleType
from typing import Protocol, cast

from auditor.errors import Malformed, ProbeError

__all__ = ["MAX_BODY_BYTES", "MAX_PAGE_BYTES", "MAX_WIRE_BYTES", "Undecodable", "decode"]

# The largest project pages are some 20 MB of JSON; the root page of PyPI is some 40 MB.
MAX_WIRE_BYTES = 64 * 2**20
MAX_PAGE_BYTES = 64 * 2**20
# Of what a client cache keeps under a content coding: archives are among it.
MAX_BODY_BYTES = 256 * 2**20

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
# What comes out at once: a larger piece is memory that the system hands out anew each time, which
# takes longer than the inflating.
_STEP_BYTES = 2**16
# How much of the wire is handed over at once: what is left of it when a member ends is copied, and
# a megabyte can hold 50,000 members.
_SLICE_BYTES = 2**17
# Compressors that work in blocks write a member for each 64 KiB or more of the largest page.
MAX_MEMBERS = 4096
_PADDING = re.compile(rb"\0*+")
# The smallest block of zstd is 4 bytes and makes 128 KiB: this much wire at once makes 8 MiB.
_ZSTD_SLICE_BYTES = 2**8
# A frame may ask its reader to hold a window of gigabytes; RFC 9659 allows 8 MiB on the web.
_ZSTD_WINDOW_BYTES = 8 * 2**20


@cache
def _isal() -> ModuleType | None:
    """Return isal's zlib where it exists, not before there is something to inflate."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None


class Undecodable(ProbeError):
    """We lack what it takes to decode this answer: our own limit, no fault of the server."""


def decode(wire: bytes, encoding: str | None, *, limit: int, partial: bool = False) -> bytes:
    """Undo one content coding.

    Args:
        wire: the body as it was transferred.
        encoding: the Content-Encoding header; None if there was none.
        limit: bytes that may come out.
        partial: whether the wire was cut off on purpose, so that a missing end is no fault.

    Raises:
        Malformed: the body is not what its header says, or decodes to more than the limit.
        Undecodable: we cannot undo this coding.
    """
    name = (encoding or "identity").strip().lower()
    if name in ("identity", "") or not wire:
        return _bounded(wire, limit)
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflate(wire, name, limit, partial=partial)
    if name == "zstd":
        return _unzstd(wire, limit, partial=partial)
    raise Undecodable(f"undecodable encoding {name[:60]!r}: our limit; the page was not read")


def _bounded(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise Malformed(f"the page decodes to more than {limit} bytes, which no index page needs")
    return body


def _inflate(wire: bytes, name: str, limit: int, *, partial: bool) -> bytes:
    # "deflate" is the zlib format, but servers exist that send it raw (RFC 9110, section 8.4.1.2).
    raw = name == "deflate" and not _has_zlib_header(wire)
    body = _Body(limit)
    at = members = 0
    while at < len(wire):
        _refuse_reserved_flags(wire[at : at + 4])
        _bounded_members(members := members + 1)
        inflater = _inflater(_RAW_DEFLATE if raw else _GZIP_OR_ZLIB, partial=partial)
        at = _inflate_member(inflater, wire, at, body)
        if not inflater.eof:
            if partial:
                break
            raise Malformed(f"the page breaks off inside its {name} encoding")
        # Padding after a gzip member is allowed (RFC 1952 tools do it).
        at = cast(re.Match[bytes], _PADDING.match(wire, at)).end()
        if wire[at : at + 2] != b"\x1f\x8b":
            break
    return body.whole()


class _Body:
    """What was decoded so far: pieces, as a buffer that grows takes as long as the decoding."""

    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._length = 0
        self._limit = limit

    @property
    def room(self) -> int:
        """How much the next piece may have; one byte of it is too much."""
        return self._limit + 1 - self._length

    def add(self, piece: bytes) -> None:
        """Take a piece, unless that makes it a bomb."""
        self._length += len(piece)
        _bounded_length(self._length, self._limit)
        if piece:
            self._pieces.append(piece)

    def whole(self) -> bytes:
        """Return all of it."""
        return b"".join(self._pieces)


class _Inflater(Protocol):
    """What zlib and isal have in common."""

    eof: bool
    unconsumed_tail: bytes
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflater(window_bits: int, *, partial: bool) -> _Inflater:
    """Return isal's decompressor where it exists for this platform.

    The two agree on every whole body, also on damaged ones. How much of a damaged beginning they
    give out before they notice differs, so that beginnings are always read by zlib.
    """
    isal = None if partial else _isal()
    if isal is not None:
        return cast(_Inflater, isal.decompressobj(window_bits))
    return cast(_Inflater, zlib.decompressobj(window_bits))


def _inflate_errors() -> tuple[type[Exception], ...]:
    isal = _isal()
    return (zlib.error,) if isal is None else (zlib.error, cast(type[Exception], isal.error))


def _inflate_member(inflater: _Inflater, wire: bytes, at: int, body: _Body) -> int:
    """Inflate the member that begins at a position into `body`; return where it ends."""
    while not inflater.eof and at < len(wire):
        pending = wire[at : at + _SLICE_BYTES]
        at += len(pending)
        while not inflater.eof:
            try:
                piece = inflater.decompress(pending, min(_STEP_BYTES, body.room))
            except _inflate_errors() as error:
                raise Malformed(f"the page cannot be decompressed: {error}") from error
            body.add(piece)
            pending = inflater.unconsumed_tail
            if not piece and not pending:  # zlib may hold output back after the last of its input
                break
    return at - len(inflater.unused_data)


def _refuse_reserved_flags(member: bytes) -> None:
    """RFC 1952, section 2.3.1.2: reserved flags must be zero. zlib looks at them, isal does not."""
    if member[:2] == b"\x1f\x8b" and len(member) > 3 and member[3] & 0xE0:
        raise Malformed("the page cannot be decompressed: unknown flags in its gzip header")


def _bounded_length(length: int, limit: int) -> None:
    if length > limit:
        raise Malformed(f"the page decompresses to more than {limit} bytes: a bomb, or no page")


def _bounded_members(members: int) -> None:
    if members > MAX_MEMBERS:
        raise Malformed(
            f"the page is compressed in more than {MAX_MEMBERS} parts: a bomb, or no page"
        )


def _has_zlib_header(wire: bytes) -> bool:
    return len(wire) >= 2 and wire[0] & 0x0F == 8 and (wire[0] << 8 | wire[1]) % 31 == 0


class _ZstdReader(Protocol):
    def read(self, size: int) -> bytes: ...


def _unzstd(wire: bytes, limit: int, *, partial: bool) -> bytes:
    """Undo zstd with whichever module is there: uv and Poetry offer it, so servers may use it."""
    body = _Body(limit)
    try:
        for piece in _zstd_pieces(wire):
            body.add(piece)
    except ProbeError:
        raise
    except Exception as error:
        if not partial:
            raise Malformed(f"the page cannot be decompressed: {error}") from error
    return body.whole()


def _zstd_pieces(wire: bytes) -> Iterator[bytes]:
    """Yield what frames decode to, bit by bit.

    Raises:
        EOFError: the last one never ends.
    """
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        options = {module.DecompressionParameter.window_log_max: 23}
        reader = cast(_ZstdReader, module.ZstdFile(io.BytesIO(wire), options=options))
        return iter(bound(reader.read, _STEP_BYTES), b"")
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise Undecodable(
            "undecodable encoding zstd: our limit; install zstandard to read this view"
        ) from None
    return _zstandard_pieces(zstandard, wire)


def _zstandard_pieces(zstandard: ModuleType, wire: bytes) -> Iterator[bytes]:
    # Its reader of streams takes a frame without an end for one that has ended.
    frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    frame, members = frames.decompressobj(), 1
    for at in range(0, len(wire), _ZSTD_SLICE_BYTES):
        rest = wire[at : at + _ZSTD_SLICE_BYTES]
        while rest:
            if frame.eof:
                _bounded_members(members := members + 1)
                frame = frames.decompressobj()
            yield frame.decompress(rest)
            rest = frame.unused_data
    if not frame.eof:
        raise EOFError("it breaks off inside its zstd encoding")
