"""Runs made by hand: one per number, ten minutes apart, each unlike the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from auditor.model import Observation, Plan, Run
from auditor.verdict import judge
from tests.verdict import stage

START = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
STEP = timedelta(minutes=10)
NAMES = ("office", "edge", "lab")


def at(number: int) -> datetime:
    """When a run ends."""
    return START + number * STEP


def plan() -> Plan:
    return stage.plan(*(stage.location(name, expected_lag_s=3600.0) for name in NAMES))


def made(number: int) -> tuple[Run, Plan, tuple[Observation, ...]]:
    """A run in which `office` alternates, `edge` has the fix, and `lab` has not."""
    pages = {
        "source": stage.CURRENT,
        "office": stage.CURRENT if number % 2 else stage.OLD,
        "edge": stage.CURRENT,
        "lab": stage.OLD,
    }
    return judged({name: stage.observe(name, stage.page(p)) for name, p in pages.items()}, number)


def judged(
    seen: dict[str, Observation], number: int, the_plan: Plan | None = None
) -> tuple[Run, Plan, tuple[Observation, ...]]:
    """Judge observations as those of a run's time."""
    the_plan = the_plan or plan()
    moment = at(number)
    observations = tuple(
        replace(o, started_at=moment - timedelta(seconds=5), finished_at=moment)
        for o in seen.values()
    )
    (run,) = judge(the_plan, observations)
    return run, the_plan, observations
