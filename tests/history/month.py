"""A month that is played: a run every ten minutes over fifty places, an incident in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec import structs

from auditor.model import Observation, Outcome, Plan, Run
from tests.verdict import stage

START = datetime(2026, 11, 1, tzinfo=UTC)
TICK = timedelta(minutes=10)
TICKS = 30 * 24 * 6
PUBLISHED = 10 * 24 * 6
PLAIN = tuple(f"plain-{number:02}" for number in range(43))
SPECIAL = ("laggard", "flapper", "dies", "dies-old", "loses", "blink")
NAMES = (*PLAIN, *SPECIAL)
LAG = timedelta(hours=6)

OLD, NEW, GONE = "old", "new", "gone"
FIX = structs.replace(stage.FIX, uploaded_at=START + PUBLISHED * TICK)
PAGES = {OLD: stage.OLD, NEW: (stage.GOOD, stage.YANKED, FIX)}


def arrives(name: str) -> int:
    """The tick in which a place first shows the fix."""
    special = {"laggard": 144, "flapper": 3, "dies": 2, "dies-old": TICKS, "loses": 1, "blink": 1}
    if name in special:
        return PUBLISHED + special[name]
    return PUBLISHED + 1 + PLAIN.index(name) % 6


def shown(name: str, tick: int) -> str:
    """What a place shows in a tick: this is the script."""
    if name == "source":
        return NEW if tick >= PUBLISHED else OLD
    if name == "flapper" and 2000 <= tick < 2100:
        return OLD if (tick - 2000) // 10 % 2 == 0 else NEW
    if name == "dies" and 2500 <= tick < 2600:
        return GONE
    if name == "dies-old" and tick >= 3000:
        return GONE
    if name == "loses" and 3500 <= tick < 3520:
        return OLD
    if name == "blink" and tick == 2200:
        return GONE
    return NEW if tick >= arrives(name) else OLD


def plan() -> Plan:
    places = (stage.location(name, expected_lag_s=LAG.total_seconds()) for name in NAMES)
    return stage.plan(*places)


def runs() -> Iterator[Run]:
    """The whole month, run by run."""
    for tick in range(TICKS):
        at = START + tick * TICK
        late = at > START + PUBLISHED * TICK + LAG
        shows = tuple((name, shown(name, tick)) for name in ("source", *NAMES))
        yield replace(_judged(shows, late), started_at=at - timedelta(seconds=20), finished_at=at)


@cache
def _judged(shows: tuple[tuple[str, str], ...], late: bool) -> Run:
    """Judge each situation once: it differs from its like in the times alone."""
    at = START + PUBLISHED * TICK + (2 * LAG if late else LAG / 2)
    seen = [_observed(name, what, at) for name, what in shows]
    return stage.run(plan(), *seen)


def _observed(name: str, what: str, at: datetime) -> Observation:
    if what == GONE:
        found = stage.observe(name, outcome=Outcome.UNREACHABLE, connected=False)
    else:
        found = stage.observe(name, stage.page(PAGES[what]))
    return replace(found, started_at=at, finished_at=at)


def statuses() -> Mapping[str, str]:
    """What the judge calls what a place shows."""
    return {OLD: "exposed", NEW: "rolled-forward", GONE: "unknown"}
