"""One place seen from several vantages: what differs is said, and wrong clocks do no harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from msgspec import structs

from auditor.model import (
    Evidence,
    Freshness,
    LagState,
    Location,
    Observation,
    Outcome,
    Run,
    Status,
    Verdict,
    View,
)
from auditor.verdict import RULES, judge
from auditor.verdict.clocks import clock_differences
from auditor.verdict.explain import explain
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    GOOD,
    NOW,
    OLD,
    YANKED,
    digest,
    location,
    observe,
    page,
    plan,
    source,
)


def seen_from(vantage: str, *observations: Observation) -> list[Observation]:
    return [replace(each, vantage=vantage) for each in observations]


def judged(*observations: Observation, place: Location | None = None) -> Run:
    at_mirror = place or location("mirror", url="https://mirror.example/simple/")
    asked = plan(at_mirror)
    (run,) = judge(asked, observations, rules=RULES)
    return run


def row(run: Run, vantage: str, name: str = "mirror") -> Verdict:
    (found,) = [v for v in run.verdicts if (v.location.name, v.vantage) == (name, vantage)]
    return found


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def two(paris: Observation, tokyo: Observation, **more: object) -> Run:
    return judged(
        *seen_from("paris", source(), paris), *seen_from("tokyo", source(), tokyo), **more
    )


def finding_codes(run: Run) -> list[str]:
    return [finding.code for finding in run.findings]


def test_a_place_that_is_seen_differently_is_a_finding_and_a_reason_on_each_row() -> None:
    run = two(observe("mirror", page()), observe("mirror", page(OLD)))

    (finding,) = run.findings
    assert finding.code == "split-vantage"
    assert finding.text == "mirror is seen differently from paris and tokyo."
    assert finding.observed == (
        "paris: broken listed, yanked, fix listed; tokyo: broken listed, fix not listed"
    )
    assert all("split-vantage" in codes(row(run, each)) for each in ("paris", "tokyo"))
    assert (row(run, "paris").status, row(run, "tokyo").status) == (
        Status.ROLLED_FORWARD,
        Status.EXPOSED,
    )
    assert "split-vantage" not in codes(row(run, "paris", "source"))


def test_several_places_are_one_finding() -> None:
    run = judged(
        *seen_from("paris", source(), observe("mirror", page())),
        *seen_from("tokyo", source(page(OLD)), observe("mirror", page(OLD))),
    )
    (finding,) = [each for each in run.findings if each.code == "split-vantage"]
    assert finding.text == "mirror, source are seen differently from paris and tokyo."
    assert finding.about == "the vantages"


def test_what_is_seen_alike_is_no_finding() -> None:
    run = two(observe("mirror", page()), observe("mirror", page()))
    assert (run.findings, run.summary.exit_code) == ((), 0)


def test_the_finding_alone_fails_nothing() -> None:
    lost = observe("mirror", page((GOOD, BROKEN, FIX)))
    run = two(observe("mirror", page()), lost)
    assert finding_codes(run) == ["split-vantage"]
    assert run.summary.exit_code == 0


def test_reached_from_one_vantage_only_is_seen_differently() -> None:
    down = observe("mirror", outcome=Outcome.UNREACHABLE, connected=False)
    run = two(observe("mirror", page()), down)
    assert run.findings[0].observed.endswith("tokyo: unreachable")


def test_other_bytes_from_one_vantage_are_told_by_their_digests() -> None:
    other = structs.replace(YANKED, hashes={"sha256": digest("other")})
    run = two(observe("mirror", page()), observe("mirror", page((GOOD, other, FIX))))
    assert digest("other")[:12] in run.findings[0].observed


def test_a_digest_that_one_page_does_not_state_is_no_difference() -> None:
    silent = tuple(structs.replace(each, hashes={}) for each in CURRENT)
    run = two(observe("mirror", page()), observe("mirror", page(silent)))
    assert run.findings == ()


def test_nodes_that_both_see_in_turn_are_flapping_and_not_split() -> None:
    turns = (page(CURRENT, sample=1), page(OLD, sample=2))
    again = (page(OLD, sample=1), page(CURRENT, sample=2))
    run = two(observe("mirror", *turns), observe("mirror", *again))
    assert run.findings == ()


def test_views_that_only_one_was_asked_in_are_not_compared() -> None:
    both = observe("mirror", page(), page(OLD, View.PIP_HTML))
    assert two(both, observe("mirror", page())).findings == ()


def test_what_nobody_looked_at_is_not_compared() -> None:
    skipped = observe("mirror", outcome=Outcome.SKIPPED)
    assert two(observe("mirror", page()), skipped).findings == ()


def test_directories_of_two_machines_are_two_places() -> None:
    disk = location("mirror", url=None, path="/srv/wheels")
    run = two(observe("mirror", page()), observe("mirror", page(OLD)), place=disk)
    assert run.findings == ()


# A vantage's clock is ahead by this: what it writes is later than it was.
AHEAD = timedelta(hours=4)


def dated(observation: Observation, ahead: timedelta, age_s: float | None = None) -> Observation:
    """What a vantage writes whose clock is ahead, of a server whose clock is right."""
    local = NOW + ahead
    born = NOW - timedelta(seconds=age_s or 0)
    evidence = Evidence(id="e1", request="GET /", response={"date": format_datetime(born, True)})
    pages = tuple(
        replace(each, freshness=Freshness(serial=30, fetched_at=local, age_s=age_s))
        for each in observation.pages
    )
    return replace(
        observation, pages=pages, evidence=(evidence,), started_at=local, finished_at=local
    )


def lagging(ahead: timedelta) -> Observation:
    return dated(observe("mirror", page(OLD)), ahead)


LATE = location("mirror", url="https://mirror.example/simple/", expected_lag_s=6 * 3600.0)


def test_a_clock_that_is_ahead_makes_nothing_stuck_and_is_stated() -> None:
    run = judged(
        *seen_from("paris", dated(source(), timedelta()), lagging(timedelta())),
        *seen_from("tokyo", dated(source(), AHEAD), lagging(AHEAD)),
        place=LATE,
    )
    assert {LagState.WITHIN_LAG} == {row(run, v).lag.state for v in ("paris", "tokyo")}
    (finding,) = run.findings
    assert finding.code == "clock-skew"
    assert "that of tokyo is 14400 s ahead" in finding.text


def test_alone_the_same_clock_would_have_made_it_stuck() -> None:
    run = judged(*seen_from("tokyo", dated(source(), AHEAD), lagging(AHEAD)), place=LATE)
    assert row(run, "tokyo").lag.state is LagState.STUCK


@pytest.mark.parametrize(
    ("paris", "tokyo", "found"),
    [
        (0, 30, {}),
        (0, 90, {"tokyo": -90}),
        (0, -90, {"tokyo": 90}),
        (300, 0, {"paris": -300}),
        (-5, 3600, {"tokyo": -3605}),
    ],
)
def test_the_one_nearest_to_the_servers_is_taken_to_be_right(
    paris: int, tokyo: int, found: dict[str, int]
) -> None:
    seen: Sequence[Observation] = [
        *seen_from("paris", dated(source(), timedelta(seconds=paris))),
        *seen_from("tokyo", dated(source(), timedelta(seconds=tokyo))),
    ]
    differences = {name: each.total_seconds() for name, each in clock_differences(seen).items()}
    assert differences == found


def test_a_stored_answer_tells_the_time_by_its_age() -> None:
    seen = [
        *seen_from("paris", dated(source(), timedelta())),
        *seen_from("tokyo", dated(source(), timedelta(), age_s=900.0)),
    ]
    assert clock_differences(seen) == {}


def test_a_server_whose_clock_is_wrong_accuses_no_vantage() -> None:
    # Both are nine hours behind this server, and so agree with each other.
    off = timedelta(hours=-9)
    seen = [*seen_from("paris", dated(source(), off)), *seen_from("tokyo", dated(source(), off))]
    assert clock_differences(seen) == {}


@pytest.mark.parametrize("said", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT", "9" * 400])
def test_a_date_that_is_none_is_ignored(said: str) -> None:
    spoilt = dated(source(), AHEAD)
    evidence = replace(spoilt.evidence[0], response={"date": said})
    seen = [
        *seen_from("paris", dated(source(), timedelta())),
        *seen_from("tokyo", replace(spoilt, evidence=(evidence,))),
    ]
    assert clock_differences(seen) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_what_deleting_does_is_foreseen_from_what_each_vantage_saw_itself(order: int) -> None:
    # The office mirror copies the edge, which only tokyo can look at.
    known = {"kind": "bandersnatch", "expected_lag_s": 60.0}
    named = (location("edge"), location("office", upstream="edge"))
    places = tuple(replace(each, **known) for each in named)
    office, down = observe("office", page()), observe("edge", outcome=Outcome.UNREACHABLE)
    both = {
        "paris": seen_from("paris", source(), down, office),
        "tokyo": seen_from("tokyo", source(), observe("edge", page()), office),
    }
    (together,) = judge(plan(*places), [o for v in sorted(both)[::order] for o in both[v]])
    for vantage, alone in both.items():
        (single,) = judge(plan(*places), alone)
        expected = row(single, vantage, "office").counterfactuals
        assert row(together, vantage, "office").counterfactuals == expected


@pytest.mark.parametrize("code", ["split-vantage", "clock-skew"])
def test_the_codes_are_explained(code: str) -> None:
    assert explain(code) is not None


def test_times_that_are_shown_stay_as_they_were_written() -> None:
    run = judged(
        *seen_from("paris", dated(source(), timedelta())),
        *seen_from("tokyo", dated(source(), AHEAD)),
    )
    shown: datetime | None = row(run, "tokyo", "source").freshness.fetched_at
    assert shown == NOW + AHEAD
