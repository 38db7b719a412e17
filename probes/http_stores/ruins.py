"""Archives that do not open, and of which nothing names a release: whose could they be?"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from enum import Enum

from auditor.model import normalise_project
from probes.http_stores.disk import Body

__all__ = ["Owner", "owner_of_ruin"]

# As far as a cut archive is searched for the names of its members.
_MAX_SEARCHED_BYTES = 64 * 2**20
_END_OF_DIRECTORY, _ENTRY_OF_DIRECTORY = b"PK\x05\x06", b"PK\x01\x02"
_END_BYTES = 22 + 65535
# A local file header (APPNOTE 4.3.7): 26 bytes on, the lengths of the name and of the extra field.
_LOCAL_HEADER = re.compile(rb"PK\x03\x04[\x00-\xff]{22}([\x00-\xff]{2})[\x00-\xff]{2}")
_METADATA_OF = re.compile(r"(.+?)-\d[^/]*\.(?:dist-info|data)$")
_RELEASE = re.compile(r"(.+?)-v?\d")
_BLOCK_BYTES = 512
_TAR_MARK = slice(257, 262)
_CHUNK_BYTES = 2**20


class Owner(Enum):
    """Whose an archive is that does not open."""

    OURS = "a member names the project"
    OTHER = "its members are another project's"
    UNKNOWN = "nothing in it tells"


def owner_of_ruin(body: Body, project: str) -> Owner | None:
    """Say whose an archive could be that does not open; None: it opens, or is no archive.

    Args:
        body: what begins as an archive, and in which no release of the project was recognised.
        project: normalised name.
    """
    if body.part(0, 4) == b"PK\x03\x04":
        return None if _has_directory(body) else _owner(_names(body), project)
    if body.part(0, 2) == b"\x1f\x8b":
        return _owner_of_gzip(body, project)
    return None


def _has_directory(body: Body) -> bool:
    tail_at = max(0, body.size - _END_BYTES)
    tail = body.part(tail_at, _END_BYTES)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 20:
        return False
    size, offset = struct.unpack_from("<LL", tail, at + 12)
    if 0xFFFFFFFF in (size, offset):  # zip64: read by the library alone
        return True
    start = tail_at + at - size
    return start >= 0 and body.part(start, 4) in (_ENTRY_OF_DIRECTORY, _END_OF_DIRECTORY)


def _names(body: Body) -> Iterator[str]:
    content = body.part(0, _MAX_SEARCHED_BYTES)
    for header in _LOCAL_HEADER.finditer(content):
        (length,) = struct.unpack("<H", header[1])
        yield content[header.end() : header.end() + length].decode("utf-8", "replace")


def _owner(names: Iterator[str], project: str) -> Owner:
    """Decide by the first parts of the members' names: packages, modules and metadata."""
    owner = Owner.UNKNOWN
    for name in names:
        top = name.partition("/")[0]
        found = _METADATA_OF.match(top)
        stem = found[1] if found else top.removesuffix(".py")
        if normalise_project(stem) == project:
            return Owner.OURS
        if found:
            owner = Owner.OTHER
    return owner


def _owner_of_gzip(body: Body, project: str) -> Owner | None:
    decoder, block, at = zlib.decompressobj(zlib.MAX_WBITS | 16), b"", 0
    try:
        while len(block) < _BLOCK_BYTES and not decoder.eof and at < body.size:
            piece = body.part(at, _BLOCK_BYTES)
            block += decoder.decompress(decoder.unconsumed_tail + piece, _BLOCK_BYTES)
            at += len(piece)
    except zlib.error:
        return Owner.UNKNOWN
    if decoder.eof and len(block) < _BLOCK_BYTES:
        return None  # whole, and too short for an archive
    if len(block) < _BLOCK_BYTES:
        return Owner.UNKNOWN
    if block[_TAR_MARK] != b"ustar":
        return None
    release = _RELEASE.match(block[:100].split(b"\0")[0].decode("utf-8", "replace"))
    if release is not None:
        return Owner.OURS if normalise_project(release[1]) == project else Owner.OTHER
    return None if _is_whole(body) else Owner.UNKNOWN


def _is_whole(body: Body) -> bool:
    """Whether a gzip stream ends as it should; as far as it is searched."""
    decoder, at, unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16), 0, 0
    try:
        while not decoder.eof and at < body.size and unpacked < _MAX_SEARCHED_BYTES:
            piece = body.part(at, _CHUNK_BYTES)
            at += len(piece)
            while piece and unpacked < _MAX_SEARCHED_BYTES:
                unpacked += len(decoder.decompress(piece, _CHUNK_BYTES))
                piece = decoder.unconsumed_tail
    except zlib.error:
        return False
    return decoder.eof or unpacked >= _MAX_SEARCHED_BYTES
