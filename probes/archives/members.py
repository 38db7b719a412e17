"""The members of an archive, in its order, each readable once as it goes by."""

from __future__ import annotations

import io
import os
import re
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Self

from probes.archives.streams import BROKEN_STREAM, Cut, Forward, Unopened, decompressed

__all__ = [
    "DAMAGED",
    "Member",
    "MemberType",
    "is_nested",
    "is_nested_name",
    "members_inside",
    "members_of",
]

# A cache of a node_modules-like tree has a million.
_MAX_MEMBERS = 10_000_000
# pax headers and long names are read whole; real ones have some hundred bytes.
_MAX_EXTENSION_BYTES = 2**20
# Of a zip file: 46 bytes and the name for each member.
_MAX_DIRECTORY_BYTES = 512 * 2**20
# tar fills its last block of 10 kB with zeros; more is not of any archive.
_MAX_TRAILING_READS = 64
_END_OF_DIRECTORY = b"PK\x05\x06"
_END_BYTES = 22 + 65535
_EXTENSIONS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)

_NESTED = (
    *(".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2"),
    *(".zip", ".pex", ".pyz"),
)
# PROJECT-VERSION.tar.gz (PEP 625) and its older forms.
_RELEASE = re.compile(r"[a-z0-9][a-z0-9._-]*-v?\d[^/]*\.(tar\.(gz|bz2|xz)|tgz|zip)$")
_MAX_NESTED_ZIP_BYTES = 256 * 2**20

DAMAGED = (
    *BROKEN_STREAM,
    tarfile.TarError,
    zipfile.BadZipFile,
    struct.error,
    NotImplementedError,
    LookupError,
    OverflowError,
)


class MemberType(StrEnum):
    """What a member is, as far as it matters."""

    FILE = "file"
    HARD_LINK = "hard link"
    SYMBOLIC_LINK = "symbolic link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive.

    Attributes:
        path: as the archive calls it, without `./` at its start; hostile.
        size: bytes, as announced.
        type: what it is.
        target: of a link; "" for anything else.
        open: returns the content as a stream. Only until the next member is asked for.
    """

    path: str
    size: int
    type: MemberType
    target: str
    open: Callable[[], BinaryIO]


def members_of(file: BinaryIO, stop: threading.Event) -> Iterator[Member]:
    """Go through an archive: tar, plain or compressed, or zip.

    Args:
        file: seekable, for zip files.
        stop: ends the work.

    Raises:
        Unopened: it is no archive that can be read.
        Cut: a bound was reached, or the work was stopped.
        OSError and those in `DAMAGED`: it is damaged, or ends early.
    """
    stream = decompressed(file, stop)
    if stream is None:
        file.seek(0)
        return _zip_members(file, stop)
    return _tar_members(stream, stop)


def is_nested(member: Member) -> bool:
    """Say whether a member is called like an archive of its own, and not like a release.

    A source archive is a leaf: what lies in it is not installed from there.
    """
    return member.type is MemberType.FILE and is_nested_name(member.path.rpartition("/")[2])


def is_nested_name(name: str) -> bool:
    """Say whether a file is called like an archive, and not like a release."""
    name = name.lower()
    return name.endswith(_NESTED) and not _RELEASE.match(name)


def members_inside(member: Member, stop: threading.Event) -> Iterator[Member]:
    """Go through an archive that is a member of another one. Raises as `members_of`."""
    stream = io.BufferedReader(member.open())  # type: ignore[type-var]  # it reads
    if stream.peek(2)[:2] == b"PK":
        content = stream.read(_MAX_NESTED_ZIP_BYTES + 1)
        if len(content) > _MAX_NESTED_ZIP_BYTES:
            raise Cut("a zip file in an archive is read up to 256 MiB")
        return _zip_members(io.BytesIO(content), stop)
    content_stream = decompressed(stream, stop)
    if content_stream is None:
        raise Unopened("it is no archive")
    return _tar_members(content_stream, stop)


class _Header(tarfile.TarInfo):
    """A tar header that asks for no memory beyond reason, and tells how the archive ended."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENSIONS and header.size > _MAX_EXTENSION_BYTES:
            raise Cut(f"a member has a header of {header.size} bytes")
        return header

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except Exception as error:
            # The library ends silently at a damaged header; only the end marker is an end.
            tarfile.ended_by = type(error).__name__  # type: ignore[attr-defined]  # ours
            raise


def _tar_members(stream: Forward, stop: threading.Event) -> Iterator[Member]:
    try:
        archive = tarfile.open(  # noqa: SIM115  # it is closed by the `with` below
            fileobj=stream, mode="r:", tarinfo=_Header, errorlevel=0
        )
    except tarfile.ReadError as error:
        raise Unopened(f"it is no tar file: {error}") from error
    with archive:
        number = 0
        while (header := archive.next()) is not None:
            number += 1
            if stop.is_set() or number > _MAX_MEMBERS:
                raise Cut("reading it was stopped" if stop.is_set() else "it has too many members")
            yield _tar_member(archive, header)
            archive.members.clear()  # type: ignore[attr-defined]  # else all are kept in memory
        if getattr(archive, "ended_by", "") != "EOFHeaderError":
            raise tarfile.ReadError("it ends without the mark that ends a tar file")
    # Behind the mark lie zeros, and then the checksum that shows whether all of it was right.
    for _ in range(_MAX_TRAILING_READS):
        if not stream.read():
            return


def _tar_member(archive: tarfile.TarFile, header: tarfile.TarInfo) -> Member:
    def content() -> BinaryIO:
        found = archive.extractfile(header) if header.isreg() else None
        return found if found is not None else io.BytesIO()  # type: ignore[return-value]  # it reads

    kind = MemberType.OTHER
    if header.isreg():
        kind = MemberType.FILE
    elif header.islnk():
        kind = MemberType.HARD_LINK
    elif header.issym():
        kind = MemberType.SYMBOLIC_LINK
    return Member(
        path=header.name.removeprefix("./"),
        size=header.size,
        type=kind,
        target=header.linkname.removeprefix("./"),
        open=content,
    )


def _zip_members(file: BinaryIO, stop: threading.Event) -> Iterator[Member]:
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Unopened(f"it is no readable zip file: {error}") from error
    with archive:
        for info in archive.infolist():
            if stop.is_set():
                raise Cut("reading it was stopped")
            yield _zip_member(archive, info)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    def content() -> BinaryIO:
        return archive.open(info)  # type: ignore[return-value]  # it reads

    return Member(
        path=info.filename.removeprefix("./"),
        size=info.file_size,
        type=MemberType.OTHER if info.is_dir() else MemberType.FILE,
        target="",
        open=content,
    )


def _check_directory(file: BinaryIO) -> None:
    """Refuse a table of contents that would take all memory: the library reads it at once."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _END_BYTES))
    tail = file.read(_END_BYTES)
    at = tail.rfind(_END_OF_DIRECTORY)
    size = struct.unpack_from("<L", tail, at + 12)[0] if 0 <= at <= len(tail) - 16 else 0
    # 0xFFFFFFFF stands for a size of its own record (zip64): such a table has millions of members.
    if size > _MAX_DIRECTORY_BYTES:
        raise Cut("its table of contents is larger than what is read")
    file.seek(0)
