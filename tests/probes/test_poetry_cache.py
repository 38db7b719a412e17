"""Kind `poetry-cache` against caches that nobody should have: cut, renamed, hostile, unreadable."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.lab.artifacts import build_sdist, build_wheel
from auditor.model import Fingerprint, HeldState, Observation, Outcome, Role, Status
from auditor.observations import encode
from probes.http_stores import disk as store_disk
from probes.poetry_cache import KIND

from .conftest import MakeAssignment
from .laid_caches import lay_artifact, lay_release, lay_uv_wheel

WHEEL, SDIST = build_wheel("brokenpkg", "1.2.3"), build_sdist("brokenpkg", "1.2.3")
FIXED, OTHER = build_wheel("brokenpkg", "1.2.4"), build_wheel("otherpkg", "1.2.3")

Look = Callable[..., Observation]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    def run(path: Path, *prints: Fingerprint) -> Observation:
        location = assign(path=str(path), kind="poetry-cache", role=Role.STORE, fingerprints=prints)
        observation = asyncio.run(_observe(location))
        encode(observation)  # whatever was met can be stored
        return observation

    async def _observe(assignment: object) -> Observation:
        return await KIND.observe(assignment)

    return run


def test_a_directory_that_is_no_cache_of_poetry_is_said_to_be_none(
    look: Look, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    seen = look(tmp_path)
    assert seen.outcome is Outcome.MALFORMED
    assert "poetry config cache-dir" in seen.detail


def test_a_cache_without_the_project_was_read_to_its_end(look: Look, tmp_path: Path) -> None:
    lay_artifact(tmp_path, OTHER)
    lay_release(tmp_path, OTHER)
    seen = look(tmp_path)
    assert seen.holdings_complete
    assert not seen.holdings
    assert not seen.notes


def test_a_file_of_known_origin_has_its_digest_and_one_that_may_be_built_here_has_none(
    look: Look, tmp_path: Path
) -> None:
    lay_artifact(tmp_path, WHEEL)
    (unknown,) = look(tmp_path).holdings
    assert (unknown.sha256, unknown.state) == (None, HeldState.HELD)
    assert "may have been built here" in unknown.how
    lay_release(tmp_path, WHEEL)
    (known,) = look(tmp_path).holdings
    assert known.sha256 == WHEEL.sha256


def test_a_wheel_that_poetry_built_beside_its_source_accuses_nobody(
    look: Look, tmp_path: Path
) -> None:
    source = lay_artifact(tmp_path, SDIST)
    # The same file name as that of the release, and other bytes.
    built = build_wheel("brokenpkg", "1.2.3", requires_python=">=3.9").content
    (source.parent / WHEEL.filename).write_bytes(built)
    lay_release(tmp_path, SDIST)
    digests = {h.filename: h.sha256 for h in look(tmp_path).holdings}
    assert digests == {SDIST.filename: SDIST.sha256, WHEEL.filename: None}


def test_a_file_named_after_the_fix_that_holds_the_broken_release_is_broken(
    look: Look, tmp_path: Path
) -> None:
    lay_artifact(tmp_path, WHEEL, name=FIXED.filename)
    (held,) = look(tmp_path).holdings
    assert (held.filename, held.version, held.state) == (FIXED.filename, "1.2.3", HeldState.HELD)
    assert "whatever its name says" in held.how


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_cut_or_empty_file_is_unknown_and_accuses_nobody(
    look: Look, tmp_path: Path, size: int
) -> None:
    path = lay_artifact(tmp_path, WHEEL)
    lay_release(tmp_path, WHEEL)
    path.write_bytes(WHEEL.content[:size])
    seen = look(tmp_path)
    (held,) = seen.holdings
    assert (held.state, held.intact) == (HeldState.UNKNOWN, False)
    assert (held.sha256, held.version) == (None, "1.2.3")
    assert not seen.holdings_complete


def test_the_place_of_a_known_url_is_recognised_whatever_lies_there(
    look: Look, tmp_path: Path
) -> None:
    path = lay_artifact(tmp_path, WHEEL, url="https://files.example/opaque", name="opaque.whl")
    path.write_bytes(b"not a wheel")
    assert not look(tmp_path).holdings
    known = Fingerprint(url="https://files.example/opaque", sha256=WHEEL.sha256, version="1.2.3")
    (held,) = look(tmp_path, known).holdings
    assert held.state is HeldState.UNKNOWN


def test_a_digest_finds_a_file_under_any_name(look: Look, tmp_path: Path) -> None:
    lay_artifact(tmp_path, OTHER, name="innocent.zip")
    (held,) = look(tmp_path, Fingerprint(sha256=OTHER.sha256, version="1.2.3")).holdings
    assert (held.sha256, held.state) == (OTHER.sha256, HeldState.HELD)


def test_a_description_that_never_expires_is_told_and_holds_nothing(
    look: Look, tmp_path: Path
) -> None:
    lay_release(tmp_path, WHEEL)
    seen = look(tmp_path)
    assert not seen.holdings
    assert seen.holdings_complete
    assert any("describes brokenpkg 1.2.3 for ever" in note for note in seen.notes)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.integers(-9, 10**40).map(lambda n: f"{n:010}{{}}".encode()),
        st.just(b"9999999998" + b'{"name":"brokenpkg","version":"1.2.3","files":[{}]}'),
        st.just(b"9999999999" + b"[" * 50_000),
        st.just(b"9999999999" + b'{"name":"\\ud800","version":"\\u001b[2J"}'),
    )
)
def test_no_bytes_of_a_description_stop_the_reading(
    look: Look, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    lay_release(cache, WHEEL, content)
    seen = look(cache)
    assert seen.outcome is Outcome.OBSERVED
    assert "\x1b" not in repr(seen.notes)


@pytest.mark.parametrize("place", ["mystery", "cache/mystery"])
def test_what_poetry_does_not_keep_today_leaves_the_cache_unknown(
    look: Look, tmp_path: Path, place: str
) -> None:
    lay_artifact(tmp_path, OTHER)
    (tmp_path / place).mkdir(parents=True)
    seen = look(tmp_path)
    assert not seen.holdings_complete
    assert any("mystery" in note for note in seen.notes)


def test_an_environment_among_the_caches_is_searched(look: Look, tmp_path: Path) -> None:
    unpacked = lay_uv_wheel(tmp_path / "elsewhere", WHEEL)
    packages = tmp_path / "pypoetry/virtualenvs/demo-py3.11/lib/python3.11/site-packages"
    packages.parent.mkdir(parents=True)
    unpacked.rename(packages)
    (held,) = look(tmp_path / "pypoetry").holdings
    assert (held.version, held.state) == ("1.2.3", HeldState.HELD)


def test_links_are_not_followed_and_names_are_made_harmless(look: Look, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = lay_artifact(cache, WHEEL, name="\x1b[2J\nbrokenpkg-1.2.3-py3-none-any.whl")
    (path.parent / os.fsdecode(b"brokenpkg-1.2.3-\xff.whl")).write_bytes(b"")
    assert look(cache).holdings[0].state is HeldState.HELD
    (path.parent / "loop").symlink_to("loop")
    (cache / "virtualenvs").symlink_to(tmp_path)
    seen = look(cache)
    assert not seen.holdings_complete
    assert "\x1b" not in repr(seen.holdings) + repr(seen.notes) + repr(seen.evidence)


def test_what_poetry_removes_meanwhile_is_no_fault(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_artifact(tmp_path, WHEEL)
    lay_release(tmp_path, WHEEL)
    real = store_disk._open

    def vanishing(name: str) -> int:
        Path(name).unlink(missing_ok=True)
        return real(name)

    monkeypatch.setattr(store_disk, "_open", vanishing)
    seen = look(tmp_path)
    assert not seen.holdings
    assert not seen.notes
    assert seen.holdings_complete


def test_a_file_that_may_not_be_read_is_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_artifact(tmp_path, WHEEL)

    def refusing(name: str) -> int:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(store_disk, "_open", refusing)
    seen = look(tmp_path)
    assert [h.state for h in seen.holdings] == [HeldState.UNKNOWN]
    assert not seen.holdings_complete


def test_the_kind_warns_of_the_command_that_does_not_help() -> None:
    (remove,) = [r for r in KIND.remedies if "artifacts" in r.command]
    assert "`poetry cache clear --all` does not help" in remove.caution
    assert Status.LATENT in remove.statuses
