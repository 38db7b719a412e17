"""The view model: everything a report for people says, built once from a run.

Renderers print it and decide nothing. Text in it is still hostile: each renderer passes it through
`reports.safe_text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from auditor.model import Finding, Run, Status, Verdict
from auditor.model.conclusion import Conclusion, conclusion_of
from reports.alike import PlaceGroup, place_groups
from reports.anchors import anchors
from reports.curve import Curve, curve_of
from reports.doubts import proxy_notes
from reports.fates import Doubt, FateGroup, Step, doubts, fate_groups, steps, unseen_cost
from reports.foreseen import ASKERS, DeletionView, Share, deletion_view
from reports.picture import Picture, picture_of
from reports.propagation import Paths, path_of
from reports.requests import RequestGroup, request_groups
from reports.rows import RowView, row_view
from reports.stages import Station, stations
from reports.timeline import Event, timeline
from reports.words import ACTIONS, STATUSES, Fact, Tone, clock, plural, span

__all__ = ["RowView", "RunView", "Tally", "Word", "view_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows have one status."""

    fact: Fact
    count: int


@dataclass(frozen=True, slots=True)
class Word:
    """The words of one column of the matrix."""

    column: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True)
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
    path: Paths
    events: tuple[Event, ...]
    requests: tuple[RequestGroup, ...]
    notes: tuple[str, ...]
    several_vantages: bool

    @property
    def whose(self) -> str:
        """Where the trouble is, in one sentence; "" if there is none."""
        return self.run.summary.whose_text

    @property
    def stations(self) -> tuple[Station, ...]:
        """Upload, delivery, copies, clients: how each stands."""
        return stations(self.run)

    @cached_property
    def picture(self) -> Picture | None:
        """The way of a copy, drawn; None if a drawing would say nothing."""
        return picture_of(self.path)

    @cached_property
    def curve(self) -> Curve | None:
        """How far the fix had come, over time; None without a history."""
        return curve_of(self.run)

    @cached_property
    def fates(self) -> tuple[FateGroup, ...]:
        """What deleting would do, place by place."""
        return fate_groups(self.run)

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """Why it is not determined what deleting would do at some places."""
        return doubts(self.run)

    @property
    def unseen_cost(self) -> str:
        """What a deletion costs later; "" if nothing here."""
        return unseen_cost(self.run)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way forward, ticked off."""
        return steps(self.run)

    @property
    def anchor_of(self) -> dict[tuple[str, str], str]:
        """Where each row is told, by name and vantage."""
        return {(row.name, row.verdict.vantage): row.anchor for row in self.rows}

    @property
    def failing(self) -> tuple[RowView, ...]:
        """Rows that make the audit fail."""
        return tuple(row for row in self.rows if row.failing)

    @property
    def undetermined(self) -> tuple[RowView, ...]:
        """Rows whose status is unknown."""
        return tuple(r for r in self.rows if r.verdict.status is Status.UNKNOWN)

    @cached_property
    def places(self) -> tuple[PlaceGroup, ...]:
        """The rows, those that are alike together where there are many."""
        return place_groups(self.rows)

    @property
    def todo(self) -> tuple[PlaceGroup, ...]:
        """The groups that fail or are not known, the failing ones first."""
        failing = tuple(group for group in self.places if group.story.failing)
        unknown = (g for g in self.places if g.story.verdict.status is Status.UNKNOWN)
        return (*failing, *(group for group in unknown if not group.story.failing))

    @property
    def futures(self) -> tuple[PlaceGroup, ...]:
        """The rows by what the four actions would change at them."""
        alike: dict[tuple[object, ...], list[RowView]] = {}
        for row in self.rows:
            alike.setdefault((row.listed, row.held, row.foreseen), []).append(row)
        return tuple(PlaceGroup(story=rows[0], rows=tuple(rows)) for rows in alike.values())

    @property
    def meanings(self) -> tuple[Word, ...]:
        """What the words of the matrix mean, as far as they occur."""
        columns = {
            "Status": [row.status for row in self.rows],
            "Broken listed": [row.listed for row in self.rows],
            "Broken yanked": [row.yanked for row in self.rows],
            "Broken bytes": [row.held for row in self.rows],
            "Fix listed": [row.fix_listed for row in self.rows],
            "Fix chosen": [row.fix_chosen for row in self.rows],
        }
        return tuple(
            Word(column=column, facts=tuple({f.word: f for f in facts if f.detail}.values()))
            for column, facts in columns.items()
        )

    @property
    def shares(self) -> tuple[Share, ...]:
        """The tallies as parts of a bar."""
        return tuple(
            Share(
                count=t.count,
                word=t.fact.word,
                meaning=t.fact.detail,
                tone=t.fact.tone,
                sign=t.fact.sign,
            )
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
    order = {key: n for n, key in enumerate(sorted((v.location.name, v.vantage) for v in verdicts))}
    return RunView(
        run=run,
        verdict=_CONCLUSIONS[conclusion_of(run)],
        sentence=run.summary.sentence,
        broken=", ".join(run.incident.broken),
        fixed=", ".join(run.incident.fixed),
        rows=tuple(
            row_view(v, a, order[(v.location.name, v.vantage)], run)
            for v, a in zip(verdicts, names, strict=True)
        ),
        tallies=tuple(
            Tally(fact=STATUSES[status], count=run.summary.by_status[status])
            for status in Status
            if run.summary.by_status.get(status)
        ),
        deletion=deletion_view(run),
        path=path_of(verdicts, names, run.finished_at),
        events=timeline(run),
        requests=request_groups(run),
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


_CONCLUSIONS = {
    Conclusion.GOOD: Fact("✔", "All good", Tone.GOOD, "Nothing that counts fails."),
    Conclusion.TOLERATED: Fact(
        "∥", "Tolerated", Tone.UNKNOWN, "What fails is waived or does not count."
    ),
    Conclusion.BAD: Fact("✖", "Not rolled forward", Tone.BAD, "At least one place fails."),
    Conclusion.UNKNOWN: Fact(
        "?", "Not determined", Tone.UNKNOWN, "Something that matters is not known."
    ),
    Conclusion.FAILED: Fact("!", "Audit failed", Tone.BAD, "The audit itself went wrong."),
}
