"""What locks, constraints, images and environments force or contain, and what that means."""

from __future__ import annotations

import pytest

from auditor.model import (
    HeldState,
    Integrity,
    Outcome,
    Pin,
    PinnedFile,
    PinState,
    Status,
    Verdict,
)

from .stage import BROKEN, codes, held, location, observe, plan, run, verdict

OTHER = "0" * 64


def entry(version: str | None = "1.2.3", **facts: object) -> Pin:
    known = {"where": "uv.lock:7", "state": PinState.FORCED, "version": version}
    return Pin(**{**known, **facts})


def judged(*pins: Pin, complete: bool = True, **facts: object) -> Verdict:
    seen = observe("lock", pins=pins, holdings_complete=complete, connected=None, **facts)
    return verdict(seen, kind="lock", required=False)


def test_an_entry_that_forces_the_broken_release_is_pinned() -> None:
    found = judged(entry())
    assert found.status is Status.PINNED
    assert "uv.lock:7" in found.reasons[0].observed
    assert found.broken.held is HeldState.NOT_HELD
    assert found.broken.listed is None


def test_a_release_that_is_installed_is_pinned_as_well() -> None:
    installed = entry(state=PinState.INSTALLED)
    assert judged(installed, holdings=(held(HeldState.HELD),)).status is Status.PINNED


@pytest.mark.parametrize("fact", ["hash", "hash and other version"])
def test_a_hash_of_the_broken_bytes_pins_whatever_the_entry_calls_it(fact: str) -> None:
    file = PinnedFile(hashes={"sha256": BROKEN.hashes["sha256"]})
    version = None if fact == "hash" else "1.2.2"
    found = judged(entry(version, files=(file,)))
    assert found.status is Status.PINNED
    assert "by hash" in found.reasons[0].text


@pytest.mark.parametrize(
    ("specifier", "status"),
    [
        ("<1.2.4", Status.BEHIND),
        ("==1.2.2", Status.BEHIND),
        (">=1.2.3,<1.2.4", Status.PINNED),
        ("==1.2.3", Status.PINNED),
        ("==1.2.*", Status.CLEAN),
        (">=1", Status.CLEAN),
        ("!=1.2.3", Status.CLEAN),
        ("", Status.CLEAN),
        ("<<1", Status.UNKNOWN),
    ],
)
def test_a_range_is_judged_by_what_it_admits(specifier: str, status: Status) -> None:
    found = judged(entry(None, state=PinState.RANGE, specifier=specifier))
    assert found.status is status


def test_an_address_that_tells_no_version_is_unknown_unless_its_hash_is() -> None:
    link = PinnedFile(filename="brokenpkg.git@main", url="git+https://git.example/brokenpkg.git")
    assert judged(entry(None, files=(link,))).status is Status.UNKNOWN
    assert judged(entry(None, files=(PinnedFile(hashes={"md5": "0" * 32}),))).status is (
        Status.UNKNOWN
    )
    other = PinnedFile(hashes={"sha256": OTHER})
    assert judged(entry(None, files=(other,))).status is Status.CLEAN


def test_a_pin_to_an_older_release_admits_no_fix() -> None:
    found = judged(entry("1.2.2"))
    assert (found.status, found.reasons[0].code) == (Status.BEHIND, "fix-excluded")


def test_an_environment_with_an_older_release_is_not_capped() -> None:
    assert judged(entry("1.2.2", state=PinState.INSTALLED)).status is Status.CLEAN


def test_a_pin_to_the_fix_is_clean() -> None:
    assert judged(entry("1.2.4")).status is Status.CLEAN


def test_what_is_not_mentioned_is_absent() -> None:
    assert judged(outcome=Outcome.ABSENT).status is Status.ABSENT


def test_what_was_not_read_to_its_end_is_never_clean() -> None:
    found = judged(entry("1.2.4"), complete=False)
    assert (found.status, found.reasons[0].code) == (Status.UNKNOWN, "unreadable")
    assert judged(entry("1.2.3"), complete=False).status is Status.PINNED


@pytest.mark.parametrize(
    ("marker", "status"),
    [
        ("python_version < '3.8'", Status.CLEAN),
        ("sys_platform == 'win32'", Status.PINNED),
        ("sys_platform == 'darwin'", Status.CLEAN),
        ("python_version >= '3.13' and platform_machine == 'AMD64'", Status.PINNED),
        ("extra == 'test'", Status.PINNED),
        ("what is this", Status.PINNED),
    ],
)
def test_a_marker_is_judged_in_the_audited_environments(marker: str, status: Status) -> None:
    assert judged(entry(marker=marker)).status is status


def test_bytes_that_something_hides_are_latent_not_pinned() -> None:
    hidden = entry(state=PinState.SHADOWED)
    fixed = entry("1.2.4", state=PinState.INSTALLED)
    found = judged(hidden, fixed, holdings=(held(HeldState.SHADOWED),))
    assert found.status is Status.LATENT
    assert found.broken.held is HeldState.SHADOWED


def test_a_lock_that_names_other_bytes_is_tampered() -> None:
    file = PinnedFile(filename=BROKEN.filename, hashes={"sha256": OTHER})
    assert judged(entry(files=(file,))).status is Status.TAMPERED


def test_a_digest_without_a_name_accuses_nobody() -> None:
    file = PinnedFile(hashes={"sha256": OTHER})
    assert judged(entry(files=(file,))).status is Status.PINNED


@pytest.mark.parametrize("integrity", [Integrity.PATCHED, Integrity.REPLACED])
def test_code_that_is_not_the_releases_is_told(integrity: Integrity) -> None:
    found = judged(entry(state=PinState.INSTALLED, integrity=integrity, how="2 files differ"))
    assert f"code-{integrity.value}" in codes(found)
    assert found.status is Status.PINNED


def test_pins_count_in_what_deleting_would_break() -> None:
    seen = observe("lock", pins=(entry(),), holdings_complete=True, connected=None)
    found = run(plan(location("lock", "lock", required=False)), seen)
    assert found.deletion.would_break_pins == 1
    assert found.summary.by_status[Status.PINNED] == 1
    assert found.summary.exit_code == 1
