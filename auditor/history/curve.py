"""How far the fix had come at each moment, and the timeline that a report can draw."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from auditor.history.reading import IncidentEntry, Series, changes_of, series_of
from auditor.model import Role
from auditor.model.timeline import CurvePoint, Moment, Timeline

__all__ = ["MAX_MOMENTS", "curve_of", "deciding", "timeline_of"]

# A mirror that flaps every few minutes for a month; a report cannot show more in any case.
MAX_MOMENTS = 500

_Step = tuple[datetime, int, bool | None, bool]


def deciding(series: Sequence[Series]) -> tuple[Series, ...]:
    """The rows that decide what installers get: indexes that ever carried the project."""
    return tuple(
        row
        for row in series
        if row.role == Role.INDEX.value
        and (row.required or any(span.state.status != "absent" for span in row.spans))
    )


def curve_of(series: Sequence[Series]) -> tuple[CurvePoint, ...]:
    """Follow all rows at once; a row counts from when it was first seen until it was last seen."""
    rows = deciding(series)
    now: dict[int, bool | None] = {}
    points: list[CurvePoint] = []
    for at, number, has_fix, is_seen in sorted(_steps(rows), key=lambda step: step[:2]):
        if is_seen:
            now[number] = has_fix
        else:
            now.pop(number, None)
        counts = Counter(now.values())
        point = CurvePoint(
            at=at, with_fix=counts[True], without=counts[False], unknown=counts[None]
        )
        if points and points[-1].at == at:
            points.pop()
        if not points or _numbers(points[-1]) != _numbers(point):
            points.append(point)
    return tuple(points)


def _steps(rows: Sequence[Series]) -> Iterator[_Step]:
    """When each row became what. One that nobody looks at any more leaves at its last sight."""
    newest: dict[str, datetime] = {}
    for row in rows:
        newest[row.vantage] = max(newest.get(row.vantage, row.last_seen), row.last_seen)
    for number, row in enumerate(rows):
        for span in row.spans:
            yield span.first_seen, number, span.state.has_fix, True
        if row.last_seen < newest[row.vantage]:
            yield row.last_seen, number, None, False


def _numbers(point: CurvePoint) -> tuple[int, int, int]:
    return point.with_fix, point.without, point.unknown


def timeline_of(connection: sqlite3.Connection, entry: IncidentEntry) -> Timeline | None:
    """What a report can show of an incident; None: there is no run of it."""
    if entry.since is None or entry.until is None:
        return None
    series = series_of(connection, entry.number)
    moments = tuple(
        Moment(
            at=change.at,
            location=change.location,
            vantage=change.vantage,
            before=change.before.status if change.before else None,
            after=change.after.status,
            seen_before=change.until,
        )
        for change in changes_of(series)
        if change.before is None or change.before.status != change.after.status
    )
    return Timeline(
        since=entry.since,
        until=entry.until,
        runs=entry.runs,
        fix_seen_at=entry.fix_seen_at,
        moments=moments[-MAX_MOMENTS:],
        curve=curve_of(series),
    )
