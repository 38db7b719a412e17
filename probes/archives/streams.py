"""From a compressed file to a stream of bytes, within bounds of memory, size and time."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import os
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from auditor.errors import ProbeError

if TYPE_CHECKING:
    import zstandard

__all__ = ["BROKEN_STREAM", "Allowance", "Cut", "Forward", "Unopened", "decompressed"]

# GitHub Actions writes `zstd --long=30`: a window of 1 GiB, which common decoders refuse.
# https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/tar.ts
_MAX_ZSTD_WINDOW_BYTES = 2**31
# `xz -9` needs 65 MiB to decompress (xz(1)).
_MAX_XZ_MEMORY_BYTES = 256 * 2**20
# The largest caches of CI providers have 10 GB, compressed.
_MAX_UNPACKED_BYTES = 256 * 2**30
_CHUNK_BYTES = 2**18
_BLOCK_BYTES = 512  # of a tar file
# What is read at once: between two pieces it is asked whether to stop.
_MAX_PIECE_BYTES = 2**20


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


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may come out of how much. Past it, it is a bomb.

    Attributes:
        from_bytes: so much comes out of anything, unquestioned.
        ratio: past that, so many bytes for each one that goes in.
    """

    from_bytes: int
    ratio: int

    def check(self, unpacked: int, packed: int) -> None:
        """Raise `Cut` if more came out than comes out of anything honest."""
        if unpacked > self.from_bytes + self.ratio * packed:
            raise Cut("it unpacks to hundreds of times its size, as bombs do")


# gzip cannot shrink anything to less than 1/1032, and unpacks a gigabyte in a second: layers with
# a sparse file of gigabytes are honest.
_GZIP = Allowance(64 * 2**20, 1100)
# Decompresses as fast, but shrinks zeros to nothing.
_ZSTD = Allowance(64 * 2**20, 600)
# Slower: a file of a megabyte takes a second. Text and code shrink to a tenth, and five copies of
# them to a fiftieth of their size where xz sees them all.
_SLOW = Allowance(64 * 2**20, 100)
_PLAIN = Allowance(2**30, 1)


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

    Attributes:
        is_checked: whether a stream that was cut would say so: all compressed ones do.
        fills_block: whether zeros follow the end, up to the next full block of a tar file.
    """

    def __init__(
        self, stream: BinaryIO, source: _Counted, allowance: Allowance, stop: threading.Event
    ) -> None:
        super().__init__()
        self._stream = stream
        self._source = source
        self._allowance = allowance
        self._stop = stop
        self.is_checked = allowance is not _PLAIN
        self.fills_block = False
        self._at = 0
        self._last = b""
        self._again = False

    @property
    def packed(self) -> int:
        """Bytes that were read of the compressed file."""
        return self._source.total

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
        while self._at < offset and self._piece(min(_CHUNK_BYTES, offset - self._at)):
            pass
        return self.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes; fewer only at the end."""
        if self._again and size != 0:
            self._again = False
            return self._last
        wanted = _CHUNK_BYTES if size is None or size < 0 else size
        if wanted <= _MAX_PIECE_BYTES:
            return self._piece(wanted)
        pieces: list[bytes] = []
        while wanted and (piece := self._piece(min(wanted, _MAX_PIECE_BYTES))):
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        if self._stop.is_set():
            raise Cut("reading it was stopped")
        piece = self._stream.read(size)
        if not piece and self.fills_block:
            piece = bytes(min(size, -self._at % _BLOCK_BYTES))
        if piece:
            self._at += len(piece)
            self._last = piece[-1:]
            if self._at > self._allowance.from_bytes:
                self._check()
        return piece

    def _check(self) -> None:
        if self._at > _MAX_UNPACKED_BYTES:
            raise Cut(f"it unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
        self._allowance.check(self._at, self._source.total)


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
    stream, allowance = _opened(buffered, head)
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
