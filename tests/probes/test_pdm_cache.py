"""Kind `pdm-cache` against caches that nobody should have: cut, foreign, hostile, in use."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.lab.artifacts import build_sdist, build_wheel
from auditor.model import Fingerprint, HeldState, Observation, Outcome, Role, Status
from auditor.observations import encode
from probes.pdm_cache import KIND
from probes.pdm_store import database as store
from probes.pdm_store.freshness import expires_at

from .conftest import MakeAssignment
from .laid_caches import lay_uv_wheel, pdm_database, store_answer

WHEEL, SDIST = build_wheel("brokenpkg", "1.2.3"), build_sdist("brokenpkg", "1.2.3")
OTHER = build_wheel("otherpkg", "1.2.3")
URL = f"https://files.example/aa/{WHEEL.filename}"
PAGE_URL = "https://index.example/simple/brokenpkg/"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

Look = Callable[..., Observation]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    def run(path: Path, *prints: Fingerprint) -> Observation:
        location = assign(path=str(path), kind="pdm-cache", role=Role.STORE, fingerprints=prints)
        observation = asyncio.run(_observe(location))
        encode(observation)  # whatever was met can be stored
        return observation

    async def _observe(assignment: object) -> Observation:
        return await KIND.observe(assignment)

    return run


@pytest.fixture(autouse=True)
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies go; none may stay."""
    directory = tmp_path / "copies"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def test_a_directory_that_is_no_cache_of_pdm_is_said_to_be_none(look: Look, tmp_path: Path) -> None:
    (tmp_path / "pdm" / "thesis").mkdir(parents=True)
    seen = look(tmp_path / "pdm")
    assert seen.outcome is Outcome.MALFORMED
    assert "pdm config cache_dir" in seen.detail


@pytest.mark.parametrize("artifact", [WHEEL, SDIST], ids=["wheel", "source"])
def test_a_body_in_many_chunks_is_recognised_by_its_content(
    look: Look, tmp_path: Path, copies: Path, artifact: object
) -> None:
    assert isinstance(artifact, type(WHEEL))
    database = pdm_database(tmp_path / "pdm")
    store_answer(database, "https://files.example/opaque", artifact.content, chunk_bytes=100)
    store_answer(database, "https://files.example/other", OTHER.content)
    seen = look(tmp_path / "pdm")
    (held,) = seen.holdings
    assert (held.sha256, held.version) == (artifact.sha256, "1.2.3")
    assert (held.state, held.intact) == (HeldState.HELD, True)
    assert seen.holdings_complete
    assert not list(copies.iterdir())


def test_a_digest_or_a_url_finds_what_names_another_project(look: Look, tmp_path: Path) -> None:
    store_answer(pdm_database(tmp_path / "pdm"), URL, OTHER.content)
    assert not look(tmp_path / "pdm").holdings
    for known in (Fingerprint(sha256=OTHER.sha256, version="1.2.3"), Fingerprint(url=URL)):
        (held,) = look(tmp_path / "pdm", known).holdings
        assert (held.sha256, held.state) == (OTHER.sha256, HeldState.HELD)


def test_what_is_marked_as_deleted_lies_here_still(look: Look, tmp_path: Path) -> None:
    store_answer(pdm_database(tmp_path / "pdm"), URL, WHEEL.content, deleted=True)
    (held,) = look(tmp_path / "pdm").holdings
    assert held.state is HeldState.SHADOWED
    assert "marked it for removal" in held.how


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b'{"json": 1}'])
def test_an_entry_that_cannot_be_read_does_not_hide_its_body(
    look: Look, tmp_path: Path, data: bytes
) -> None:
    store_answer(pdm_database(tmp_path / "pdm"), URL, WHEEL.content, data=data)
    (held,) = look(tmp_path / "pdm").holdings
    assert (held.version, held.state) == ("1.2.3", HeldState.SHADOWED)


def test_a_page_is_read_with_its_url_and_without_its_password(look: Look, tmp_path: Path) -> None:
    file = {"filename": WHEEL.filename, "url": f"../../{WHEEL.filename}", "hashes": {}}
    page = {"meta": {"api-version": "1.1"}, "name": "brokenpkg", "files": [file]}
    headers = {
        "Content-Type": "application/vnd.pypi.simple.v1+json",
        "Content-Encoding": "gzip",
        "Cache-Control": "max-age=600",
        "Date": "Mon, 23 Nov 2026 12:00:00 GMT",
    }
    database = pdm_database(tmp_path / "pdm")
    url = PAGE_URL.replace("//", "//ci:hunter22@")
    store_answer(database, url, gzip.compress(json.dumps(page).encode()), headers=headers)
    seen = look(tmp_path / "pdm")
    (found,) = seen.pages
    assert [c.version for c in found.candidates] == ["1.2.3"]
    assert found.freshness.expires_at == NOW + timedelta(seconds=600)
    assert "hunter22" not in repr(seen)
    assert "index.example/simple/brokenpkg" in found.url


@pytest.mark.parametrize(
    ("headers", "lifetime_s"),
    [
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": "max-age=600, s-maxage=60"}, 60),
        ({"cache-control": 'Max-Age="600"'}, 600),
        ({"cache-control": "max-age=600, no-cache"}, 0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 GMT"}, 300),
        ({"last-modified": "Mon, 23 Nov 2026 09:30:00 GMT"}, 1000),
        ({"last-modified": "Mon, 23 Nov 2020 09:30:00 GMT"}, 7 * 86_400),
        ({"age": "599", "cache-control": "max-age=600"}, 600),
        ({"cache-control": "max-age=x"}, 0),
        ({}, 0),
    ],
)
def test_until_when_pdm_trusts_a_page_is_reckoned_as_hishel_does(
    headers: dict[str, str], lifetime_s: int
) -> None:
    dated = {"date": "Mon, 23 Nov 2026 12:00:00 GMT", **headers}
    assert expires_at(dated, NOW) == NOW + timedelta(seconds=lifetime_s)


def test_a_page_without_a_date_never_ages_until_pdm_throws_it_away() -> None:
    assert expires_at({"cache-control": "max-age=1"}, NOW) == NOW + timedelta(days=7)


# -- databases that nobody should have


def test_what_is_no_database_is_never_clean(look: Look, tmp_path: Path) -> None:
    database = pdm_database(tmp_path / "pdm")
    database.write_bytes(b"no database" * 1000)
    seen = look(tmp_path / "pdm")
    assert seen.outcome is Outcome.OBSERVED
    assert not seen.holdings_complete
    assert any("cannot be read to their end" in note for note in seen.notes)


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE streams",
        "ALTER TABLE entries RENAME COLUMN data TO other",
        "DROP TABLE entries; CREATE VIEW entries AS WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL "
        "SELECT id + 1 FROM r) SELECT id, id AS data, id AS deleted_at FROM r",
        "INSERT INTO entries VALUES (7, NULL, 'text', 0, NULL)",
    ],
)
def test_tables_of_another_layout_are_never_clean_and_never_run(
    look: Look, tmp_path: Path, script: str
) -> None:
    database = pdm_database(tmp_path / "pdm")
    with closing(sqlite3.connect(database)) as db:
        db.executescript(script)
    assert not look(tmp_path / "pdm").holdings_complete


def test_a_database_that_is_written_all_the_time_is_told_and_never_clean(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(pdm_database(tmp_path / "pdm"), URL, WHEEL.content)
    ticks = itertools.count()
    monkeypatch.setattr(store, "_state_of", lambda path: (1, 1, next(ticks)))
    seen = look(tmp_path / "pdm")
    assert [h.state for h in seen.holdings] == [HeldState.HELD]
    assert not seen.holdings_complete
    assert any("audit again when PDM is done" in note for note in seen.notes)


def test_a_copy_that_has_no_room_names_the_cure(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdm_database(tmp_path / "pdm")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1))
    seen = look(tmp_path / "pdm")
    assert not seen.holdings_complete
    assert any("set TMPDIR" in note for note in seen.notes)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 20_000), noise=st.binary(min_size=1, max_size=40))
def test_no_bytes_of_a_database_stop_the_reading(
    look: Look, tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    database = cache / "http" / "http-cache.db"
    database.parent.mkdir()
    content = whole_database(tmp_path_factory)
    database.write_bytes(content[:at] + noise + content[at + len(noise) :])
    assert look(cache).outcome is Outcome.OBSERVED


_WHOLE: list[bytes] = []


def whole_database(factory: pytest.TempPathFactory) -> bytes:
    if not _WHOLE:
        database = pdm_database(factory.mktemp("whole"))
        store_answer(database, URL, WHEEL.content)
        _WHOLE.append(database.read_bytes())
    return _WHOLE[0]


# -- what lies beside it


def test_files_of_an_older_layout_leave_the_cache_unknown(look: Look, tmp_path: Path) -> None:
    database = pdm_database(tmp_path / "pdm")
    (database.parent / "0a1b2c").write_bytes(b"")
    seen = look(tmp_path / "pdm")
    assert not seen.holdings_complete
    assert any("0a1b2c" in note for note in seen.notes)


def test_unpacked_and_built_wheels_are_found_and_links_are_not_followed(
    look: Look, tmp_path: Path
) -> None:
    cache = tmp_path / "pdm"
    unpacked = lay_uv_wheel(tmp_path / "elsewhere", WHEEL)
    (cache / "packages").mkdir(parents=True)
    unpacked.rename(cache / "packages" / f"{WHEEL.filename}.cache")
    built = cache / "wheels" / "aa" / "bb" / "cc" / "rest" / WHEEL.filename
    built.parent.mkdir(parents=True)
    built.write_bytes(WHEEL.content)
    seen = look(cache)
    assert [(WHEEL.filename, None, HeldState.HELD)] * 2 == [
        (h.filename, h.sha256, h.state) for h in seen.holdings
    ]
    assert seen.holdings_complete
    (cache / "packages" / "loop").symlink_to("loop")
    assert not look(cache).holdings_complete
    (cache / "http").symlink_to(tmp_path / "elsewhere")
    assert any("stores that are symbolic links" in note for note in look(cache).notes)


def test_the_kind_warns_of_the_command_that_does_not_help() -> None:
    (clear,) = KIND.remedies
    assert "`pdm cache remove` does not help" in clear.caution
    assert {Status.LATENT, Status.EXPOSED} <= set(clear.statuses)
