"""What a stored body is: a wheel or a source archive of the project, whatever its URL was.

The quick test comes first: a wheel's table of contents, or the first member of a source archive,
names the project or does not. Nothing is unpacked and nothing is executed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import threading
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from auditor.model import normalise_project
from auditor.model.filename import version_in
from probes.http_stores.disk import Body
from probes.kit.core_metadata import read_core_metadata
from probes.kit.disk import NotReadable

__all__ = ["ARCHIVE_MAGIC", "Recognised", "names_project", "read_archive", "traces_of"]

ARCHIVE_MAGIC = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")

_MAX_METADATA_BYTES = 8 * 2**20
# The wheels with most members (some 20,000) have a table of contents of 3 MB.
_MAX_DIRECTORY_BYTES = 64 * 2**20
# How much of a source archive of the project is decompressed, at most.
_MAX_SOURCE_BYTES = 256 * 2**20
# Code and text shrink to a tenth. What unpacks to more than this many times its size is no source
# archive, and a cache may have thousands of such small bombs.
_SOURCE_FROM_BYTES = 4 * 2**20
_SOURCE_RATIO = 300
_MAX_TRACED_BYTES = 64 * 2**20
_END_OF_DIRECTORY = b"PK\x05\x06"
_END_BYTES = 22 + 65535
_ZIP64 = 0xFFFFFFFF
# What the standard library raises on damaged or hostile archives is not a closed set:
# `NotImplementedError` is zipfile's word for a compression that it does not know.
_BROKEN_ARCHIVE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, LookupError, NotImplementedError, RuntimeError, OverflowError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A distribution of the project.

    Attributes:
        filename: as its metadata restores it: the store keeps no file name.
        version: as its metadata says it.
        fault: what is wrong with the archive; None: it is whole.
        intact: as in `Holding`.
    """

    filename: str
    version: str | None
    fault: str | None = None
    intact: bool | None = None


class Unsearched(NotReadable):
    """An archive could be of the project, and is larger than what is searched."""


def read_archive(body: Body, project: str, stop: threading.Event) -> Recognised | None:
    """Recognise a wheel or a source archive of the project; None: it is not of the project.

    Raises:
        OSError: it cannot be read.
        Unsearched: whose it is does not show in the part that is read.
    """
    if body.part(0, 4) == ARCHIVE_MAGIC[0]:
        return _read_zip(body, project)
    return _read_tar(body, project, stop)


@lru_cache(maxsize=64)
def _spelling(project: str) -> bytes:
    """A pattern for every spelling of a project's name (PEP 503)."""
    parts = (re.escape(part.encode()) for part in project.split("-"))
    return rb"[-_.]+".join(parts)


@lru_cache(maxsize=64)
def _name_pattern(project: str) -> re.Pattern[bytes]:
    return re.compile(_spelling(project), re.IGNORECASE)


@lru_cache(maxsize=64)
def _member_pattern(project: str) -> re.Pattern[bytes]:
    """The members that every wheel and source archive of the project has."""
    ending = rb"-(\d[^/\x00-\x20]{0,100}?)(?:\.dist-info/(?:METADATA|WHEEL|RECORD)|/PKG-INFO)"
    return re.compile(rb"(" + _spelling(project) + ending + rb")", re.IGNORECASE)


def names_project(text: bytes, project: str) -> bool:
    """Say whether a text contains the project's name, in any spelling."""
    return _may_name(text, project) and _name_pattern(project).search(text) is not None


def _may_name(text: bytes, project: str) -> bool:
    # Five times as fast as a pattern that ignores case, and nearly every text ends here.
    return project.partition("-")[0].encode() in text.lower()


def traces_of(body: Body, project: str) -> str | None:
    """Search what cannot be read as an archive for the names of its members.

    Returns:
        The version in them; None if there are none.
    """
    match = _member_pattern(project).search(body.part(0, _MAX_TRACED_BYTES))
    return match[2].decode("utf-8", "replace") if match else None


def _read_zip(body: Body, project: str) -> Recognised | None:
    directory = _table_of_contents(body)
    if directory is None:
        return _damaged_zip(body, project, "it has no table of contents")
    if not _may_name(directory, project) or not _member_pattern(project).search(directory):
        return None
    try:
        with zipfile.ZipFile(_buffered(body)) as archive:
            return _described(archive, project)
    except _BROKEN_ARCHIVE as error:
        return _damaged_zip(body, project, f"it is damaged: {type(error).__name__}")


def _table_of_contents(body: Body) -> bytes | None:
    """Return a zip file's central directory, unparsed; None if it has none."""
    tail_at = max(0, body.size - _END_BYTES)
    tail = body.part(tail_at, _END_BYTES)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 20:
        return None
    size, offset = struct.unpack_from("<LL", tail, at + 12)
    end = tail_at + at
    if _ZIP64 in (size, offset):  # more than 4 GB: what stands at the end will do
        size = min(end, _MAX_DIRECTORY_BYTES)
    if size > end:
        return None
    if size > _MAX_DIRECTORY_BYTES:
        raise Unsearched("a table of contents larger than that of any distribution")
    return body.part(end - size, size)


def _damaged_zip(body: Body, project: str, fault: str) -> Recognised | None:
    version = traces_of(body, project)
    if version is None:
        return None
    name = f"{project}-{version}.whl"
    return Recognised(filename=name, version=version, fault=fault, intact=False)


def _described(archive: zipfile.ZipFile, project: str) -> Recognised | None:
    names = [n for n in archive.namelist() if n.count("/") == 1]
    for name in names:
        top, member = name.split("/")
        if member == "METADATA" and top.endswith(".dist-info"):
            stated = _stated(_member(archive, name), project)
            if stated is not None:
                stem = top.removesuffix(".dist-info")
                return Recognised(filename=_wheel_name(archive, stem), version=stated, intact=True)
        elif member == "PKG-INFO" and version_in(f"{top}.zip", project):
            stated = _stated(_member(archive, name), project)
            if stated is not None:
                return Recognised(filename=f"{top}.zip", version=stated, intact=True)
    return None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        return member.read(_MAX_METADATA_BYTES)


def _stated(metadata: bytes, project: str) -> str | None:
    """Return the version that metadata of the project states; None: of another project."""
    stated = read_core_metadata(metadata)
    name, version = stated.name, stated.version
    return version if name and version and normalise_project(name) == project else None


def _wheel_name(archive: zipfile.ZipFile, stem: str) -> str:
    """Restore a wheel's file name from its WHEEL file: build number and tags."""
    text = _member(archive, f"{stem}.dist-info/WHEEL").decode("utf-8", "replace")
    fields = [line.partition(":") for line in text.splitlines()[:2000]]
    tags = [value.strip().split("-") for key, _, value in fields if key.strip() == "Tag"]
    builds = [value.strip() for key, _, value in fields if key.strip() == "Build"]
    triples = [tag for tag in tags if len(tag) == 3]
    # A compressed tag set (PEP 425) multiplies out to the Tag lines, in the order of the name.
    parts = [".".join(dict.fromkeys(tag[at] for tag in triples)) for at in range(3)]
    return "-".join((stem, *builds[:1], *parts)) + ".whl"


class _Bounded(io.RawIOBase):
    """A decompressed stream that ends in an error where a bomb would go on."""

    def __init__(self, stream: BinaryIO, packed: int, stop: threading.Event) -> None:
        super().__init__()
        self._stream = stream
        self._stop = stop
        self._left = min(_MAX_SOURCE_BYTES, _SOURCE_FROM_BYTES + _SOURCE_RATIO * packed)

    def readable(self) -> bool:
        return True

    @property
    def spent(self) -> bool:
        return self._stop.is_set() or self._left <= 0

    def read(self, size: int = -1, /) -> bytes:
        if self.spent:
            raise Unsearched("larger than what is searched of a source archive")
        piece = self._stream.read(min(size if size >= 0 else self._left, self._left))
        self._left -= len(piece)
        return piece


def _read_tar(body: Body, project: str, stop: threading.Event) -> Recognised | None:
    top, extension = "", ""
    try:
        stream, extension = _decompressed(body)
        bounded = _Bounded(stream, body.size, stop)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            top, version = _source_version(archive, project)
        if version is None:
            return None
        while not bounded.spent and bounded.read(2**20):
            pass  # to the end: only there does gzip say whether it is whole
        whole = None if bounded.spent else True
        return Recognised(filename=f"{top}{extension}", version=version, intact=whole)
    except Unsearched as error:
        name = f"{top or _first_name(body)}{extension}"
        version = version_in(name, project)
        if version is None:
            raise
        return Recognised(filename=name, version=version, fault=f"it is {error}")
    except (*_BROKEN_ARCHIVE, gzip.BadGzipFile) as error:
        return _damaged_tar(top or _first_name(body), extension, project, error)


def _decompressed(body: Body) -> tuple[BinaryIO, str]:
    file = _buffered(body)
    magic = body.part(0, 6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file)), ".tar.gz"
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(file)), ".tar.bz2"
    if magic == ARCHIVE_MAGIC[3]:
        return cast(BinaryIO, lzma.LZMAFile(file)), ".tar.xz"
    return file, ".tar"


def _source_version(archive: tarfile.TarFile, project: str) -> tuple[str, str | None]:
    """Return the top directory and the version; None: the archive is not of the project."""
    top = ""
    for member in archive:
        path = member.name.removeprefix("./")
        top = top or (path.partition("/")[0] if path != "." else "")
        if top and not _may_be_ours(top, project):
            return top, None
        if path == f"{top}/PKG-INFO" and member.isreg():
            content = archive.extractfile(member)
            text = content.read(_MAX_METADATA_BYTES) if content else b""
            return top, _stated(text, project)
    return top, None


def _may_be_ours(top: str, project: str) -> bool:
    # PEP 625: `{name}-{version}/`. Older archives may have any name on top; those are read on.
    return version_in(f"{top}.tar.gz", project) is not None or not re.search(r"-v?\d", top)


def _first_name(body: Body) -> str:
    """Return the top directory in the first block of a tar.gz that is cut off."""
    start = body.part(0, 2**16)
    try:
        block = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(start, 512)
    except zlib.error:
        return ""
    return block[:100].split(b"\0")[0].decode("utf-8", "replace").partition("/")[0]


def _damaged_tar(top: str, extension: str, project: str, error: BaseException) -> Recognised | None:
    filename = f"{top}{extension or '.tar.gz'}"
    version = version_in(filename, project)
    if version is None:
        return None
    fault = f"it is damaged: {type(error).__name__}"
    return Recognised(filename=filename, version=version, fault=fault, intact=False)


def _buffered(body: Body) -> BinaryIO:
    # A view of its own: closing an archive must not close the body.
    return cast(BinaryIO, io.BufferedReader(body.again(), 2**16))
