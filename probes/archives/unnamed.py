"""Tells archives that have no name of one, as caches of CI providers do, by their first bytes."""

from __future__ import annotations

import threading
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from auditor.errors import ProbeError
from probes.archives.members import DAMAGED
from probes.archives.nesting import is_unread_name, members_of
from probes.archives.streams import Unopened, decompressed
from probes.archives.zips import is_zip
from probes.kit.disk import open_regular

__all__ = ["Opening", "opening_of"]

_HEAD_BYTES = 512
_LEAST_BYTES = 22  # an empty zip file
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh")
# 7-Zip, RAR, lz4, lzip, compress(1), lzop: as file(1) tells them.
_UNREAD = (
    *(b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x04\x22\x4d\x18", b"LZIP", b"\x1f\x9d"),
    b"\x89LZO\x00",
)
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
# Wheels are a wheelhouse's. The others are zip files by their format, and are documents, or
# packages of other ecosystems: nothing of Python's is installed from them.
_OTHERS = (
    *(".whl", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".jar", ".war", ".aar"),
    *(".apk", ".ipa", ".nupkg", ".vsix", ".xpi", ".crx", ".npz", ".keras", ".pt", ".pth", ".ckpt"),
)
_UNREADABLE = "an archive of a kind that is not read; unpack it, and scan what was in it"


class Opening(Enum):
    """What the first bytes of a file say."""

    OTHER = "no archive"
    ARCHIVE = "an archive that opens"
    DOUBTFUL = "perhaps an archive, which does not open"


def opening_of(path: Path) -> tuple[Opening, str]:
    """Open a file as an archive if it begins as one, as far as its first member.

    Returns:
        What it is; and, if that is in doubt, why, in words that follow its path.
    """
    name = path.name.lower()
    if is_unread_name(name):
        return Opening.DOUBTFUL, _UNREADABLE
    if name.endswith(_OTHERS):
        return Opening.OTHER, ""
    try:
        with open_regular(path) as file:
            return _opening(file)
    except FileNotFoundError:  # removed meanwhile
        return Opening.OTHER, ""
    except (OSError, ProbeError) as error:
        return Opening.DOUBTFUL, f"it cannot be read: {getattr(error, 'strerror', None) or error}"


def _opening(file: BinaryIO) -> tuple[Opening, str]:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if len(head) < _LEAST_BYTES:
        return Opening.OTHER, ""
    if head.startswith(_UNREAD):
        return Opening.DOUBTFUL, _UNREADABLE
    if head[:2] == b"#!":
        return (Opening.ARCHIVE if is_zip(file) else Opening.OTHER), ""
    is_tar = head[_TAR_MARK_AT:].startswith(_TAR_MARK)
    if not (is_tar or head.startswith((*_ZIP, *_PACKED)) or _is_skippable(head)):
        return Opening.OTHER, ""
    try:
        first = next(members_of(file, threading.Event()), None)
    except Unopened as error:
        if not head.startswith(_ZIP) and not is_tar and not _packed_twice(file):
            return Opening.OTHER, ""  # compressed, and no archive: a log, a page of a manual
        return Opening.DOUBTFUL, _does_not_open(error)
    except (OSError, ProbeError, *DAMAGED) as error:
        return Opening.DOUBTFUL, _does_not_open(error)
    return (Opening.ARCHIVE if first else Opening.OTHER), ""


def _is_skippable(head: bytes) -> bool:
    """A frame that zstd passes over, and with which some of its files begin (RFC 8878, 3.1.2)."""
    return head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F


def _packed_twice(file: BinaryIO) -> bool:
    """Whether what is compressed begins as an archive that is compressed again, or as a zip."""
    file.seek(0)
    try:
        stream = decompressed(file, threading.Event())
        head = stream.read(_HEAD_BYTES) if stream else b""
    except (OSError, ProbeError, *DAMAGED):
        return True
    return head.startswith((*_ZIP, *_PACKED, *_UNREAD))


def _does_not_open(error: BaseException) -> str:
    return f"it begins as an archive and does not open: {str(error) or type(error).__name__}"
