"""A watch with a simulated clock: whom it asks when, when it ends, and with which code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from auditor.history import History
from auditor.history.watches import WatchEntry, end_watch, find_watch, keep_watch
from auditor.model import Evidence, Freshness, Incident, Observation, Outcome, Plan, Verdict
from auditor.watching import Looked, Pass, Watch, WatchOutcome, question_of, wait_s
from tests.verdict import stage

START = stage.NOW
SHOWN = {
    "old": stage.OLD,
    "new": stage.CURRENT,
    "other-bytes": (
        stage.GOOD,
        structs.replace(stage.YANKED, hashes={"sha256": stage.digest("x")}),
        stage.FIX,
    ),
}
Script = Mapping[str, Callable[[float], str]]


@dataclass
class Played:
    """A world in which every place shows what its script says at that second."""

    script: Script
    plan: Plan
    second: float = 0.0
    asked: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    stop_at: float | None = None
    # Seconds by which what is seen from there is behind; None: nothing is.
    vantages: Mapping[str, float | None] = field(default_factory=lambda: {"here": 0.0})

    def now(self) -> object:
        return START + timedelta(seconds=self.second)

    def look(self, plan: Plan) -> Looked:
        names = tuple(each.name for each in plan.locations)
        self.asked.append((self.second, names))
        stopped = self.stop_at is not None and self.second >= self.stop_at
        observations = tuple(
            replace(
                self._seen(name, stopped, behind_s),
                started_at=self.now(),
                finished_at=self.now(),
                incident=incident.id,
                vantage=vantage,
            )
            for incident in plan.incidents
            for name in names
            for vantage, behind_s in self.vantages.items()
        )
        return Looked(observations=observations, interrupted=stopped)

    def _seen(self, name: str, stopped: bool, behind_s: float | None) -> Observation:
        if behind_s is None:
            return stage.observe(name, outcome=Outcome.SKIPPED, detail="nobody looks there")
        shows = self.script.get(name, lambda s: "new")(self.second - behind_s)
        if stopped:
            return stage.observe(name, outcome=Outcome.SKIPPED, detail="interrupted")
        if shows == "gone":
            return stage.observe(name, outcome=Outcome.UNREACHABLE, connected=False)
        return stage.observe(name, stage.page(SHOWN[shows]), **self.facts)


def played(*names: str, lag_s: float | None = 600.0, **script: Callable[[float], str]) -> Played:
    places = (stage.location(name, expected_lag_s=lag_s) for name in names)
    return Played(script=script, plan=stage.plan(*places))


def entry(budget_s: float, **facts: object) -> WatchEntry:
    known = WatchEntry(
        question="q",
        started_at=START,
        deadline=START + timedelta(seconds=budget_s),
        updated_at=START,
    )
    return replace(known, **facts)


def watch(world: Played, budget_s: float = 1800.0, **options: object) -> list[Pass]:
    """Play to the end."""
    begun = options.pop("entry", entry(budget_s))
    one = Watch(world.plan, world.look, begun, now=world.now, **options)
    passes: list[Pass] = []
    while not passes or not passes[-1].is_last:
        passes.append(one.next_pass())
        world.second += passes[-1].wait_s
        assert len(passes) < 500
    return passes


def since(second: float, before: str = "old", after: str = "new") -> Callable[[float], str]:
    return lambda now: after if now >= second else before


def test_it_ends_when_as_many_looks_agree_as_were_asked_for() -> None:
    passes = watch(played("edge"), passes=3)

    assert [each.agreeing for each in passes] == [1, 2, 3]
    assert (
        passes[-1].outcome,
        passes[-1].is_confirmed,
        passes[-1].exit_code,
    ) == (WatchOutcome.EVERYWHERE, True, 0)


def test_it_ends_soon_after_the_last_place_has_the_fix() -> None:
    world = played("edge", "lab", edge=since(100), lab=since(400))
    passes = watch(world, passes=3)

    assert passes[-1].exit_code == 0
    first = next(p for p in passes if p.outcome is WatchOutcome.EVERYWHERE)
    assert [p.outcome for p in passes if p.number >= first.number] == [WatchOutcome.EVERYWHERE] * 3
    # Back-off grows to half of what was waited before; then two looks more, ten seconds apart.
    assert 400 + 20 <= world.second <= 400 * 1.5 + 30


def test_a_look_that_disagrees_begins_the_count_anew() -> None:
    world = played("edge", edge=lambda s: "old" if 10 <= s < 20 else "new")
    passes = watch(world, passes=3)

    assert [1, 2][:1] == [passes[0].agreeing]
    assert WatchOutcome.EVERYWHERE is not passes[1].outcome
    assert [each.agreeing for each in passes[-3:]] == [1, 2, 3]


def test_before_the_fix_is_published_nobody_but_the_source_is_asked() -> None:
    world = played("edge", "lab", source=since(300), edge=since(350), lab=since(360))
    passes = watch(world)

    before = [names for second, names in world.asked if second < 300]
    assert len(before) > 3
    assert {("source",)} == set(before)
    assert {WatchOutcome.UNPUBLISHED} == {
        p.outcome for p in passes if p.outcome is not WatchOutcome.EVERYWHERE
    } - {WatchOutcome.WITHIN_LAG, WatchOutcome.STUCK}
    assert passes[-1].exit_code == 0


def test_once_it_is_published_each_look_is_whole() -> None:
    world = played("edge", edge=since(60))
    watch(world)

    assert world.asked[0][1] == ("source",)
    assert {("source", "edge")} == {names for _, names in world.asked[1:]}


def test_a_fix_that_one_vantage_does_not_see_at_the_source_yet_is_not_asked_for_elsewhere() -> None:
    world = played("edge", source=since(20))
    world.vantages = {"paris": 0.0, "tokyo": 300.0}
    passes = watch(world, passes=2)
    asked = [second for second, names in world.asked if "edge" in names]

    # Tokyo's source is five minutes behind that of Paris, and so may be what is near Tokyo.
    assert min(asked) >= 320
    assert passes[-1].exit_code == 0
    assert {(o.location, o.vantage) for o in passes[-1].observations} == {
        (place, vantage) for place in ("source", "edge") for vantage in ("paris", "tokyo")
    }


def test_a_vantage_that_cannot_see_the_source_keeps_nobody_waiting() -> None:
    world = played("edge", source=since(20))
    world.vantages = {"paris": 0.0, "nowhere": None}
    passes = watch(world, budget_s=100, passes=2)

    assert any("edge" in names for _, names in world.asked)
    assert passes[-1].outcome is WatchOutcome.UNREACHABLE


def test_each_incident_waits_for_its_own_publication() -> None:
    world = played("edge")
    second = Incident(id="other", project="brokenpkg", broken=("1.2.4",), fixed=("1.2.5",))
    world.plan = replace(world.plan, incidents=(*world.plan.incidents, second))
    last = watch(world, 60.0)[-1]

    assert last.outcome is WatchOutcome.UNPUBLISHED
    assert {o.location for o in last.observations if o.incident == "other"} == {"source"}
    assert {o.location for o in last.observations if o.incident != "other"} == {"source", "edge"}


@pytest.mark.parametrize(
    ("script", "lag_s", "outcome", "code"),
    [
        ({"edge": since(9e9)}, 86400.0, WatchOutcome.WITHIN_LAG, 1),
        ({"edge": since(9e9)}, 60.0, WatchOutcome.STUCK, 1),
        ({"edge": lambda s: "gone"}, 60.0, WatchOutcome.UNREACHABLE, 3),
        ({"source": since(9e9)}, 60.0, WatchOutcome.UNPUBLISHED, 1),
        ({"source": lambda s: "gone"}, 60.0, WatchOutcome.UNREACHABLE, 3),
    ],
)
def test_out_of_budget_it_says_why(
    script: Script, lag_s: float, outcome: WatchOutcome, code: int
) -> None:
    world = played("edge", lag_s=lag_s, **script)
    passes = watch(world, 900.0)

    assert (outcome, code) == (passes[-1].outcome, passes[-1].exit_code)
    assert not passes[-1].is_confirmed
    assert world.second == pytest.approx(900.0)  # a last look at the very end, and not one later
    assert len(passes) < 20


def test_other_bytes_end_it_at_once_when_looks_agree() -> None:
    world = played("edge", edge=lambda s: "other-bytes")
    passes = watch(world, passes=2)

    assert (
        passes[-1].outcome,
        passes[-1].exit_code,
        passes[-1].is_confirmed,
    ) == (WatchOutcome.TAMPERED, 1, True)
    assert len(passes) == 2


def test_not_enough_agreeing_looks_within_the_budget_are_not_enough() -> None:
    passes = watch(played("edge", edge=since(50)), 60.0, passes=5)

    assert (
        passes[-1].outcome,
        passes[-1].is_confirmed,
        passes[-1].exit_code,
    ) == (WatchOutcome.EVERYWHERE, False, 1)


def test_a_clock_that_is_set_back_makes_no_watch_longer() -> None:
    world = played("mirror", mirror=lambda second: "old")
    running_s = 0.0
    one = Watch(
        world.plan,
        world.look,
        entry(60.0),
        now=world.now,
        running_s=lambda: running_s,
        interval_s=9,
    )
    passes = [one.next_pass()]
    while not passes[-1].is_last:
        running_s += passes[-1].wait_s
        world.second -= 3600.0  # as when a server that tells the time comes back
        passes.append(one.next_pass())
        assert len(passes) < 50

    assert running_s == pytest.approx(60.0)
    assert passes[-1].exit_code == 1


def test_grace_does_not_end_a_watch() -> None:
    world = played("edge", lag_s=86400.0, edge=since(9e9))
    world.plan = replace(world.plan, grace=True)

    assert watch(world, 60.0)[-1].exit_code == 1


def test_stopped_it_reports_what_it_had_seen() -> None:
    world = played("edge", edge=since(9e9))
    world.stop_at = 25.0
    last = watch(world)[-1]

    assert last.interrupted
    assert last.exit_code == 1
    assert {Outcome.OBSERVED} == {o.outcome for o in last.observations}


def test_without_a_source_everybody_is_asked() -> None:
    world = played("edge")
    alone = replace(stage.location("edge"), upstream=None)
    world.plan = replace(world.plan, locations=(alone, replace(alone, name="lab")))

    watch(world)
    assert {("edge", "lab")} == {names for _, names in world.asked}


def test_a_watch_goes_on_where_it_was_cut_off() -> None:
    begun = entry(600.0, outcome="everywhere", agreeing=2, looks=7)
    (only,) = watch(played("edge"), entry=begun, passes=3)

    assert (only.number, only.agreeing, only.exit_code) == (8, 3, 0)


def test_how_far_a_watch_has_come_survives_and_is_forgotten_at_its_end(tmp_path: Path) -> None:
    begun = entry(600.0, outcome="stuck", agreeing=4, looks=5)
    later = START + timedelta(seconds=10)
    with History(tmp_path / "h") as history:
        with history.writing() as connection:
            keep_watch(connection, begun)
        assert begun == find_watch(history.connection, "q", later)
        assert find_watch(history.connection, "another question", later) is None
        assert find_watch(history.connection, "q", START + timedelta(hours=1)) is None
        # A clock that went back: it is not known how much of the budget is left.
        assert find_watch(history.connection, "q", START - timedelta(hours=1)) is None
        with history.writing() as connection:
            end_watch(connection, "q")
        assert find_watch(history.connection, "q", later) is None


def test_another_question_is_another_watch() -> None:
    plan = stage.plan(stage.location("edge"))
    more = stage.plan(stage.location("edge"), stage.location("lab"))
    incident = replace(stage.INCIDENT, fixed=("1.2.5",))

    assert question_of(plan, 3) == question_of(stage.plan(stage.location("edge")), 3)
    asked = {question_of(plan, 3), question_of(plan, 4), question_of(more, 3)}
    asked.add(question_of(replace(plan, incidents=(incident,)), 3))
    asked |= {question_of(plan, 3, ["paris"]), question_of(plan, 3, ["paris", "tokyo"])}
    assert len(asked) == 6
    assert question_of(plan, 3, ["tokyo", "paris"]) in asked


def blocking(**facts: object) -> tuple[Verdict, Observation]:
    found = stage.observe("edge", stage.page(stage.OLD), **facts)
    return stage.verdict(found), found


def test_waits_grow_while_nothing_changes_and_stay_bounded() -> None:
    waits = [wait_s([blocking()], START, unchanged=n) for n in (0, 1, 2, 50, 5000)]

    assert waits == [10.0, 15.0, 22.5, 300.0, 300.0]
    assert wait_s([blocking()], START, unchanged=0, interval_s=900.0) == 900.0


def cached(expires_in_s: float) -> Freshness:
    return Freshness(
        fetched_at=START, age_s=5.0, expires_at=START + timedelta(seconds=expires_in_s)
    )


@pytest.mark.parametrize(
    ("expires_in_s", "expected"), [(120, 121.0), (3, 10.0), (7200, 300.0), (-5, 10.0)]
)
def test_a_cached_page_is_not_asked_for_before_it_expires(
    expires_in_s: float, expected: float
) -> None:
    page = stage.page(stage.OLD, freshness=cached(expires_in_s))
    found = stage.observe("edge", page)

    assert expected == wait_s([(stage.verdict(found), found)], START, unchanged=0)


def test_what_comes_from_no_cache_may_change_at_any_time() -> None:
    fresh = replace(cached(240), age_s=None)
    found = stage.observe("edge", stage.page(stage.OLD, freshness=fresh))

    assert wait_s([(stage.verdict(found), found)], START, unchanged=0) == 10.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60", 60.0),
        ("99999999", 10.0),
        ("5000", 300.0),
        ("nonsense", 10.0),
        ("Fri, 20 Nov 2026 13:01:30 GMT", 90.0),
    ],
)
def test_a_server_that_asks_for_time_gets_it(text: str, expected: float) -> None:
    evidence = Evidence(id="e1", request="GET", response={"Retry-After": text})

    assert expected == wait_s([blocking(evidence=(evidence,))], START, unchanged=0)
