"""How far the fix had come over time, as the history tells it: a curve to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.model import Run
from auditor.model.timeline import CurvePoint
from reports.words import clock, distance, plural

__all__ = ["HEIGHT", "WIDTH", "Curve", "curve_of"]

# Of the drawing, which is stretched to the page.
WIDTH, HEIGHT = 1_000, 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A drawing, and the same in words.

    Attributes:
        fixed, unknown: path data of the areas: places with the fix, and those not known above them.
        published_x: where the fix was published; None if that is before the first run, or unknown.
        start, end: of the time axis, in words.
        label: the whole in one sentence.
    """

    fixed: str
    unknown: str
    published_x: float | None
    start: str
    end: str
    label: str


def curve_of(run: Run) -> Curve | None:
    """Draw it; None if there is no history, or only one moment of it."""
    history = run.timeline
    if history is None or len(history.curve) < 2 or history.until <= history.since:
        return None
    points, since, until = history.curve, history.since, history.until
    published = run.incident.published_at
    inside = published is not None and since <= published <= until
    last = points[-1]
    total = last.with_fix + last.without + last.unknown
    return Curve(
        fixed=_area([(_x(p, since, until), p.share) for p in points]),
        unknown=_area([(_x(p, since, until), p.share + _unknown(p)) for p in points]),
        published_x=_at(published, since, until) if inside and published else None,
        start=clock(since),
        end=clock(until),
        label=f"The fix at {points[0].with_fix} places in the first of "
        f"{plural(history.runs, 'run')} ({distance(since, run.finished_at)}), "
        f"at {last.with_fix} of {total} in the last.",
    )


def _unknown(point: CurvePoint) -> float:
    total = point.with_fix + point.without + point.unknown
    return point.unknown / total if total else 0.0


def _x(point: CurvePoint, since: datetime, until: datetime) -> float:
    return _at(point.at, since, until)


def _at(time: datetime, since: datetime, until: datetime) -> float:
    share = (time - since).total_seconds() / (until - since).total_seconds()
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def _area(points: list[tuple[float, float]]) -> str:
    """Steps, since nobody knows what was between two runs."""
    path = f"M{points[0][0]:g} {HEIGHT}"
    for x, share in points:
        path += f"H{x:g}V{round(HEIGHT * (1 - share), 1):g}"
    return f"{path}H{WIDTH}V{HEIGHT}Z"
