"""What a distribution on disk says of itself: METADATA of a wheel, PKG-INFO of a source archive.

Nothing is unpacked to disk and nothing is executed; both archives are read within bounds.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from packaging.metadata import parse_email

from auditor.errors import ProbeError
from auditor.model import normalise_project
from probes.kit.disk import open_regular

__all__ = ["DistributionMetadata", "Unreadable", "read_metadata"]

# Real ones hold a README at most: 2 MB is the largest that we have met.
_MAX_METADATA_BYTES = 8 * 2**20
# PyTorch's wheels have some 20,000 members; 64 MiB describe 500,000.
_MAX_DIRECTORY_BYTES = 64 * 2**20
# PKG-INFO comes early or late; how much of an archive is decompressed to find it.
_MAX_SOURCE_BYTES = 256 * 2**20
_END_OF_DIRECTORY = b"PK\x05\x06"
_END_BYTES = 22 + 65535


class Unreadable(ProbeError):
    """The file is no archive, is damaged, or holds no metadata; the text says which."""


@dataclass(frozen=True, slots=True)
class DistributionMetadata:
    """Core metadata (PEP 566), as far as it decides what installers choose.

    Attributes:
        name, version: None if they are not stated.
        requires_python: the specifier as written; "" if there is none.
    """

    name: str | None
    version: str | None
    requires_python: str


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
                text = _from_zip(file, name)
            else:
                text = _from_tar(file, name, stop)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            EOFError,
            gzip.BadGzipFile,
        ) as error:
            raise Unreadable(f"it is no readable archive: {error}") from error
        # What the standard library raises on damaged or hostile archives is not a closed set:
        # NotImplementedError for odd compressions, RuntimeError for encrypted members, …
        except (ValueError, NotImplementedError, RuntimeError, LookupError, struct.error) as error:
            raise Unreadable(f"it is a damaged archive: {type(error).__name__}") from error
    return _parsed(text)


def _parsed(text: bytes) -> DistributionMetadata:
    raw, _ = parse_email(text)
    return DistributionMetadata(
        raw.get("name"), raw.get("version"), (raw.get("requires_python") or "").strip()
    )


def _from_zip(file: BinaryIO, name: str) -> bytes:
    _check_directory(file)
    wheel = name.endswith(".whl")
    with zipfile.ZipFile(file) as archive:
        ending = ".dist-info/METADATA" if wheel else "/PKG-INFO"
        found = [n for n in archive.namelist() if n.endswith(ending) and n.count("/") == 1]
        if len(found) != 1:
            raise Unreadable(f"it holds {len(found)} metadata files instead of one")
        project = normalise_project(name.partition("-")[0])
        if wheel and not normalise_project(found[0]).startswith(project):
            # pip does not go on to another file then: it ends with "invalid wheel".
            raise Unreadable("its .dist-info is that of another project: pip fails on the file")
        with archive.open(found[0]) as member:
            return _whole(member.read(_MAX_METADATA_BYTES + 1))


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


class _Bounded(io.BufferedIOBase):
    """A decompressed stream that ends in an error where a bomb would go on."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, stop: threading.Event) -> None:
        super().__init__()
        self._stream = stream
        self._stop = stop
        self._left = _MAX_SOURCE_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes."""
        if self._stop.is_set() or self._left <= 0:
            raise Unreadable("its metadata was not found within the first 256 MiB")
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        content = self._stream.read(wanted)
        self._left -= len(content)
        return content


def _from_tar(file: BinaryIO, name: str, stop: threading.Event) -> bytes:
    if not name.endswith((".tar.gz", ".tgz", ".tar")):
        raise Unreadable("metadata is read from .tar.gz, .tar and .zip only (PEP 625)")
    stream: BinaryIO | gzip.GzipFile = (
        file if name.endswith(".tar") else gzip.GzipFile(fileobj=file)
    )
    # A stream: each member is seen once, and reading ends at the one that is sought.
    with tarfile.open(fileobj=_Bounded(stream, stop), mode="r|") as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if path.endswith("/PKG-INFO") and path.count("/") == 1 and member.isreg():
                content = archive.extractfile(member)
                if content is not None:
                    return _whole(content.read(_MAX_METADATA_BYTES + 1))
    raise Unreadable("it holds no PKG-INFO")


def _whole(content: bytes) -> bytes:
    if len(content) > _MAX_METADATA_BYTES:
        raise Unreadable(f"its metadata is larger than {_MAX_METADATA_BYTES} bytes")
    return content
