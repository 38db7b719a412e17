"""Past incidents, step by step: what pip gave its users, what the audit says, what a check says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auditor.model import Choice, Environment, Status, parse_version
from auditor.selection import choose, choose_all
from auditor.verdict.release_check import Level, ReleaseCheck
from auditor.verdict.release_check.environments import environment_of
from tests.past.pages import HOUR, PROJECTS, Moment, read_past
from tests.truth.compare import ENVIRONMENTS
from tests.truth.pages import JSON_TYPE
from tests.truth.pip_finder import ask_pip

MOMENTS = [moment for project in PROJECTS for moment in read_past(project).moments()]


def retired(*tags: str) -> tuple[Environment, ...]:
    made = [environment_of(tag, "manylinux_2_17_x86_64") for tag in tags]
    return tuple(each for each in made if each is not None)


# The interpreters that the incidents of their day were about, beside those of today.
ALL = (*ENVIRONMENTS, *retired("cp34", "cp36", "cp37"))


def after_the_fix(project: str, *, yanked: bool) -> Moment:
    past = read_past(project)
    return Moment(past, past.uploaded(past.fixed[-1]) + HOUR, yanked=yanked)


def findings(check: ReleaseCheck, level: Level) -> dict[str, str]:
    return {f.code: f.text for f in check.findings if f.level is level}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_at_every_step_we_choose_what_pip_itself_chooses_from_that_page(moment: Moment) -> None:
    chosen = choose_all(moment.candidates, ALL, moment.past.project)
    for environment in ALL:
        pips = ask_pip(moment.body, JSON_TYPE, environment, moment.past.project)
        ours = chosen[environment.id].candidate
        assert (pips.filename, pips.version) == (
            (ours.filename, parse_version(ours.version or "")) if ours else (None, None)
        ), environment.id


def test_the_pages_span_every_step() -> None:
    for project in PROJECTS:
        past = read_past(project)
        sizes = [len(m.files) for m in past.moments() if not m.yanked]
        assert sizes == sorted(sizes)
        assert sizes[0] > 0
        assert len(set(sizes)) == len(past.broken) + len(past.fixed) + 1
        assert all(f.uploaded_at.tzinfo for f in past.files)


@pytest.mark.parametrize("project", PROJECTS)
def test_the_audit_tells_the_story_as_it_happened(project: str) -> None:
    past = read_past(project)
    told: list[tuple[Status, bool]] = []
    for moment in past.moments():
        run = moment.audit(ENVIRONMENTS)
        told.append((run.summary.status, moment.yanked))
        sentence = run.summary.sentence
        if run.summary.status is Status.EXPOSED:
            assert "still gives it to unpinned installs" in sentence
        elif run.summary.status is Status.BEHIND:
            assert "does not offer the fix" in sentence
        else:
            assert f"gets {past.fixed[-1]}" in sentence

    steps = len(past.broken)
    before = [(Status.BEHIND, False)]
    shown = [(Status.EXPOSED, False), (Status.BEHIND, True)]
    fixed = [(Status.ROLLED_FORWARD, False), (Status.ROLLED_FORWARD, True)]
    assert told == before + shown * (2 * steps) + fixed


def test_requests_left_the_sessions_of_its_users_broken_until_2_32_2() -> None:
    check = after_the_fix("requests", yanked=True).check(ENVIRONMENTS)
    assert (check.exit_code, check.last_good) == (0, "2.31.0")
    warnings = findings(check, Level.WARN)
    assert "CVE-2024-35195" in warnings["yank-reason"]
    # 3.7 had been left out by the broken releases already.
    assert "CPython 3.7 gets 2.31.0, as before" in warnings["fix-requires-python"]


def test_attrs_left_python_3_4_with_a_release_that_it_cannot_import_until_the_yank() -> None:
    before = after_the_fix("attrs", yanked=False).check(ENVIRONMENTS)
    assert "CPython 3.4 still gets 21.1.0" in findings(before, Level.FAIL)["fix-requires-python"]
    after = after_the_fix("attrs", yanked=True).check(ENVIRONMENTS)
    assert "CPython 3.4 gets 20.3.0" in findings(after, Level.FAIL)["fix-requires-python"]
    assert "~=21.1.0" in findings(after, Level.WARN)["fix-not-patch"]


def test_urllib3s_yank_named_its_fix() -> None:
    check = after_the_fix("urllib3", yanked=True).check(ENVIRONMENTS)
    assert "yank-reason" not in findings(check, Level.WARN)
    assert check.exit_code == 0
    assert "2.0.2 is what unpinned installs get" in check.sentence


def test_an_alpha_is_nobodys_last_good_release() -> None:
    assert after_the_fix("urllib3", yanked=True).check(ENVIRONMENTS).last_good == "1.26.15"


def test_aiohttp_dropped_old_glibc_on_its_way() -> None:
    check = after_the_fix("aiohttp", yanked=True).check(ENVIRONMENTS)
    assert check.exit_code == 0
    told = findings(check, Level.WARN)["fix-builds-from-source"]
    assert told.startswith("CPython 3.8 to 3.10 on manylinux x86_64 (glibc 2.5, glibc 2.12) build")


def test_a_release_of_87_files_uploaded_in_one_go_is_no_finding() -> None:
    past = read_past("aiohttp")
    took = past.uploaded("3.8.3") - past.first_upload("3.8.3")
    assert timedelta(minutes=2) < took < timedelta(minutes=3)
    check = after_the_fix("aiohttp", yanked=False).check(ENVIRONMENTS)
    assert "fix-arrived-in-parts" not in {f.code for f in check.findings}


@pytest.mark.parametrize(
    ("project", "last_good"),
    [("setuptools", "75.8.2"), ("pydantic", "1.10.2"), ("aiohttp", "3.8.1"), ("attrs", "20.3.0")],
)
def test_the_last_good_release_is_the_one_before(project: str, last_good: str) -> None:
    assert after_the_fix(project, yanked=False).check(ENVIRONMENTS).last_good == last_good


@pytest.mark.parametrize("project", PROJECTS)
def test_before_the_yank_the_check_advises_it_with_a_reason(project: str) -> None:
    past = read_past(project)
    check = after_the_fix(project, yanked=False).check(ENVIRONMENTS)
    found = next(f for f in check.findings if f.code == "broken-not-yanked")
    assert f"use {past.fixed[-1]} or later" in found.next_step


def test_halfway_through_an_upload_somebody_stays_behind() -> None:
    past = read_past("pydantic")
    first, last = past.first_upload("1.10.4"), past.uploaded("1.10.4")
    moment = Moment(past, first + (last - first) / 2, yanked=False)
    check = moment.check(ENVIRONMENTS)
    assert check.exit_code == 1
    behind = findings(check, Level.FAIL)["fix-no-matching-file"]
    assert "still get 1.10.3" in behind
    one = environment_of("cp311", "win_amd64")
    assert one is not None
    chosen = choose(moment.candidates, one, "pydantic")
    assert chosen.choice is Choice.CHOSEN
    assert chosen.candidate is not None
    assert ("CPython 3.11" in behind) == (chosen.candidate.version == "1.10.3")
