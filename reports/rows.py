"""One row of the view model: a location as seen from one vantage, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from auditor.model import Evidence, Incident, Reason, RejectionCode, Remedy, Run, Verdict
from auditor.model.rejections import CompactRejection, compact_rejections
from reports.cells import SelectionLine, selection_lines
from reports.foreseen import ForeseenView, foreseen_views
from reports.pins import PinView, pin_views
from reports.words import (
    HELD,
    STATUSES,
    Fact,
    clock,
    distance,
    fix_chosen_fact,
    fix_listed_fact,
    lag_fact,
    listed_fact,
    span,
    yanked_fact,
)

__all__ = ["RowView", "row_view"]


# Without slots: what is costly and not always shown is computed when it is first asked for.
@dataclass(frozen=True, kw_only=True)
class RowView:
    """One location, seen from one vantage.

    Attributes:
        anchor: id of its section in a page.
        number: of its entry in the JSON report.
        verdict, incident: what it was built from.
        status, listed, yanked, held, fix_listed, fix_chosen, lag: its cells.
        why: the first reason in one sentence.
        failing: whether it makes the audit fail: a failing status without a waiver.
        freshness: name and value of each known fact on the age of the answer.
        foreseen: what each action at the source would change.
        pins: what a lock, image or environment says of the project.
    """

    anchor: str
    number: int
    verdict: Verdict
    incident: Incident
    status: Fact
    listed: Fact
    yanked: Fact
    held: Fact
    fix_listed: Fact
    fix_chosen: Fact
    lag: Fact
    why: str
    failing: bool
    freshness: tuple[tuple[str, str], ...]
    foreseen: tuple[ForeseenView, ...]
    pins: tuple[PinView, ...]

    @property
    def name(self) -> str:
        """The location's name."""
        return self.verdict.location.name

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Worst first."""
        return self.verdict.reasons

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """Cheapest first."""
        return self.verdict.remedies

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the reasons rest on."""
        return self.verdict.evidence

    @cached_property
    def cells(self) -> tuple[SelectionLine, ...]:
        """What installers get."""
        return selection_lines(self.verdict.selections)

    @property
    def rejected(self) -> tuple[CompactRejection, ...]:
        """Why broken and fixed files lost."""
        return self._lost[0]

    @property
    def rejected_others(self) -> tuple[tuple[str, int], ...]:
        """How many other files lost, by rule."""
        counts = {**self.verdict.other_rejections, **self._lost[1]}
        return tuple((code.value, counts[code]) for code in sorted(counts))

    @cached_property
    def _lost(self) -> tuple[tuple[CompactRejection, ...], dict[RejectionCode, int]]:
        return compact_rejections(self.verdict.selections, self.incident)


def row_view(verdict: Verdict, anchor: str, number: int, run: Run) -> RowView:
    """Say one row in words."""
    location, broken, fix = verdict.location, verdict.broken, verdict.fix
    now = run.finished_at
    return RowView(
        anchor=anchor,
        number=number,
        verdict=verdict,
        incident=run.incident,
        status=STATUSES[verdict.status],
        listed=listed_fact(broken.listed, location.role),
        yanked=yanked_fact(broken.yanked, broken.listed, location.role),
        held=HELD[broken.held],
        fix_listed=fix_listed_fact(fix.listed, location.role),
        fix_chosen=fix_chosen_fact(fix.chosen),
        lag=lag_fact(verdict.lag, location.role, now),
        why=_why(verdict),
        failing=verdict.failing,
        freshness=_freshness(verdict, now),
        foreseen=foreseen_views(verdict, now),
        pins=pin_views(verdict.pins, run.incident),
    )


def _why(verdict: Verdict) -> str:
    if verdict.reasons:
        return verdict.reasons[0].text
    return verdict.detail or STATUSES[verdict.status].detail


def _freshness(verdict: Verdict, now: datetime) -> tuple[tuple[str, str], ...]:
    fresh = verdict.freshness
    facts = (
        ("fetched", clock(fresh.fetched_at) if fresh.fetched_at else None),
        ("time in caches", None if fresh.age_s is None else span(fresh.age_s)),
        ("serial", None if fresh.serial is None else f"{fresh.serial:,}"),
        ("changed", _moment(fresh.last_modified, now)),
        ("kept until", _moment(fresh.expires_at, now)),
        ("etag", fresh.etag),
        ("cache-control", fresh.cache_control),
        ("caches on the way", "; ".join(fresh.cache_status) or None),
    )
    return tuple((name, value) for name, value in facts if value)


def _moment(time: datetime | None, now: datetime) -> str | None:
    return None if time is None else f"{clock(time)} ({distance(time, now)})"
