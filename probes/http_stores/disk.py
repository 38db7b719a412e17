"""Reading other people's caches: regular files only, no link followed, no access time changed."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from typing import NamedTuple

from probes.kit.disk import NotReadable

__all__ = ["Body", "OpenFile", "opened"]

# No link: what it leads to is outside the store, or is met under its own name. No blocking: a FIFO
# must not hang us.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_ATIME = getattr(os, "O_NOATIME", 0)
_CHUNK_BYTES = 2**20


class OpenFile(NamedTuple):
    """An open file: its descriptor, bytes, and when it was changed (seconds since 1970)."""

    descriptor: int
    size: int
    modified_s: float


class opened:  # noqa: N801  # reads as the verb that it is in `with opened(…)`
    """Opens a regular file for a `with` block; no link is followed.

    A class of its own, since `contextlib` costs as much as opening the file.

    Raises:
        OSError: it is not there, is a link, or may not be read.
        NotReadable: it is a directory, a FIFO, a device or the like.
    """

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> OpenFile:
        self._descriptor = _open(self._path)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise NotReadable("it is no regular file")
        return OpenFile(self._descriptor, status.st_size, status.st_mtime)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS | _NO_ATIME)
    except PermissionError:
        # O_NOATIME is for the owner of a file (and root); anybody else may still read it.
        return os.open(path, _FLAGS)


class Body(io.RawIOBase):
    """A part of an open file, or bytes, as a file of its own. Closing it closes nothing else."""

    def __init__(self, source: int | bytes, start: int, size: int) -> None:
        """Make it.

        Args:
            source: an open descriptor, or the content itself.
            start, size: the part, in bytes.
        """
        super().__init__()
        self._source = source
        self._start = start
        self._at = 0
        self.size = size

    def again(self) -> Body:
        """Return the same part, read from its beginning."""
        return Body(self._source, self._start, self.size)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place within the part."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: memoryview | bytearray, /) -> int:  # type: ignore[override]  # typeshed names a private type
        """Fill a buffer."""
        piece = self.part(self._at, len(buffer))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def part(self, start: int, size: int) -> bytes:
        """Return bytes from a place, wherever reading is."""
        size = max(0, min(size, self.size - start))
        at = self._start + start
        if isinstance(self._source, bytes):
            return self._source[at : at + size]
        return os.pread(self._source, size, at)

    def whole(self) -> bytes:
        """Return everything."""
        return self.part(0, self.size)

    def sha256(self, stop: threading.Event) -> str:
        """Hash everything.

        Raises:
            NotReadable: the work was stopped, or the file shrank meanwhile.
        """
        digest, at = hashlib.sha256(), 0
        while at < self.size:
            piece = self.part(at, _CHUNK_BYTES)
            if stop.is_set() or not piece:
                raise NotReadable("reading it was stopped")
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()
