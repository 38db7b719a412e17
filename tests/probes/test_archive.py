"""Kind `archive`: caches of CI jobs, packed by the real tools and by hand."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from auditor.lab.artifacts import build_release
from auditor.model import Fingerprint, HeldState, Observation, Outcome, PinState, Role
from probes.archive import KIND
from probes.archives.streams import Allowance, Cut, decompressed

from .conftest import MakeAssignment

WHEEL, SDIST = build_release("brokenpkg", "1.2.3")
FIXED, _ = build_release("brokenpkg", "1.2.4")
BROKEN = Fingerprint(
    filename=WHEEL.filename, version="1.2.3", sha256=WHEEL.sha256, size=len(WHEEL.content)
)
PREFIX = "../../home/runner/.cache"

Look = Callable[..., Awaitable[Observation]]
Members = Mapping[str, bytes]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    async def look(path: Path | str, *fingerprints: Fingerprint) -> Observation:
        return await KIND.observe(
            assign(path=str(path), kind="archive", role=Role.STORE, fingerprints=fingerprints)
        )

    return look


def tar_of(members: Members) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


def zip_of(members: Members) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def long_window(content: bytes) -> bytes:
    """As GitHub Actions packs: `zstd --long=30`, a window that decoders refuse by default."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=30, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(content) + packer.flush()


PACKED: Mapping[str, Callable[[Members], bytes]] = {
    "plain.tar": tar_of,
    "c.tar.gz": lambda members: gzip.compress(tar_of(members)),
    "two-parts.tgz": lambda members: b"".join(
        gzip.compress(part) for part in (tar_of(members)[:700], tar_of(members)[700:])
    ),
    "c.tar.zst": lambda members: zstandard.compress(tar_of(members)),
    "cache.tzst": lambda members: long_window(tar_of(members)),
    "c.tar.xz": lambda members: lzma.compress(tar_of(members)),
    "c.tar.bz2": lambda members: bz2.compress(tar_of(members)),
    "c.zip": zip_of,
    "no-name-at-all": lambda members: gzip.compress(tar_of(members)),
}


@pytest.mark.parametrize("name", list(PACKED))
async def test_a_wheelhouse_is_found_in_every_format(look: Look, tmp_path: Path, name: str) -> None:
    members = {f"wheels/{WHEEL.filename}": WHEEL.content, f"wheels/{SDIST.filename}": SDIST.content}
    (tmp_path / name).write_bytes(PACKED[name](members))
    seen = await look(tmp_path / name)
    found = {h.filename: (h.version, h.sha256, h.state, h.intact) for h in seen.holdings}
    assert found == {a.filename: ("1.2.3", a.sha256, HeldState.HELD, True) for a in (WHEEL, SDIST)}
    assert (seen.outcome, seen.holdings_complete) == (Outcome.OBSERVED, True)


@pytest.mark.parametrize("name", list(PACKED))
async def test_an_archive_that_ends_early_is_never_complete(
    look: Look, tmp_path: Path, name: str
) -> None:
    members = {f"{n}.bin": hashlib.sha256(str(n).encode()).digest() * 200 for n in range(30)}
    whole = PACKED[name](members)
    path = tmp_path / name
    for cut in (len(whole) - 3, len(whole) * 2 // 3, len(whole) // 2 // 512 * 512, 40):
        # Of a tar file, the last bytes are padding after the mark that ends it.
        path.write_bytes(whole[: cut if not name.endswith(".tar") else min(cut, len(whole) // 2)])
        seen = await look(path)
        assert seen.holdings_complete is not True, cut
        assert seen.notes or seen.detail


async def test_a_damaged_header_in_the_middle_is_no_end(look: Look, tmp_path: Path) -> None:
    content = bytearray(tar_of({"first": b"1" * 512, f"w/{WHEEL.filename}": WHEEL.content}))
    content[1024:1100] = b"\xff" * 76
    (tmp_path / "c.tar").write_bytes(content)
    seen = await look(tmp_path / "c.tar")
    assert seen.holdings_complete is False


async def test_real_pips_cache_is_searched_by_content(look: Look, tmp_path: Path) -> None:
    key = hashlib.sha224(b"anything").hexdigest()
    entry = f"{PREFIX}/pip/http-v2/{'/'.join(key[:5])}/{key}"
    members = {entry: b"cc=4,", f"{entry}.body": WHEEL.content}
    (tmp_path / "c.tar").write_bytes(tar_of(members))
    for known in ((), (BROKEN,)):
        (holding,) = (await look(tmp_path / "c.tar", *known)).holdings
        assert (holding.version, holding.sha256) == ("1.2.3", WHEEL.sha256)


async def test_a_file_under_another_name_is_found_by_its_digest(look: Look, tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(zip_of({"cache/data.bin": WHEEL.content}))
    assert (await look(tmp_path / "c.zip")).holdings == ()
    (holding,) = (await look(tmp_path / "c.zip", BROKEN)).holdings
    assert (holding.filename, holding.version) == (WHEEL.filename, "1.2.3")


def packed_venv(tmp_path: Path) -> Path:
    """Let pip and tar make what a CI job caches."""
    site = tmp_path / ".venv/lib/python3.11/site-packages"
    (tmp_path / WHEEL.filename).write_bytes(WHEEL.content)
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    command += ["--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(tmp_path / WHEEL.filename)], check=True, timeout=60)
    packed = tmp_path / "venv.tar.gz"
    subprocess.run(["tar", "-C", tmp_path, "-czf", packed, ".venv"], check=True, timeout=60)
    return packed


async def test_a_venv_counts_as_a_pin(look: Look, tmp_path: Path) -> None:
    seen = await look(packed_venv(tmp_path))
    (pin,) = seen.pins
    assert (pin.version, pin.state) == ("1.2.3", PinState.INSTALLED)
    assert "site-packages/brokenpkg-1.2.3.dist-info" in pin.where
    assert [h.state for h in seen.holdings] == [HeldState.HELD]


@pytest.mark.parametrize(
    "path",
    [
        "uv/archive-v0/abc/brokenpkg-1.2.3.dist-info/METADATA",
        f"app.pex/.deps/{WHEEL.filename}/brokenpkg-1.2.3.dist-info/METADATA",
    ],
)
async def test_an_unpacked_wheel_in_a_cache_is_held_and_pins_nothing(
    look: Look, tmp_path: Path, path: str
) -> None:
    metadata = b"Metadata-Version: 2.1\nName: brokenpkg\nVersion: 1.2.3\n"
    (tmp_path / "c.tar").write_bytes(tar_of({path: metadata}))
    seen = await look(tmp_path / "c.tar")
    assert [(h.version, h.state) for h in seen.holdings] == [("1.2.3", HeldState.HELD)]
    assert seen.pins == ()


async def test_a_file_named_1_2_4_that_contains_1_2_3_is_1_2_3(look: Look, tmp_path: Path) -> None:
    (tmp_path / "c.tar").write_bytes(tar_of({FIXED.filename: WHEEL.content}))
    (holding,) = (await look(tmp_path / "c.tar")).holdings
    assert (holding.filename, holding.version) == (FIXED.filename, "1.2.3")
    assert "contains 1.2.3" in holding.how


async def test_names_old_and_odd_are_read_as_installers_read_them(
    look: Look, tmp_path: Path
) -> None:
    members = {
        "BrokenPkg-1.2.3.tar.gz": b"",
        "a/brokenpkg-1.2.3-1build-py3-none-any.whl": WHEEL.content[:50],
        "b/brokenpkg_tools-1.2.3-py3-none-any.whl": b"",
        "c/brokenpkg-1.2.30-py3-none-any.whl": b"x",
        f"{WHEEL.filename}\n\x1b[31mred": b"",
    }
    (tmp_path / "c.tar").write_bytes(tar_of(members))
    seen = await look(tmp_path / "c.tar")
    found = {h.filename: (h.version, h.intact) for h in seen.holdings}
    assert found == {
        "BrokenPkg-1.2.3.tar.gz": ("1.2.3", False),
        "brokenpkg-1.2.3-1build-py3-none-any.whl": ("1.2.3", False),
        "brokenpkg-1.2.30-py3-none-any.whl": ("1.2.30", False),
    }


async def test_links_are_never_followed_out_of_the_archive(look: Look, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for kind, name, target in (
            (tarfile.SYMTYPE, f"w/{WHEEL.filename}", "/etc/passwd"),
            (tarfile.SYMTYPE, "loop", "loop"),
            (tarfile.LNKTYPE, f"x/{WHEEL.filename}", "../../etc/shadow"),
            (tarfile.FIFOTYPE, f"y/{WHEEL.filename}", ""),
        ):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, target
            archive.addfile(header)
    (tmp_path / "c.tar").write_bytes(stream.getvalue())
    seen = await look(tmp_path / "c.tar")
    (holding,) = seen.holdings
    assert (holding.sha256, holding.how.startswith("a hard link")) == (None, True)
    assert seen.holdings_complete is True


def with_hard_link(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / WHEEL.filename).write_bytes(WHEEL.content)
    (tmp_path / "w" / "zz").hardlink_to(tmp_path / "w" / WHEEL.filename)
    command = ["tar", "--sort=name", "-C", tmp_path, "-cf", tmp_path / "c.tar", "w"]
    subprocess.run(command, check=True, timeout=60)
    return tmp_path / "c.tar"


async def test_a_hard_link_has_the_content_of_what_it_links_to(look: Look, tmp_path: Path) -> None:
    seen = await look(with_hard_link(tmp_path))
    assert {h.sha256 for h in seen.holdings} == {WHEEL.sha256}
    assert len(seen.holdings) == 2


def zeros_in_tar() -> bytes:
    header = tarfile.TarInfo("zeros")
    header.size = 2**33
    return header.tobuf(tarfile.GNU_FORMAT)


def bomb_of_zstd() -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    begin = packer.compress(zeros_in_tar())
    zeros = b"".join(packer.compress(bytes(2**24)) for _ in range(32))
    return begin + zeros + packer.flush()


def bomb_of_streams(pack: Callable[[bytes], bytes]) -> bytes:
    return pack(zeros_in_tar()) + pack(bytes(2**23)) * 200


def bomb_of_overlapping_members() -> bytes:
    """Thousands of entries in the table of contents that all mean the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/" + "0" * 56 + ".body", bytes(2**24))
    content = stream.getvalue()
    end = content.rfind(b"PK\x05\x06")
    (start,) = struct.unpack_from("<L", content, end + 16)
    table = content[start:end] * 2000
    counts = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2000, 2000, len(table), start, 0)
    return content[:start] + table + counts


def bomb_in_memory() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("n.zip", b"PK\x03\x04" + bytes(150 * 2**20))
    return stream.getvalue()


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "c.tar.zst": bomb_of_zstd,
    "c.tar.bz2": lambda: bomb_of_streams(bz2.compress),
    "c.tar.xz": lambda: bomb_of_streams(lzma.compress),
    "overlapping.zip": bomb_of_overlapping_members,
    "nested.zip": bomb_in_memory,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BOMBS))
async def test_a_bomb_is_cut_and_never_called_clean(look: Look, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BOMBS[name]())
    began_s = time.process_time()
    seen = await look(tmp_path / name)
    assert time.process_time() - began_s < 5
    assert seen.holdings_complete is False
    assert any("as bombs do" in note for note in seen.notes)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
async def test_a_header_of_gigabytes_is_refused_unread(
    look: Look, tmp_path: Path, kind: bytes
) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 2**33
    (tmp_path / "c.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    seen = await look(tmp_path / "c.tar")
    assert seen.holdings_complete is not True
    assert "header" in " ".join([*seen.notes, seen.detail])


def linked(*members: tuple[str, str, bytes]) -> bytes:
    """A tar file of files and links: path, what it links to or "", content or kind of link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, target, content in members:
            header = tarfile.TarInfo(name)
            if target:
                header.type, header.linkname = content, target
                archive.addfile(header)
            else:
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


METADATA = b"Metadata-Version: 2.1\nName: brokenpkg\nVersion: 1.2.3\n"
STORED = "home/.cache/uv/archive-v0/abc/brokenpkg-1.2.3.dist-info/METADATA"
SITE = "app/.venv/lib/python3.12/site-packages/brokenpkg-1.2.3.dist-info"


@pytest.mark.parametrize(
    "content",
    [
        linked((STORED, "", METADATA), (f"{SITE}/METADATA", STORED, tarfile.LNKTYPE)),
        linked((f"{SITE}/METADATA", STORED, tarfile.LNKTYPE)),
        linked((STORED, "", METADATA), (f"{SITE}/METADATA", f"/{STORED}", tarfile.SYMTYPE)),
        linked((f"{SITE}/METADATA", f"/{STORED}", tarfile.SYMTYPE)),
        linked((SITE, f"/{STORED.rpartition('/')[0]}", tarfile.SYMTYPE)),
        linked((f"{SITE}/RECORD", "", b"brokenpkg/__init__.py,,\n")),
    ],
    ids=["hard", "hard alone", "symbolic", "symbolic alone", "directory", "RECORD alone"],
)
async def test_an_environment_is_a_pin_however_its_metadata_lies_there(
    look: Look, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "c.tar").write_bytes(content)
    seen = await look(tmp_path / "c.tar")
    assert [(pin.version, SITE in pin.where) for pin in seen.pins] == [("1.2.3", True)]


async def test_what_metadata_states_counts_more_than_its_directory_through_links_too(
    look: Look, tmp_path: Path
) -> None:
    stored = STORED.replace("1.2.3", "1.2.4")
    site = SITE.replace("1.2.3", "1.2.4")
    content = linked((stored, "", METADATA), (f"{site}/METADATA", stored, tarfile.LNKTYPE))
    (tmp_path / "c.tar").write_bytes(content)
    assert [pin.version for pin in (await look(tmp_path / "c.tar")).pins] == ["1.2.3"]


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("named", [WHEEL.filename, FIXED.filename])
@pytest.mark.parametrize("target", ["a/data.bin", "a/blob"])
async def test_a_link_to_a_wheel_without_its_name_is_that_wheel(
    look: Look, tmp_path: Path, kind: bytes, named: str, target: str
) -> None:
    leads = target if kind == tarfile.LNKTYPE else f"../{target}"
    content = linked((target, "", WHEEL.content), (f"b/{named}", leads, kind))
    (tmp_path / "c.tar").write_bytes(content)
    seen = await look(tmp_path / "c.tar")
    assert {(h.version, h.sha256) for h in seen.holdings} == {("1.2.3", WHEEL.sha256)}
    assert seen.holdings_complete is True


async def test_a_hard_link_called_as_the_fix_whose_content_is_nowhere_is_not_believed(
    look: Look, tmp_path: Path
) -> None:
    (tmp_path / "c.tar").write_bytes(linked((f"b/{FIXED.filename}", "gone", tarfile.LNKTYPE)))
    assert (await look(tmp_path / "c.tar")).holdings_complete is False


@pytest.mark.parametrize("name", ["wheelhouse-2026.tar.gz", "cache-1.tgz", "w-3.11.zip", "app"])
async def test_an_archive_that_is_called_like_a_release_is_opened(
    look: Look, tmp_path: Path, name: str
) -> None:
    pack = PACKED["c.zip" if name.endswith("zip") else "c.tar.gz"]
    inner = pack({f"wheels/{WHEEL.filename}": WHEEL.content})
    (tmp_path / "c.tar").write_bytes(tar_of({f"a/{name}": inner}))
    assert [h.sha256 for h in (await look(tmp_path / "c.tar")).holdings] == [WHEEL.sha256]


async def test_the_test_data_of_a_source_archive_is_installed_nowhere(
    look: Look, tmp_path: Path
) -> None:
    members = {
        "other-1.0/tests/bad.zip": b"PK\x03\x04 damaged on purpose",
        "other-1.0/tests/brokenpkg-1.2.3.dist-info/METADATA": METADATA,
        "other-1.0/PKG-INFO": b"Name: other\nVersion: 1.0\n",
    }
    (tmp_path / "c.tar").write_bytes(tar_of({"other-1.0.tar.gz": gzip.compress(tar_of(members))}))
    seen = await look(tmp_path / "c.tar")
    assert seen.pins == ()
    assert [h.version for h in seen.holdings] == ["1.2.3"]
    assert seen.holdings_complete is True


async def test_a_source_archive_under_another_name_is_found(look: Look, tmp_path: Path) -> None:
    (tmp_path / "c.tar").write_bytes(tar_of({"a/blob": SDIST.content}))
    assert [h.version for h in (await look(tmp_path / "c.tar")).holdings] == ["1.2.3"]


@pytest.mark.parametrize("name", ["w.tar.lz4", "w.7z", "w.rar", "w.tar.lz"])
async def test_an_archive_of_a_kind_that_is_not_read_is_told(
    look: Look, tmp_path: Path, name: str
) -> None:
    (tmp_path / "c.tar").write_bytes(tar_of({name: b"anything", "last": b"1"}))
    seen = await look(tmp_path / "c.tar")
    assert seen.holdings_complete is False
    assert any(name in note for note in seen.notes)


APPLICATION = b"#!/usr/bin/env python3\n" + zip_of(
    {"__main__.py": b"1", "brokenpkg-1.2.3.dist-info/METADATA": METADATA}
)


@pytest.mark.parametrize("name", ["bin/app", "bin/app.pyz", "bin/app.pex", ""])
async def test_a_zipped_application_with_an_interpreter_line_is_read(
    look: Look, tmp_path: Path, name: str
) -> None:
    (tmp_path / "c").write_bytes(tar_of({name: APPLICATION}) if name else APPLICATION)
    seen = await look(tmp_path / "c")
    assert [pin.version for pin in seen.pins] == ["1.2.3"]
    assert seen.holdings_complete is True


async def test_a_zipped_egg_is_installed(look: Look, tmp_path: Path) -> None:
    egg = zip_of({"EGG-INFO/PKG-INFO": METADATA, "brokenpkg/__init__.py": b""})
    (tmp_path / "c.tar").write_bytes(tar_of({"site-packages/brokenpkg-1.2.3-py3.11.egg": egg}))
    assert [pin.version for pin in (await look(tmp_path / "c.tar")).pins] == ["1.2.3"]


async def test_a_script_is_no_archive(look: Look, tmp_path: Path) -> None:
    (tmp_path / "c.tar").write_bytes(tar_of({"bin/pip": b"#!/usr/bin/python3\nprint(1)\n" * 9}))
    assert (await look(tmp_path / "c.tar")).holdings_complete is True


async def test_names_with_the_separator_of_windows_are_paths(look: Look, tmp_path: Path) -> None:
    content = zip_of({f"wheels/{WHEEL.filename}": WHEEL.content})
    (tmp_path / "c.zip").write_bytes(content.replace(b"wheels/", b"wheels\\"))
    assert [h.sha256 for h in (await look(tmp_path / "c.zip")).holdings] == [WHEEL.sha256]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
async def test_an_image_in_an_archive_is_read(
    look: Look, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    layer = pack(tar_of({f"{SITE}/METADATA": METADATA}))
    image = tar_of({f"blobs/sha256/{'0' * 64}": layer, "index.json": b"{}"})
    for content in (gzip.compress(image), tar_of({"docker/image.tar": image})):
        (tmp_path / "c.tar").write_bytes(content)
        assert [pin.version for pin in (await look(tmp_path / "c.tar")).pins] == ["1.2.3"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
async def test_archives_one_behind_the_other_are_never_called_read(
    look: Look, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    both = pack(tar_of({"x": b"1"})) + pack(tar_of({WHEEL.filename: WHEEL.content}))
    (tmp_path / "c").write_bytes(both)
    seen = await look(tmp_path / "c")
    assert seen.holdings_complete is False
    assert any("behind the mark" in note for note in seen.notes)


def test_reading_stops_as_soon_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.archives.streams._SLOW", Allowance(2**40, 1))
    (tmp_path / "c.tar.bz2").write_bytes(bomb_of_streams(bz2.compress))
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    with (tmp_path / "c.tar.bz2").open("rb") as file:
        stream = decompressed(file, stop)
        assert stream is not None
        with pytest.raises(Cut, match="stopped"):
            stream.read(2**40)
    timer.join()


async def test_what_is_no_archive_is_malformed_and_what_is_not_there_unreachable(
    look: Look, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("brokenpkg 1.2.3 " * 100)
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "lz4").write_bytes(b"\x04\x22\x4d\x18" + bytes(100))
    for name in ("text", "empty.tar", "lz4"):
        assert (await look(tmp_path / name)).outcome is Outcome.MALFORMED
    assert (await look(tmp_path / "gone.tar")).outcome is Outcome.UNREACHABLE
    assert (await look(f"{tmp_path}/*.gone")).outcome is Outcome.UNREACHABLE


async def test_several_archives_are_told_apart(look: Look, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of({f"w/{WHEEL.filename}": WHEEL.content}))
    (tmp_path / "b.tar").write_bytes(tar_of({f"w/{FIXED.filename}": FIXED.content}))
    (tmp_path / "c.tar").write_bytes(b"damaged")
    seen = await look(f"{tmp_path}/*.tar")
    assert {h.version for h in seen.holdings} == {"1.2.3", "1.2.4"}
    assert any("a.tar" in h.how for h in seen.holdings)
    assert seen.holdings_complete is False


async def test_an_encrypted_member_of_the_project_is_not_called_absent(
    look: Look, tmp_path: Path
) -> None:
    content = bytearray(zip_of({WHEEL.filename: WHEEL.content}))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):  # the flag that says so, in both headers
        at = content.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        content[at] |= 1
    (tmp_path / "c.zip").write_bytes(content)
    seen = await look(tmp_path / "c.zip")
    assert seen.holdings_complete is False
    assert any("encrypted" in note for note in seen.notes)


async def test_an_encrypted_member_without_a_name_hides_nothing_behind_it(
    look: Look, tmp_path: Path
) -> None:
    content = bytearray(zip_of({"secret": b"x" * 99, f"w/{WHEEL.filename}": WHEEL.content}))
    content[6] |= 1  # of the first member, in both headers
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(content)
    seen = await look(tmp_path / "c.zip")
    assert [h.sha256 for h in seen.holdings] == [WHEEL.sha256]
    assert seen.holdings_complete is False


def everything_in(directory: Path) -> list[tuple[str, int]]:
    return sorted(
        (path.name, path.stat().st_mtime_ns + path.stat().st_atime_ns)
        for path in directory.iterdir()
    )


async def test_the_archive_is_left_as_it_was(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "c.tar.gz"
    path.write_bytes(gzip.compress(tar_of({WHEEL.filename: WHEEL.content})))
    os.utime(path, (1, 2))
    before = everything_in(tmp_path)
    await look(path)
    assert before == everything_in(tmp_path)


@pytest.mark.parametrize("name", ["wheels.tar.gz", "wheels.tzst", "wheels.zip", "wheels.tar"])
@pytest.mark.parametrize("outer", ["c.tar.zst", "c.zip"])
async def test_an_archive_in_an_archive_is_read_as_well(
    look: Look, tmp_path: Path, name: str, outer: str
) -> None:
    packers = {"wheels.tar.gz": "c.tar.gz", "wheels.tzst": "c.tar.zst", "wheels.zip": "c.zip"}
    inner = PACKED[packers.get(name, "plain.tar")]({WHEEL.filename: WHEEL.content})
    (tmp_path / outer).write_bytes(PACKED[outer]({f"a/{name}": inner, "last": b"1"}))
    seen = await look(tmp_path / outer)
    (holding,) = seen.holdings
    assert f"a/{name}!/{WHEEL.filename}" in holding.how
    assert seen.holdings_complete is True


async def test_archives_too_deep_in_others_are_not_called_read(look: Look, tmp_path: Path) -> None:
    inner = tar_of({WHEEL.filename: WHEEL.content})
    for _ in range(5):
        inner = tar_of({"a.tar": inner})
    (tmp_path / "c.tar").write_bytes(inner)
    seen = await look(tmp_path / "c.tar")
    assert (seen.holdings, seen.holdings_complete) == ((), False)


async def test_a_damaged_archive_in_an_archive_hides_nothing_behind_it(
    look: Look, tmp_path: Path
) -> None:
    members = {"a.tar.gz": b"\x1f\x8bdamaged", f"b/{WHEEL.filename}": WHEEL.content}
    (tmp_path / "c.tar").write_bytes(tar_of(members))
    seen = await look(tmp_path / "c.tar")
    assert [h.version for h in seen.holdings] == ["1.2.3"]
    assert seen.holdings_complete is False


async def test_damage_that_only_the_faster_decoder_names_is_damage(
    look: Look, tmp_path: Path
) -> None:
    whole = gzip.compress(tar_of({f"w/{WHEEL.filename}": WHEEL.content}))
    # One member that begins by repeating what stands before its first byte.
    path = tmp_path / "c.tar.gz"
    path.write_bytes(whole + whole[:10] + b"\x03\x02" + bytes(8))
    seen = await look(path)
    assert seen.holdings_complete is not True
    path.write_bytes(whole[:10] + b"\x03\x02" + bytes(8))
    assert (await look(path)).outcome is not Outcome.ABSENT
