"""The view model: everything a report for people says, built once from a run.

Renderers print it and decide nothing. Text in it is still hostile: each renderer passes it through
`reports.safe_text`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from auditor.model import (
    Evidence,
    Finding,
    FixChosen,
    Reason,
    Remedy,
    Run,
    Severity,
    Status,
    Verdict,
)
from auditor.model.rejections import CompactRejection, compact_rejections
from reports.anchors import anchors
from reports.cells import SelectionLine, selection_lines
from reports.doubts import proxy_notes
from reports.foreseen import (
    ASKERS,
    DeletionView,
    ForeseenView,
    Share,
    deletion_view,
    foreseen_views,
)
from reports.propagation import PathNode, path_of
from reports.timeline import Event, timeline
from reports.words import (
    ACTIONS,
    HELD,
    STATUSES,
    TOUCHES,
    Fact,
    Tone,
    clock,
    distance,
    fix_chosen_fact,
    fix_listed_fact,
    lag_fact,
    listed_fact,
    plural,
    span,
    yanked_fact,
)

__all__ = ["RequestGroup", "RowView", "RunView", "Tally", "view_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One location, seen from one vantage.

    Attributes:
        anchor: id of its section in a page.
        verdict: what it was built from.
        status, listed, yanked, held, fix_listed, fix_chosen, lag: its cells.
        why: the first reason in one sentence.
        failing: whether it makes the audit fail: a failing status without a waiver.
        cells: what installers get.
        freshness: name and value of each known fact on the age of the answer.
        foreseen: what each action at the source would change.
        rejected, rejected_others: why files lost.
    """

    anchor: str
    verdict: Verdict
    status: Fact
    listed: Fact
    yanked: Fact
    held: Fact
    fix_listed: Fact
    fix_chosen: Fact
    lag: Fact
    why: str
    failing: bool
    cells: tuple[SelectionLine, ...]
    freshness: tuple[tuple[str, str], ...]
    foreseen: tuple[ForeseenView, ...]
    rejected: tuple[CompactRejection, ...]
    rejected_others: tuple[tuple[str, int], ...]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows have one status."""

    fact: Fact
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGroup:
    """Equal requests of one location.

    Attributes:
        touch: in words.
        status: the HTTP status, or `no answer`.
        count: how many were made.
    """

    location: str
    method: str
    url: str
    touch: str
    status: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """The whole report.

    Attributes:
        run: what it was built from.
        verdict: how the audit ended, as its exit code says it.
        sentence: the answer.
        rows: the worst first.
        tallies: rows per status, the worst first.
        deletion: why deleting does or does not help.
        path: how copies travel, from the roots.
        events: what happened when.
        requests: every request, equal ones together.
        notes: what a reader must know beside the verdicts.
        several_vantages: whether rows need their vantage named.
    """

    run: Run
    verdict: Fact
    sentence: str
    broken: str
    fixed: str
    rows: tuple[RowView, ...]
    tallies: tuple[Tally, ...]
    deletion: DeletionView
    path: tuple[PathNode, ...]
    events: tuple[Event, ...]
    requests: tuple[RequestGroup, ...]
    notes: tuple[str, ...]
    several_vantages: bool

    @property
    def whose(self) -> str:
        """Where the trouble is, in one sentence; "" if there is none."""
        return self.run.summary.whose_text

    @property
    def failing(self) -> tuple[RowView, ...]:
        """Rows that make the audit fail."""
        return tuple(row for row in self.rows if row.failing)

    @property
    def undetermined(self) -> tuple[RowView, ...]:
        """Rows whose status is unknown."""
        return tuple(r for r in self.rows if r.verdict.status is Status.UNKNOWN)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The tallies as parts of a bar."""
        return tuple(
            Share(count=t.count, word=t.fact.word, meaning=t.fact.detail, tone=t.fact.tone)
            for t in self.tallies
        )

    @property
    def tallies_label(self) -> str:
        """The bar in words."""
        return ", ".join(f"{tally.count} {tally.fact.word}" for tally in self.tallies)

    @property
    def actions(self) -> tuple[str, ...]:
        """The four actions at the source, in words."""
        return tuple(ACTIONS.values())

    @property
    def askers(self) -> tuple[str, ...]:
        """The ways of asking that an action may change."""
        return ASKERS

    @property
    def scope(self) -> str:
        """How much was computed, in one sentence."""
        cells = [cell for verdict in self.run.verdicts for cell in verdict.selections]
        environments = plural(len({cell.environment for cell in cells}), "environment")
        views = plural(len({cell.view for cell in cells}), "client view")
        return (
            f"{environments} × {views}, at {plural(len(self.rows), 'row')}: "
            f"{plural(len(cells), 'choice')} in all."
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the incident itself."""
        return self.run.findings

    @property
    def finished(self) -> str:
        """When, in words."""
        return clock(self.run.finished_at)

    @property
    def duration(self) -> str:
        """How long it took, in words."""
        return span((self.run.finished_at - self.run.started_at).total_seconds())


def view_of(run: Run) -> RunView:
    """Build the view model. Pure: the only clock is the run's own `finished_at`."""
    verdicts = sorted(run.verdicts, key=_worst_first)
    names = anchors(verdicts)
    return RunView(
        run=run,
        verdict=_outcome(run),
        sentence=run.summary.sentence,
        broken=", ".join(run.incident.broken),
        fixed=", ".join(run.incident.fixed),
        rows=tuple(_row(v, a, run) for v, a in zip(verdicts, names, strict=True)),
        tallies=tuple(
            Tally(fact=STATUSES[status], count=run.summary.by_status[status])
            for status in Status
            if run.summary.by_status.get(status)
        ),
        deletion=deletion_view(run),
        path=path_of(verdicts, names),
        events=timeline(run),
        requests=_requests(run),
        notes=_notes(run),
        several_vantages=len({v.vantage for v in verdicts}) > 1,
    )


def _notes(run: Run) -> tuple[str, ...]:
    notes = (*run.summary.notes, *proxy_notes(run))
    if run.interrupted and not any("nterrupted" in note for note in notes):
        return ("Interrupted before every place was seen.", *notes)
    return notes


def _worst_first(verdict: Verdict) -> tuple[bool, int, str, str]:
    waived = verdict.waived is not None
    return (waived, verdict.status.rank, verdict.location.name, verdict.vantage)


def _outcome(run: Run) -> Fact:
    match run.summary.exit_code:
        case 0 if any(v.status.severity is Severity.FAIL for v in run.verdicts):
            return Fact("∥", "Tolerated", Tone.UNKNOWN, "What fails is waived or does not count.")
        case 0 if not any(v.fix.chosen is FixChosen.ALL for v in run.verdicts):
            return Fact("?", "Not determined", Tone.UNKNOWN, "No index could be read.")
        case 0:
            return Fact("✔", "All good", Tone.GOOD, "Nothing that counts fails.")
        case 1:
            return Fact("✖", "Not rolled forward", Tone.BAD, "At least one place fails.")
        case 3:
            return Fact("?", "Not determined", Tone.UNKNOWN, "Something required is not known.")
        case _:
            return Fact("!", "Audit failed", Tone.BAD, "The audit itself went wrong.")


def _row(verdict: Verdict, anchor: str, run: Run) -> RowView:
    location, broken, fix = verdict.location, verdict.broken, verdict.fix
    rejected, others = compact_rejections(verdict.selections, run.incident)
    counts = {**verdict.other_rejections, **others}
    now = run.finished_at
    return RowView(
        anchor=anchor,
        verdict=verdict,
        status=STATUSES[verdict.status],
        listed=listed_fact(broken.listed, location.role),
        yanked=yanked_fact(broken.yanked, broken.listed, location.role),
        held=HELD[broken.held],
        fix_listed=fix_listed_fact(fix.listed, location.role),
        fix_chosen=fix_chosen_fact(fix.chosen),
        lag=lag_fact(verdict.lag, location.role, now),
        why=_why(verdict),
        failing=verdict.failing,
        cells=selection_lines(verdict.selections),
        freshness=_freshness(verdict, now),
        foreseen=foreseen_views(verdict, now),
        rejected=rejected,
        rejected_others=tuple((code.value, counts[code]) for code in sorted(counts)),
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


def _requests(run: Run) -> tuple[RequestGroup, ...]:
    equal = Counter(
        (r.location, r.method, r.url, TOUCHES[r.touch], _status(r.status)) for r in run.requests
    )
    return tuple(
        RequestGroup(location=name, method=method, url=url, touch=touch, status=status, count=n)
        for (name, method, url, touch, status), n in sorted(equal.items())
    )


def _status(status: int | None) -> str:
    return "no answer" if status is None else str(status)
