"""What an archive is read from: forwards, counted, and never more than any honest one has."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass
from typing import BinaryIO, cast

from auditor.errors import ProbeError

__all__ = ["CHUNK_BYTES", "Allowance", "Counted", "Cut", "Forward", "Plain"]

# The largest caches of CI providers have 10 GB, compressed.
_MAX_UNPACKED_BYTES = 256 * 2**30
CHUNK_BYTES = 2**18
# Where a stream was cut, a decoder gives nothing of what it was asked for. So the end, which is
# seen so far ahead, is decompressed little by little. (What does not shrink takes no more than it
# gives, and a decoder's own buffer.)
_LAST_STEP_BYTES = 2**12
_AHEAD_BYTES = 2 * CHUNK_BYTES
_BLOCK_BYTES = 512  # of a tar file


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may come out of how much. Past it, it is a bomb.

    Attributes:
        from_bytes: so much comes out of anything, unquestioned.
        ratio: past that, so many bytes for each one that goes in.
        is_checked: whether a stream that was cut would say so: all compressed ones do.
    """

    from_bytes: int
    ratio: int
    is_checked: bool = True

    def check(self, unpacked: int, packed: int) -> None:
        """Raise `Cut` if more came out than comes out of anything honest."""
        if unpacked > self.from_bytes + self.ratio * packed:
            raise Cut("it unpacks to hundreds of times its size, as bombs do")


class Cut(ProbeError):
    """Reading was given up on purpose: a bound was reached, or the work was stopped."""


class Counted(io.RawIOBase):
    """Counts what is read of the compressed file, and stops when told.

    Attributes:
        total: bytes that were read.
        is_ending: whether what is left of it may be less than one step takes.
    """

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        super().__init__()
        self._file = file
        self._stop = stop
        self._piece = memoryview(file.read(_AHEAD_BYTES))
        self._next = file.read(_AHEAD_BYTES)
        self.total = 0

    @property
    def is_ending(self) -> bool:
        """See there."""
        return len(self._next) < _AHEAD_BYTES

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names a private type
        """Read what fits, or what is left of a piece."""
        if self._stop.is_set():
            raise Cut("reading it was stopped")
        if not self._piece and self._next:
            self._piece, self._next = memoryview(self._next), self._file.read(_AHEAD_BYTES)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        self.total += size
        return size


class Plain:
    """What is not compressed and lies on a disk: what nobody asks for is not even read.

    Attributes:
        total: bytes that were read or passed over.
        is_ending: as in `Counted`; nothing is kept back here.
    """

    is_ending = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self._left = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        self.total = 0

    def read1(self, size: int) -> bytes:
        """Read at most so many bytes."""
        piece = self._file.read(size)
        self._count(len(piece))
        return piece

    def skip(self, size: int) -> int:
        """Pass over so many bytes, or as many as there are; return how many."""
        skipped = max(0, min(size, self._left))
        self._file.seek(skipped, os.SEEK_CUR)
        self._count(skipped)
        return skipped

    def _count(self, size: int) -> None:
        self.total += size
        self._left -= size


class Forward(io.BufferedIOBase):
    """What is decompressed, read forwards, until it is more than any honest archive has.

    `tarfile` skips by seeking, which is half the work of its own streams.

    Attributes:
        is_checked: as in `Allowance`.
        fills_block: whether zeros follow the end, up to the next full block of a tar file.
    """

    def __init__(
        self,
        stream: BinaryIO | Plain,
        source: Counted | Plain,
        allowance: Allowance,
        stop: threading.Event,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._source = source
        self._allowance = allowance
        self._stop = stop
        self.is_checked = allowance.is_checked
        self.fills_block = False
        self._at = 0
        self._again = False
        # What was decompressed and not yet asked for: what is skipped is never copied.
        self._ahead = b""
        self._used = 0

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
        self._skip(offset - self._at)
        while self._at < offset and self._pass(offset - self._at):
            pass
        return self.tell()

    def _skip(self, size: int) -> None:
        """Go past what is on a disk and was not read yet, but for its last byte: is it there?"""
        unread = size - (len(self._ahead) - self._used)
        if unread > 1 and isinstance(self._stream, Plain):
            self._at += size - unread + self._stream.skip(unread - 1)
            self._used = len(self._ahead)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes; fewer only at the end."""
        if self._again and size != 0:
            self._again = False
            return self._ahead[self._used - 1 : self._used]
        wanted = CHUNK_BYTES if size is None or size < 0 else size
        piece = self._piece(wanted)
        if len(piece) == wanted or not piece:
            return piece
        pieces = [piece]
        while (wanted := wanted - len(piece)) and (piece := self._piece(wanted)):
            pieces.append(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        """At most so many bytes; none only at the end."""
        passed = self._pass(size)
        return self._ahead[self._used - passed : self._used]

    def _pass(self, size: int) -> int:
        """Go past at most so many bytes; return how many. They are those behind `_used`."""
        if self._used == len(self._ahead):
            self._decompress()
        passed = min(size, len(self._ahead) - self._used)
        self._used += passed
        self._at += passed
        return passed

    def _decompress(self) -> None:
        if self._stop.is_set():
            raise Cut("reading it was stopped")
        step = _LAST_STEP_BYTES if self._source.is_ending else CHUNK_BYTES
        more = cast(io.BufferedReader, self._stream).read1(step)
        if not more and self.fills_block:
            more = bytes(-self._at % _BLOCK_BYTES)
        if not more:
            return  # what was passed last may be asked for again
        self._ahead, self._used = more, 0
        if self._at + len(more) > self._allowance.from_bytes:
            self._check(self._at + len(more))

    def _check(self, unpacked: int) -> None:
        if unpacked > _MAX_UNPACKED_BYTES:
            raise Cut(f"it unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
        self._allowance.check(unpacked, self._source.total)
