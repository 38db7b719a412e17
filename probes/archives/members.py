"""The members of a tar file, in its order, each readable once as it goes by."""

from __future__ import annotations

import io
import re
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Self

from probes.archives.streams import BROKEN_STREAM, Cut, Forward, Unopened

__all__ = ["DAMAGED", "Member", "MemberType", "tar_members"]

# A cache of a node_modules-like tree has a million.
_MAX_MEMBERS = 10_000_000
# pax headers and long names are read whole; real ones have some hundred bytes.
_MAX_EXTENSION_BYTES = 2**20
# tar fills its last block of 10 kB with zeros; more is not of any archive.
_MAX_TRAILING_READS = 64
# A header takes 15 microseconds. Names that count upwards shrink most, to some ten bytes.
_MEMBERS_UNQUESTIONED = 20_000
_LEAST_BYTES_A_MEMBER = 4
_EXTENSIONS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)

# What of a header is read here (POSIX, ustar interchange format).
_NAME, _LINK, _PREFIX = slice(0, 100), slice(157, 257), slice(345, 500)
_CHECKSUM, _TYPE = slice(148, 156), slice(156, 157)
_OCTAL = re.compile(rb" *([0-7]+)[ \0]")
_PLAIN_TYPES = (
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE),
)
_SPACES = 8 * ord(" ")
_ADLER_MODULUS = 65521

DAMAGED = (
    *BROKEN_STREAM,
    tarfile.TarError,
    zipfile.BadZipFile,
    struct.error,
    NotImplementedError,  # zipfile, of a compression that it does not know
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


def tar_members(
    stream: Forward, stop: threading.Event, *, needs_mark: bool = True
) -> Iterator[Member]:
    """Go through a tar file that is decompressed.

    Args:
        needs_mark: whether one that ends without the mark of its end is damaged, though what it
            was compressed with says that all of it is here.
    """
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
            if number > _MEMBERS_UNQUESTIONED or stop.is_set():
                _check(number, stream, stop)
            stream.fills_block = False
            yield _tar_member(archive, header)
            if not needs_mark and stream.is_checked and header.isreg() and not header.issparse():
                _forgive(stream, header.offset_data + header.size)
            archive.members.clear()  # type: ignore[attr-defined]  # else all are kept in memory
        ended_by = getattr(archive, "ended_by", "")
    if ended_by == "EmptyHeaderError" and stream.is_checked and not needs_mark:
        return
    if ended_by != "EOFHeaderError":
        raise tarfile.ReadError("it ends without the mark that ends a tar file")
    _read_behind(stream)


def _forgive(stream: Forward, content_end: int) -> None:
    """Let the stream end behind a member's content, where `umoci insert` writes no zeros."""
    if stream.tell() < content_end:
        stream.seek(content_end)
    stream.fills_block = stream.tell() == content_end


def _check(number: int, stream: Forward, stop: threading.Event) -> None:
    if stop.is_set():
        raise Cut("reading it was stopped")
    if number > _MAX_MEMBERS:
        raise Cut("it has too many members")
    if number > stream.packed / _LEAST_BYTES_A_MEMBER:
        raise Cut(f"it has {number} members in {stream.packed} bytes, as bombs do")


def _read_behind(stream: Forward) -> None:
    """Read what lies behind the mark: zeros, and the checksum that shows whether all was right."""
    for _ in range(_MAX_TRAILING_READS):
        piece = stream.read()
        if piece.count(0) != len(piece):
            raise Cut("something lies behind the mark that ends the tar file: is it another one?")
        if not piece:
            return
    raise Cut("more than 16 MB of zeros lie behind the mark that ends the tar file")


class _Header(tarfile.TarInfo):
    """A tar header that asks for no memory beyond reason, and tells how the archive ended."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = cls._plain(buf, encoding, errors) or super().frombuf(buf, encoding, errors)
        if header.type in _EXTENSIONS and header.size > _MAX_EXTENSION_BYTES:
            raise Cut(f"a member has a header of {header.size} bytes")
        return header

    @classmethod
    def _plain(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self | None:
        """Read only what is asked for of a header; None: the library has to look at it.

        It reads every field, which takes longer than to skip what the member holds.
        """
        kind = bytes(buf[_TYPE])
        size, checksum = _OCTAL.match(buf, 124, 136), _OCTAL.match(buf, 148, 156)
        if len(buf) != tarfile.BLOCKSIZE or kind not in _PLAIN_TYPES or not size or not checksum:
            return None
        # Adler-32 (RFC 1950) is one more than the sum of all bytes, in its lower half. Those of the
        # checksum itself count as spaces.
        counted = int(checksum[1], 8) + sum(buf[_CHECKSUM]) - _SPACES
        if zlib.adler32(buf) & 0xFFFF != (1 + counted) % _ADLER_MODULUS:
            return None
        header = cls(_text(buf[_NAME], encoding, errors))
        header.size, header.type = int(size[1], 8), kind
        header.linkname = _text(buf[_LINK], encoding, errors)
        if kind == tarfile.AREGTYPE and header.name.endswith("/"):
            header.type = tarfile.DIRTYPE
        if header.type == tarfile.DIRTYPE:
            header.name = header.name.rstrip("/")
        if buf[_PREFIX.start] and kind not in tarfile.GNU_TYPES:
            header.name = f"{_text(buf[_PREFIX], encoding, errors)}/{header.name}"
        return header

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except Exception as error:
            # The library ends silently at a damaged header; only the end marker is an end.
            tarfile.ended_by = type(error).__name__  # type: ignore[attr-defined]  # ours
            raise


def _text(field: bytes | bytearray, encoding: str, errors: str) -> str:
    return field.partition(b"\0")[0].decode(encoding, errors)


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
