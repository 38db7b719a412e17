"""The members of a zip file, within one budget for all of them together."""

from __future__ import annotations

import io
import os
import struct
import threading
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from probes.archives.members import Member, MemberType
from probes.archives.streams import Allowance, Cut, Unopened

__all__ = ["is_zip", "zip_members"]

# Of a zip file: 46 bytes and the name for each member.
_MAX_DIRECTORY_BYTES = 512 * 2**20
_END_OF_DIRECTORY = b"PK\x05\x06"
_END64_LOCATOR = b"PK\x06\x07"
_END_BYTES = 22 + 65535
_CHUNK_BYTES = 2**18
# The library decompresses all it reads of these at once, which may be ten thousand times as much.
_SLOW = (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_SLOW_STEP_BYTES = 128
# Members may overlap, so that few bytes are read thousands of times. In bytes that are stored; one
# that is deflated takes twice the time, the others take twenty times.
_ALLOWANCE = Allowance(128 * 2**20, 600)
_COSTS = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 2}
_HIGHEST_COST = 20


def is_zip(file: BinaryIO) -> bool:
    """Say whether a seekable file ends as a zip file does, whatever stands before it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _END_BYTES))
    found = _END_OF_DIRECTORY in file.read(_END_BYTES)
    file.seek(0)
    return found


class _Budget:
    """Counts what all members together unpack to."""

    def __init__(self, packed: int, stop: threading.Event) -> None:
        self._packed = packed
        self._stop = stop
        self._spent = 0

    def spend(self, unpacked: int, method: int) -> None:
        if self._stop.is_set():
            raise Cut("reading it was stopped")
        self._spent += unpacked * _COSTS.get(method, _HIGHEST_COST)
        _ALLOWANCE.check(self._spent, self._packed)


class _Content(io.RawIOBase):
    """The content of one member, read in small steps."""

    def __init__(self, content: zipfile.ZipExtFile, method: int, budget: _Budget) -> None:
        super().__init__()
        self._content = content
        self._method = method
        self._budget = budget
        self._step = _CHUNK_BYTES
        if method in _SLOW:
            self._step = content.MIN_READ_SIZE = _SLOW_STEP_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names a private type
        # Asks first: what comes out of one step is known only afterwards.
        self._budget.spend(0, self._method)
        piece = self._content.read1(min(len(buffer), self._step))
        buffer[: len(piece)] = piece
        self._budget.spend(len(piece), self._method)
        return len(piece)


def zip_members(file: BinaryIO, stop: threading.Event) -> Iterator[Member]:
    """Go through a zip file in the order of its table of contents. It must be seekable."""
    size = _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Unopened(f"it is no readable zip file: {error}") from error
    budget = _Budget(size, stop)
    with archive:
        for info in archive.infolist():
            budget.spend(0, info.compress_type)
            yield _zip_member(archive, info, budget)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> Member:
    def content() -> BinaryIO:
        raw = _Content(cast(zipfile.ZipExtFile, archive.open(info)), info.compress_type, budget)
        return cast(BinaryIO, io.BufferedReader(raw, 2**16))

    return Member(
        # Some programs on Windows write its own separator, against the specification.
        path=info.filename.replace("\\", "/").removeprefix("./"),
        size=info.file_size,
        type=MemberType.OTHER if info.is_dir() else MemberType.FILE,
        target="",
        open=content,
    )


def _check_directory(file: BinaryIO) -> int:
    """Refuse a table of contents that would take all memory: the library reads it at once.

    Returns:
        The size of the file in bytes.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _END_BYTES))
    tail = file.read(_END_BYTES)
    at = tail.rfind(_END_OF_DIRECTORY)
    if 0 <= at <= len(tail) - 22:
        size, start, comment = struct.unpack_from("<LLH", tail, at + 12)
        # 0xFFFFFFFF stands for a size of its own record (zip64): it has millions of members.
        if size > _MAX_DIRECTORY_BYTES:
            raise Cut("its table of contents is larger than what is read")
        is_zip64 = tail[max(0, at - 20) :].startswith(_END64_LOCATOR)
        before = 0 if is_zip64 else end - len(tail) + at - size - start
        _check_whole(file, before, len(tail) - (at + 22 + comment))
    file.seek(0)
    return end


def _check_whole(file: BinaryIO, before: int, behind: int) -> None:
    """Refuse a table of contents that is not that of the whole file.

    Of a zip file that was cut, the library takes that of another one which is stored in it.
    """
    file.seek(0)
    if behind or (before and file.read(2) == b"PK"):
        raise Cut("its table of contents is that of a part of it only; was it cut short?")
