"""From a compressed file to a stream of bytes, within bounds of memory, size and time."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from auditor.errors import ProbeError
from probes.archives.forward import CHUNK_BYTES, Allowance, Counted, Cut, Forward, Plain

if TYPE_CHECKING:
    import zstandard

__all__ = ["BROKEN_STREAM", "Allowance", "Cut", "Forward", "Unopened", "decompressed"]

# GitHub Actions writes `zstd --long=30`: a window of 1 GiB, which common decoders refuse.
# https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/tar.ts
_MAX_ZSTD_WINDOW_BYTES = 2**31
# `xz -9` needs 65 MiB to decompress (xz(1)).
_MAX_XZ_MEMORY_BYTES = 256 * 2**20


def _isal_error() -> type[Exception]:
    """What isal raises on damaged gzip, which is no error of zlib's; that one without isal."""
    try:
        found: type[Exception] = importlib.import_module("isal.igzip_lib").IsalError
    except ImportError:  # no wheel of it for this platform
        return zlib.error
    return found


_ISAL_ERROR = _isal_error()
# What decoders raise on damaged input is not a closed set.
BROKEN_STREAM = (
    *(EOFError, zlib.error, _ISAL_ERROR, lzma.LZMAError, gzip.BadGzipFile),
    *(ValueError, RuntimeError),
)


# gzip cannot shrink anything to less than 1/1032, and unpacks a gigabyte in a second: layers with
# a sparse file of gigabytes are honest.
_GZIP = Allowance(64 * 2**20, 1100)
# Decompresses as fast, but shrinks zeros to nothing.
_ZSTD = Allowance(64 * 2**20, 600)
# Slower: a file of a megabyte takes a second. Text and code shrink to a tenth, and five copies of
# them to a fiftieth of their size where xz sees them all.
_SLOW = Allowance(64 * 2**20, 100)
_PLAIN = Allowance(2**30, 1, is_checked=False)


class Unopened(ProbeError):
    """It is no archive that can be read; the text says why."""


_Source: TypeAlias = io.BufferedReader


def decompressed(file: BinaryIO, stop: threading.Event) -> Forward | None:
    """Return the content of a compressed file as a stream, or of one that is not.

    Returns:
        None if it is a zip file, which has to be read from its end.

    Raises:
        Unopened: it is compressed in a way that is not read here.
        OSError: it cannot be read.
    """
    plain = Plain(file) if file.seekable() else None
    start = file.tell() if plain else 0
    counted = Counted(file, stop)
    buffered = cast(_Source, io.BufferedReader(counted, CHUNK_BYTES))
    head = buffered.peek(8)[:8]
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return None
    stream, allowance = _opened(buffered, head)
    if allowance is _PLAIN and plain is not None:
        file.seek(start)
        return Forward(plain, plain, allowance, stop)
    return Forward(stream, counted, allowance, stop)


def _opened(source: io.BufferedReader, head: bytes) -> tuple[BinaryIO, Allowance]:
    if head[:2] == b"\x1f\x8b":
        return _gzip(source), _GZIP
    skippable = head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F  # RFC 8878, 3.1.2
    if head[:4] == b"\x28\xb5\x2f\xfd" or skippable:
        from zstandard import ZstdDecompressor

        reader = ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW_BYTES).stream_reader(
            source, read_across_frames=True
        )
        return _buffered(_Zstandard(reader)), _ZSTD
    if head[:6] == b"\xfd7zXZ\x00":
        return _buffered(_Xz(source)), _SLOW
    if head[:3] == b"BZh":
        return cast(BinaryIO, bz2.BZ2File(source)), _SLOW
    if head[:4] == b"\x04\x22\x4d\x18":
        raise Unopened("it is compressed with lz4, which is not read; unpack it first")
    return cast(BinaryIO, source), _PLAIN


def _buffered(decoder: io.RawIOBase) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(decoder, CHUNK_BYTES))


def _gzip(source: _Source) -> BinaryIO:
    try:
        # Half the time of zlib's (performance notes in the README).
        from isal import igzip

        made = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call]  # no types
        return cast(BinaryIO, made)
    except ImportError:  # no wheel of it for this platform
        return cast(BinaryIO, gzip.GzipFile(fileobj=source, mode="rb"))


class _Zstandard(io.RawIOBase):
    """A zstandard reader whose errors, and whose early end, are those of the other decoders."""

    def __init__(self, reader: zstandard.ZstdDecompressionReader) -> None:
        super().__init__()
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names a private type
        from zstandard import ZstdError

        try:
            return self._reader.readinto(buffer)
        except (ZstdError, MemoryError) as error:
            raise ValueError(f"zstd: {error}") from error


class _Xz(io.RawIOBase):
    """Decompresses xz with a bound on memory, which `lzma.LZMAFile` does not offer."""

    def __init__(self, source: _Source) -> None:
        super().__init__()
        self._source = source
        self._decoder = self._new()
        self._ended = False

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names a private type
        piece = b""
        while not piece and not self._ended:
            piece = self._decode(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _decode(self, wanted: int) -> bytes:
        if self._decoder.eof:
            rest = self._decoder.unused_data or self._source.read1(CHUNK_BYTES)
            if not rest.strip(b"\0"):  # padding between streams, or the end
                self._ended = not rest
                return b""
            self._decoder = self._new()
            return self._decoder.decompress(rest, wanted)
        if not self._decoder.needs_input:
            return self._decoder.decompress(b"", wanted)
        data = self._source.read1(CHUNK_BYTES)
        if not data:
            raise EOFError("the xz stream ends early")
        return self._decoder.decompress(data, wanted)
