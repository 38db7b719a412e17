"""Content codings (RFC 9110, section 8.4.1), undone within bounds: a bomb costs its bound only."""

from __future__ import annotations

import importlib
import io
import zlib
from types import ModuleType
from typing import Protocol, cast

from auditor.errors import Malformed, ProbeError

__all__ = ["MAX_BODY_BYTES", "MAX_WIRE_BYTES", "Undecodable", "decode"]

# The largest project pages are some 20 MB of JSON; the root page of PyPI is some 40 MB.
MAX_WIRE_BYTES = 64 * 2**20
MAX_BODY_BYTES = 256 * 2**20

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_STEP_BYTES = 2**20
# A frame may ask its reader to hold a window of gigabytes; RFC 9659 allows 8 MiB on the web.
_ZSTD_WINDOW_BYTES = 8 * 2**20


def _import_isal() -> ModuleType | None:
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None


_ISAL = _import_isal()
_INFLATE_ERRORS: tuple[type[Exception], ...] = (
    (zlib.error,) if _ISAL is None else (zlib.error, _ISAL.error)
)


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
    body = bytearray()
    rest = wire
    while rest:
        _refuse_reserved_flags(rest)
        inflater = _inflater(_RAW_DEFLATE if raw else _GZIP_OR_ZLIB, partial=partial)
        rest = _inflate_member(inflater, rest, body, limit)
        if not inflater.eof:
            if partial:
                break
            raise Malformed(f"the page breaks off inside its {name} encoding")
        rest = rest.lstrip(b"\0")  # padding after a gzip member is allowed (RFC 1952 tools do it)
        if rest[:2] != b"\x1f\x8b":
            break
    return bytes(body)


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
    if _ISAL is not None and not partial:
        return cast(_Inflater, _ISAL.decompressobj(window_bits))
    return cast(_Inflater, zlib.decompressobj(window_bits))


def _inflate_member(inflater: _Inflater, wire: bytes, body: bytearray, limit: int) -> bytes:
    """Inflate one member into `body`; return what follows it on the wire."""
    pending = wire
    while not inflater.eof:
        try:
            piece = inflater.decompress(pending, min(_STEP_BYTES, limit + 1 - len(body)))
        except _INFLATE_ERRORS as error:
            raise Malformed(f"the page cannot be decompressed: {error}") from error
        body += piece
        _bounded_length(len(body), limit)
        pending = inflater.unconsumed_tail
        if not piece and not pending:  # zlib may hold output back after the last of its input
            break
    return inflater.unused_data


def _refuse_reserved_flags(member: bytes) -> None:
    """RFC 1952, section 2.3.1.2: reserved flags must be zero. zlib looks at them, isal does not."""
    if member[:2] == b"\x1f\x8b" and len(member) > 3 and member[3] & 0xE0:
        raise Malformed("the page cannot be decompressed: unknown flags in its gzip header")


def _bounded_length(length: int, limit: int) -> None:
    if length > limit:
        raise Malformed(f"the page decompresses to more than {limit} bytes: a bomb, or no page")


def _has_zlib_header(wire: bytes) -> bool:
    return len(wire) >= 2 and wire[0] & 0x0F == 8 and (wire[0] << 8 | wire[1]) % 31 == 0


class _ZstdReader(Protocol):
    def read(self, size: int) -> bytes: ...


def _unzstd(wire: bytes, limit: int, *, partial: bool) -> bytes:
    """Undo zstd with whichever module is there: uv and Poetry offer it, so servers may use it."""
    reader = _zstd_reader(wire)
    if reader is None:
        raise Undecodable(
            "undecodable encoding zstd: our limit; install backports.zstd to read this view"
        )
    body = bytearray()
    try:
        while chunk := reader.read(min(_STEP_BYTES, limit + 1 - len(body))):
            body += chunk
            _bounded_length(len(body), limit)
    except Malformed:
        raise
    except Exception as error:
        if not partial:
            raise Malformed(f"the page cannot be decompressed: {error}") from error
    return bytes(body)


def _zstd_reader(wire: bytes) -> _ZstdReader | None:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        options = {module.DecompressionParameter.window_log_max: 23}
        return cast(_ZstdReader, module.ZstdFile(io.BytesIO(wire), options=options))
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        return None
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    return cast(_ZstdReader, decompressor.stream_reader(io.BytesIO(wire), read_across_frames=True))
