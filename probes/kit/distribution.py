"""What a distribution on disk says of itself: METADATA of a wheel, PKG-INFO of a source archive.

Nothing is unpacked to disk and nothing is executed; both archives are read within bounds.
"""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auditor.errors import ProbeError
from auditor.model import normalise_project
from probes.kit.core_metadata import read_core_metadata
from probes.kit.disk import NotReadable, open_regular

__all__ = ["DistributionMetadata", "Unreadable", "is_intact", "read_metadata"]

# Real ones hold a README at most: 2 MB is the largest that we have met.
_MAX_METADATA_BYTES = 8 * 2**20
# PyTorch's wheels have some 20,000 members; 64 MiB describe 500,000.
_MAX_DIRECTORY_BYTES = 64 * 2**20
# PKG-INFO comes early or late; how much of an archive is decompressed to find it.
_MAX_SOURCE_BYTES = 256 * 2**20
_END_OF_DIRECTORY = b"PK\x05\x06"
_END_BYTES = 22 + 65535
_CHUNK_BYTES = 2**20
# The source archives with most members have some 50,000.
_MAX_MEMBERS = 500_000


class Unreadable(ProbeError):
    """The file is no archive, is damaged, or holds no metadata; the text says which.

    Attributes:
        intact: as in `DistributionMetadata`.
    """

    def __init__(self, message: str, *, intact: bool | None = None) -> None:
        super().__init__(message)
        self.intact = intact


@dataclass(frozen=True, slots=True)
class DistributionMetadata:
    """Core metadata (PEP 566), as far as it decides what installers choose.

    Attributes:
        name, version: None if they are not stated.
        requires_python: the specifier as written; "" if there is none.
        intact: whether the archive opens as what its name says. False only where no installer can
            read it either: what some could install is no truncated copy. None if that is not known.
    """

    name: str | None
    version: str | None
    requires_python: str
    intact: bool | None


def read_metadata(path: Path, stop: threading.Event) -> DistributionMetadata:
    """Read the metadata inside a distribution.

    Raises:
        Unreadable: there is none, or it cannot be got at.
        OSError, NotReadable: the file cannot be opened.
    """
    name = path.name.lower()
    with open_regular(path) as file:
        try:
            if name.endswith((".whl", ".zip")):
                return _parsed(_from_zip(file, name), intact=True)
            return _from_tar(file, name, stop)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            gzip.BadGzipFile,
        ) as error:
            raise Unreadable(f"it is no readable archive: {error}") from error
        except OSError as error:
            # So says bz2 of a damaged member, and a file of an offset before its beginning.
            if error.errno not in (None, errno.EINVAL):
                raise
            raise Unreadable(f"it is a damaged archive: {error}") from error
        # What the standard library raises on damaged or hostile archives is not a closed set:
        # NotImplementedError for odd compressions, RuntimeError for encrypted members, …
        except (ValueError, NotImplementedError, RuntimeError, LookupError, struct.error) as error:
            raise Unreadable(f"it is a damaged archive: {type(error).__name__}") from error


def is_intact(path: Path, stop: threading.Event) -> bool | None:
    """Say whether a file opens as the archive that its name says; None: that is not known."""
    try:
        return read_metadata(path, stop).intact
    except Unreadable as unreadable:
        return unreadable.intact
    except (NotReadable, OSError):
        return None


def _parsed(text: bytes, *, intact: bool | None) -> DistributionMetadata:
    stated = read_core_metadata(text)
    return DistributionMetadata(stated.name, stated.version, stated.requires_python, intact)


def _from_zip(file: BinaryIO, name: str) -> bytes:
    _check_directory(file)
    wheel = name.endswith(".whl")
    with _opened_zip(file) as archive:
        ending = ".dist-info/METADATA" if wheel else "/PKG-INFO"
        found = [n for n in archive.namelist() if n.endswith(ending) and n.count("/") == 1]
        if len(found) != 1:
            problem = f"it holds {len(found)} metadata files instead of one"
            raise Unreadable(problem, intact=True)
        project = normalise_project(name.partition("-")[0])
        if wheel and not normalise_project(found[0]).startswith(project):
            # pip does not go on to another file then: it ends with "invalid wheel".
            problem = "its .dist-info is that of another project: pip fails on the file"
            raise Unreadable(problem, intact=True)
        with archive.open(found[0]) as member:
            return _whole(member.read(_MAX_METADATA_BYTES + 1))


def _opened_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip file. A copy that was cut short lacks its table of contents, which is at its end.

    What goes wrong later, in one member, another installer may not even look at.
    """
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Unreadable(f"it is no readable archive: {error}", intact=False) from error


def _check_directory(file: BinaryIO) -> None:
    """Refuse a central directory of gigabytes before the standard library loads it whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    tail = file.read(_END_BYTES)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at >= 0 and len(tail) >= at + 16:
        (length,) = struct.unpack_from("<L", tail, at + 12)
        # 0xFFFFFFFF refers to the zip64 record, which no distribution needs for its directory.
        if length > _MAX_DIRECTORY_BYTES:
            raise Unreadable("its table of contents is larger than that of any distribution")
    file.seek(0)


class _Spent(Unreadable):
    """More of the archive was read than is read of any."""


class _Forward(io.BufferedIOBase):
    """A decompressed stream that is read forwards, and ends in an error where a bomb would go on.

    It takes no more of the stream than it is asked for. Installers do the same: an archive whose
    last bytes are damaged can be installed if its members end before that.
    """

    def __init__(self, stream: BinaryIO | gzip.GzipFile, stop: threading.Event) -> None:
        super().__init__()
        self._stream = stream
        self._stop = stop
        self._at = 0

    def tell(self) -> int:
        """Where it is, in decompressed bytes."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go on to a place further down; where the stream ends before that, to its end."""
        if whence != os.SEEK_SET or offset < self._at:
            raise ValueError("a place that was passed")
        while self._at < offset and self.read(min(_CHUNK_BYTES, offset - self._at)):
            pass
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes."""
        left = _MAX_SOURCE_BYTES - self._at
        if self._stop.is_set() or left <= 0:
            raise _Spent("its metadata was not found within the first 256 MiB")
        content = self._stream.read(left if size is None or size < 0 else min(size, left))
        self._at += len(content)
        return content


def _from_tar(file: BinaryIO, name: str, stop: threading.Event) -> DistributionMetadata:
    if not name.endswith((".tar.gz", ".tgz", ".tar")):
        raise Unreadable("metadata is read from .tar.gz, .tar and .zip only (PEP 625)")
    stream: BinaryIO | gzip.GzipFile = (
        file if name.endswith(".tar") else gzip.GzipFile(fileobj=file)
    )
    found: bytes | None = None
    try:
        with _opened_tar(_Forward(stream, stop)) as archive:
            # To the end, though PKG-INFO comes early: only there it shows whether it was cut.
            for member in _members(archive):
                path = member.name.removeprefix("./")
                if found is None and path.endswith("/PKG-INFO") and path.count("/") == 1:
                    content = archive.extractfile(member) if member.isreg() else None
                    found = _whole(content.read(_MAX_METADATA_BYTES + 1)) if content else None
    except EOFError as error:
        raise Unreadable(f"it was cut short: {error}", intact=False) from error
    except _Spent:
        if found is None:
            raise
        return _parsed(found, intact=None)
    if found is None:
        raise Unreadable("it holds no PKG-INFO", intact=True)
    return _parsed(found, intact=True)


def _opened_tar(stream: _Forward) -> tarfile.TarFile:
    """Open a tar file: its first member is read, and if there is none, it is no tar file."""
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(f"it is no readable archive: {error}", intact=False) from error


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Go through a tar file without keeping its members in memory, as the library does."""
    for _ in range(_MAX_MEMBERS):
        member = archive.next()
        if member is None:
            return
        yield member
        archive.members.clear()  # type: ignore[attr-defined]  # typeshed does not know it
    raise _Spent(f"it has more than {_MAX_MEMBERS} members")


def _whole(content: bytes) -> bytes:
    if len(content) > _MAX_METADATA_BYTES:
        raise Unreadable(f"its metadata is larger than {_MAX_METADATA_BYTES} bytes")
    return content
