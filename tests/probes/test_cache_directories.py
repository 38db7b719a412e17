"""Cache directories of nginx, squid and Apache: read as they are, whatever else lies in them."""

from __future__ import annotations

import gzip
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.contracts import GuardPolicy
from auditor.lab.artifacts import build_release, build_wheel
from auditor.model import Fingerprint, HeldState, Incident, Observation, Outcome
from auditor.observations import encode
from probes.cache_server.directory import DirectoryReading, read_directory
from probes.cache_server.formats import read_apache, read_kept
from probes.cache_server.kept import Damaged, KeptAnswer
from probes.http_cache import KIND
from probes.http_stores.disk import opened
from probes.kit.evidence import EvidenceRecorder
from tests.probes.cache_files import EXPIRES_S, STORED_S, apache_entry, nginx_entry, squid_entry
from tests.probes.conftest import JSON_TYPE, MakeAssignment

BROKEN, BROKEN_SDIST = build_release("brokenpkg", "1.2.3")
GOOD = build_wheel("brokenpkg", "1.2.2")
FIXED = build_wheel("brokenpkg", "1.2.4")
BASE = "http://source.example/packages/aa/bb"
PAGE = "http://source.example/simple/brokenpkg/"
PROGRAMS = ("nginx", "squid", "apache")


def page(*versions: str, serial: int = 7) -> bytes:
    files = [
        {"filename": f"brokenpkg-{v}-py3-none-any.whl", "url": f"{BASE}/x{v}.whl", "hashes": {}}
        for v in versions
    ]
    meta = {"api-version": "1.1", "_last-serial": serial}
    return json.dumps({"meta": meta, "name": "brokenpkg", "files": files}).encode()


def keep(program: str, home: Path, number: int, url: str, body: bytes, **more: object) -> Path:
    """Let a program keep an answer."""
    if program == "nginx":
        return nginx_entry(home, url, body, variant=f"{number:016d}".encode(), **more)  # type: ignore[arg-type]  # mixed keywords
    if program == "squid":
        return squid_entry(home, number, url, body, **more)  # type: ignore[arg-type]  # mixed keywords
    return apache_entry(home / f"{number}" / "x", "Name_@", f"{url}?", body, **more)  # type: ignore[arg-type]  # mixed keywords


def read(
    home: Path, incident: Incident, stop: threading.Event | None = None, limit_s: float = 60.0
) -> DirectoryReading:
    recorder = EvidenceRecorder()
    return read_directory(home, incident, recorder, stop or threading.Event(), limit_s=limit_s)


def held(reading: DirectoryReading) -> dict[str, HeldState]:
    return {holding.filename: holding.state for holding in reading.holdings}


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_files_are_identified_by_their_bytes(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{BROKEN.filename}", BROKEN.content)
    keep(program, tmp_path, 2, f"{BASE}/{GOOD.filename}", GOOD.content)
    keep(program, tmp_path, 3, f"{BASE}/other-1.0-py3-none-any.whl", b"PK")

    reading = read(tmp_path, incident)

    assert held(reading) == {BROKEN.filename: HeldState.HELD, GOOD.filename: HeldState.HELD}
    (broken,) = [h for h in reading.holdings if h.version == "1.2.3"]
    assert broken.sha256 == BROKEN.fingerprint().sha256
    assert (broken.size, broken.intact) == (len(BROKEN.content), True)
    assert program in broken.how
    assert reading.is_complete
    assert reading.findings.entries == 3


def test_a_broken_artifact_is_known_under_any_name_by_its_digest(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    keep(program, tmp_path, 1, "http://registry.example/blobs/5f3a", BROKEN.content)
    print_ = Fingerprint(
        filename=BROKEN.filename,
        version="1.2.3",
        sha256=BROKEN.fingerprint().sha256,
        size=len(BROKEN.content),
    )
    known = Incident(
        id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",), fingerprints=(print_,)
    )

    assert held(read(tmp_path, known)) == {BROKEN.filename: HeldState.HELD}
    # Without a digest its own metadata says what it is.
    assert held(read(tmp_path, incident)) == {BROKEN.filename: HeldState.HELD}


def test_every_variant_of_the_page_is_read_with_its_expiry(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    new, old = gzip.compress(page("1.2.4", serial=9)), page("1.2.3", serial=5)
    keep(program, tmp_path, 1, PAGE, new, kind=JSON_TYPE, Content_Encoding="gzip")
    keep(program, tmp_path, 2, PAGE, old, kind=JSON_TYPE)

    kept = read(tmp_path, incident).findings.pages

    assert {k.parsed.serial for k in kept if k.parsed} == {9, 5}
    assert {k.answer.expires_at for k in kept} == {datetime.fromtimestamp(EXPIRES_S, UTC)}
    assert {k.answer.stored_at for k in kept} == {datetime.fromtimestamp(STORED_S, UTC)}


def test_a_cut_or_empty_body_is_damage_and_proves_nothing(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    size = len(BROKEN.content)
    keep(program, tmp_path, 1, f"{BASE}/{BROKEN.filename}", BROKEN.content[:-9], size=size)
    keep(program, tmp_path, 2, f"{BASE}/{FIXED.filename}", b"", size=len(FIXED.content))

    reading = read(tmp_path, incident)

    assert held(reading) == {BROKEN.filename: HeldState.UNKNOWN, FIXED.filename: HeldState.UNKNOWN}
    assert {h.intact for h in reading.holdings} == {False}
    assert {h.sha256 for h in reading.holdings} == {None}
    assert any("0 bytes of" in h.how for h in reading.holdings)


def test_a_kept_refusal_is_no_file(program: str, tmp_path: Path, incident: Incident) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{FIXED.filename}", b"404", status=404, kind="text/plain")
    keep(program, tmp_path, 2, PAGE, b"<h1>504</h1>", status=504, kind="text/html")

    reading = read(tmp_path, incident)

    assert reading.holdings == ()
    assert sorted(a.status for _, a in reading.findings.refusals) == [404, 504]


def test_links_are_not_followed_and_nothing_that_blocks_is_opened(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    home, outside = tmp_path / "cache", tmp_path / "outside"
    keep(program, home, 1, f"{BASE}/{GOOD.filename}", GOOD.content)
    keep(program, outside, 2, f"{BASE}/{BROKEN.filename}", BROKEN.content)
    (home / "loop").symlink_to(home)
    (home / "elsewhere").symlink_to(next(p for p in outside.rglob("*") if p.is_file()))
    os.mkfifo(home / "pipe")

    reading = read(home, incident)

    assert held(reading) == {GOOD.filename: HeldState.HELD}
    assert not reading.is_complete
    assert any("symbolic links" in note for note in reading.notes)


def test_nothing_in_the_directory_is_changed_not_even_times_of_access(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{BROKEN.filename}", BROKEN.content)
    keep(program, tmp_path, 2, PAGE, page("1.2.3"), kind=JSON_TYPE)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, ns=(10**18, 10**18))

    def look() -> list[tuple[int, int, int]]:
        return [(s.st_atime_ns, s.st_mtime_ns, s.st_size) for s in (p.stat() for p in files)]

    before = look()
    read(tmp_path, incident)

    assert before == look()


def test_files_that_a_server_is_writing_are_left_alone(tmp_path: Path, incident: Incident) -> None:
    path = nginx_entry(tmp_path, f"{BASE}/{GOOD.filename}", GOOD.content)
    path.with_name(f"{path.name}.0000000012").write_bytes(b"half")
    (tmp_path / "0000000003").write_bytes(b"half")

    reading = read(tmp_path, incident)

    assert reading.is_complete
    assert any(note.startswith("2 files that are being written") for note in reading.notes)


def test_a_file_that_vanishes_was_removed_by_the_server(
    tmp_path: Path, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    nginx_entry(tmp_path, f"{BASE}/{GOOD.filename}", GOOD.content)
    nginx_entry(tmp_path, f"{BASE}/{BROKEN.filename}", BROKEN.content)
    monkeypatch.setattr("probes.cache_server.walk.opened", _vanishing)
    reading = read(tmp_path, incident)

    assert reading.holdings == ()
    assert not reading.problem
    assert reading.is_complete


def _vanishing(path: str) -> opened:
    Path(path).unlink(missing_ok=True)
    return opened(path)


def test_a_walk_that_is_stopped_is_not_complete(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{GOOD.filename}", GOOD.content)
    stop = threading.Event()
    stop.set()

    assert not read(tmp_path, incident, stop).is_complete


def test_a_walk_that_takes_too_long_ends_and_says_what_to_do(
    program: str, tmp_path: Path, incident: Incident
) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{BROKEN.filename}", BROKEN.content)

    reading = read(tmp_path, incident, limit_s=-1.0)

    assert not reading.is_complete
    assert any("raise its timeout_s" in note for note in reading.notes)


def test_an_unknown_version_of_a_format_hides_and_is_told(
    tmp_path: Path, incident: Incident
) -> None:
    nginx_entry(tmp_path, f"{BASE}/{GOOD.filename}", GOOD.content)
    nginx_entry(tmp_path, f"{BASE}/{BROKEN.filename}", BROKEN.content, version=9)
    apache_entry(tmp_path / "a", "Other", f"{BASE}/{BROKEN.filename}?", BROKEN.content, form=8)

    reading = read(tmp_path, incident)

    assert BROKEN.filename not in held(reading)
    assert not reading.is_complete
    assert any("cache format 9" in note for note in reading.notes)
    assert any("mod_cache_disk's format 8" in note for note in reading.notes)


def test_a_directory_that_is_no_cache_says_so(tmp_path: Path, incident: Incident) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind")

    reading = read(tmp_path, incident)

    assert "is no cache directory of nginx, squid or Apache" in reading.problem
    assert not reading.is_complete


def test_a_directory_that_is_not_there_says_so(tmp_path: Path, incident: Incident) -> None:
    reading = read(tmp_path / "missing", incident)

    assert "does not exist" in reading.problem
    assert not reading.is_complete


def test_apaches_list_of_variants_is_no_entry_and_its_variants_are(
    tmp_path: Path, incident: Incident
) -> None:
    top = tmp_path / "F" / "Q"
    top.mkdir(parents=True)
    (top / "Name.header").write_bytes(
        b"\x05\0\0\0" + b"\0" * 8 + b"accept\r\naccept-encoding\r\n\r\n"
    )
    apache_entry(
        top / "Name.header.vary" / "5",
        "Variant",
        f"{PAGE}?",
        page("1.2.3"),
        kind=JSON_TYPE,
        accept="text/html",
        Vary="Accept",
    )

    (kept,) = read(tmp_path, incident).findings.pages

    assert kept.answer.variant == "accept: text/html"


def test_a_body_that_apache_passes_over_is_hidden_and_its_page_is_nobodys(
    tmp_path: Path, incident: Incident
) -> None:
    """Apache compares the inode of the body with the one that the header names."""
    url = f"{BASE}/{BROKEN.filename}?"
    apache_entry(tmp_path / "a", "Name", url, BROKEN.content, inode=1)
    apache_entry(tmp_path / "b", "Page", f"{PAGE}?", page("1.2.3"), kind=JSON_TYPE, inode=1)

    reading = read(tmp_path, incident)

    assert held(reading) == {BROKEN.filename: HeldState.SHADOWED}
    assert reading.findings.pages == []


def test_squids_list_of_variants_is_no_page(tmp_path: Path, incident: Incident) -> None:
    squid_entry(tmp_path, 1, PAGE, b"", kind="x-squid-internal/vary", vary="accept")

    assert read(tmp_path, incident).findings.pages == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=700), start=st.sampled_from([b"", b"\x03", b"\x05\0\0\0\0\0\0\0"]))
def test_whatever_a_file_holds_it_is_an_answer_damage_or_nothing(data: bytes, start: bytes) -> None:
    for reader in (read_kept, read_apache):
        try:
            found = reader(start + data)
        except Damaged:
            continue
        assert found is None or isinstance(found, KeptAnswer)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cut=st.integers(0, 900), at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_entry_never_breaks_the_reading(
    cut: int, at: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("made")
    incident = Incident(id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",))
    for number, name in enumerate(PROGRAMS):
        path = keep(name, home, number, f"{BASE}/{BROKEN.filename}", BROKEN.content)
        content = bytearray(path.read_bytes()[: cut + 20])
        if at < len(content):
            content[at] = byte
        path.write_bytes(bytes(content))

    reading = read(home, incident)

    assert isinstance(reading, DirectoryReading)
    assert all(h.state is not HeldState.NOT_HELD for h in reading.holdings)


async def observed_inert(assign: MakeAssignment, home: Path) -> Observation:
    work = assign(
        "http://127.0.0.1:9/simple/",
        kind="http-cache",
        settings={"cache_path": str(home)},
        policy=GuardPolicy(inert=True),
    )
    return await KIND.observe(work)


async def test_an_inert_audit_reads_the_disk_and_asks_nobody(
    program: str, tmp_path: Path, assign: MakeAssignment
) -> None:
    keep(program, tmp_path, 1, f"{BASE}/{BROKEN.filename}", BROKEN.content)
    keep(program, tmp_path, 2, PAGE, page("1.2.3"), kind=JSON_TYPE)

    found = await observed_inert(assign, tmp_path)

    assert found.requests == ()
    assert found.outcome is Outcome.SKIPPED
    assert {h.filename: h.state for h in found.holdings} == {BROKEN.filename: HeldState.HELD}
    assert [hint.code for hint in found.hints] == ["stale-variant"]


async def test_names_with_escapes_and_keys_with_secrets_come_out_harmless(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    key = f"{BASE}/{BROKEN.filename}?X-Amz-Signature=c0ffee"
    entry = nginx_entry(tmp_path, key, BROKEN.content)
    entry.rename(entry.with_name(os.fsdecode(b"\xff\x1b[31m\n")))
    (tmp_path / os.fsdecode(b"\xfe\x1b]0;")).symlink_to("nowhere")
    keep("nginx", tmp_path, 2, f"{PAGE}?token=c0ffee", page("1.2.3"), kind=JSON_TYPE)

    found = await observed_inert(assign, tmp_path)
    text = encode(found).decode()

    assert [h.filename for h in found.holdings] == [BROKEN.filename]
    assert "c0ffee" not in text
    assert not set(text) & {"\x1b", "\n"}
    assert "\\u001b" not in text
