"""Members of tar files: read faster than the library does, and never otherwise."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.archives.members import DAMAGED, Member, _Header
from probes.archives.nesting import members_of

_TYPES = (
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE),
    *(tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE),
)
_FIELDS = ("name", "size", "type", "linkname")


_TEXT = st.text("az09/. \0é☃\udc80", max_size=160)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    info = tarfile.TarInfo(draw(_TEXT))
    info.type = draw(st.sampled_from(_TYPES))
    info.size = draw(st.integers(0, 2**40))
    info.linkname = draw(_TEXT)
    info.uid = draw(st.integers(0, 2**30))
    info.uname = draw(_TEXT)[:30]
    form = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    try:
        content = info.tobuf(form, "utf-8", "surrogateescape")
    except (ValueError, UnicodeError):
        content = tarfile.TarInfo("plain").tobuf(tarfile.USTAR_FORMAT)
    at = draw(st.integers(0, len(content) // 512 - 1)) * 512
    return content[at : at + 512]


def read(kind: type[tarfile.TarInfo], block: bytes) -> tuple[object, ...] | str:
    try:
        found = kind.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:  # type: ignore[attr-defined]  # it is there
        return type(error).__name__
    return tuple(getattr(found, name) for name in _FIELDS)


@given(headers())
def test_a_header_says_what_the_library_reads(block: bytes) -> None:
    assert read(tarfile.TarInfo, block) == read(_Header, block)


@given(headers(), st.integers(0, 511), st.integers(1, 255))
def test_a_header_with_one_byte_changed_is_refused_wherever_the_library_refuses_it(
    block: bytes, at: int, by: int
) -> None:
    changed = bytearray(block)
    changed[at] = (changed[at] + by) % 256
    assert read(tarfile.TarInfo, bytes(changed)) == read(_Header, bytes(changed))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_links_and_directories_come_out_as_they_are(form: int) -> None:
    names = ["a", "d/" * 40 + "x" * 90, "söme/ÿ", *(["y" * 200] if form else [])]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
        for kind, target in ((tarfile.DIRTYPE, ""), (tarfile.SYMTYPE, "../x"), (b"1", "a")):
            info = tarfile.TarInfo(f"of-{kind.decode()}")
            info.type, info.linkname = kind, target
            archive.addfile(info)
    content.seek(0)
    found = list(members_of(content, threading.Event()))
    assert [m.path for m in found] == [*names, "of-5", "of-2", "of-1"]
    assert [m.target for m in found][-3:] == ["", "../x", "a"]


def archive_of(members: int) -> bytes:
    source, content = random.Random(1), io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for number in range(members):
            info = tarfile.TarInfo(f"m{number}")
            info.size = 3000
            archive.addfile(info, io.BytesIO(source.randbytes(3000)))
    return content.getvalue()


def told_before_the_end(content: BinaryIO) -> int:
    members = members_of(content, threading.Event())
    count = 0
    try:
        while next(members, None) is not None:
            count += 1
    except DAMAGED:
        return count
    raise AssertionError("the end was not missed")


# xz decompresses some 60 kB at once, and gives nothing of a part of them.
@pytest.mark.parametrize(
    ("pack", "kept_back"), [(gzip.compress, 3), (lzma.compress, 24), (bytes, 1)]
)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_what_stands_before_the_place_where_an_archive_was_cut_is_told(
    pack: Callable[[bytes], bytes], kept_back: int, share: float
) -> None:
    packed = pack(archive_of(200))
    cut, there = io.BytesIO(packed[: int(len(packed) * share)]), int(200 * share)
    assert there - kept_back <= told_before_the_end(cut) <= there + 3


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize("each", [1, 511, 4096, 5000])
def test_contents_are_read_to_the_byte_however_they_are_asked_for(
    pack: Callable[[bytes], bytes], each: int
) -> None:
    whole, source = archive_of(60), random.Random(1)

    def content(member: Member) -> bytes:
        stream, found = member.open(), b""
        while piece := stream.read(each):
            found += piece
        return found

    for number, member in enumerate(members_of(io.BytesIO(pack(whole)), threading.Event())):
        wanted = source.randbytes(3000)
        if number % 7 == 0:  # of the others, nothing or a part is read
            assert content(member) == wanted
        elif number % 7 == 1:
            assert member.open().read(each) == wanted[:each]


def test_what_nobody_asks_for_in_a_tar_file_on_disk_is_not_even_read(tmp_path: Path) -> None:
    huge, path = 2**36, tmp_path / "cache.tar"  # 64 GiB that take no room
    with path.open("wb") as file:
        for name, size in (("huge", huge), ("small", 4)):
            info = tarfile.TarInfo(name)
            info.size = size
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            file.seek(-size % 512 + size, os.SEEK_CUR)
        file.truncate(file.tell() + 1024)
    started = time.process_time()
    with path.open("rb") as file:
        found = [(m.path, m.size) for m in members_of(file, threading.Event())]
    assert found == [("huge", huge), ("small", 4)]
    assert time.process_time() - started < 1
    os.truncate(path, huge // 2)
    with path.open("rb") as file:
        assert told_before_the_end(file) == 1
