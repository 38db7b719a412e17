"""Numbers over time: how long the fix took to be seen where, who lost it again, who fell silent.

This module alone needs pandas; nothing else of the history imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pandas as pd

from auditor.history.curve import curve_of, deciding
from auditor.history.reading import IncidentEntry, Series, Span
from auditor.model.timeline import CurvePoint

__all__ = ["RowTrend", "Trends", "trends_of"]

# One loss is a regression; a row that loses it again and again has nodes that disagree.
FLAPPING_LOSSES = 2
_SILENT = "unreachable"
_NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTrend:
    """One row over time.

    Attributes:
        location, vantage: which row.
        status: how it stands.
        visible_at: when it was first seen to give everybody the fix, UTC; None: not yet.
        not_before: when it was last seen without, before that; None: it had it at first sight.
        took_s: seconds from the fix's publication to `visible_at`, at most; None if not known.
        regressions: how often it was seen to have lost the fix.
        is_flapping: whether that happened again and again.
        silences: how often it stopped answering.
        silent_since: since when it has not answered, UTC; None: it does.
        answered_share: share of the time for which it answered; None if it was seen once only.
    """

    location: str
    vantage: str
    status: str
    visible_at: datetime | None
    not_before: datetime | None
    took_s: float | None
    regressions: int
    is_flapping: bool
    silences: int
    silent_since: datetime | None
    answered_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """An incident over time.

    Attributes:
        incident: its id.
        clock_starts_at: when the fix became available, UTC; None if not known.
        rows: by name and vantage; those that decide what installers get.
        p50_s, p90_s, last_s: seconds until half, nine tenths and all of the rows had been seen
            with the fix; None: that many have not been, or the start is not known.
        curve: how many have it, over time.
    """

    incident: str
    clock_starts_at: datetime | None
    rows: tuple[RowTrend, ...]
    p50_s: float | None
    p90_s: float | None
    last_s: float | None
    curve: tuple[CurvePoint, ...]


def trends_of(entry: IncidentEntry, series: Sequence[Series]) -> Trends:
    """Work out the trends of one incident."""
    rows = tuple(_row(row, entry.clock_starts_at) for row in deciding(series))
    took = pd.Series([row.took_s for row in rows], dtype="float64").fillna(_NEVER).sort_values()
    return Trends(
        incident=entry.name,
        clock_starts_at=entry.clock_starts_at,
        rows=rows,
        p50_s=_when_reached(took, percent=50),
        p90_s=_when_reached(took, percent=90),
        last_s=_when_reached(took, percent=100),
        curve=curve_of(series),
    )


def _when_reached(took: pd.Series[float], *, percent: int) -> float | None:
    """Seconds until so many of all rows had it; those that never had it are last.

    Half of ten rows are five: a quantile of pandas would be between the fifth and the sixth.
    """
    if took.empty:
        return None
    wanted = -(-len(took) * percent // 100)
    reached = float(took.iloc[wanted - 1])
    return None if reached == _NEVER else reached


def _row(row: Series, start: datetime | None) -> RowTrend:
    frame = _frame(row.spans)
    visible_at, not_before = _visible(frame)
    losses = _losses(frame)
    silent = ~frame["answers"]
    starts = silent & ~silent.shift(fill_value=False)
    total_s = float(frame["held_s"].sum())
    return RowTrend(
        location=row.location,
        vantage=row.vantage,
        status=row.spans[-1].state.status,
        visible_at=visible_at,
        not_before=not_before,
        took_s=max(0.0, (visible_at - start).total_seconds()) if visible_at and start else None,
        regressions=losses,
        is_flapping=losses >= FLAPPING_LOSSES,
        silences=int(starts.sum()),
        silent_since=_time(frame.loc[starts, "first"].iloc[-1]) if silent.iloc[-1] else None,
        answered_share=float(frame.loc[frame["answers"], "held_s"].sum()) / total_s
        if total_s
        else None,
    )


def _frame(spans: Sequence[Span]) -> pd.DataFrame:
    """One line per span; a span holds until the next one begins."""
    ends = [after.first_seen for _, after in pairwise(spans)] + [spans[-1].last_seen]
    return pd.DataFrame(
        {
            "first": pd.Series([s.first_seen for s in spans], dtype="datetime64[ns, UTC]"),
            "last": pd.Series([s.last_seen for s in spans], dtype="datetime64[ns, UTC]"),
            "held_s": [
                (end - s.first_seen).total_seconds() for s, end in zip(spans, ends, strict=True)
            ],
            "fix": pd.array([s.state.has_fix for s in spans], dtype="boolean"),
            "answers": [s.state.outcome != _SILENT for s in spans],
        }
    )


def _visible(frame: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    having = frame.index[frame["fix"].fillna(value=False)]
    if having.empty:
        return None, None
    first = int(having[0])
    without = frame.loc[: first - 1] if first else frame.iloc[:0]
    known = without.loc[without["fix"].notna(), "last"]
    return _time(frame.loc[first, "first"]), None if known.empty else _time(known.iloc[-1])


def _losses(frame: pd.DataFrame) -> int:
    """How often a row that had the fix was next known not to. Silence in between loses nothing."""
    known = frame.loc[frame["fix"].notna(), "fix"].astype(bool)
    return int((known.shift(fill_value=False) & ~known).sum())


def _time(value: object) -> datetime:
    return pd.Timestamp(value).to_pydatetime()  # type: ignore[arg-type]  # a cell has no type
