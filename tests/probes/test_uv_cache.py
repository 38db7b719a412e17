"""Kind `uv-cache` against caches that nobody should have: cut, foreign, hostile, unreadable."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.lab.artifacts import build_wheel
from auditor.model import (
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    Plan,
    Role,
    Status,
)
from auditor.observations import encode
from auditor.selection import parse_environment
from auditor.verdict import judge
from probes.http_stores import disk as store_disk
from probes.uv_cache import KIND

from .conftest import MakeAssignment
from .laid_caches import ARCHIVE_ID, INDEX, NEW_PAGE, OLD_PAGE, lay_uv_page, lay_uv_wheel

WHEEL, OTHER = build_wheel("brokenpkg", "1.2.3"), build_wheel("otherpkg", "1.2.3")
FETCHED = datetime(2026, 11, 23, 7, 43, 44, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)

Look = Callable[..., Observation]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    def run(path: Path, *prints: Fingerprint) -> Observation:
        location = assign(path=str(path), kind="uv-cache", role=Role.STORE, fingerprints=prints)
        observation = asyncio.run(_observe(location))
        encode(observation)  # whatever was met can be stored
        return observation

    async def _observe(assignment: object) -> Observation:
        return await KIND.observe(assignment)

    return run


def states(observation: Observation) -> list[tuple[str | None, HeldState]]:
    return [(h.version, h.state) for h in observation.holdings]


HELD = [("1.2.3", HeldState.HELD)]


@pytest.mark.parametrize(
    ("below", "outcome"),
    [
        ("uv", Outcome.UNREACHABLE),
        (".cache/uv", Outcome.ABSENT),
        ("not-mounted/.cache/uv", Outcome.UNREACHABLE),
        ("*/.cache/uv", Outcome.UNREACHABLE),
    ],
)
def test_a_missing_cache_is_absent_only_where_its_place_is_known(
    look: Look, tmp_path: Path, below: str, outcome: Outcome
) -> None:
    seen = look(tmp_path / below)
    assert outcome is seen.outcome
    assert not seen.holdings_complete


def test_a_directory_that_is_no_cache_of_uv_is_said_to_be_none(look: Look, tmp_path: Path) -> None:
    (tmp_path / "thesis-v2.txt").write_text("…")
    seen = look(tmp_path)
    assert seen.outcome is Outcome.MALFORMED
    assert "no uv cache" in seen.detail
    assert "uv cache dir" in seen.detail


def test_a_cache_without_the_project_was_read_to_its_end(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    seen = look(tmp_path)
    assert seen.outcome is Outcome.OBSERVED
    assert seen.holdings_complete
    assert not seen.holdings
    assert not seen.notes


def test_a_digest_or_a_url_finds_what_names_another_project(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, OTHER, url="https://files.example/aa/other.whl")
    by_digest = look(tmp_path, Fingerprint(sha256=OTHER.sha256, version="1.2.3"))
    assert [(OTHER.filename, OTHER.sha256)] == [(h.filename, h.sha256) for h in by_digest.holdings]
    url = Fingerprint(url="https://files.example/aa/other.whl", version="1.2.3")
    assert states(look(tmp_path, url)) == HELD


@pytest.mark.parametrize("bucket", ["archive-v1", "wheels-v99", "simple-v26", "mystery-v0"])
def test_a_bucket_of_unknown_layout_leaves_the_cache_unknown_and_says_so(
    look: Look, tmp_path: Path, bucket: str
) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    assert look(tmp_path).holdings_complete
    (tmp_path / bucket).mkdir()
    seen = look(tmp_path)
    assert seen.outcome is Outcome.OBSERVED
    assert not seen.holdings_complete
    assert any(bucket in note and "does not know" in note for note in seen.notes)


def test_what_looks_like_a_wheel_in_an_unknown_layout_is_found_all_the_same(
    look: Look, tmp_path: Path
) -> None:
    lay_uv_wheel(tmp_path, WHEEL, wheels="wheels-v99")
    (tmp_path / "archive-v0").rename(tmp_path / "archive-v7")
    seen = look(tmp_path)
    assert states(seen) == HELD
    assert not seen.holdings_complete


@pytest.mark.parametrize(
    "place",
    ["environments-v2/tool-1", "builds-v0/.tmpx", f"archive-v0/{ARCHIVE_ID}x"],
)
def test_what_is_installed_in_an_environment_of_uv_is_held(
    look: Look, tmp_path: Path, place: str
) -> None:
    unpacked = lay_uv_wheel(tmp_path, WHEEL, pointer=False)
    target = tmp_path / place / "lib" / "python3.11" / "site-packages"
    target.parent.mkdir(parents=True)
    unpacked.rename(target)
    seen = look(tmp_path)
    assert states(seen) == HELD
    assert "installed in an environment" in seen.holdings[0].how


def test_only_metadata_is_no_copy(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    place = tmp_path / "wheels-v8" / INDEX / "brokenpkg" / "1.2.3-py3-none-any.msgpack"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x96")
    seen = look(tmp_path)
    assert not seen.holdings
    assert seen.holdings_complete
    assert any("metadata of version 1.2.3 was asked for" in note for note in seen.notes)


def test_a_damaged_pointer_loses_the_digest_and_not_the_copy(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, WHEEL)
    (pointer,) = tmp_path.rglob("*.http")
    pointer.write_bytes(pointer.read_bytes()[:9])
    seen = look(tmp_path)
    assert [(None, *HELD[0])] == [(h.sha256, h.version, h.state) for h in seen.holdings]
    pointer.with_suffix("").unlink()
    assert states(look(tmp_path)) == [("1.2.3", HeldState.SHADOWED)]


def test_the_metadata_inside_decides_whatever_the_directory_is_called(
    look: Look, tmp_path: Path
) -> None:
    unpacked = lay_uv_wheel(tmp_path, WHEEL)
    (unpacked / "brokenpkg-1.2.3.dist-info").rename(unpacked / "BrokenPkg-1.2.4.dist-info")
    assert [h.version for h in look(tmp_path).holdings] == ["1.2.3"]


def test_a_record_that_leads_outside_or_to_a_fifo_is_not_followed(
    look: Look, tmp_path: Path
) -> None:
    unpacked = lay_uv_wheel(tmp_path, WHEEL)
    os.mkfifo(unpacked / "fifo")
    record = unpacked / "brokenpkg-1.2.3.dist-info" / "RECORD"
    record.write_text("../../../x,sha256=abc,1\n/etc/passwd,sha256=abc,1\nfifo,sha256=abc,1\n")
    (held,) = look(tmp_path).holdings
    assert (held.state, held.intact) == (HeldState.HELD, None)
    record.unlink()
    assert "its RECORD cannot be read" in look(tmp_path).holdings[0].how


def test_links_are_not_followed_and_leave_the_cache_unknown(look: Look, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    lay_uv_wheel(cache, OTHER)
    lay_uv_wheel(tmp_path / "elsewhere", WHEEL)
    (cache / "archive-v0" / "loop").symlink_to("loop")
    seen = look(cache)
    assert not seen.holdings_complete
    shutil.rmtree(cache / "archive-v0")
    (cache / "archive-v0").symlink_to(tmp_path / "elsewhere" / "archive-v0")
    seen = look(cache)
    assert not seen.holdings
    assert not seen.holdings_complete


def test_names_that_are_no_text_or_steer_a_terminal_are_made_harmless(
    look: Look, tmp_path: Path
) -> None:
    unpacked = lay_uv_wheel(tmp_path, WHEEL)
    unpacked.rename(unpacked.with_name("\x1b[2J\n"))
    odd = os.fsdecode(b"mystery\xff-v1")
    (tmp_path / odd).mkdir()
    (tmp_path / "simple-v28" / "\x1b[31m").mkdir(parents=True)
    (tmp_path / "simple-v28" / "\x1b[31m" / "link").symlink_to("link")
    seen = look(tmp_path)
    assert [h.version for h in seen.holdings] == ["1.2.3"]
    assert "\x1b" not in repr(seen.holdings) + repr(seen.notes) + repr(seen.evidence)


def test_a_directory_that_may_not_be_listed_leaves_the_cache_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    refuse(monkeypatch, tmp_path / "archive-v0")
    seen = look(tmp_path)
    assert seen.outcome is Outcome.OBSERVED
    assert not seen.holdings_complete
    refuse(monkeypatch, tmp_path)
    assert look(tmp_path).outcome is Outcome.DENIED


def refuse(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Take away the right to list a directory; root, who may run the tests, has it always."""
    real = os.scandir

    def scandir(path: str | Path) -> object:
        if str(path) == str(place):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_what_uv_removes_meanwhile_is_no_fault(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_uv_wheel(tmp_path, WHEEL)
    lay_uv_page(tmp_path)
    real = store_disk._open

    def vanishing(name: str) -> int:
        if name.endswith((".http", ".rkyv")):
            Path(name).unlink(missing_ok=True)
            shutil.rmtree(tmp_path / "archive-v0", ignore_errors=True)
        return real(name)

    monkeypatch.setattr(store_disk, "_open", vanishing)
    seen = look(tmp_path)
    assert not seen.holdings
    assert not seen.pages
    assert seen.holdings_complete


# -- pages


def test_a_page_is_read_with_the_time_until_which_uv_trusts_it(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    lay_uv_page(tmp_path)
    (page,) = look(tmp_path).pages
    assert page.outcome is PageOutcome.OBSERVED
    assert [c.version for c in page.candidates] == ["1.2.2", "1.2.2", "1.2.3", "1.2.3"]
    assert [c.requires_python for c in page.candidates] == [">=3.8"] * 4
    assert WHEEL.sha256 in {c.hashes["sha256"] for c in page.candidates}
    assert (page.freshness.fetched_at, page.freshness.expires_at) == (
        FETCHED,
        FETCHED + TEN_MINUTES,
    )


def test_of_an_older_page_only_the_time_is_read_and_it_says_so(look: Look, tmp_path: Path) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    lay_uv_page(tmp_path, OLD_PAGE, "simple-v20")
    (page,) = look(tmp_path).pages
    assert page.outcome is PageOutcome.MALFORMED
    assert "simple-v20" in page.detail
    assert page.freshness.fetched_at is not None
    assert page.freshness.expires_at == page.freshness.fetched_at + TEN_MINUTES


@pytest.mark.parametrize(
    ("minutes", "cut", "status"),
    [(1, 0, Status.UNKNOWN), (11, 0, Status.CLEAN), (11, 1, Status.UNKNOWN)],
    ids=["fresh", "expired", "damaged"],
)
async def test_a_page_that_is_not_read_forbids_clean_as_long_as_uv_may_trust_it(
    assign: MakeAssignment, tmp_path: Path, minutes: int, cut: int, status: Status
) -> None:
    await asyncio.to_thread(lay_uv_wheel, tmp_path, OTHER)
    await asyncio.to_thread(lay_uv_page, tmp_path, OLD_PAGE[: len(OLD_PAGE) - cut], "simple-v20")
    work = assign(path=str(tmp_path), kind="uv-cache", role=Role.STORE)
    at = datetime(2026, 11, 23, 7, 52, 41, tzinfo=UTC) + timedelta(minutes=minutes)
    observation = await KIND.observe(replace(work, now=lambda: at))
    plan = Plan(
        incidents=(work.incident,),
        locations=(work.location,),
        vantage=work.vantage,
        environments=(parse_environment("cp311-manylinux_2_28_x86_64"),),
        kinds={KIND.name: KIND.facts()},
        tool_version="0",
        created_at=at,
    )
    (run,) = judge(plan, [observation])
    assert [status] == [verdict.status for verdict in run.verdicts]


@pytest.mark.parametrize("bucket", ["simple-v20", "simple-v28"])
def test_a_page_of_another_layout_than_its_bucket_says_is_never_read_as_if_it_were(
    look: Look, tmp_path: Path, bucket: str
) -> None:
    lay_uv_wheel(tmp_path, OTHER)
    lay_uv_page(tmp_path, OLD_PAGE if bucket == "simple-v28" else NEW_PAGE, bucket)
    (page,) = look(tmp_path).pages
    assert page.outcome is PageOutcome.MALFORMED
    assert page.freshness.expires_at is None


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    at=st.integers(0, len(NEW_PAGE)),
    noise=st.binary(max_size=12),
    cut=st.integers(0, len(NEW_PAGE)),
)
def test_no_bytes_stop_the_reading_of_a_page(
    look: Look, tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes, cut: int
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    lay_uv_wheel(cache, OTHER)
    content = NEW_PAGE[:at] + noise + NEW_PAGE[at + len(noise) :]
    lay_uv_page(cache, content if cut % 2 else content[:cut])
    (page,) = look(cache).pages
    assert page.complete is (page.outcome is PageOutcome.OBSERVED)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.one_of(st.binary(max_size=80), st.just(b"\x95" * 4000), st.just(b"\xdf" * 9)))
def test_no_bytes_of_a_pointer_stop_the_reading(
    look: Look, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    lay_uv_wheel(cache, WHEEL)
    (pointer,) = cache.rglob("*.http")
    pointer.write_bytes(content)
    assert states(look(cache, Fingerprint(sha256=WHEEL.sha256))) == HELD


def test_the_kind_warns_of_the_command_that_does_not_help() -> None:
    (clean,) = [r for r in KIND.remedies if "cache clean" in r.command]
    assert "`uv cache prune` does not help" in clean.caution
    assert {Status.LATENT, Status.EXPOSED} <= set(clean.statuses)
