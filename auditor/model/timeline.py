"""How an incident went so far, as the history tells it: what a report can draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["CurvePoint", "Moment", "Timeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """How far the fix had come, from one moment on.

    Attributes:
        at: from when on, UTC.
        with_fix: rows of role index where every counting cell gets the fix.
        without: rows where some do not.
        unknown: rows of which it is not known.
    """

    at: datetime
    with_fix: int
    without: int
    unknown: int

    @property
    def share(self) -> float:
        """Share of the rows that are known to have the fix; 0 if there are none."""
        total = self.with_fix + self.without + self.unknown
        return self.with_fix / total if total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One row became another.

    Attributes:
        at: when it was first seen so, UTC.
        location, vantage: which row.
        before, after: statuses; `before` is None if it had never been seen.
        seen_before: when it was last seen as before, UTC; None if never.
    """

    at: datetime
    location: str
    vantage: str
    before: str | None
    after: str
    seen_before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What earlier runs, and this one, have seen of an incident.

    Attributes:
        since, until: first and last run, UTC.
        runs: how many there were.
        fix_seen_at: when any place was first seen to list the fix, UTC; None: never.
        moments: every change of a status, oldest first; only the newest ones of very many.
        curve: how far the fix had come; a point wherever that changed.
    """

    since: datetime
    until: datetime
    runs: int
    fix_seen_at: datetime | None
    moments: tuple[Moment, ...]
    curve: tuple[CurvePoint, ...]
