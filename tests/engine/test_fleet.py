"""Many incidents: what is held at once, who shares what, and who is asked no more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from auditor import lanes
from auditor.contracts import Assignment, Shared
from auditor.engine import INTERRUPTED, Audit, Event, Sight
from auditor.errors import Unreachable
from auditor.lanes import Lane, Look, Window, by_project, from_the_top, host_of
from auditor.model import HeldState, Holding, Incident, Observation, Outcome
from auditor.patience import ENOUGH_LOOKS, RETRY_S, Patience
from tests.engine.test_engine import audit, incident, place, quick, seen
from tests.verdict.stage import CURRENT, page


def incidents(count: int) -> tuple[Incident, ...]:
    return tuple(incident(f"p{number}") for number in range(count))


async def order_of(the_audit: Audit) -> list[str]:
    async with aclosing(the_audit.stream()) as sights:
        return [sight.incident async for sight in sights]


async def test_each_incident_comes_once_and_whole() -> None:
    the_audit = audit(
        place("root", "quick"),
        place("a", "quick", upstream="root"),
        place("b", "quick", upstream="root"),
        behaviours={"quick": quick},
        incidents=incidents(40),
    )
    async with aclosing(the_audit.stream()) as sights:
        found = {s.incident: sorted(o.location for o in s.observations) async for s in sights}
    assert found == {f"p{number}": ["a", "b", "root"] for number in range(40)}


async def test_no_more_incidents_are_begun_than_may_be_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "MAX_INCIDENTS", 3)
    begun: set[str] = set()
    the_audit = audit(
        *(place(name, "quick") for name in "ab"),
        behaviours={"quick": quick},
        incidents=incidents(12),
        on_event=lambda event: begun.add(event.incident),
    )
    beyond = []
    async with aclosing(the_audit.stream()) as sights:
        async for number, _ in enumerated(sights):
            for _ in range(50):
                await asyncio.sleep(0)  # lets whoever may begin do so
            beyond.append(len(begun) - number)
    assert max(beyond) == 3
    assert len(beyond) == 12


async def enumerated(sights: AsyncIterator[Sight]) -> AsyncIterator[tuple[int, Sight]]:
    number = 0
    async for sight in sights:
        yield number, sight
        number += 1


async def test_incidents_with_large_pages_are_let_in_one_after_another() -> None:
    window = Window()
    await window.enter()
    window.holds(lanes.MAX_FILES)
    second = asyncio.create_task(window.enter())
    await asyncio.sleep(0)
    assert not second.done()
    window.leave(lanes.MAX_FILES)
    async with asyncio.timeout(5):
        await second


async def test_files_that_pages_share_are_counted_once() -> None:
    unfinished = lanes.Unfinished(left=2)
    listing = tuple(CURRENT)
    pages = (page(listing), page(listing))
    one = Observation(
        location="a",
        vantage="v",
        incident="i",
        outcome=Outcome.OBSERVED,
        pages=tuple(replace(each, candidates=listing) for each in pages),
        started_at=(await quick_seen()).started_at,
        finished_at=(await quick_seen()).finished_at,
    )
    assert unfinished.take(one) == len(listing)
    assert not unfinished.complete.is_set()
    assert unfinished.take(replace(one, location="b")) == 0
    assert unfinished.complete.is_set()


async def quick_seen() -> Observation:
    (found,) = await audit(place("a", "quick"), behaviours={"quick": quick}).run()
    return found


def test_incidents_about_one_project_follow_each_other() -> None:
    given = [
        replace(incident(name), project=project)
        for name, project in (("1", "a"), ("2", "b"), ("3", "a"), ("4", "c"), ("5", "b"))
    ]
    assert [each.id for each in by_project(given)] == ["1", "3", "2", "5", "4"]


async def test_what_a_project_shares_is_closed_after_its_last_incident_and_not_before() -> None:
    log: list[str] = []

    async def note(assignment: Assignment) -> Observation:
        shared = assignment.project_shared

        async def close(name: str) -> None:
            log.append(f"closed {name}")

        if shared is not None:
            shared.one(lambda: assignment.incident.project, "x", close=close)
        return seen(assignment)

    two = tuple(replace(incident(name), project="twice") for name in ("first", "second"))
    the_audit = audit(
        place("a", "note"), behaviours={"note": note}, incidents=(*two, incident("once"))
    )
    async with aclosing(the_audit.stream()) as sights:
        async for sight in sights:
            log += [sight.incident]
    assert log == ["first", "second", "closed twice", "once"]


async def test_a_project_with_one_incident_shares_nothing() -> None:
    scopes: list[Shared | None] = []

    async def note(assignment: Assignment) -> Observation:
        scopes.append(assignment.project_shared)
        return seen(assignment)

    await audit(place("a", "note"), behaviours={"note": note}, incidents=incidents(3)).run()
    assert scopes == [None, None, None]


async def test_a_place_that_never_answers_is_tried_a_few_times_and_not_for_each_incident() -> None:
    asked: Counter[str] = Counter()

    async def silent(assignment: Assignment) -> Observation:
        asked[assignment.location.name] += 1
        raise Unreachable("no answer", connected=False)

    found = await audit(
        place("down", "silent"),
        place("fine", "quick"),
        behaviours={"silent": silent, "quick": quick},
        incidents=incidents(60),
    ).run()
    # The looks that are under way when it is enough come to their end.
    assert ENOUGH_LOOKS <= asked["down"] < ENOUGH_LOOKS + 4
    down = [o for o in found if o.location == "down"]
    assert {(o.outcome, o.connected) for o in down} == {(Outcome.UNREACHABLE, False)}
    told = [o for o in down if "not asked about this incident" in o.detail]
    assert len(told) == 60 - asked["down"]
    assert all("no answer" in o.detail for o in told)
    assert {o.outcome for o in found if o.location == "fine"} == {Outcome.OBSERVED}


async def test_a_silent_place_is_tried_again_after_a_while_and_any_answer_is_enough() -> None:
    now_s = 1000.0
    patience = Patience(lambda: now_s)
    answered = await quick_seen()
    silent = replace(answered, outcome=Outcome.UNREACHABLE)
    for _ in range(ENOUGH_LOOKS):
        assert patience.spared("a") is None
        patience.saw("a", silent)
    assert patience.spared("a") is silent
    assert patience.spared("b") is None
    now_s += RETRY_S
    assert patience.spared("a") is None  # the trial
    assert patience.spared("a") is silent  # nobody else meanwhile
    patience.saw("a", silent)
    assert patience.spared("a") is silent
    now_s += RETRY_S
    assert patience.spared("a") is None
    patience.saw("a", answered)
    assert patience.spared("a") is None


async def test_places_of_one_host_that_wait_for_each_other_all_get_their_turn() -> None:
    """What is gone from the source is asked for at a copy only after the copies above it."""

    async def gone(assignment: Assignment) -> Observation:
        name = "brokenpkg-1.2.3.tar.gz"
        holding = Holding(filename=name, state=HeldState.NOT_HELD, how="asked", answered=404)
        await asyncio.sleep(0)
        return seen(assignment, holdings=(holding,))

    chain = ["root", *(f"copy{number}" for number in range(12))]
    places = [
        place(name, "gone", upstream=above)
        for name, above in zip(chain, [None, *chain], strict=False)
    ]
    async with asyncio.timeout(20):
        found = await audit(
            *reversed(places), behaviours={"gone": gone}, incidents=incidents(9)
        ).run()
    assert len(found) == 13 * 9
    assert {o.outcome for o in found} == {Outcome.OBSERVED}


def test_a_copy_never_comes_before_what_it_copies_from() -> None:
    places = [
        place("c", upstream="b"),
        place("b", upstream="a"),
        place("loop1", upstream="loop2"),
        place("loop2", upstream="loop1"),
        place("a"),
        place("other", upstream="elsewhere"),
    ]
    order = [each.name for each in from_the_top(places)]
    assert order.index("a") < order.index("b") < order.index("c")
    assert sorted(order) == sorted(each.name for each in places)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Mirror.example/a/simple/", "mirror.example"),
        ("https://user:secret@mirror.example:8443/simple/", "mirror.example:8443"),
        ("s3://bucket/prefix", "place x"),
        ("http://[broken/simple/", "place x"),
        (None, "place x"),
    ],
)
def test_a_lane_is_that_of_the_host_and_names_no_login(url: str | None, host: str) -> None:
    assert host_of(place("x", url=url)) == host


async def test_a_host_with_many_places_has_no_more_looks_under_way_than_places() -> None:
    now = most = 0

    async def count(assignment: Assignment) -> Observation:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return seen(assignment)

    places = [place(f"m{number}", "count") for number in range(10)]
    await audit(*places, behaviours={"count": count}, incidents=incidents(8)).run()
    assert most == 10


def test_a_lane_has_no_worker_without_work() -> None:
    assert Lane(places=1, at_once=4, incidents=1).workers == 1
    assert Lane(places=1, at_once=4, incidents=9).workers == 4
    assert Lane(places=10, at_once=4, incidents=9).workers == 10


async def test_looks_leave_a_lane_in_the_order_in_which_they_came() -> None:
    lane = Lane(places=1, at_once=4, incidents=3)
    looks = [Look(place("a"), each) for each in incidents(3)]
    waiting = asyncio.create_task(lane.next())
    await asyncio.sleep(0)
    for look in looks:
        lane.add(look)
    lane.close()
    assert [await waiting, await lane.next(), await lane.next()] == looks
    assert await lane.next() is None


async def test_stopping_tells_of_every_incident_that_it_was_not_seen() -> None:
    def stop(event: Event) -> None:
        if event.done == 3:
            the_audit.stop()

    the_audit = audit(
        place("a", "quick"), behaviours={"quick": quick}, incidents=incidents(50), on_event=stop
    )
    async with asyncio.timeout(10), aclosing(the_audit.stream()) as sights:
        found = [o async for sight in sights for o in sight.observations]
    assert len(found) == 50
    assert {o.detail for o in found if o.outcome is Outcome.SKIPPED} == {INTERRUPTED}
    assert sum(o.outcome is Outcome.OBSERVED for o in found) >= 3


async def test_what_a_listener_raises_ends_the_audit_and_leaves_nothing_running() -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("a bug")

    before = asyncio.all_tasks()
    the_audit = audit(
        *(place(name, "quick") for name in "ab"),
        behaviours={"quick": quick},
        incidents=incidents(9),
        on_event=fail,
    )
    with pytest.raises(RuntimeError, match="a bug"):
        await order_of(the_audit)
    assert asyncio.all_tasks() == before


async def test_leaving_early_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    the_audit = audit(place("a", "quick"), behaviours={"quick": quick}, incidents=incidents(50))
    async with aclosing(the_audit.stream()) as sights:
        await anext(sights)
    assert asyncio.all_tasks() == before
