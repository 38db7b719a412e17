"""Kind `pip-cache` against caches that nobody should have: cut, foreign, hostile, unreadable."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.contracts import Assignment
from auditor.lab.artifacts import build_sdist, build_wheel
from auditor.model import Fingerprint, HeldState, Observation, Outcome, PageOutcome, Role, Status
from probes.http_stores import disk as store_disk
from probes.http_stores.entry import entry_path
from probes.kit.views import CLIENTS
from probes.pip_cache import KIND

from .conftest import MakeAssignment

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WHEEL, SDIST = build_wheel("brokenpkg", "1.2.3"), build_sdist("brokenpkg", "1.2.3")
OTHER = build_wheel("otherpkg", "1.2.3")
FILE_URL = "https://files.example/packages/brokenpkg.whl"
PAGE_URL = "https://index.example/simple/brokenpkg/"
PIP_ACCEPT = CLIENTS[next(iter(CLIENTS))].accept

Look = Callable[..., Observation]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    def run(path: Path, *prints: Fingerprint) -> Observation:
        location = assign(path=str(path), kind="pip-cache", role=Role.STORE, fingerprints=prints)
        return asyncio.run(_observe(location))

    async def _observe(assignment: object) -> Observation:
        return await KIND.observe(assignment)

    return run


def packed(
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    status: int = 200,
    vary: Mapping[str, str | None] | None = None,
) -> bytes:
    """Write an entry in pip's format, independently of both pip and the code under test."""
    response = {
        "body": body,
        "headers": dict(headers),
        "status": status,
        "version": 11,
        "reason": "OK",
        "decode_content": False,
    }
    return b"cc=4," + msgspec.msgpack.encode({"response": response, "vary": dict(vary or {})})


def store(
    cache: Path,
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    length: int | None = None,
    status: int = 200,
    vary: Mapping[str, str | None] | None = None,
) -> Path:
    """Lay an entry into the new layout; return the path of its headers."""
    path = cache / "http-v2" / entry_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = len(body) if length is None else length
    named = {"Date": date(NOW), "Content-Length": str(size), **(headers or {})}
    path.write_bytes(packed(named, status=status, vary=vary))
    body_of(path).write_bytes(body)
    return path


def zipped(members: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def tarred(members: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, member in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(member)
            archive.addfile(header, io.BytesIO(member))
    return content.getvalue()


def body_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.body")


def date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def page(*versions: str, name: str = "brokenpkg") -> bytes:
    files = [
        {
            "filename": f"{name}-{version}-py3-none-any.whl",
            "url": f"../../{name}-{version}-py3-none-any.whl",
            "hashes": {},
        }
        for version in versions
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()


JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json", "Cache-Control": "max-age=600"}


def states(observation: Observation) -> dict[str, HeldState]:
    return {h.filename: h.state for h in observation.holdings}


# -- where it is


def test_an_empty_cache_was_read_to_its_end(look: Look, tmp_path: Path) -> None:
    seen = look(tmp_path)
    assert seen.outcome is Outcome.OBSERVED
    assert seen.holdings_complete
    assert not seen.holdings


@pytest.mark.parametrize(
    ("below", "outcome"),
    [
        ("pip", Outcome.UNREACHABLE),
        (".cache/pipp", Outcome.UNREACHABLE),
        (".cache/pip", Outcome.ABSENT),
        ("not-mounted/.cache/pip", Outcome.UNREACHABLE),
        ("not-mounted/pip", Outcome.UNREACHABLE),
    ],
)
def test_a_missing_cache_is_absent_only_where_its_place_is_known(
    look: Look, tmp_path: Path, below: str, outcome: Outcome
) -> None:
    seen = look(tmp_path / below)
    assert seen.outcome is outcome
    assert str(tmp_path / below) in seen.detail
    assert not seen.holdings_complete


def test_a_missing_cache_that_nobody_named_is_absent(
    assign: MakeAssignment, tmp_path: Path
) -> None:
    named = assign(path=str(tmp_path / "own"), kind="pip-cache", role=Role.STORE)
    implied = replace(named, location=replace(named.location, declared_at="pip's cache"))
    seen = [asyncio.run(_observe(each)).outcome for each in (named, implied)]
    assert seen == [Outcome.UNREACHABLE, Outcome.ABSENT]


async def _observe(assignment: Assignment) -> Observation:
    return await KIND.observe(assignment)


def test_a_directory_that_is_no_cache_of_pip_is_said_to_be_none(look: Look, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("…")
    seen = look(tmp_path)
    assert seen.outcome is Outcome.MALFORMED
    assert "no pip cache" in seen.detail


def test_a_pattern_reads_the_cache_of_every_home(look: Look, tmp_path: Path) -> None:
    for user, version in (("ada", "1.2.3"), ("bob", "1.2.2")):
        content = build_wheel("brokenpkg", version).content
        store(tmp_path / user / ".cache/pip", FILE_URL, content)
    (tmp_path / "cleo").mkdir()
    seen = look(tmp_path / "*" / ".cache" / "pip")
    assert {"1.2.3", "1.2.2"} == {h.version for h in seen.holdings}
    assert str(tmp_path / "ada/.cache/pip") in seen.holdings[0].how
    assert seen.holdings_complete


def test_a_pattern_that_nothing_matches_is_never_absent(look: Look, tmp_path: Path) -> None:
    seen = look(tmp_path / "*" / ".cache" / "pip")
    assert seen.outcome is Outcome.UNREACHABLE
    assert "matches nothing" in seen.detail


def test_a_home_with_something_else_in_its_place_leaves_the_whole_unknown(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path / "ada/.cache/pip", "https://files.example/other.whl", OTHER.content)
    (tmp_path / "bob/.cache/pip/thesis").mkdir(parents=True)
    seen = look(tmp_path / "*" / ".cache" / "pip")
    assert seen.outcome is Outcome.OBSERVED
    assert not seen.holdings_complete


def test_a_source_archive_that_is_not_searched_to_its_end_leaves_the_cache_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.http_stores.content._MAX_SOURCE_BYTES", 2**16)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in (("src/data", bytes(2**18)), ("src/PKG-INFO", SDIST.metadata)):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    store(tmp_path, FILE_URL, buffer.getvalue())
    seen = look(tmp_path)
    assert not seen.holdings
    assert seen.holdings_complete is False
    assert any("too large to be searched" in note for note in seen.notes)


def test_a_digest_alone_finds_an_archive_that_names_another_project(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, FILE_URL, OTHER.content)
    (held,) = look(tmp_path, Fingerprint(version="1.2.3", sha256=OTHER.sha256)).holdings
    assert (OTHER.sha256, "1.2.3") == (held.sha256, held.version)


def test_whole_and_cut_copies_are_told_apart(look: Look, tmp_path: Path) -> None:
    store(tmp_path, FILE_URL, WHEEL.content)
    assert [h.intact for h in look(tmp_path).holdings] == [True]
    size = len(WHEEL.content)
    store(tmp_path, FILE_URL, WHEEL.content[: size - 30], length=size)
    assert [h.intact for h in look(tmp_path).holdings] == [False]


@pytest.mark.parametrize("with_readable", [True, False])
def test_a_home_that_may_not_be_read_leaves_the_whole_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_readable: bool
) -> None:
    (tmp_path / "bob" / ".cache" / "pip" / "http-v2").mkdir(parents=True)
    if with_readable:
        store(tmp_path / "ada/.cache/pip", "https://files.example/other.whl", OTHER.content)
    forbid(monkeypatch, "scandir", str(tmp_path / "bob/.cache/pip"))
    seen = look(tmp_path / "*" / ".cache" / "pip")
    assert seen.outcome is (Outcome.OBSERVED if with_readable else Outcome.DENIED)
    assert not seen.holdings_complete
    assert any("bob/.cache/pip may not be read" in note for note in seen.notes)


def test_a_home_that_may_not_be_entered_is_named(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "ada/.cache/pip", "https://files.example/other.whl", OTHER.content)
    store(tmp_path / "bob/.cache/pip", FILE_URL, WHEEL.content)
    # What mode 0700 does: the home is seen, and nothing below it.
    forbid(monkeypatch, "scandir", str(tmp_path / "bob"), str(tmp_path / "bob/.cache"))
    forbid(monkeypatch, "stat", str(tmp_path / "bob/.cache"))
    seen = look(tmp_path / "*" / ".cache" / "pip")
    assert seen.outcome is Outcome.OBSERVED
    assert not seen.holdings_complete
    assert any("bob/.cache may not be read" in note for note in seen.notes)
    alone = look(tmp_path / "b*" / ".cache" / "pip")
    assert alone.outcome is Outcome.DENIED
    assert "bob/.cache" in alone.detail


def forbid(monkeypatch: pytest.MonkeyPatch, function: str, *paths: str) -> None:
    """Make the system refuse these paths. (Tests may run as root, whom no mode bits stop.)"""
    real = getattr(os, function)

    def refusing(path: object, *arguments: object, **named: object) -> object:
        if str(path) in paths:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, function, refusing)


# -- what it holds


@pytest.mark.parametrize("artifact", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_a_file_is_recognised_by_its_own_metadata(
    look: Look, tmp_path: Path, artifact: object
) -> None:
    assert isinstance(artifact, type(WHEEL))
    store(tmp_path, FILE_URL, artifact.content)
    store(tmp_path, "https://files.example/other", OTHER.content)
    (held,) = look(tmp_path).holdings
    assert (artifact.filename, "1.2.3", artifact.sha256, len(artifact.content)) == (
        held.filename,
        held.version,
        held.sha256,
        held.size,
    )
    assert held.how.startswith(f"http-v2/{entry_path(FILE_URL)}.body: ")


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "py2.py3-none-any"]
)
def test_the_file_name_of_a_wheel_is_restored_with_its_tags_and_build(
    look: Look, tmp_path: Path, tag: str
) -> None:
    wheel = build_wheel("Broken.Pkg", "1.2.3", tag=tag, build="2")
    store(tmp_path, FILE_URL, wheel.content)
    seen = look(tmp_path)
    assert not seen.holdings  # of project `broken-pkg`
    wheel = build_wheel("brokenpkg", "1.2.3", tag=tag, build="2")
    store(tmp_path, FILE_URL, wheel.content)
    assert [wheel.filename] == [h.filename for h in look(tmp_path).holdings]


def test_a_cached_page_names_the_file_by_its_url(look: Look, tmp_path: Path) -> None:
    entry = {"filename": "BrokenPkg-1.2.3.zip", "url": "https://f.example/BrokenPkg-1.2.3.zip"}
    body = {"meta": {"api-version": "1.0"}, "name": "brokenpkg", "files": [{**entry, "hashes": {}}]}
    store(tmp_path, PAGE_URL, json.dumps(body).encode(), headers=JSON)
    store(tmp_path, entry["url"], SDIST.content)
    assert [h.filename for h in look(tmp_path).holdings] == ["BrokenPkg-1.2.3.zip"]


def test_a_broken_artifact_is_known_by_its_digest_though_it_is_no_archive(
    look: Look, tmp_path: Path
) -> None:
    content = b"neither zip nor tar"
    store(tmp_path, FILE_URL, content)
    digest = hashlib.sha256(content).hexdigest()
    assert not look(tmp_path).holdings
    for size in (len(content), None):
        (held,) = look(tmp_path, Fingerprint(sha256=digest, size=size)).holdings
        assert (digest, HeldState.HELD) == (held.sha256, held.state)


def test_a_redirect_that_is_stored_under_the_url_of_the_file_is_not_the_file(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, FILE_URL, b"", status=301)
    assert not look(tmp_path, Fingerprint(url=FILE_URL)).holdings


def test_an_archive_with_a_content_coding_is_still_the_archive(look: Look, tmp_path: Path) -> None:
    store(tmp_path, FILE_URL, SDIST.content, headers={"Content-Encoding": "gzip"})
    (held,) = look(tmp_path).holdings
    assert SDIST.sha256 == held.sha256


def test_metadata_alone_is_a_note_and_holds_nothing(look: Look, tmp_path: Path) -> None:
    store(tmp_path, f"{FILE_URL}.metadata", WHEEL.metadata)
    seen = look(tmp_path)
    assert not seen.holdings
    assert any("metadata of version 1.2.3" in note for note in seen.notes)


def archive_of(kind: str, name: str = "brokenpkg") -> bytes:
    """Pack the metadata of a source archive in one of the older ways."""
    metadata = SDIST.metadata.replace(b"brokenpkg", name.encode())
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("brokenpkg-1.2.3/PKG-INFO", metadata)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]  # a mode made up
        for path in ("brokenpkg-1.2.3/setup.py", "brokenpkg-1.2.3/PKG-INFO"):
            member = tarfile.TarInfo(path)
            member.size = len(metadata)
            tar.addfile(member, io.BytesIO(metadata))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("zip", ".zip"), ("bz2", ".tar.bz2"), ("xz", ".tar.xz"), ("gz", ".tar.gz"), ("", ".tar")],
)
def test_older_kinds_of_source_archives_are_recognised(
    look: Look, tmp_path: Path, kind: str, ending: str
) -> None:
    store(tmp_path, FILE_URL, archive_of(kind))
    (held,) = look(tmp_path).holdings
    assert (f"brokenpkg-1.2.3{ending}", "1.2.3") == (held.filename, held.version)
    store(tmp_path, FILE_URL, archive_of(kind, name="brokenpkg-extra"))
    assert not look(tmp_path).holdings  # its metadata names another project


# -- the old layout


def test_the_old_layout_keeps_the_body_inside_the_entry(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "http" / entry_path(FILE_URL)
    path.parent.mkdir(parents=True)
    path.write_bytes(packed({"Date": date(NOW)}, WHEEL.content))
    seen = look(tmp_path)
    assert [WHEEL.sha256] == [h.sha256 for h in seen.holdings]
    assert "tail --bytes=+" in seen.evidence[0].reproduce
    path.write_bytes(path.read_bytes()[:600])
    assert {HeldState.UNKNOWN} == set(states(look(tmp_path, Fingerprint(url=FILE_URL))).values())


# -- pages


@pytest.mark.parametrize(
    ("headers", "lifetime_s"),
    [
        ({"Cache-Control": "max-age=600, public"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "500"}, 600),  # pip ignores Age
        ({"Cache-Control": "no-cache, max-age=600"}, 600),  # and what it does not know
        ({"Cache-Control": "Max-Age=600"}, 0),  # and compares with case
        ({"Cache-Control": "max-age=never", "Expires": date(NOW + timedelta(seconds=60))}, 60),
        ({"Expires": date(NOW - timedelta(seconds=60))}, 0),
        ({"Expires": "0"}, 0),
        ({"Cache-Control": "max-age=99999999999999999999"}, 2**31),
        ({}, 0),
    ],
)
def test_a_page_expires_when_pip_says_so(
    look: Look, tmp_path: Path, headers: dict[str, str], lifetime_s: int
) -> None:
    kind = {"Content-Type": JSON["Content-Type"]}
    store(tmp_path, PAGE_URL, page("1.2.3"), headers={**kind, **headers})
    (seen,) = look(tmp_path).pages
    assert seen.freshness.fetched_at == NOW
    assert NOW + timedelta(seconds=lifetime_s) == seen.freshness.expires_at


@pytest.mark.parametrize(
    ("vary", "lifetime_s"),
    [
        ({"Accept": PIP_ACCEPT, "Accept-Encoding": "gzip, deflate"}, 600),
        ({"User-Agent": "pip/26.2"}, 600),
        ({"Accept": "text/html"}, 0),  # stored by pip before 22.2
        ({"*": None}, 0),
    ],
)
def test_a_page_for_other_request_headers_is_trusted_by_no_pip_of_today(
    look: Look, tmp_path: Path, vary: dict[str, str | None], lifetime_s: int
) -> None:
    store(tmp_path, PAGE_URL, page("1.2.3"), headers=JSON, vary=vary)
    (seen,) = look(tmp_path).pages
    assert NOW + timedelta(seconds=lifetime_s) == seen.freshness.expires_at


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_encoded_pages_are_read(
    look: Look, tmp_path: Path, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    headers = {**JSON, "Content-Encoding": encoding}
    store(tmp_path, PAGE_URL, encode(page("1.2.3")), headers=headers)
    assert [c.version for p in look(tmp_path).pages for c in p.candidates] == ["1.2.3"]


def test_pages_of_several_indexes_are_kept_apart_and_those_of_others_left_out(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, PAGE_URL, page("1.2.3"), headers=JSON)
    store(tmp_path, "https://mirror.example/simple/brokenpkg/", page("1.2.4"), headers=JSON)
    mentions = page("1.0", name="otherpkg").replace(b"../../", b"../../brokenpkg/")
    store(tmp_path, "https://index.example/simple/otherpkg/", mentions, headers=JSON)
    seen = look(tmp_path).pages
    assert sorted(p.sample for p in seen) == [1, 2]
    assert {"1.2.3", "1.2.4"} == {c.version for p in seen for c in p.candidates}
    assert all(c.url is None for p in seen for c in p.candidates)  # relative to what is not known


@pytest.mark.parametrize("body", [page("1.2.3")[:-20], b"brokenpkg", b'["brokenpkg"]'])
def test_a_page_that_is_none_is_kept_as_evidence(look: Look, tmp_path: Path, body: bytes) -> None:
    store(tmp_path, PAGE_URL, body, headers=JSON)
    (seen,) = look(tmp_path).pages
    assert seen.outcome is PageOutcome.MALFORMED
    assert seen.detail
    assert not seen.complete


def test_a_bomb_costs_its_bound_and_is_reported(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.http_stores.recognise.MAX_BODY_BYTES", 2**20)
    bomb = gzip.compress(bytes(2**23))
    store(tmp_path, PAGE_URL, bomb, headers={**JSON, "Content-Encoding": "gzip"})
    seen = look(tmp_path)
    assert any("bomb" in note for note in seen.notes)


def test_a_coding_that_only_we_cannot_undo_leaves_the_cache_unknown(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, PAGE_URL, b"\x01\x02", headers={**JSON, "Content-Encoding": "br"})
    seen = look(tmp_path)
    assert not seen.holdings_complete
    assert any("cannot be decoded" in note for note in seen.notes)


# -- damage


def test_a_truncated_file_is_unknown_and_accuses_nobody(look: Look, tmp_path: Path) -> None:
    for at, artifact in enumerate((WHEEL, SDIST)):
        cut = artifact.content[: len(artifact.content) - 200]
        store(tmp_path, f"{FILE_URL}-{at}", cut, length=len(artifact.content))
    seen = look(tmp_path)
    assert [h.version for h in seen.holdings] == ["1.2.3", "1.2.3"]
    assert {(HeldState.UNKNOWN, None, None)} == {(h.state, h.sha256, h.size) for h in seen.holdings}
    assert not seen.holdings_complete


NO_URL = "https://elsewhere.example/as-nobody-knows-it"
MARKLESS = gzip.compress(tarred({"anything/README": b"x" * 5000}))


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (WHEEL.content[:100], "named after the project"),
        (gzip.compress(MARKLESS)[:30], "do not show whose they are"),
        (zipped({"module.py": b"x"})[:40], "do not show whose they are"),
        (MARKLESS[:-9], "do not show whose they are"),
    ],
)
def test_an_archive_that_does_not_open_is_told_and_never_clean(
    look: Look, tmp_path: Path, content: bytes, note: str
) -> None:
    store(tmp_path, NO_URL, content)
    seen = look(tmp_path)
    assert not seen.holdings_complete
    assert any(note in each for each in seen.notes)


@pytest.mark.parametrize(
    "content",
    [
        zipped({"otherpkg-1.2.3.dist-info/LICENSE": b"x" * 99, "module.py": b"x"})[:120],
        gzip.compress(tarred({"otherpkg-1.2.3/README": b"x" * 5000}))[:-9],
        MARKLESS,
        gzip.compress(b"no archive, and shorter than any"),
        zipped({}),
    ],
)
def test_an_archive_of_another_project_leaves_a_cache_known_though_it_is_cut(
    look: Look, tmp_path: Path, content: bytes
) -> None:
    store(tmp_path, NO_URL, content)
    assert look(tmp_path).holdings_complete


def test_a_download_that_was_interrupted_is_told_and_hides_nothing(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, NO_URL, zipped({"module.py": b"x"})[:40]).unlink()
    seen = look(tmp_path)
    assert seen.holdings_complete
    assert any("do not open" in note for note in seen.notes)


def test_a_file_of_another_length_than_announced_is_damaged_though_it_can_be_opened(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, FILE_URL, WHEEL.content, length=len(WHEEL.content) + 5)
    (held,) = look(tmp_path).holdings
    assert (held.state, held.sha256) == (HeldState.UNKNOWN, None)
    assert f"{len(WHEEL.content)} bytes of {len(WHEEL.content) + 5}" in held.how


def test_a_body_without_its_entry_is_shadowed(look: Look, tmp_path: Path) -> None:
    store(tmp_path, FILE_URL, WHEEL.content).unlink()
    seen = look(tmp_path)
    assert {WHEEL.filename: HeldState.SHADOWED} == states(seen)
    assert any("without an entry" in note for note in seen.notes)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"", "an empty file"),
        (b"cc=0,stuff", "serial format 0"),
        (b"cc=2,stuff", "serial format 2"),
        (b"cc=4,stuff", "damaged entries"),
        (b"cc=4,\x82\xa8response\x86\xa4body\xc4\x00\xff\xff", "damaged entries"),
        (b"cc=4,\x82\xa8response\x86\xa4body\xc6\xff\xff\xff\xff", "breaks off"),
        (b"#!/bin/sh\n", "no entry of an HTTP cache"),
    ],
)
def test_what_is_no_entry_is_reported_and_its_body_still_read(
    look: Look, tmp_path: Path, content: bytes, note: str
) -> None:
    path = store(tmp_path, FILE_URL, WHEEL.content)
    path.write_bytes(content)
    lone = store(tmp_path, "https://files.example/lone", b"")
    lone.write_bytes(content)
    body_of(lone).unlink()
    seen = look(tmp_path)
    assert {WHEEL.filename: HeldState.SHADOWED} == states(seen)
    assert any(note in line and line.startswith("2 ") for line in seen.notes)
    assert seen.holdings_complete


def test_an_entry_without_its_body_holds_nothing(look: Look, tmp_path: Path) -> None:
    body_of(store(tmp_path, FILE_URL, WHEEL.content)).unlink()
    seen = look(tmp_path)
    assert not seen.holdings
    assert seen.holdings_complete
    assert any("without a body" in note for note in seen.notes)


def test_a_file_that_may_not_be_read_leaves_the_cache_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path, FILE_URL, WHEEL.content)
    forbid(monkeypatch, "open", str(body_of(path)))
    seen = look(tmp_path)
    assert not seen.holdings_complete
    assert any("may not be read" in note for note in seen.notes)
    named = look(tmp_path, Fingerprint(url=FILE_URL, filename=WHEEL.filename, version="1.2.3"))
    assert {WHEEL.filename: HeldState.UNKNOWN} == states(named)


def test_a_known_url_is_found_where_the_directory_may_not_be_listed(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, FILE_URL, WHEEL.content)
    forbid(monkeypatch, "scandir", str(tmp_path / "http-v2" / entry_path(FILE_URL)[:3]))
    assert not look(tmp_path).holdings
    seen = look(tmp_path, Fingerprint(url=FILE_URL, filename=WHEEL.filename, version="1.2.3"))
    assert {WHEEL.filename: HeldState.HELD} == states(seen)
    assert not seen.holdings_complete
    assert any("may not be listed" in note for note in seen.notes)


def test_a_damaged_entry_of_the_old_layout_is_unknown_if_it_names_the_project(
    look: Look, tmp_path: Path
) -> None:
    for artifact in (WHEEL, OTHER):
        path = tmp_path / "http" / entry_path(artifact.filename)
        path.parent.mkdir(parents=True)
        path.write_bytes(packed({"Date": date(NOW)}, artifact.content)[:-30])
    seen = look(tmp_path)
    assert [(h.version, h.state) for h in seen.holdings] == [("1.2.3", HeldState.UNKNOWN)]
    assert not seen.holdings_complete


def test_links_are_not_followed_and_fifos_do_not_block(look: Look, tmp_path: Path) -> None:
    path = store(tmp_path / "cache", "https://files.example/other", OTHER.content)
    os.mkfifo(path.parent / ("f" * 56))
    assert look(tmp_path / "cache").holdings_complete
    store(tmp_path / "elsewhere", FILE_URL, WHEEL.content)
    (tmp_path / "cache" / "http-v2" / "link").symlink_to(tmp_path / "elsewhere" / "http-v2")
    seen = look(tmp_path / "cache")
    assert not seen.holdings
    assert not seen.holdings_complete
    assert any("symbolic links" in note for note in seen.notes)


def test_a_cache_that_is_itself_a_link_is_read(look: Look, tmp_path: Path) -> None:
    store(tmp_path / "data", FILE_URL, WHEEL.content)
    (tmp_path / "pip").symlink_to(tmp_path / "data")
    assert {WHEEL.filename: HeldState.HELD} == states(look(tmp_path / "pip"))


def test_a_file_that_pip_removes_meanwhile_is_no_fault(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path, FILE_URL, WHEEL.content)
    store(tmp_path, "https://files.example/other", OTHER.content)
    real = store_disk._open

    def vanishing(name: str) -> int:
        if name == str(path):
            path.unlink(missing_ok=True)
            body_of(path).unlink(missing_ok=True)
        return real(name)

    monkeypatch.setattr(store_disk, "_open", vanishing)
    seen = look(tmp_path)
    assert not seen.holdings
    assert not seen.notes
    assert seen.holdings_complete


def test_a_file_of_another_user_is_read_without_the_right_to_hide_it(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, FILE_URL, WHEEL.content)
    real = os.open

    def refusing(path: str, flags: int, *arguments: int) -> int:
        if flags & store_disk._NO_ATIME:
            raise PermissionError(1, "Operation not permitted", path)
        return real(path, flags, *arguments)

    monkeypatch.setattr(os, "open", refusing)
    assert {WHEEL.filename: HeldState.HELD} == states(look(tmp_path))


@pytest.mark.parametrize("origin", ["", "[]", '{"archive_info": null}', "\x00", "{}"])
def test_a_built_wheel_with_a_damaged_origin_is_known_by_its_name(
    look: Look, tmp_path: Path, origin: str
) -> None:
    directory = tmp_path / "wheels" / "aa" / "bb" / "cc" / "rest"
    directory.mkdir(parents=True)
    (directory / WHEEL.filename).write_bytes(WHEEL.content)
    (directory / "origin.json").write_text(origin)
    (held,) = look(tmp_path).holdings
    assert (WHEEL.filename, None, HeldState.HELD) == (held.filename, held.sha256, held.state)


def test_a_secret_in_an_origin_is_not_shown(look: Look, tmp_path: Path) -> None:
    directory = tmp_path / "wheels" / "aa"
    directory.mkdir(parents=True)
    (directory / WHEEL.filename).write_bytes(WHEEL.content)
    origin = {"url": "https://ci:hunter22@index.example/brokenpkg-1.2.3.tar.gz"}
    (directory / "origin.json").write_text(json.dumps(origin))
    assert "hunter22" not in repr(look(tmp_path))


# -- anything at all

BYTES = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=100).map(lambda b: b"cc=4," + b),
    st.binary(max_size=60).map(lambda b: b"cc=4,\x82\xa8response\x86\xa4body\xc4\x00" + b),
    st.tuples(st.sampled_from([WHEEL.content, SDIST.content]), st.integers(0, 1000)).map(
        lambda cut: cut[0][: cut[1]] + cut[0][cut[1] + 7 :]
    ),
    st.binary(max_size=100).map(lambda b: gzip.compress(b"brokenpkg" + b)),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Date", "Content-Encoding", "Content-Type", "Cache-Control", "Expires"]),
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(["gzip", "deflate", "text/html", JSON["Content-Type"], "max-age=9"]),
        st.just("Fri, 31 Dec 9999 23:59:59 GMT"),
    ),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(head=st.one_of(BYTES, HEADERS.map(packed)), body=BYTES)
def test_no_bytes_stop_the_reading(
    look: Look, tmp_path_factory: pytest.TempPathFactory, head: bytes, body: bytes
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    path = store(cache, FILE_URL, body)
    path.write_bytes(head)
    seen = look(cache, Fingerprint(url=PAGE_URL, sha256=WHEEL.sha256, size=len(WHEEL.content)))
    assert seen.outcome is Outcome.OBSERVED
    msgspec.json.encode(seen.notes)


def test_the_kind_warns_of_the_command_that_does_not_help() -> None:
    (purge,) = [r for r in KIND.remedies if "purge" in r.command]
    assert "`pip cache remove` does not help" in purge.caution
    assert Status.LATENT in purge.statuses
