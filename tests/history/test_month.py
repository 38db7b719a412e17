"""A scripted month gives the messages and the curve that its script implies: no more, no less."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.config.channels import ChannelSettings
from auditor.config.values import SecretReference
from auditor.history import History
from auditor.history.reading import changes_of, find_incident, series_of
from auditor.history.store import record_run
from auditor.history.trends import trends_of
from auditor.notify import Channel, compose, deliver
from auditor.notify.message import EventKind, Message
from tests.history import month
from tests.history.month import NAMES, PUBLISHED, START, TICK, TICKS

# One worker plays the month once for all of these tests.
pytestmark = [pytest.mark.slow, pytest.mark.heavy, pytest.mark.xdist_group("month")]

Told = tuple[int, EventKind, str, str | None, str]


def channel(name: str, **facts: object) -> Channel:
    known = {"on": ("change",), "threshold": 1, "remind_every_s": None}
    settings = ChannelSettings(
        name=name,
        kind="webhook",
        url=SecretReference("literal", "http://127.0.0.1/"),
        secret=None,
        to=(),
        sender=None,
        index=0,
        **{**known, **facts},
    )
    return Channel(settings=settings, url="http://127.0.0.1/")


CHANNELS = (
    channel("all"),
    channel("calm", on=("failing", "resolved"), threshold=3),
    channel("nagging", on=("resolved",), remind_every_s=7 * 86400.0),
)


@dataclass
class Played:
    """The month when it is over."""

    path: Path
    told: dict[str, list[Message]] = field(default_factory=dict)

    def events(self, name: str) -> list[Told]:
        return [
            ((message.at - START) // TICK, e.kind, e.location, e.before, e.after)
            for message in self.told[name]
            for e in message.events
        ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    result = Played(tmp_path_factory.mktemp("month") / "h.sqlite3")

    def send(to: Channel, message: Message) -> None:
        result.told.setdefault(to.name, []).append(message)

    with History(result.path) as history:
        # Nobody pulls the plug here, and 4,320 runs would wait for the disk.
        history.connection.execute("PRAGMA synchronous = OFF")
        for run in month.runs():
            with history.writing() as connection:
                recorded = record_run(connection, run, now=run.finished_at)
                made = compose(connection, CHANNELS, run, recorded)
            if made:
                assert deliver(history, CHANNELS, now=run.finished_at, send=send) == ()
    return result


def implied() -> Iterator[Told]:
    """Every change of a status, straight from the script."""
    named = month.statuses()
    for tick in range(TICKS):
        for name in sorted(("source", *NAMES)):
            after = named[month.shown(name, tick)]
            before = named[month.shown(name, tick - 1)] if tick else None
            if before != after:
                yield tick, _kind(name, tick, before, after), name, before, after


def _kind(name: str, tick: int, before: str | None, after: str) -> EventKind:
    if before == "rolled-forward" and after == "unknown":
        return EventKind.CHANGE
    if before == "unknown":
        return EventKind.CHANGE
    if name == "dies-old" and after == "unknown":
        return EventKind.CHANGE
    return EventKind.RESOLVED if after == "rolled-forward" else EventKind.FAILING


def test_every_change_of_a_status_is_told_once_and_nothing_else(played: Played) -> None:
    assert list(implied()) == played.events("all")
    assert len({message.id for message in played.told["all"]}) == len(played.told["all"])


def test_what_changes_together_is_told_together(played: Played) -> None:
    ticks = [(message.at - START) // TICK for message in played.told["all"]]

    assert sorted({tick for tick, *_ in implied()}) == ticks


def test_a_calm_channel_hears_only_of_what_lasts(played: Played) -> None:
    events = played.events("calm")
    told = {name: [(t, kind) for t, kind, place, *_ in events if place == name] for name in NAMES}
    fails, resolved = EventKind.FAILING, EventKind.RESOLVED

    assert [(2, fails), (PUBLISHED + 146, resolved)] == told["laggard"]
    assert [(2, fails), (PUBLISHED + 3, resolved)] == told["blink"]
    assert [(2, fails)] == told["dies-old"]
    assert [(2, fails), (PUBLISHED + 4, resolved)] == told["dies"]
    assert [
        (2, fails),
        (PUBLISHED + 3, resolved),
        (3502, fails),
        (3522, resolved),
    ] == told["loses"]
    flaps = [(2000 + 10 * n + 2, fails if n % 2 == 0 else resolved) for n in range(10)]
    assert [(2, fails), (PUBLISHED + 5, resolved), *flaps] == told["flapper"]


def test_reminders_come_once_a_week_while_anything_fails(played: Played) -> None:
    week = timedelta(days=7) // TICK
    reminders = [
        ((m.at - START) // TICK, len(m.events))
        for m in played.told["nagging"]
        if m.events[0].kind is EventKind.REMINDER
    ]

    # The first one at once: nobody was told of anything before. Each other message defers them.
    assert [(0, 50), (week, 50)] == reminders[:2]
    last_told = max(t for t, kind, *_ in played.events("nagging") if kind is EventKind.RESOLVED)
    assert last_told == 3520
    assert [(2090 + week, 1)] == reminders[2:3]
    assert all(count == 1 for _, count in reminders[2:])


def test_the_curve_is_the_one_of_the_script(played: Played) -> None:
    with sqlite3.connect(played.path) as connection:
        entry = find_incident(connection, "brokenpkg-1.2.3")
        trends = trends_of(entry, series_of(connection, entry.number))
    connection.close()
    expected: list[tuple[int, int, int, int]] = []
    for tick in range(TICKS):
        shows = [month.shown(name, tick) for name in ("source", *NAMES)]
        counts = shows.count(month.NEW), shows.count(month.OLD), shows.count(month.GONE)
        if not expected or expected[-1][1:] != counts:
            expected.append((tick, *counts))

    points = [((p.at - START) // TICK, p.with_fix, p.without, p.unknown) for p in trends.curve]
    assert expected == points


def test_times_to_visibility_flapping_regressions_and_silence_are_those_of_the_script(
    played: Played,
) -> None:
    with sqlite3.connect(played.path) as connection:
        entry = find_incident(connection, "brokenpkg-1.2.3")
        trends = trends_of(entry, series_of(connection, entry.number))
    connection.close()
    rows = {row.location: row for row in trends.rows}
    tick_s = TICK.total_seconds()
    took = sorted((month.arrives(n) - PUBLISHED) * tick_s for n in NAMES if n != "dies-old")

    assert entry.clock_starts_at == START + PUBLISHED * TICK
    assert [rows[n].took_s for n in NAMES if n != "dies-old"] == [
        (month.arrives(n) - PUBLISHED) * tick_s for n in NAMES if n != "dies-old"
    ]
    # 50 rows: the source at once, then these; half of them are 25, nine tenths are 45.
    assert ([0.0, *took][24], [0.0, *took][44], None) == (
        trends.p50_s,
        trends.p90_s,
        trends.last_s,
    )
    assert rows["laggard"].not_before == START + (PUBLISHED + 143) * TICK
    assert {n: r.regressions for n, r in rows.items() if r.regressions} == {
        "flapper": 5,
        "loses": 1,
    }
    assert [name for name, row in rows.items() if row.is_flapping] == ["flapper"]
    assert {n: r.silences for n, r in rows.items() if r.silences} == {
        "dies": 1,
        "dies-old": 1,
        "blink": 1,
    }
    assert {n: r.silent_since for n, r in rows.items() if r.silent_since} == {
        "dies-old": START + 3000 * TICK
    }


def test_the_month_takes_less_than_20_megabytes(played: Played) -> None:
    connection = sqlite3.connect(played.path)
    (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    connection.close()

    assert runs == TICKS
    assert played.path.stat().st_size < 2_000_000 < 20_000_000


def test_transitions_cost_less_than_a_tenth_of_what_a_full_table_costs(
    played: Played, tmp_path: Path
) -> None:
    full = sqlite3.connect(tmp_path / "full.sqlite3")
    full.execute("CREATE TABLE seen (location TEXT, at INTEGER, status TEXT)")
    named = month.statuses()
    full.executemany(
        "INSERT INTO seen VALUES (?, ?, ?)",
        (
            (name, tick, named[month.shown(name, tick)])
            for tick in range(TICKS)
            for name in ("source", *NAMES)
        ),
    )
    full.execute("CREATE INDEX of_location ON seen (location, at)")
    ours = sqlite3.connect(played.path)
    entry = find_incident(ours, "brokenpkg-1.2.3")

    def from_full() -> int:
        return len(
            full.execute(
                "SELECT location, at, status FROM (SELECT *, lag(status) OVER "
                "(PARTITION BY location ORDER BY at) AS before FROM seen) "
                "WHERE before IS NOT status"
            ).fetchall()
        )

    def from_ours() -> int:
        changes = changes_of(series_of(ours, entry.number))
        return sum(c.before is None or c.before.status != c.after.status for c in changes)

    try:
        assert from_full() == from_ours()
        assert _fastest_s(from_ours) < 0.1 * _fastest_s(from_full)
    finally:
        full.close()
        ours.close()


def _fastest_s(work: Callable[[], int]) -> float:
    def once() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return min(once() for _ in range(3))
