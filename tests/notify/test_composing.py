"""What a channel is told of a short script: the month of `tests/history`, within CI's minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from auditor.history import History
from auditor.history.store import record_run
from auditor.model import Observation, Outcome
from auditor.notify import Channel, compose, deliver
from auditor.notify.message import Message
from tests.history.made import START, STEP, at, judged
from tests.verdict import stage

MakeChannel = Callable[..., Channel]
Script = Mapping[str, str]
# Run, what happened, where, what was told before, what is told now.
Told = tuple[int, str, str, str | None, str]

OLD, NEW, GONE = "exposed", "rolled-forward", "unknown"


def observed(name: str, sign: str) -> Observation:
    """`o` the old page, `N` the fix, `u` no answer."""
    if sign == "u":
        return stage.observe(name, outcome=Outcome.UNREACHABLE, connected=False)
    return stage.observe(name, stage.page(stage.CURRENT if sign == "N" else stage.OLD))


def play(file: Path, script: Script, channel: Channel) -> list[Told]:
    """Make a run for each letter; a place with `.` is not in the configuration then."""
    told: list[Message] = []
    length = max(map(len, script.values()))
    with History(file) as history:
        for number in range(length):
            there = {name: signs[number] for name, signs in script.items() if signs[number] != "."}
            plan = stage.plan(*(stage.location(name) for name in there))
            seen = {"source": stage.source()}
            seen |= {name: observed(name, sign) for name, sign in there.items()}
            run, _, observations = judged(seen, number, plan)
            with history.writing() as connection:
                recorded = record_run(connection, run, observations, plan, now=at(number))
                compose(connection, [channel], run, recorded)
            sent = deliver(history, [channel], now=at(number), send=lambda _, m: told.append(m))
            assert sent == ()
    return [
        ((m.at - START) // STEP, e.kind.value, e.location, e.before, e.after)
        for m in told
        for e in m.events
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


@pytest.fixture
def hook(channel: MakeChannel) -> MakeChannel:
    return lambda **facts: channel("webhook", "http://127.0.0.1/", **facts)


def test_a_change_is_told_when_it_happens_and_silence_heals_nothing(
    file: Path, hook: MakeChannel
) -> None:
    script = {"late": "ooNNN", "fine": "NNuNN", "dead": "oouuN"}

    assert play(file, script, hook()) == [
        (0, "failing", "dead", None, OLD),
        (0, "failing", "late", None, OLD),
        (2, "change", "dead", OLD, GONE),
        (2, "change", "fine", NEW, GONE),
        (2, "resolved", "late", OLD, NEW),
        (3, "change", "fine", GONE, NEW),
        (4, "resolved", "dead", GONE, NEW),
    ]


def test_with_a_threshold_only_what_lasts_is_told_failing_and_resolved_alike(
    file: Path, hook: MakeChannel
) -> None:
    script = {"blinks": "NNoNNNNNNN", "flaps": "oooNooNNNN", "loses": "NNNNoooNNN"}

    assert play(file, script, hook(threshold=3)) == [
        (2, "failing", "flaps", None, OLD),
        (6, "failing", "loses", NEW, OLD),
        (8, "resolved", "flaps", OLD, NEW),
        (9, "resolved", "loses", OLD, NEW),
    ]


def test_a_channel_hears_only_of_what_it_asked_for(file: Path, hook: MakeChannel) -> None:
    script = {"late": "ooNuNoN", "fine": "NuNNNNN"}

    assert play(file, script, hook(on=("resolved",))) == [
        (2, "resolved", "late", OLD, NEW),
        (6, "resolved", "late", OLD, NEW),
    ]


def test_what_still_fails_is_told_again_after_a_while_since_the_last_message(
    file: Path, hook: MakeChannel
) -> None:
    script = {"stuck": "oooooooooo", "late": "ooNNNNNNNN"}
    every = hook(remind_every_s=(3 * STEP).total_seconds())

    assert play(file, script, every) == [
        (0, "failing", "late", None, OLD),
        (0, "failing", "stuck", None, OLD),
        (2, "resolved", "late", OLD, NEW),
        (5, "reminder", "stuck", OLD, OLD),
        (8, "reminder", "stuck", OLD, OLD),
    ]


def test_nobody_is_reminded_of_a_place_that_is_not_looked_at_any_more(
    file: Path, hook: MakeChannel
) -> None:
    script = {"gone": "oo........", "stuck": "oooooooooo"}
    every = hook(remind_every_s=(3 * STEP).total_seconds())

    assert play(file, script, every) == [
        (0, "failing", "gone", None, OLD),
        (0, "failing", "stuck", None, OLD),
        (3, "reminder", "gone", OLD, OLD),  # it was looked at within that time
        (3, "reminder", "stuck", OLD, OLD),
        (6, "reminder", "stuck", OLD, OLD),
        (9, "reminder", "stuck", OLD, OLD),
    ]
