"""A short script whose trends can be worked out by hand, recorded run by run and read back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from auditor.history import History
from auditor.history.database import open_readable
from auditor.history.reading import find_incident, series_of
from auditor.history.trends import RowTrend, Trends, trends_of
from auditor.model import Observation, Outcome
from tests.cli.conftest import Run, run
from tests.history.made import STEP, at, judged
from tests.verdict import stage

__all__ = ["run"]  # the fixture that runs a command in this process

# By run, ten minutes apart: `o` the old page, `N` the fix, `u` no answer. It is published at 2.
PUBLISHED = 2
SCRIPT = {
    "source": "ooNNNNNNNN",
    "a": "ooNNNNNNNN",
    "b": "oooNNoNNNN",  # loses it once
    "c": "ooooNNNNNN",
    "d": "ooooNNNNNN",
    "e": "oooooNNNNN",
    "f": "oooooouNNN",  # silent while it changes
    "g": "ooNoNoNNNN",  # flaps
    "h": "oooNNNuuuN",  # silent for half an hour
    "i": "oooooooouu",  # dies without the fix
}
FIX = structs.replace(stage.FIX, uploaded_at=at(PUBLISHED))


def observed(name: str, sign: str) -> Observation:
    if sign == "u":
        return stage.observe(name, outcome=Outcome.UNREACHABLE, connected=False)
    return stage.observe(
        name, stage.page((stage.GOOD, stage.YANKED, FIX) if sign == "N" else stage.OLD)
    )


def record(file: Path, script: dict[str, str], vantage: str | None = None) -> None:
    plan = stage.plan(*(stage.location(name) for name in script if name != "source"))
    with History(file) as history:
        for number in range(len(script["source"])):
            seen = {name: observed(name, signs[number]) for name, signs in script.items()}
            if vantage is not None:
                seen = {name: replace(o, vantage=vantage) for name, o in seen.items()}
            the_run, _, observations = judged(seen, number, plan)
            history.record(the_run, observations, plan, now=at(number))


def trends(file: Path) -> Trends:
    with closing(open_readable(file)) as connection:
        entry = find_incident(connection, stage.INCIDENT.id)
        return trends_of(entry, series_of(connection, entry.number))


@pytest.fixture
def played(file: Path) -> Trends:
    record(file, SCRIPT)
    return trends(file)


def by_name(found: Trends) -> dict[str, RowTrend]:
    return {row.location: row for row in found.rows}


def test_the_time_to_visibility_is_from_the_publication_to_the_first_sight(played: Trends) -> None:
    minutes = {name: row.took_s / 60 for name, row in by_name(played).items() if row.took_s}

    assert played.clock_starts_at == at(PUBLISHED)
    assert minutes == {"b": 10, "c": 20, "d": 20, "e": 30, "f": 50, "h": 10}
    assert {"source", "a", "g"} == {n for n, row in by_name(played).items() if row.took_s == 0}
    assert by_name(played)["i"].visible_at is None


def test_half_of_ten_places_are_five_and_nine_tenths_are_nine(played: Trends) -> None:
    # In order: 0, 0, 0, 10, 10, 20, 20, 30, 50 minutes, never.
    assert (played.p50_s, played.p90_s, played.last_s) == (600.0, 3000.0, None)


@pytest.mark.parametrize(
    ("places", "expected"),
    [(1, (0, 0, 0)), (2, (0, 600, 600)), (3, (600, 1200, 1200)), (10, (2400, 4800, 5400))],
)
def test_a_share_is_reached_with_the_place_that_completes_it(
    file: Path, places: int, expected: tuple[float, ...]
) -> None:
    # Place number n has the fix n runs after its publication; the source is the first of them.
    names = ("source", *(f"m{number}" for number in range(1, places)))
    length = PUBLISHED + places
    record(
        file,
        {name: ("o" * (PUBLISHED + n)).ljust(length, "N") for n, name in enumerate(names)},
    )
    found = trends(file)

    assert expected == (found.p50_s, found.p90_s, found.last_s)


def test_the_curve_counts_every_place_at_every_change(played: Trends) -> None:
    points = [((p.at - at(0)) // STEP, p.with_fix, p.without, p.unknown) for p in played.curve]

    assert points == [
        (0, 0, 10, 0),
        (2, 3, 7, 0),
        (3, 4, 6, 0),
        (4, 7, 3, 0),
        (5, 6, 4, 0),
        (6, 7, 1, 2),
        (7, 8, 1, 1),
        (8, 8, 0, 2),
        (9, 9, 0, 1),
    ]


def test_losing_the_fix_is_counted_and_silence_loses_nothing(played: Trends) -> None:
    rows = by_name(played)

    assert {n: row.regressions for n, row in rows.items() if row.regressions} == {"b": 1, "g": 2}
    assert [name for name, row in rows.items() if row.is_flapping] == ["g"]


def test_silence_is_told_with_its_beginning_and_its_share(played: Trends) -> None:
    rows = by_name(played)

    assert {n: row.silences for n, row in rows.items() if row.silences} == {"f": 1, "h": 1, "i": 1}
    assert {n: r.silent_since for n, r in rows.items() if r.silent_since} == {"i": at(8)}
    # Of the ninety minutes between the first and the last run.
    assert {n: rows[n].answered_share for n in "afhi"} == {
        "a": 1.0,
        "f": pytest.approx(80 / 90),
        "h": pytest.approx(60 / 90),
        "i": pytest.approx(80 / 90),
    }


def test_what_was_seen_before_is_told_beside_what_was_seen_first(played: Trends) -> None:
    f = by_name(played)["f"]

    assert (f.visible_at, f.not_before) == (at(7), at(5))
    assert f.took_s == timedelta(minutes=50).total_seconds()


def test_for_people_each_place_has_a_line_that_says_what_happened(file: Path, run: Run) -> None:
    record(file, SCRIPT)
    out = run("history", "trends", "--history", file).out

    assert "half of the places had the fix: after 10 min" in out
    assert "nine tenths of the places had the fix: after 50 min" in out
    assert "all of the places had the fix: not reached yet" in out
    assert "  b: rolled-forward; the fix was seen after 10 min; lost it again\n" in out
    assert "g: rolled-forward; the fix was seen after 0 s; lost it 2 times; flapping" in out
    assert "the fix was seen after 10 min; was silent once; answered 66.7 % of the time" in out
    assert f"the fix was never seen; silent since {at(8):%Y-%m-%d %H:%M:%S} UTC" in out


def test_for_people_a_place_that_two_look_at_is_two_places(file: Path, run: Run) -> None:
    record(file, {"source": "ooNN", "a": "ooNN"}, "paris")
    assert "from paris" not in run("history", "trends", "--history", file).out
    record(file, {"source": "ooNNN", "a": "ooooN"}, "tokyo")

    trends_out = run("history", "trends", "--history", file).out
    assert "  a, from paris: rolled-forward; " in trends_out
    assert "  a, from tokyo: " in trends_out
    assert (
        "  a, from tokyo: exposed → rolled-forward" in run("history", "show", "--history", file).out
    )
