"""Reading from disk without being trapped: regular files only, bounded, and ready to stop."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from auditor.errors import ProbeError
from auditor.model.written_path import written_path

__all__ = [
    "MAX_ENTRIES",
    "MAX_HASHED_BYTES",
    "ContentDigest",
    "Listing",
    "NotReadable",
    "digest_file",
    "in_thread",
    "list_directory",
    "local_path",
    "open_regular",
    "read_regular",
]

# A wheelhouse with more entries than this is no wheelhouse; the largest real ones have some 10**5.
MAX_ENTRIES = 2_000_000
# The largest wheels on PyPI have some 4 GB.
MAX_HASHED_BYTES = 8 * 2**30
_CHUNK_BYTES = 2**20

T = TypeVar("T")


class NotReadable(ProbeError):
    """A path is there, but is nothing whose content we read."""


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """Of a whole file. `sha256` is None if it is larger than what we hash."""

    sha256: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The names in one directory, sorted. `complete` is False if there are too many."""

    names: tuple[str, ...]
    complete: bool


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run disk work in a thread, and tell it to stop if the probe is cancelled."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop)
    except asyncio.CancelledError:
        stop.set()
        raise


def local_path(locator: str) -> Path:
    """Return the path that a `file:` URL or a plain path means."""
    if locator.lower().startswith("file:"):
        return Path(url2pathname(urlsplit(locator).path))
    return written_path(locator)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file, or what a link to one leads to. A FIFO never blocks us.

    Reading changes no access time, by which caches choose what to delete.

    Raises:
        OSError: it is not there or may not be read.
        NotReadable: it is a directory, a FIFO, a device or the like.
    """
    # Checked on the open descriptor, so that nothing can be swapped in between.
    descriptor = _descriptor(path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotReadable("it is no regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _descriptor(path: Path) -> int:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:
        # O_NOATIME is for the owner of a file (and root); anybody else may still read it.
        return os.open(path, flags)


def read_regular(path: Path, limit: int) -> bytes:
    """Read a whole regular file.

    Raises:
        OSError, NotReadable: as `open_regular`, or it is larger than `limit` bytes.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise NotReadable(f"it is larger than {limit} bytes")
    return content


def digest_file(path: Path, stop: threading.Event) -> ContentDigest:
    """Hash a regular file as a stream.

    Raises:
        OSError, NotReadable: as `open_regular`, or the work was stopped.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_HASHED_BYTES:
            return ContentDigest(None, size)
        digest = hashlib.sha256()
        read = 0
        while chunk := file.read(_CHUNK_BYTES):
            if stop.is_set() or read > MAX_HASHED_BYTES:
                raise NotReadable("reading it was stopped")
            digest.update(chunk)
            read += len(chunk)
        return ContentDigest(digest.hexdigest(), read)


def list_directory(path: Path, limit: int = MAX_ENTRIES) -> Listing:
    """Return the names in a directory.

    Raises:
        OSError: it is not there, may not be read or is no directory.
    """
    names: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if len(names) == limit:
                return Listing(tuple(sorted(names)), complete=False)
            names.append(entry.name)
    return Listing(tuple(sorted(names)), complete=True)
