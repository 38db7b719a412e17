from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.errors import HistoryError
from auditor.history import History
from auditor.history.database import open_readable, writing
from auditor.history.migrations import MIGRATIONS, migrate
from auditor.history.reading import (
    Series,
    changes_between,
    changes_of,
    find_incident,
    incidents_of,
    prune,
    runs_of,
    series_of,
)
from auditor.model import HeldState, Outcome
from tests.history.made import START, STEP, at, judged, made, plan
from tests.verdict import stage


def record(file: Path, *numbers: int) -> None:
    with History(file) as history:
        for number in numbers:
            run, the_plan, observations = made(number)
            history.record(run, observations, the_plan, now=at(number))


def rows(file: Path) -> dict[str, Series]:
    with closing(open_readable(file)) as connection:
        (entry,) = incidents_of(connection)
        return {row.location: row for row in series_of(connection, entry.number)}


def count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)


def test_what_stays_the_same_is_stored_once_with_when_it_was_last_seen(file: Path) -> None:
    record(file, *range(20))

    (span,) = rows(file)["edge"].spans
    assert (at(0), at(19)) == (span.first_seen, span.last_seen)
    assert span.state.status == "rolled-forward"
    assert count(file, "runs") == 20


def test_each_change_ends_a_span_and_begins_another(file: Path) -> None:
    record(file, 0, 2, 3, 5)  # `office` is old in even runs

    spans = rows(file)["office"].spans
    assert [span.state.status for span in spans] == ["exposed", "rolled-forward"]
    assert (at(0), at(2), at(3), at(5)) == (
        spans[0].first_seen,
        spans[0].last_seen,
        spans[1].first_seen,
        spans[1].last_seen,
    )


def test_what_is_older_than_what_is_known_changes_nothing_and_is_said(file: Path) -> None:
    record(file, 0, 2)
    run, the_plan, observations = made(1)
    with History(file) as history:
        recorded = history.record(run, observations, the_plan, now=at(9))

    (note,) = recorded.notes
    assert "2026-11-20 13:10:00 UTC is older" in note
    assert note.endswith("record observations in the order in which they were made")
    assert at(2) == rows(file)["office"].last_seen


def test_a_clock_that_goes_back_loses_no_change_and_is_said(file: Path) -> None:
    record(file, 10)  # the clock was ahead
    with History(file) as history:
        for number in (1, 2, 3):
            run, the_plan, observations = made(number)
            recorded = history.record(run, observations, the_plan, now=at(number))

    (note,) = recorded.notes
    assert "1:10:00 behind" in note
    assert note.endswith("set the clock (NTP)")
    spans = rows(file)["office"].spans
    assert [span.state.status for span in spans] == [
        "exposed",
        "rolled-forward",
        "exposed",
        "rolled-forward",
    ]
    assert sorted(s.first_seen for s in spans) == [s.first_seen for s in spans]
    assert count(file, "runs") == 4


def test_the_same_run_is_recorded_once(file: Path) -> None:
    run, the_plan, observations = made(0)
    with History(file) as history:
        first = history.record(run, observations, the_plan)
        again = history.record(run, observations, the_plan)

    assert (first.is_new, again.is_new) == (True, False)
    assert (again.changes, count(file, "runs")) == ((), 1)


def test_ages_and_times_are_no_change(file: Path) -> None:
    old = stage.page(stage.OLD)
    with History(file) as history:
        for number, age_s in enumerate((1.0, 77.0, 5000.0)):
            aged = replace(old, freshness=replace(old.freshness, age_s=age_s, etag=str(age_s)))
            seen = {"source": stage.source(), "lab": stage.observe("lab", aged)}
            run, the_plan, observations = judged(seen, number)
            recorded = history.record(run, observations, the_plan)
            assert number == 0 or {c.location for c in recorded.changes} <= {"office", "edge"}

    assert len(rows(file)["lab"].spans) == 1


def test_what_was_not_looked_at_has_not_changed(file: Path) -> None:
    record(file, 1)
    seen = {
        "source": stage.source(),
        "office": stage.observe("office", outcome=Outcome.SKIPPED, detail="interrupted"),
    }
    with History(file) as history:
        run, the_plan, observations = judged(seen, 2)
        recorded = history.record(run, observations, the_plan)

    assert recorded.changes == ()
    assert at(1) == rows(file)["office"].last_seen


def test_what_a_row_is_made_of_is_kept(file: Path) -> None:
    pages = stage.page(stage.OLD)
    seen = {
        "source": stage.source(),
        "lab": stage.observe("lab", pages, holdings=(stage.held(HeldState.HELD),)),
    }
    run, the_plan, observations = judged(seen, 0)
    with History(file) as history:
        history.record(run, observations, the_plan)

    state = rows(file)["lab"].spans[-1].state
    assert (state.status, state.outcome, state.failing) == ("exposed", "observed", True)
    assert (state.listed, state.yanked, state.held) == (True, "no", "held")
    assert (state.fix_listed, state.fix_chosen) == (False, "none")
    assert state.chosen == ("1.2.3",)
    assert {"broken-listed", "broken-held"} <= set(state.reasons)


def test_two_moments_are_compared_row_by_row(file: Path) -> None:
    record(file, 0, 1, 2)
    series = rows(file).values()

    (change,) = changes_between(series, at(0), at(1))
    assert ("office", at(1), at(0)) == (change.location, change.at, change.until)
    assert changes_between(series, at(0), at(2) + STEP) == ()
    first_sight = changes_between(series, START - STEP, at(0))
    assert all(change.before is None for change in first_sight)
    assert len(first_sight) == 4
    assert len(changes_of(series)) == 6


def test_the_newest_runs_are_listed_in_their_order(file: Path) -> None:
    record(file, 0, 1, 2)

    with closing(open_readable(file)) as connection:
        entry = find_incident(connection, "brokenpkg-1.2.3")
        runs = runs_of(connection, entry.number, newest=2)
    assert [at(1), at(2)] == [run.finished_at for run in runs]
    assert (3, at(0), at(2)) == (entry.runs, entry.since, entry.until)
    assert {1} == {run.exit_code for run in runs}


def test_an_unknown_incident_is_answered_with_the_known_ones(file: Path) -> None:
    record(file, 0)

    with (
        closing(open_readable(file)) as connection,
        pytest.raises(HistoryError, match=r"no incident 'x'; known: brokenpkg-1\.2\.3"),
    ):
        find_incident(connection, "x")


def test_pruning_forgets_what_ended_and_keeps_what_is_true_and_first_sights(file: Path) -> None:
    record(file, *range(10))
    artifacts = count(file, "artifacts")
    with History(file) as history, history.writing() as connection:
        gone = prune(connection, at(8))

    kept = rows(file)
    assert (gone["runs"], count(file, "runs")) == (8, 2)
    assert (at(0), at(9)) == (kept["edge"].spans[0].first_seen, kept["edge"].last_seen)
    assert [at(8), at(9)] == [span.first_seen for span in kept["office"].spans]
    assert artifacts == count(file, "artifacts") > 0


def test_an_older_file_is_brought_up_to_date_with_all_that_is_in_it(file: Path) -> None:
    record(file, 0, 1)
    with closing(sqlite3.connect(file, isolation_level=None)) as old, writing(old):
        for table in ("told", "outbox", "watches"):
            old.execute(f"DROP TABLE {table}")
        old.execute("PRAGMA user_version = 1")
    record(file, 2)

    assert count(file, "runs") == 3
    assert 0 == count(file, "told") == count(file, "watches")
    with closing(sqlite3.connect(file)) as connection:
        assert (len(MIGRATIONS),) == connection.execute("PRAGMA user_version").fetchone()


def test_every_step_can_be_taken_on_its_own(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for revision in range(1, len(MIGRATIONS) + 1):
            with writing(connection):
                migrate(connection, up_to=revision)
            assert (revision,) == connection.execute("PRAGMA user_version").fetchone()
    record(file, 0)


def test_rows_of_two_incidents_are_kept_apart(file: Path) -> None:
    other = replace(stage.INCIDENT, id="other")
    run, the_plan, observations = made(0)
    with History(file) as history:
        history.record(run, observations, the_plan)
        history.record(replace(run, incident=other), observations, the_plan)

    with closing(open_readable(file)) as connection:
        names = [entry.name for entry in incidents_of(connection)]
        sizes = [len(series_of(connection, e.number)) for e in incidents_of(connection)]
    assert (names, sizes) == (["brokenpkg-1.2.3", "other"], [4, 4])


def test_two_vantages_are_two_rows(file: Path) -> None:
    run, the_plan, observations = made(0)
    elsewhere = tuple(replace(v, vantage="there") for v in run.verdicts)
    with History(file) as history:
        history.record(run, observations, the_plan)
        history.record(
            replace(run, verdicts=elsewhere, finished_at=run.finished_at + timedelta(seconds=1)),
            observations,
            the_plan,
        )

    assert count(file, "series") == 8
    assert plan().vantage.id == "here"
