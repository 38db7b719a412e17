"""Archives and what in them is an archive again, by its name and by its first bytes."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import BinaryIO, cast

from probes.archives.members import Member, MemberType, tar_members
from probes.archives.streams import Cut, Unopened, decompressed
from probes.archives.zips import is_zip, zip_members
from probes.http_stores.entry import is_entry_name
from probes.kit.files import held_version

__all__ = [
    "Shape",
    "is_archive_name",
    "is_release_name",
    "is_unread_name",
    "members_inside",
    "members_of",
    "shape_of",
]

_ARCHIVES = (
    *(".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz"),
    *(".tbz2", ".zip", ".pex", ".pyz", ".pyzw", ".egg", ".oci"),
)
# Python imports from these as they are.
_APPLICATIONS = (".pex", ".pyz", ".pyzw", ".egg")
# What most members are called.
_LEAVES = (".py", ".pyc", ".pyi", ".so", ".h", ".js", ".json", ".whl", ".txt", ".body")
# They may hold anything, and are not read.
_UNREAD = (
    *(".tar.lz4", ".tar.lz", ".tlz", ".tar.lzma", ".tar.lzo", ".tar.br", ".tar.z", ".taz"),
    *(".7z", ".rar"),
)
# PROJECT-VERSION.tar.gz (PEP 625) and its older forms, and much else that is dated.
_RELEASE = re.compile(r"[a-z0-9][a-z0-9._-]*-v?\d[^/]*\.(tar\.(gz|bz2|xz)|tgz|zip)$")
_MAX_NESTED_ZIP_BYTES = 256 * 2**20
_MAX_OPENED_BYTES = 64 * 2**20
_PACKED = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh"),
    b"\x28\xb5\x2f\xfd",
)
# POSIX ustar interchange format: where the mark stands in a header.
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_PEEKED_BYTES = 512
_LEAST_ARCHIVE_BYTES = 22  # an empty zip file


class Shape(Enum):
    """What a member is, as far as archives in archives go."""

    LEAF = "no archive"
    ARCHIVE = "an archive"
    APPLICATION = "a zip file that Python runs"
    NAMELESS = "compressed, and perhaps an archive; it can be opened again"
    PERHAPS = "compressed, and perhaps an archive"
    UNREAD = "an archive of a format that is not read"


def members_of(
    file: BinaryIO, stop: threading.Event, *, needs_mark: bool = True
) -> Iterator[Member]:
    """Go through an archive: tar, plain or compressed, or zip.

    Args:
        file: seekable, for zip files.
        stop: ends the work.
        needs_mark: as in `tar_members`.

    Raises:
        Unopened: it is no archive that can be read.
        Cut: a bound was reached, or the work was stopped.
        OSError and those in `DAMAGED`: it is damaged, or ends early.
    """
    if file.seekable():
        head = file.read(2)
        file.seek(0)
        if head == b"#!" and is_zip(file):
            return zip_members(file, stop)
    stream = decompressed(file, stop)
    if stream is None:
        file.seek(0)
        return zip_members(file, stop)
    return tar_members(stream, stop, needs_mark=needs_mark)


def members_inside(member: Member, stop: threading.Event) -> Iterator[Member]:
    """Go through an archive that is a member of another one. Raises as `members_of`."""
    stream = cast(io.BufferedReader, member.open())
    if stream.peek(2)[:2] in (b"PK", b"#!"):
        return zip_members(_in_memory(stream), stop)
    content_stream = decompressed(cast(BinaryIO, stream), stop)
    if content_stream is None:
        raise Unopened("it is no archive")
    return tar_members(content_stream, stop)


def _in_memory(stream: io.BufferedReader) -> BinaryIO:
    content = io.BytesIO()
    while piece := stream.read(2**20):
        if content.tell() > _MAX_NESTED_ZIP_BYTES:
            raise Cut("a zip file in an archive is read up to 256 MiB")
        content.write(piece)
    content.seek(0)
    return content


def is_archive_name(name: str) -> bool:
    """Say whether a file is called like an archive that is read here."""
    return name.lower().endswith(_ARCHIVES)


def is_unread_name(name: str) -> bool:
    """Say whether a file is called like an archive that is not read here."""
    return name.lower().endswith(_UNREAD)


def is_release_name(name: str) -> bool:
    """Say whether an archive is called like a release of some project, as other things are too."""
    return _RELEASE.match(name.lower()) is not None


def shape_of(member: Member, project: str) -> tuple[Shape, Member]:
    """Say what a member is, and return it as it can still be read.

    A distribution of the project is a leaf: what lies in it is not installed from there.
    """
    if member.type is not MemberType.FILE or member.path.endswith(_LEAVES):
        return Shape.LEAF, member
    name = member.path.rpartition("/")[2].lower()
    if name.endswith(_ARCHIVES):
        is_leaf = held_version(name, project) is not None
        is_app = name.endswith(_APPLICATIONS)
        return (Shape.LEAF if is_leaf else Shape.APPLICATION if is_app else Shape.ARCHIVE), member
    if name.endswith(_UNREAD):
        return Shape.UNREAD, member
    if "." in name or member.size < _LEAST_ARCHIVE_BYTES or is_entry_name(name):
        return Shape.LEAF, member
    return _peeked(member)


def _peeked(member: Member) -> tuple[Shape, Member]:
    """Look at the first bytes of what has no name that would say anything: a blob, a program."""
    stream = cast(io.BufferedReader, member.open())
    head = stream.peek(_PEEKED_BYTES)
    member = replace(member, open=lambda: cast(BinaryIO, stream))
    if _has_tar_mark(head):
        return Shape.ARCHIVE, member
    if head[:2] == b"#!":
        return _program(member, stream)
    if not head.startswith(_PACKED):
        return Shape.LEAF, member
    if member.size > _MAX_OPENED_BYTES:
        return Shape.PERHAPS, member
    return Shape.NAMELESS, _kept(member, stream.read(_MAX_OPENED_BYTES))


def _program(member: Member, stream: io.BufferedReader) -> tuple[Shape, Member]:
    """Tell a script from a zip file that begins as one, such as a pex file."""
    if member.size > _MAX_NESTED_ZIP_BYTES:
        return Shape.UNREAD, member
    content = stream.read(_MAX_NESTED_ZIP_BYTES)
    is_app = is_zip(io.BytesIO(content))
    return (Shape.APPLICATION if is_app else Shape.LEAF), _kept(member, content)


def _kept(member: Member, content: bytes) -> Member:
    """The same, which can be opened again."""
    return replace(
        member,
        open=lambda: cast(BinaryIO, io.BufferedReader(io.BytesIO(content))),
    )


def _has_tar_mark(block: bytes) -> bool:
    return block[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK
