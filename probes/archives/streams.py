"""From a compressed file to a stream of bytes, within bounds of memory, size and time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from auditor.errors import ProbeError

if TYPE_CHECKING:
    import zstandard

__all__ = ["BROKEN_STREAM", "Cut", "Forward", "Unopened", "decompressed"]

# GitHub Actions writes `zstd --long=30`: a window of 1 GiB, which common decoders refuse.
# https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/tar.ts
_MAX_ZSTD_WINDOW_BYTES = 2**31
# `xz -9` needs 65 MiB to decompress (xz(1)).
_MAX_XZ_MEMORY_BYTES = 256 * 2**20
# The largest caches of CI providers have 10 GB, compressed.
_MAX_UNPACKED_BYTES = 256 * 2**30
# Zeros shrink to a thousandth with gzip, and much further with the others. Past this much, what
# unpacks to ten thousand times its size is a bomb.
_BOMB_RATIO = 10_000
_BOMB_FROM_BYTES = 2 * 2**30
_CHUNK_BYTES = 2**18

# What decoders raise on damaged input is not a closed set.
BROKEN_STREAM = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError, RuntimeError)


class Unopened(ProbeError):
    """It is no archive that can be read; the text says why."""


class Cut(ProbeError):
    """Reading was given up on purpose: a bound was reached, or the work was stopped."""


class _Counted(io.RawIOBase):
    """Counts what is read of the compressed file, and stops when told."""

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        super().__init__()
        self._file = file
        self._stop = stop
        self.total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names a private type
        if self._stop.is_set():
            raise Cut("reading it was stopped")
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        self.total += len(piece)
        return len(piece)


class Forward(io.BufferedIOBase):
    """What is decompressed, read forwards, until it is more than any honest archive has.

    `tarfile` skips by seeking, which is half the work of its own streams.
    """

    def __init__(self, stream: BinaryIO, source: _Counted) -> None:
        super().__init__()
        self._stream = stream
        self._source = source
        self._at = 0
        self._last = b""
        self._again = False

    def readable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where it is, in decompressed bytes."""
        return self._at - self._again

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go on to a place further down; where the stream ends before that, to its end."""
        if whence != os.SEEK_SET or offset < self._at - 1:
            raise ValueError("a place that was passed")
        self._again = offset == self._at - 1  # tarfile looks at the last byte of what it skips
        while self._at < offset and self.read(min(_CHUNK_BYTES, offset - self._at)):
            pass
        return self.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes."""
        if self._again and size != 0:
            self._again = False
            return self._last
        piece = self._stream.read(_CHUNK_BYTES if size is None or size < 0 else size)
        if piece:
            self._at += len(piece)
            self._last = piece[-1:]
            self._check()
        return piece

    def _check(self) -> None:
        if self._at > _MAX_UNPACKED_BYTES:
            raise Cut(f"it unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
        if self._at > _BOMB_FROM_BYTES:
            ratio = self._at / max(1, self._source.total)
            if ratio > _BOMB_RATIO:
                raise Cut(f"it unpacks to {ratio:.0f} times its size, as bombs do")


_Source: TypeAlias = io.BufferedReader


def decompressed(file: BinaryIO, stop: threading.Event) -> Forward | None:
    """Return the content of a compressed file as a stream, or of one that is not.

    Returns:
        None if it is a zip file, which has to be read from its end.

    Raises:
        Unopened: it is compressed in a way that is not read here.
        OSError: it cannot be read.
    """
    counted = _Counted(file, stop)
    buffered = cast(_Source, io.BufferedReader(counted, _CHUNK_BYTES))
    head = buffered.peek(8)[:8]
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return None
    stream = _opened(buffered, head)
    return Forward(stream, counted)


def _opened(source: io.BufferedReader, head: bytes) -> BinaryIO:
    if head[:2] == b"\x1f\x8b":
        return _gzip(source)
    skippable = head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F  # RFC 8878, 3.1.2
    if head[:4] == b"\x28\xb5\x2f\xfd" or skippable:
        from zstandard import ZstdDecompressor

        reader = ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW_BYTES).stream_reader(
            source, read_across_frames=True
        )
        return _buffered(_Zstandard(reader))
    if head[:6] == b"\xfd7zXZ\x00":
        return _buffered(_Xz(source))
    if head[:3] == b"BZh":
        return cast(BinaryIO, bz2.BZ2File(source))
    if head[:4] == b"\x04\x22\x4d\x18":
        raise Unopened("it is compressed with lz4, which is not read; unpack it first")
    return cast(BinaryIO, source)


def _buffered(decoder: io.RawIOBase) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(decoder, _CHUNK_BYTES))


def _gzip(source: _Source) -> BinaryIO:
    try:
        # Half the time of zlib's (performance notes in the README).
        from isal import igzip

        # Its stub says nothing of the types.
        return cast(BinaryIO, igzip.IGzipFile(fileobj=source, mode="rb"))  # type: ignore[no-untyped-call]
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
            rest = self._decoder.unused_data or self._source.read1(_CHUNK_BYTES)
            if not rest.strip(b"\0"):  # padding between streams, or the end
                self._ended = not rest
                return b""
            self._decoder = self._new()
            return self._decoder.decompress(rest, wanted)
        if not self._decoder.needs_input:
            return self._decoder.decompress(b"", wanted)
        data = self._source.read1(_CHUNK_BYTES)
        if not data:
            raise EOFError("the xz stream ends early")
        return self._decoder.decompress(data, wanted)
