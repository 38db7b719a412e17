"""Kind `archive`: caches of CI jobs, packed by the real tools and by hand."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from auditor.lab.artifacts import build_release
from auditor.model import Fingerprint, HeldState, Observation, Outcome, PinState, Role
from probes.archive import KIND

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
    (tmp_path / "c.zip").write_bytes(zip_of({"cache/0a1b2c": WHEEL.content}))
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


async def test_a_bomb_is_cut_and_never_called_clean(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.archives.streams._BOMB_FROM_BYTES", 2**20)
    header = tarfile.TarInfo("zeros")
    header.size = 2**26
    packer = zstandard.ZstdCompressor().compressobj()
    bomb = packer.compress(header.tobuf())
    bomb += b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    (tmp_path / "c.tar.zst").write_bytes(bomb)
    seen = await look(tmp_path / "c.tar.zst")
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


def everything_in(directory: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_mtime_ns) for path in directory.iterdir())


async def test_the_archive_is_left_as_it_was(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "c.tar.gz"
    path.write_bytes(gzip.compress(tar_of({WHEEL.filename: WHEEL.content})))
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
