"""The fan-out: order, deadlines, limits, interruption, and probes that misbehave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditor.contracts import Assignment, Credentials, ProbeKind, Shared
from auditor.engine import INTERRUPTED, Audit, Event, Limits
from auditor.errors import Denied, GuardRefused, Malformed, Unreachable
from auditor.model import (
    Incident,
    Location,
    Observation,
    Outcome,
    Plan,
    RequestRecord,
    Role,
    Touch,
    Vantage,
)
from tests.verdict.stage import CURRENT, OLD, page

NOW = datetime(2026, 11, 20, tzinfo=UTC)
Behaviour = Callable[[Assignment], Awaitable[Observation]]


def seen(assignment: Assignment, **facts: object) -> Observation:
    return replace(
        Observation(
            location="whatever the probe says",
            vantage="nowhere",
            incident="none",
            outcome=Outcome.OBSERVED,
            started_at=NOW,
            finished_at=NOW,
        ),
        **facts,
    )


async def quick(assignment: Assignment) -> Observation:
    return seen(assignment)


async def hang(assignment: Assignment) -> Observation:
    record = RequestRecord(
        location=assignment.location.name,
        method="GET",
        url="http://127.0.0.1/",
        touch=Touch.REFRESHES_INDEX,
        status=None,
        sent_at=NOW,
    )
    assignment.ledger.write(record)
    await asyncio.sleep(3600)
    raise AssertionError("never comes here")


def kind(name: str, behaviour: Behaviour) -> ProbeKind:
    return ProbeKind(name=name, summary="a stand-in", role=Role.INDEX, observe=behaviour)


def place(name: str, kind_name: str | None = None, **facts: object) -> Location:
    return replace(
        Location(name=name, kind=kind_name or name, role=Role.INDEX, url="http://127.0.0.1/"),
        **facts,
    )


def incident(name: str = "brokenpkg") -> Incident:
    return Incident(id=name, project=name, broken=("1.2.3",), fixed=("1.2.4",))


def audit(
    *places: Location,
    behaviours: dict[str, Behaviour],
    incidents: tuple[Incident, ...] = (),
    on_event: Callable[[Event], None] | None = None,
    credentials: dict[str, Credentials] | None = None,
    concurrency: int = 64,
    prepare: Callable[[Location, Credentials], None] | None = None,
) -> Audit:
    plan = Plan(
        incidents=incidents or (incident(),),
        locations=places,
        vantage=Vantage(id="here"),
        tool_version="0.0",
        created_at=NOW,
        contact="ops@example.org",
        concurrency=concurrency,
    )
    kinds = {
        name: replace(kind(name, behaviour), prepare=prepare)
        for name, behaviour in behaviours.items()
    }
    return Audit(plan, credentials or {}, kinds, on_event=on_event)


async def test_every_place_gives_one_observation_in_the_order_of_the_plan() -> None:
    places = [place(name, "quick") for name in ("c", "a", "b")]
    found = await audit(*places, behaviours={"quick": quick}).run()
    assert [(o.location, o.vantage, o.incident) for o in found] == [
        (name, "here", "brokenpkg") for name in ("c", "a", "b")
    ]


async def test_the_source_is_seen_before_anything_else_is_asked() -> None:
    order: list[str] = []

    async def note(assignment: Assignment) -> Observation:
        order.append(f"{assignment.location.name} begins")
        await asyncio.sleep(0)
        order.append(f"{assignment.location.name} ends")
        return seen(assignment)

    places = [place(n, "note", upstream="root") for n in ("a", "b")]
    await audit(*places, place("root", "note"), behaviours={"note": note}).run()
    assert order[:2] == ["root begins", "root ends"]
    assert sorted(order[2:4]) == ["a begins", "b begins"]


@pytest.mark.parametrize(("files", "expected"), [(CURRENT, True), (OLD, False), (None, None)])
async def test_later_probes_know_whether_the_source_lists_the_fix(
    files: tuple[object, ...] | None, expected: bool | None
) -> None:
    told: list[bool | None] = []

    async def root(assignment: Assignment) -> Observation:
        assert assignment.source is None
        return seen(assignment, pages=() if files is None else (page(files),))

    async def leaf(assignment: Assignment) -> Observation:
        assert assignment.source is not None
        told.append(assignment.source.lists_fix)
        return seen(assignment)

    places = (place("leaf", upstream="root"), place("root"))
    await audit(*places, behaviours={"root": root, "leaf": leaf}).run()
    assert told == [expected]


async def test_a_place_that_hangs_costs_its_deadline_and_nobody_else() -> None:
    finished: list[str] = []
    places = [place("slow", "hang", timeout_s=0.2), place("a", "quick"), place("b", "quick")]
    started = time.monotonic()
    found = await audit(
        *places,
        behaviours={"hang": hang, "quick": quick},
        on_event=lambda e: finished.append(e.location) if e.phase == "finished" else None,
    ).run()
    assert time.monotonic() - started >= 0.2
    assert finished == ["a", "b", "slow"]
    assert (found[0].outcome, found[0].detail) == (
        Outcome.UNREACHABLE,
        "no complete answer in 0.2 s",
    )


async def test_a_cancelled_probe_keeps_the_requests_that_it_made() -> None:
    (found,) = await audit(place("slow", "hang", timeout_s=0.05), behaviours={"hang": hang}).run()
    assert [r.url for r in found.requests] == ["http://127.0.0.1/"]
    assert found.connected is False


@pytest.mark.parametrize(
    ("error", "outcome", "connected"),
    [
        (Unreachable("refused", connected=False), Outcome.UNREACHABLE, False),
        (Unreachable("reset", connected=True), Outcome.UNREACHABLE, True),
        (Denied("401"), Outcome.DENIED, None),
        (GuardRefused("may store"), Outcome.SKIPPED, None),
        (Malformed("no index"), Outcome.MALFORMED, None),
        (KeyError("bug"), Outcome.MALFORMED, None),
        (SystemExit(7), Outcome.MALFORMED, None),
    ],
)
async def test_whatever_a_probe_raises_is_an_observation(
    error: BaseException, outcome: Outcome, connected: bool | None
) -> None:
    async def fail(assignment: Assignment) -> Observation:
        raise error

    (found,) = await audit(place("x", "fail"), behaviours={"fail": fail}).run()
    assert (found.outcome, found.connected) == (outcome, connected)
    assert found.detail


async def test_no_secret_survives_in_the_text_of_an_exception() -> None:
    async def leak(assignment: Assignment) -> Observation:
        raise ValueError(f"cannot log in as {assignment.credentials.password}")

    canary = "canary-7d1f"
    (found,) = await audit(
        place("x", "leak"),
        behaviours={"leak": leak},
        credentials={"x": Credentials(username="u", password=canary)},
    ).run()
    assert canary not in repr(found)
    assert "cannot log in as" in found.detail


async def test_a_kind_without_probe_is_skipped_and_says_so() -> None:
    (found,) = await audit(place("x", "quantum-mirror"), behaviours={}).run()
    assert found.outcome is Outcome.SKIPPED
    assert "quantum-mirror" in found.detail


async def test_stopping_keeps_what_was_seen_and_says_what_was_not() -> None:
    def stop_after_first(event: Event) -> None:
        if event.phase == "finished" and event.location == "a":
            the_audit.stop()

    places = [place("a", "quick"), place("slow", "hang"), place("slower", "hang")]
    the_audit = audit(*places, behaviours={"hang": hang, "quick": quick}, on_event=stop_after_first)
    found = await asyncio.wait_for(the_audit.run(), 5)
    assert the_audit.interrupted
    assert [o.outcome for o in found] == [Outcome.OBSERVED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert {o.detail for o in found[1:]} == {INTERRUPTED}


async def test_stopping_during_the_source_leaves_every_place_unseen() -> None:
    def stop(event: Event) -> None:
        the_audit.stop()

    places = (place("root", "hang"), place("leaf", "quick", upstream="root"))
    the_audit = audit(*places, behaviours={"hang": hang, "quick": quick}, on_event=stop)
    found = await asyncio.wait_for(the_audit.run(), 5)
    assert [o.outcome for o in found] == [Outcome.SKIPPED, Outcome.SKIPPED]


async def test_every_incident_is_looked_up_at_every_place() -> None:
    incidents = tuple(incident(f"p{n}") for n in range(10))
    events: list[Event] = []
    found = await audit(
        place("a", "quick"),
        place("b", "quick"),
        behaviours={"quick": quick},
        incidents=incidents,
        on_event=events.append,
    ).run()
    assert {(o.location, o.incident) for o in found} == {
        (name, i.id) for name in "ab" for i in incidents
    }
    assert events[-1].done == events[-1].total == 20


async def test_a_location_is_not_asked_about_more_incidents_at_once_than_its_limit() -> None:
    now, most = 0, 0

    async def count(assignment: Assignment) -> Observation:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await four.wait()  # lets nobody through before there are four
        now -= 1
        return seen(assignment)

    four = asyncio.Barrier(4)
    incidents = tuple(incident(f"p{n}") for n in range(28))
    await audit(place("a", "count"), behaviours={"count": count}, incidents=incidents).run()
    assert most == 4


async def most_at_once(limits: Limits, hosts: str) -> dict[str, int]:
    """Hold a slot on each of these hosts, and count how many there were at once."""
    now: dict[str, int] = {}
    most: dict[str, int] = {}

    async def hold(number: int, host: str) -> None:
        async with limits.place(f"place {number}"), limits.slot(host):
            for name in (host, "places"):
                now[name] = now.get(name, 0) + 1
                most[name] = max(most.get(name, 0), now[name])
            await asyncio.sleep(0)
            for name in (host, "places"):
                now[name] -= 1

    await asyncio.gather(*(hold(*each) for each in enumerate(hosts)))
    return most


async def test_limits_bound_each_host_and_the_places() -> None:
    per_host = await most_at_once(Limits(concurrency=99, concurrency_per_host=2), "aaaaabbbbb")
    assert per_host == {"a": 2, "b": 2, "places": 4}
    places = await most_at_once(Limits(concurrency=3, concurrency_per_host=9), "abcdefgh")
    assert places["places"] == 3


async def test_several_looks_at_one_place_count_as_one_place() -> None:
    limits, two, order = Limits(concurrency=1, concurrency_per_host=9), asyncio.Barrier(2), ""

    async def look(name: str) -> None:
        nonlocal order
        async with limits.place(name):
            order += name
            if name == "a":
                await two.wait()  # both are in at once, or this never ends

    async with asyncio.timeout(10):
        await asyncio.gather(*map(look, "aba"))
    assert order == "aab"


async def test_a_place_that_is_given_up_while_it_waits_takes_nobodys_turn() -> None:
    limits = Limits(concurrency=1, concurrency_per_host=9)

    async def look(name: str) -> None:
        async with limits.place(name):
            pass

    async with limits.place("a"):
        waiting = asyncio.create_task(look("b"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(10):
        await look("b")


async def test_what_probes_share_is_made_once_and_closed_at_the_end() -> None:
    made: list[str] = []

    def make() -> str:
        made.append("made")
        return "a thing"

    async def close(thing: str) -> None:
        made.append(f"{thing} closed")

    async def share(assignment: Assignment) -> Observation:
        assert assignment.shared is not None
        assert assignment.shared.one(make, "thing", close=close) == "a thing"
        if assignment.location.name == "b":
            raise RuntimeError("a bug")
        return seen(assignment)

    places = [place(name, "share") for name in "abc"]
    await audit(*places, behaviours={"share": share}).run()
    assert made == ["made", "a thing closed"]


async def test_kinds_are_prepared_before_anything_is_looked_at_and_may_fail_at_it() -> None:
    order: list[str] = []

    def prepare(location: Location, credentials: Credentials) -> None:
        order.append(f"prepared {location.name}")
        raise OSError("no such certificate")

    async def look(assignment: Assignment) -> Observation:
        order.append(f"looked at {assignment.location.name}")
        return seen(assignment)

    the_audit = audit(place("a", "look"), behaviours={"look": look}, prepare=prepare)
    assert order == ["prepared a"]
    await the_audit.run()
    assert order == ["prepared a", "looked at a"]


async def test_no_more_places_are_looked_at_at_once_than_the_concurrency_allows() -> None:
    now, most = 0, 0

    async def count(assignment: Assignment) -> Observation:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return seen(assignment)

    places = [place(f"p{n}", "count") for n in range(10)]
    the_audit = audit(*places, behaviours={"count": count}, concurrency=3)
    assert len(await the_audit.run()) == 10
    assert most == 3


async def test_the_user_agent_names_the_program_and_its_contact() -> None:
    agents: list[str] = []

    async def note(assignment: Assignment) -> Observation:
        agents.append(assignment.user_agent_suffix)
        return seen(assignment)

    await audit(place("a", "note"), behaviours={"note": note}).run()
    assert agents == ["propagation-auditor/0.0 (+ops@example.org)"]


async def test_what_is_for_one_place_is_closed_after_its_last_look() -> None:
    log: list[str] = []
    left = asyncio.Event()

    async def close(thing: str) -> None:
        log.append(f"{thing} closed")
        left.set()

    async def share(assignment: Assignment) -> Observation:
        name, shared = assignment.location.name, assignment.shared
        assert shared is not None
        shared.one(lambda: name, "thing", name, close=close, place=name)
        if name == "slow" and assignment.incident.id == "two":
            await left.wait()
        log.append(f"{name} {assignment.incident.id}")
        return seen(assignment)

    places = [place(name, "share") for name in ("quick", "slow")]
    two = (incident("one"), incident("two"))
    async with asyncio.timeout(10):
        await audit(*places, behaviours={"share": share}, incidents=two).run()
    assert log.index("quick two") < log.index("quick closed") < log.index("slow two")
    assert log[-1] == "slow closed"
    assert sorted(log).count("quick closed") == 1


async def test_what_was_kept_from_being_closed_is_closed_in_the_end() -> None:
    shared, closed, begun = Shared(), list[str](), asyncio.Event()

    async def close(thing: str) -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.sleep(3600)
        closed.append(thing)

    shared.one(lambda: "thing", "key", close=close, place="here")
    leaving = asyncio.create_task(shared.leave("here"))
    await begun.wait()
    leaving.cancel()
    await asyncio.wait([leaving])
    await shared.close()
    await shared.close()
    assert closed == ["thing"]
