"""What locks, constraints, images and environments force or contain, and what that means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model import (
    HeldState,
    Integrity,
    KindFacts,
    Outcome,
    Pin,
    PinnedFile,
    PinState,
    RemedyTemplate,
    Role,
    Status,
    Verdict,
)

from .stage import (
    BROKEN,
    FIX,
    GOOD,
    KINDS,
    codes,
    held,
    location,
    observe,
    page,
    plan,
    run,
    source,
    verdict,
    wheel,
)

OTHER = "0" * 64


def entry(version: str | None = "1.2.3", **facts: object) -> Pin:
    known = {"where": "uv.lock:7", "state": PinState.FORCED, "version": version}
    if facts.get("state") is PinState.INSTALLED:
        known["integrity"] = Integrity.INTACT
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
        ("sys_platform == 'cygwin'", Status.CLEAN),
        ("platform_python_implementation == 'PyPy'", Status.CLEAN),
        ("implementation_name == 'cpython'", Status.PINNED),
        # No environment decides these: the auditor's own interpreter must not fill them in.
        ("platform_release == 'no such kernel'", Status.PINNED),
        ("platform_version == ''", Status.PINNED),
        ("implementation_version >= '3.12'", Status.PINNED),
        ("(" * 3000, Status.PINNED),
        ("python_version < '3.0' or " * 300 + "python_version < '3.0'", Status.PINNED),
        ("python_version >= '3.13' and platform_machine == 'AMD64'", Status.PINNED),
        ("extra == 'test'", Status.PINNED),
        # What is not decided saves nothing that is, and what is decides all the same.
        ("extra == 'test' and python_version < '3.8'", Status.CLEAN),
        ("'and os_name' in extras and (sys_platform == 'cygwin' or os_name == '')", Status.CLEAN),
        ("(extra == 'a' or sys_platform == 'cygwin') and os_name == 'posix'", Status.PINNED),
        ("extra == 'test' or python_version < '3.8'", Status.PINNED),
        ("python_version not in '3.11 3.12' and platform_version != 'x'", Status.PINNED),
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


@pytest.mark.parametrize(
    ("integrity", "code"),
    [
        (Integrity.PATCHED, "code-patched"),
        (Integrity.REPLACED, "code-replaced"),
        (Integrity.EDITABLE, "code-editable"),
        (Integrity.UNKNOWN, "code-unread"),
    ],
)
@pytest.mark.parametrize("version", ["1.2.4", "1.2.2", "3.0"])
def test_code_that_nobody_knows_is_not_clean_whatever_its_metadata_says(
    integrity: Integrity, code: str, version: str
) -> None:
    installed = entry(version, state=PinState.INSTALLED, integrity=integrity, how="1 changed")
    found = judged(installed)
    assert (found.status, codes(found)) == (Status.UNKNOWN, {code})
    assert found.broken.held is HeldState.UNKNOWN
    # Hidden behind code that is whole, nothing imports it.
    whole = entry("1.2.4", state=PinState.INSTALLED)
    assert judged(replace(installed, state=PinState.SHADOWED), whole).status is Status.CLEAN


@pytest.mark.parametrize("integrity", [Integrity.INTACT, Integrity.STATED])
def test_code_that_nothing_contradicts_is_what_its_metadata_says(integrity: Integrity) -> None:
    installed = entry("1.2.4", state=PinState.INSTALLED, integrity=integrity)
    assert judged(installed).status is Status.CLEAN


@pytest.mark.parametrize("integrity", list(Integrity))
@pytest.mark.parametrize("version", ["1.2.4", "1.2.2", None])
def test_the_code_of_the_broken_release_is_pinned_whatever_its_metadata_says(
    integrity: Integrity, version: str | None
) -> None:
    installed = entry(version, state=PinState.INSTALLED, integrity=integrity, code="1.2.3")
    found = judged(installed, holdings=(held(HeldState.HELD),))
    assert (found.status, found.reasons[0].code) == (Status.PINNED, "pinned")
    assert "the code of 1.2.3" in found.reasons[0].observed


def test_code_that_is_known_to_be_that_of_another_release_is_clean() -> None:
    installed = entry(None, state=PinState.INSTALLED, integrity=Integrity.STATED, code="1.2.4")
    assert judged(installed).status is Status.CLEAN


def test_what_was_installed_from_the_broken_file_is_pinned_whatever_it_calls_itself() -> None:
    file = PinnedFile(hashes={"sha256": BROKEN.hashes["sha256"]})
    found = judged(entry("1.2.4", state=PinState.INSTALLED, files=(file,)))
    assert found.status is Status.PINNED


def test_pins_count_in_what_deleting_would_break() -> None:
    seen = observe("lock", pins=(entry(),), holdings_complete=True, connected=None)
    found = run(plan(location("lock", "lock", required=False)), seen)
    assert found.deletion.would_break_pins == 1
    assert found.summary.by_status[Status.PINNED] == 1
    assert found.summary.exit_code == 1


def test_a_pin_stays_whatever_is_deleted_though_it_holds_no_bytes() -> None:
    lock = location("lock", "lock", required=False)
    found = run(plan(lock), observe("lock", pins=(entry(),), holdings_complete=True))

    assert found.deletion.locations == ("lock",)
    assert found.deletion.would_remain == 1


def test_what_holds_in_no_audited_environment_is_told_and_not_called_free_of_it() -> None:
    found = judged(entry(marker="python_version < '3.8'"))
    assert set(codes(found)) == {"clean", "outside-environments"}
    clean = next(r for r in found.reasons if r.code == "clean")
    assert "in any environment that is audited" in clean.text
    assert "1.2.3" not in clean.observed
    outside = next(r for r in found.reasons if r.code == "outside-environments")
    assert "python_version < '3.8'" in outside.text


def of_file(specifier: str, **facts: object) -> Pin:
    known = {"state": PinState.RANGE, "specifier": specifier, "together": "1"}
    return entry(None, **{**known, **facts})


@pytest.mark.parametrize(
    ("requirement", "constraint", "status"),
    [
        (">1.2,!=1.2.4", "<1.2.5", Status.BEHIND),
        (">1.2.2,!=1.2.4", "<1.2.5", Status.PINNED),
        (">=1.2.4", "<1.2.5", Status.CLEAN),
        (">1.2.4", "<1.2.5", Status.BEHIND),
        (">1.2", "", Status.CLEAN),
    ],
)
def test_a_requirement_and_its_constraint_are_judged_together(
    requirement: str, constraint: str, status: Status
) -> None:
    listed = page((GOOD, BROKEN, FIX, wheel("1.2.5")))
    pins = (of_file(requirement), of_file(constraint, where="c.txt:1"))
    seen = observe("lock", pins=pins, holdings_complete=True, connected=None)
    found = verdict(seen, source(listed), kind="lock", required=False)
    assert found.status is status
    if status is not Status.CLEAN:
        assert "c.txt:1" in found.reasons[0].text


def test_entries_that_never_hold_at_once_or_stand_in_other_files_do_not_bind_together() -> None:
    windows, linux = "sys_platform == 'win32'", "sys_platform == 'linux'"
    new, old = of_file(">1.2,!=1.2.4"), of_file("<1.2.5")
    five = source(page((GOOD, BROKEN, FIX, wheel("1.2.5"))))
    for pins in (
        (replace(new, marker=windows), replace(old, marker=linux)),
        (new, replace(old, together="2")),
        (new, replace(old, together="")),
    ):
        seen = observe("lock", pins=pins, holdings_complete=True, connected=None)
        assert verdict(seen, five, kind="lock", required=False).status is Status.CLEAN


@pytest.mark.parametrize("specifier", ["!=1.2.4", "<=1.2.3", "<1.2.4", ">=1.2.3,<1.2.4"])
def test_without_a_list_of_releases_a_cap_is_behind_and_forces_nothing(specifier: str) -> None:
    cap = entry(None, state=PinState.RANGE, specifier=specifier)
    seen = observe("lock", pins=(cap,), holdings_complete=True, connected=None)
    unseen = source(outcome=Outcome.UNREACHABLE, pages=())
    assert verdict(seen, unseen, kind="lock", required=False).status is Status.BEHIND
    exact = replace(cap, specifier="==1.2.3")
    seen = replace(seen, pins=(exact,))
    assert verdict(seen, unseen, kind="lock", required=False).status is Status.PINNED


@pytest.mark.parametrize(
    "pin",
    [
        entry("1.2.3"),
        entry("1.2.2"),
        entry("main"),
        entry("1.2.4", files=(PinnedFile(filename=FIX.filename, hashes={"sha256": OTHER}),)),
        entry("not a version", state=PinState.INSTALLED),
        entry("1.2.3+ours", state=PinState.INSTALLED),
    ],
)
def test_a_row_on_which_anything_else_decides_is_not_called_clean(pin: Pin) -> None:
    found = judged(pin)
    assert found.status is not Status.CLEAN
    assert "clean" not in codes(found)


def test_an_entry_that_several_files_include_is_told_once() -> None:
    found = judged(entry(together="1"), entry(together="2"), entry(where="other.txt:1"))
    assert [r.code for r in found.reasons].count("pinned") == 2
    older = judged(entry("1.2.2", together="1"), entry("1.2.2", together="2"))
    assert [r.code for r in older.reasons].count("fix-excluded") == 1


def test_an_installed_version_that_is_none_is_unknown() -> None:
    found = judged(entry("not a version", state=PinState.INSTALLED))
    assert (found.status, found.reasons[0].code) == (Status.UNKNOWN, "unreadable")
    assert "does not tell which version" in found.reasons[0].text


def test_a_local_build_of_the_broken_release_is_neither_pinned_nor_clean() -> None:
    found = judged(entry("1.2.3+ours", state=PinState.INSTALLED))
    assert (found.status, found.reasons[0].code) == (Status.UNKNOWN, "local-build")
    assert judged(entry("1.2.4+ours", state=PinState.INSTALLED)).status is Status.CLEAN


@pytest.mark.parametrize("kind", ["lock", "box"])
def test_the_sentence_of_what_could_not_be_read_says_the_cause(kind: str) -> None:
    cut = observe("lock", holdings_complete=False, notes=("layer 3 ends early",), connected=None)
    text = verdict(cut, kind=kind, required=False).reasons[0].text
    assert "could not be read to its end: layer 3 ends early." in text
    gone = observe(
        "lock", outcome=Outcome.UNREACHABLE, detail="uv.lock does not exist", connected=None
    )
    text = verdict(gone, kind=kind, required=False).reasons[0].text
    assert "could not be read: uv.lock does not exist." in text


def test_a_remedy_is_that_of_the_lock_which_is_there() -> None:
    kind = KindFacts(
        name="lock",
        role=Role.PIN,
        remedies=tuple(
            RemedyTemplate(command=f"{form} {{project}}", effect="", statuses=statuses, forms=forms)
            for form, forms, statuses in (
                ("uv", ("uv.lock",), (Status.PINNED,)),
                ("compile", ("requirements",), (Status.PINNED,)),
                ("any", (), (Status.PINNED,)),
            )
        ),
    )
    seen = observe("lock", pins=(entry(form="requirements"),), connected=None)
    the_plan = plan(location("lock", "lock", required=False), kinds={**KINDS, "lock": kind})
    row = next(v for v in run(the_plan, seen).verdicts if v.location.name == "lock")
    assert [r.command for r in row.remedies] == ["compile brokenpkg", "any brokenpkg"]
