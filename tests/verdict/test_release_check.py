"""Is the fix a good one? Each finding shown, and each shown not to fire on a good release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from packaging.specifiers import SpecifierSet

from auditor.model import (
    Candidate,
    HeldState,
    Incident,
    Observation,
    Outcome,
    PageOutcome,
    Pin,
    PinState,
    View,
    Yank,
)
from auditor.verdict import explanations
from auditor.verdict.explain_release import RELEASE_CODES
from auditor.verdict.release_check import (
    Level,
    Proposed,
    ReleaseCheck,
    ReleaseFinding,
    Wanted,
    as_document,
    check_release,
)
from auditor.verdict.release_check import environments as release_environments
from auditor.verdict.release_check.environments import everybody
from auditor.verdict.release_check.words import tell_pairs
from tests.verdict.stage import (
    ENVIRONMENTS,
    FIX_AT,
    INCIDENT,
    NOW,
    digest,
    held,
    location,
    observe,
    page,
    plan,
    source,
    wheel,
)

GOOD = wheel("1.2.2")
YANKED = wheel("1.2.3", yanked=Yank.YES, yank_reason="broken: use 1.2.4")
FIX = wheel("1.2.4")
MUSL_39 = "cp39-cp39-musllinux_1_2_x86_64"
GLIBC_312 = "cp312-cp312-manylinux_2_17_x86_64"


def sdist(version: str, **facts: object) -> Candidate:
    name = f"brokenpkg-{version}.tar.gz"
    return structs.replace(wheel(version), filename=name, hashes={"sha256": digest(name)}, **facts)


def checked(
    *files: Candidate,
    incident: Incident = INCIDENT,
    proposed: Sequence[Proposed] = (),
    wanted: Sequence[Wanted] = (),
    others: Sequence[Observation] = (),
    observation: Observation | None = None,
) -> ReleaseCheck:
    places = [location(o.location) for o in others]
    seen = observation or source(page(files))
    (check,) = check_release(
        plan(*places, incident=incident), [seen, *others], proposed=proposed, wanted=wanted
    )
    return check


def codes(check: ReleaseCheck, *levels: Level) -> list[str]:
    return sorted(f.code for f in check.findings if f.level in (levels or (Level.FAIL,)))


def found(check: ReleaseCheck, code: str) -> ReleaseFinding:
    return next(f for f in check.findings if f.code == code)


def fixed_as(*versions: str) -> Incident:
    return replace(INCIDENT, fixed=versions)


def proposal(file: Candidate, **facts: object) -> Proposed:
    known = Proposed(
        candidate=structs.replace(file, uploaded_at=None, url=None),
        metadata_name="brokenpkg",
        metadata_version=file.version,
    )
    return replace(known, **facts)


# --- ready -----------------------------------------------------------------------------------


def test_a_good_fix_is_ready_and_only_the_tempting_moves_are_warned_of() -> None:
    check = checked(GOOD, YANKED, FIX)
    assert check.exit_code == 0
    assert codes(check, *Level) == ["tempting-delete", "tempting-reupload", "tempting-reuse"]
    assert check.sentence.startswith("1.2.4 is what unpinned installs get wherever 1.2.3 could be")


def test_a_later_release_that_contains_the_fix_is_no_reason_to_complain() -> None:
    assert checked(GOOD, YANKED, FIX, wheel("1.3.0")).exit_code == 0


# --- who stays behind ------------------------------------------------------------------------


def test_a_wheel_that_is_missing_is_told_by_interpreter_platform_and_what_they_get() -> None:
    tags = (MUSL_39, GLIBC_312)
    broken = [wheel("1.2.3", tag=tag) for tag in tags]
    check = checked(*broken, wheel("1.2.4", tag=GLIBC_312))
    told = found(check, "fix-no-matching-file")
    assert told.level is Level.FAIL
    assert told.text == (
        "CPython 3.9 on musllinux x86_64 still gets 1.2.3: the fix has no file that fits."
    )
    assert check.exit_code == 1


def test_environments_beyond_the_matrix_are_found_by_the_wheels_that_the_broken_one_had() -> None:
    tags = ("cp38-cp38-win32", "cp313-cp313t-manylinux_2_17_s390x")
    check = checked(*(wheel("1.2.3", tag=tag) for tag in tags), FIX, wheel("1.2.5"))
    assert check.exit_code == 0
    lost = checked(*(wheel("1.2.3", tag=tag) for tag in tags), wheel("1.2.4", tag=GLIBC_312))
    text = found(lost, "fix-no-matching-file").text
    assert "CPython 3.8 on Windows x86" in text
    assert "CPython 3.13 free-threaded" in text


def test_a_wheel_that_is_missing_beside_a_source_archive_means_building() -> None:
    check = checked(
        wheel("1.2.3", tag=GLIBC_312), sdist("1.2.3"), wheel("1.2.4", tag=MUSL_39), sdist("1.2.4")
    )
    told = found(check, "fix-builds-from-source")
    assert told.level is Level.FAIL
    assert "CPython 3.12" in told.text
    assert "--only-binary gets 1.2.3" in told.text


def test_a_wheel_that_only_the_last_good_release_had_is_a_warning() -> None:
    check = checked(wheel("1.2.2", tag=GLIBC_312), sdist("1.2.2"), sdist("1.2.3"), sdist("1.2.4"))
    assert found(check, "fix-builds-from-source").level is Level.WARN
    assert "1.2.2 has a wheel" in found(check, "fix-builds-from-source").text


def test_pypy_is_compared_by_its_wheels() -> None:
    pypy = "pp39-pypy39_pp73-manylinux_2_17_x86_64"
    plain = wheel("1.2.4", tag=GLIBC_312)
    check = checked(wheel("1.2.3", tag=pypy), wheel("1.2.3", tag=GLIBC_312), plain)
    assert "PyPy 3.9" in found(check, "fix-no-matching-file").text
    whole = checked(wheel("1.2.3", tag=pypy), wheel("1.2.4", tag=pypy), plain)
    assert "PyPy" not in "".join(f.text for f in whole.findings)


def test_a_narrower_requires_python_leaves_its_pythons_on_the_broken_release() -> None:
    check = checked(
        wheel("1.2.3", requires_python=">=3.8"), wheel("1.2.4", requires_python=">=3.10")
    )
    told = found(check, "fix-requires-python")
    assert told.level is Level.FAIL
    assert "CPython 3.8 and 3.9 still get 1.2.3" in told.text
    assert told.observed == "requires-python >=3.10"


def test_with_the_broken_one_yanked_they_fall_back_to_the_last_good_one() -> None:
    narrow = wheel("1.2.4", requires_python=">=3.10")
    text = found(checked(GOOD, YANKED, narrow), "fix-requires-python").text
    assert "get 1.2.2: " in text
    assert "still" not in text


def test_a_python_that_the_broken_release_left_out_already_is_a_warning() -> None:
    narrow = {"requires_python": ">=3.10"}
    check = checked(GOOD, structs.replace(YANKED, **narrow), wheel("1.2.4", **narrow))
    assert found(check, "fix-requires-python").level is Level.WARN
    assert "as before" in found(check, "fix-requires-python").text
    assert check.exit_code == 0


def test_a_higher_broken_release_is_preferred_to_the_fix() -> None:
    incident = replace(INCIDENT, broken=("1.2.3", "1.3.0"))
    check = checked(wheel("1.2.3"), wheel("1.3.0"), FIX, incident=incident)
    told = found(check, "fix-not-chosen")
    assert "still gets 1.3.0" in told.text.replace("get ", "gets ")
    assert "1.3.1" in told.next_step


def test_a_yanked_fix_reaches_nobody() -> None:
    check = checked(GOOD, YANKED, wheel("1.2.4", yanked=Yank.YES))
    assert codes(check) == ["fix-yanked"]
    assert "1.2.5" in found(check, "fix-yanked").next_step


def test_named_environments_are_the_only_ones_looked_at() -> None:
    incident = replace(INCIDENT, environments=("cp312-win_amd64",))
    check = checked(wheel("1.2.3"), wheel("1.2.4", requires_python=">=3.10"), incident=incident)
    assert (check.environments, codes(check)) == (1, [])


def test_a_view_that_is_served_something_else_is_named() -> None:
    old = page([GOOD, wheel("1.2.3"), wheel("1.2.4", tag=GLIBC_312)], View.UV)
    new = page([GOOD, wheel("1.2.3"), FIX])
    text = found(checked(observation=source(new, old)), "fix-no-matching-file").text
    assert text.endswith("(for uv).")


def test_a_view_that_lacks_the_fix_is_no_green_one() -> None:
    stale = page([GOOD, wheel("1.2.3")], View.UV)
    told = found(
        checked(observation=source(page([GOOD, wheel("1.2.3"), FIX]), stale)), "fix-not-listed"
    )
    assert told.level is Level.FAIL
    assert "still get 1.2.3: no file of the fix is listed (for uv)" in told.text
    gone = page([], View.UV, outcome=PageOutcome.ABSENT)
    check = checked(observation=source(page([GOOD, YANKED, FIX]), gone))
    assert codes(check) == ["fix-not-listed"]


@pytest.mark.parametrize(
    ("fix", "client"),
    [
        # uv reads no .tar.xz, and no upper bound of requires-python.
        (structs.replace(FIX, filename="brokenpkg-1.2.4.tar.xz"), "uv"),
        (wheel("1.2.4", requires_python=">=3.8,<3.12"), "pip"),
    ],
)
def test_each_client_is_asked_by_its_own_rules(fix: Candidate, client: str) -> None:
    files = [GOOD, wheel("1.2.3"), fix]
    check = checked(observation=source(page(files), page(files, View.UV)))
    stays = [f.text for f in check.findings if "still get" in f.text]
    ours = [text for text in stays if "3.13" in text or "3.12" in text]
    assert ours
    assert all(text.endswith(f"(for {client}).") for text in ours)


def test_a_later_release_without_wheels_is_not_the_fixs_fault() -> None:
    files = [GOOD, YANKED, wheel("1.2.4"), sdist("1.4.0")]
    assert codes(checked(*files), Level.FAIL, Level.WARN) == []


def test_a_missing_fact_that_decides_is_not_known_and_never_ready() -> None:
    check = checked(GOOD, YANKED, wheel("1.2.4", requires_python=None))
    assert found(check, "undecided").level is Level.UNKNOWN
    assert check.exit_code == 3
    assert "not known" in check.sentence


@pytest.mark.parametrize("outcome", [PageOutcome.UNREACHABLE, PageOutcome.DENIED])
def test_a_source_that_does_not_answer_leaves_it_open(outcome: PageOutcome) -> None:
    silent = source(page([], outcome=outcome, detail="no answer"), outcome=Outcome.UNREACHABLE)
    check = checked(observation=silent)
    assert (check.exit_code, codes(check, Level.UNKNOWN)) == (3, ["source-unread"])


def test_a_fix_that_is_not_listed_fails() -> None:
    check = checked(GOOD, YANKED)
    assert codes(check) == ["fix-not-listed"]
    assert "--candidate" in found(check, "fix-not-listed").next_step


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fix", "code", "level"),
    [
        ("1.2.4rc1", "fix-prerelease", Level.FAIL),
        ("1.2.4.dev3", "fix-prerelease", Level.FAIL),
        ("1.2.4+local", "fix-local-version", Level.FAIL),
        ("1.2.3.post1", "fix-postrelease", Level.WARN),
        ("2.0.0", "fix-not-patch", Level.WARN),
        ("1.3", "fix-not-patch", Level.WARN),
        ("1!1.2.4", "fix-not-patch", Level.WARN),
    ],
)
def test_the_number_of_the_fix_is_weighed(fix: str, code: str, level: Level) -> None:
    check = checked(GOOD, YANKED, wheel(fix), incident=fixed_as(fix))
    assert found(check, code).level is level


@pytest.mark.parametrize("fix", ["1.2.4", "1.2.5", "1.2.3.1"])
def test_the_next_patch_is_no_finding(fix: str) -> None:
    check = checked(GOOD, YANKED, wheel(fix), incident=fixed_as(fix))
    assert [c for c in codes(check, *Level) if c.startswith("fix-")] == []


def test_of_a_range_the_first_final_release_is_the_fix() -> None:
    files = (GOOD, YANKED, wheel("1.2.4rc1"), FIX, wheel("1.3.0"), wheel("2.0.0"))
    check = checked(*files, incident=fixed_as(">=1.2.4rc1"))
    assert check.fixed == "1.2.4"
    assert codes(check, Level.FAIL, Level.WARN) == []


def test_every_fix_that_is_named_by_itself_is_looked_at() -> None:
    incident = replace(INCIDENT, broken=("1.2.3", "2.0.0"), fixed=("1.2.4", "2.0.1"))
    other = wheel("2.0.0", yanked=Yank.YES, yank_reason="use 2.0.1")
    files = (GOOD, YANKED, FIX, other, wheel("2.0.1"))
    check = checked(*files, incident=incident)
    assert (check.fixed, check.exit_code) == ("1.2.4, 2.0.1", 0)


def test_a_pre_release_may_fix_a_pre_release() -> None:
    incident = replace(INCIDENT, broken=("1.2.3rc1",), fixed=("1.2.3rc2",))
    bad = wheel("1.2.3rc1", yanked=Yank.YES, yank_reason="use 1.2.3rc2")
    assert checked(bad, wheel("1.2.3rc2"), incident=incident).exit_code == 0


def test_the_number_that_is_advised_is_a_free_one() -> None:
    taken = wheel("1.2.5", yanked=Yank.YES)
    check = checked(GOOD, YANKED, wheel("1.2.4", yanked=Yank.YES), taken)
    assert "1.2.6" in found(check, "fix-yanked").next_step


# --- numbers and names used before -----------------------------------------------------------


def test_other_bytes_under_the_name_of_a_fixed_file_are_a_reused_name() -> None:
    old = observe("mirror", page([wheel("1.2.4", hashes={"sha256": digest("old")})]))
    told = found(checked(GOOD, YANKED, FIX, others=[old]), "reused-name")
    assert told.level is Level.FAIL
    assert "mirror" in told.text


def test_the_same_bytes_elsewhere_are_none() -> None:
    same = observe("mirror", page([FIX]))
    assert checked(GOOD, YANKED, FIX, others=[same]).exit_code == 0


def test_a_number_that_only_a_copy_still_knows_was_used_before() -> None:
    for memory in (
        observe("mirror", page([GOOD, FIX])),
        observe("mirror", page([GOOD]), holdings=(held(HeldState.HELD, "1.2.4"),)),
    ):
        check = checked(GOOD, YANKED, proposed=[proposal(FIX)], others=[memory])
        assert codes(check) == ["reused-number"]


def test_what_is_not_held_is_no_memory() -> None:
    nothing = observe("mirror", page([GOOD]), holdings=(held(HeldState.NOT_HELD, "1.2.4"),))
    assert checked(GOOD, YANKED, proposed=[proposal(FIX)], others=[nothing]).exit_code == 0


def test_a_proposed_file_that_is_published_with_other_bytes_cannot_be_uploaded() -> None:
    other = structs.replace(FIX, hashes={"sha256": digest("other")})
    assert codes(checked(GOOD, YANKED, FIX, proposed=[proposal(other)])) == ["reused-name"]
    again = checked(GOOD, YANKED, FIX, proposed=[proposal(FIX)])
    assert found(again, "already-published").level is Level.NOTE
    assert again.exit_code == 0


# --- proposed files --------------------------------------------------------------------------


def test_proposed_files_are_judged_as_if_they_were_published() -> None:
    check = checked(GOOD, wheel("1.2.3"), proposed=[proposal(FIX)])
    assert check.exit_code == 0
    assert check.sentence.startswith("1.2.4 will be what unpinned installs get")
    assert found(check, "broken-not-yanked").level is Level.NOTE
    assert "once the fix is out" in found(check, "broken-not-yanked").next_step


def test_proposed_files_that_leave_somebody_behind_fail_before_they_are_uploaded() -> None:
    check = checked(wheel("1.2.3", tag=MUSL_39), proposed=[proposal(wheel("1.2.4", tag=GLIBC_312))])
    told = found(check, "fix-no-matching-file")
    assert "CPython 3.9 on musllinux x86_64 still gets 1.2.3" in told.text
    assert "before you upload" in told.next_step


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"metadata_version": "1.2.3"}, "candidate-metadata"),
        ({"metadata_version": None}, "candidate-metadata"),
        ({"metadata_name": "other"}, "candidate-metadata"),
        ({"problem": "it cannot be opened"}, "candidate-metadata"),
    ],
)
def test_a_proposed_file_must_be_what_its_name_says(facts: dict[str, object], code: str) -> None:
    assert codes(checked(GOOD, YANKED, proposed=[proposal(FIX, **facts)])) == [code]


def test_a_proposed_file_of_another_version_is_no_fix() -> None:
    check = checked(GOOD, YANKED, FIX, proposed=[proposal(wheel("1.2.5"))])
    assert codes(check) == ["candidate-not-fix"]


# --- time ------------------------------------------------------------------------------------


def at(minutes: float) -> datetime:
    return FIX_AT + timedelta(minutes=minutes)


def test_a_wheel_that_came_after_the_source_archive_had_people_build() -> None:
    check = checked(
        sdist("1.2.3"),
        sdist("1.2.4", uploaded_at=at(0)),
        wheel("1.2.4", tag=GLIBC_312, uploaded_at=at(90)),
    )
    told = found(check, "fix-arrived-in-parts")
    assert told.text.startswith("CPython 3.12")
    assert "built 1.2.4 from source" in told.text
    assert f"{at(90):%H:%M}" in told.text


def test_a_wheel_that_came_late_had_people_get_the_broken_one() -> None:
    check = checked(
        wheel("1.2.3"),
        wheel("1.2.4", tag=MUSL_39, uploaded_at=at(0)),
        wheel("1.2.4", uploaded_at=at(60)),
    )
    assert "still got 1.2.3 from" in found(check, "fix-arrived-in-parts").text


def test_minutes_between_the_files_of_one_upload_are_no_finding() -> None:
    check = checked(
        GOOD, YANKED, sdist("1.2.4", uploaded_at=at(0)), wheel("1.2.4", uploaded_at=at(4))
    )
    assert codes(check, Level.WARN) == []


@pytest.mark.parametrize(
    ("age_days", "advice"), [(1, "before"), (15, "publish 1.2.5 with all of them")]
)
def test_missing_wheels_can_be_added_for_two_weeks_only(age_days: int, advice: str) -> None:
    fix = wheel("1.2.4", tag=GLIBC_312, uploaded_at=NOW - timedelta(days=age_days))
    check = checked(wheel("1.2.3", tag=MUSL_39), fix)
    assert advice in found(check, "fix-no-matching-file").next_step


def test_the_two_weeks_are_no_rule_of_an_index_of_ones_own() -> None:
    fix = wheel("1.2.4", tag=GLIBC_312, uploaded_at=NOW - timedelta(days=15))
    alone = replace(
        plan(), locations=(replace(location("own"), upstream=None),), incidents=(INCIDENT,)
    )
    (check,) = check_release(alone, [observe("own", page([wheel("1.2.3", tag=MUSL_39), fix]))])
    assert check.source == "own"
    assert "upload the missing files" in found(check, "fix-no-matching-file").next_step


def test_the_two_weeks_were_no_rule_before_2026() -> None:
    long_ago = datetime(2022, 9, 21, tzinfo=UTC)
    fix = wheel("1.2.4", tag=GLIBC_312, uploaded_at=long_ago - timedelta(days=30))
    then = source(page([wheel("1.2.3", tag=MUSL_39), fix]), finished_at=long_ago)
    step = found(checked(observation=then), "fix-no-matching-file").next_step
    assert step.startswith("upload the missing files to 1.2.4")


# --- yanks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, "broken", "see issue 124", "1.2.40 is fine", "not 1.2.3"])
def test_a_yank_that_does_not_name_the_fix_is_warned_of(reason: str | None) -> None:
    check = checked(GOOD, structs.replace(YANKED, yank_reason=reason), FIX)
    expected = ["yank-reason"] if reason != "1.2.40 is fine" else []
    assert codes(check, Level.WARN) == expected


def test_a_broken_release_that_is_not_yanked_is_warned_of_with_a_reason_to_use() -> None:
    told = found(checked(GOOD, wheel("1.2.3"), FIX), "broken-not-yanked")
    assert told.level is Level.WARN
    assert "use 1.2.4 or later" in told.next_step


def test_a_yank_without_a_fix_moves_nobody_forward() -> None:
    told = found(checked(GOOD, YANKED), "yanked-before-fix")
    assert "get 1.2.2" in told.text


# --- caps ------------------------------------------------------------------------------------


def wants(text: str) -> Wanted:
    return Wanted(specifier=SpecifierSet(text), text=f"brokenpkg{text}", where="--requirement")


@pytest.mark.parametrize(
    ("cap", "level"),
    [
        ("<1.2.4", Level.FAIL),
        ("==1.2.3", Level.FAIL),
        ("<=1.2.3", Level.FAIL),
        ("<1.2.3", Level.WARN),
        ("~=1.2.3", None),
        (">=1", None),
    ],
)
def test_a_cap_fails_if_it_keeps_the_broken_release(cap: str, level: Level | None) -> None:
    check = checked(GOOD, YANKED, FIX, wanted=[wants(cap)])
    assert [f.level for f in check.findings if f.code == "cap-excludes-fix"] == (
        [level] if level else []
    )


@pytest.mark.parametrize(
    ("files", "cap", "gets"),
    [
        ((GOOD, YANKED, FIX), "<1.2.4", "gets 1.2.2"),
        ((GOOD, wheel("1.2.3"), FIX), "<1.2.4", "still gets 1.2.3"),
        ((GOOD, YANKED, FIX), "==1.2.3", "still gets 1.2.3"),
        ((GOOD, YANKED, FIX), "===1.2.3", "still gets 1.2.3"),
        ((GOOD, YANKED, FIX), "==1.2.3.*", "gets nothing"),
        ((YANKED, FIX), "<1.2.3", "gets nothing"),
    ],
)
def test_what_a_cap_gets_is_what_pip_would_choose_within_it(
    files: Sequence[Candidate], cap: str, gets: str
) -> None:
    text = found(checked(*files, wanted=[wants(cap)]), "cap-excludes-fix").text
    assert text.endswith(f", and {gets}.")


def test_a_cap_that_admits_a_later_release_with_the_fix_is_none() -> None:
    later = wheel("1.3.1")
    assert checked(GOOD, YANKED, FIX, later, wanted=[wants(">=1.3")]).exit_code == 0


@pytest.mark.parametrize(
    ("pin", "fails"),
    [
        (Pin(where="req.txt:3", state=PinState.FORCED, version="1.2.3"), True),
        (Pin(where="req.txt:3", state=PinState.RANGE, specifier="<1.2.4"), True),
        (Pin(where="req.txt:3", state=PinState.FORCED, version="1.2.4"), False),
        (Pin(where="site-packages", state=PinState.INSTALLED, version="1.2.3"), False),
        (Pin(where="req.txt:3", state=PinState.FORCED), False),
        (Pin(where="req.txt:3", state=PinState.RANGE, specifier="nonsense"), False),
    ],
)
def test_locks_that_were_looked_at_count_as_dependants(pin: Pin, fails: bool) -> None:
    lock = observe("lock", pins=(pin,))
    check = checked(GOOD, YANKED, FIX, others=[lock])
    assert codes(check) == (["cap-excludes-fix"] if fails else [])


# --- tempting moves --------------------------------------------------------------------------


def test_what_deleting_would_do_is_told_by_this_audits_own_facts() -> None:
    mirror = observe("mirror", page([GOOD, wheel("1.2.3"), FIX]))
    check = checked(GOOD, YANKED, FIX, others=[mirror])
    assert "1 of the 2 places that list or hold it is elsewhere" in (
        found(check, "tempting-delete").text
    )
    assert "1.2.3 is known to 2 of 2 places" in found(check, "tempting-reuse").observed
    assert "pinned" in found(check, "tempting-reupload").observed


# --- words, codes, bounds --------------------------------------------------------------------


def test_every_code_that_a_check_can_give_is_explained() -> None:
    known = {each.code for each in explanations()}
    assert set(RELEASE_CODES) <= known
    assert {"fix-not-listed", "fix-yanked", "undecided", "reused-name"} <= known


@pytest.mark.parametrize(
    ("some", "of", "text"),
    [
        ([("cp39", "win_amd64")], [("cp39", "win_amd64")], "CPython 3.9"),
        (
            [("cp39", "musllinux_1_2_x86_64")],
            [("cp39", "musllinux_1_2_x86_64"), ("cp39", "win_amd64")],
            "CPython 3.9 on musllinux x86_64",
        ),
        (
            [("cp39", "manylinux_2_17_x86_64")],
            [("cp39", "manylinux_2_17_x86_64"), ("cp39", "manylinux_2_28_x86_64")],
            "CPython 3.9 on manylinux x86_64 (glibc 2.17)",
        ),
        (
            [(f"cp{n}", "win32") for n in (39, 310, 311, 312)],
            [(f"cp{n}", p) for n in (39, 310, 311, 312) for p in ("win32", "win_arm64")],
            "CPython 3.9 to 3.12 on Windows x86",
        ),
        (
            [(f"cp3{n}", "win32") for n in (4, 5, 6, 9, 12, 13)],
            [],
            "CPython 3.4 to 3.6, 3.9, 3.12 and 3.13",
        ),
        (
            [("cp310", "win32"), ("cp313t", "win32"), ("pp310", "win32")],
            [],
            "CPython 3.10 and 3.13 free-threaded and PyPy 3.10",
        ),
        (
            [("cp39", "macosx_11_0_arm64"), ("cp39", "manylinux1_i686")],
            [("cp39", p) for p in ("macosx_11_0_arm64", "manylinux1_i686", "win32")],
            "CPython 3.9 on macOS arm64 and manylinux i686",
        ),
    ],
)
def test_environments_are_told_in_few_words(
    some: list[tuple[str, str]], of: list[tuple[str, str]], text: str
) -> None:
    assert tell_pairs(some, of or some) == text


def test_a_hostile_page_cannot_make_environments_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release_environments, "MAX_ENVIRONMENTS", 20)
    many = [wheel("1.2.3", tag=f"cp39-cp39-manylinux_2_{n}_x86_64") for n in range(5, 60)]
    assert len(everybody(ENVIRONMENTS, many, "brokenpkg")) == 20
    bomb = ".".join(f"manylinux_2_{n}_x86_64" for n in range(5, 80))
    assert len(everybody((), [wheel("1.2.3", tag=f"cp39-cp39-{bomb}")], "brokenpkg")) < 10


def test_the_document_has_every_finding_with_all_of_its_sides() -> None:
    check = checked(GOOD, wheel("1.2.3"), wheel("1.2.4", yanked=Yank.YES))
    (one,) = json.loads(json.dumps(as_document([check], 1)))["checks"]
    assert one["exit_code"] == 1
    assert {"code", "level", "text", "expected", "observed", "next_step"} == set(one["findings"][0])
    assert [f["level"] for f in one["findings"]] == sorted(
        (f["level"] for f in one["findings"]), key=[level.value for level in Level].index
    )
