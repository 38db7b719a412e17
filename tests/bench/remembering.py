"""What the history costs: a query for changes, and bytes on disk, against a table of everything."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from auditor.history import History
from auditor.history.reading import changes_of, find_incident, series_of
from auditor.history.store import record_run
from tests.bench.measure import Goal, Measure, interleaved, median_ratio
from tests.history import month
from tests.history.month import NAMES, PUBLISHED

__all__ = ["history_goals"]

TICKS = PUBLISHED + 600
PLACES = ("source", *NAMES)
FULL = "a SQLite table with a row for each place and run, indexed by place and time"


def history_goals(rounds: int, *, quick: bool = False) -> Iterator[Goal]:
    """Keep two weeks of a run every ten minutes over fifty places, with an incident in them."""
    ticks = 40 if quick else TICKS
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        path = Path(name, "history.sqlite3")
        with History(path) as history:
            history.connection.execute("PRAGMA synchronous = OFF")
            for run in islice(month.runs(), ticks):
                with history.writing() as connection:
                    record_run(connection, run, now=run.finished_at)
        full = _full_table(ticks)
        ours = sqlite3.connect(path)
        try:
            yield _query_goal(ours, full, rounds)
        finally:
            ours.close()
            full.close()
        observations = ticks * len(PLACES)
        size = path.stat().st_size
        yield Goal(
            name=f"history of {observations:,} observations, bytes for each",
            # An empty history has a size too, which many observations share.
            ratio=size / observations,
            gate=None if quick else 5,
            floor="bytes of the file / observations",
            note=f"{size / 2**20:.2f} MB",
        )


def _query_goal(ours: sqlite3.Connection, full: sqlite3.Connection, rounds: int) -> Goal:
    entry = find_incident(ours, "brokenpkg-1.2.3")

    def from_full() -> int:
        query = (
            "SELECT location, at, status FROM (SELECT *, lag(status) OVER "
            "(PARTITION BY location ORDER BY at) AS before FROM seen) WHERE before IS NOT status"
        )
        return len(full.execute(query).fetchall())

    def from_ours() -> int:
        changes = changes_of(series_of(ours, entry.number))
        return sum(c.before is None or c.before.status != c.after.status for c in changes)

    if from_full() != from_ours():
        raise RuntimeError("the history and the full table tell of different changes")
    found = interleaved({"ours": _cpu(from_ours), "full": _cpu(from_full)}, rounds)
    return Goal(
        name="history: every change of a status, CPU",
        ratio=median_ratio(found["ours"], found["full"]),
        gate=0.1,
        floor=FULL,
        note=f"{1e3 * min(found['ours']):.1f} ms, {1e3 * min(found['full']):.1f} ms",
    )


def _cpu(call: Callable[[], int]) -> Measure:
    def measure() -> float:
        started = time.process_time()
        call()
        return time.process_time() - started

    return measure


def _full_table(ticks: int) -> sqlite3.Connection:
    full = sqlite3.connect(":memory:")
    full.execute("CREATE TABLE seen (location TEXT, at INTEGER, status TEXT)")
    named = month.statuses()
    full.executemany(
        "INSERT INTO seen VALUES (?, ?, ?)",
        ((name, tick, named[month.shown(name, tick)]) for tick in range(ticks) for name in PLACES),
    )
    full.execute("CREATE INDEX of_location ON seen (location, at)")
    return full
