"""One row more for each group of places that one client uses together.

The row is judged by the rules of any index, on pages put together as the client does it. It is no
place: nothing is stored in it, so that no count of places with broken bytes includes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from auditor.model import (
    Environment,
    HeldState,
    KindFacts,
    Lag,
    LagState,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Role,
    Selection,
    View,
)
from auditor.selection.groups import BEST_MATCH, FIRST_INDEX, Member, merge_pages
from auditor.verdict.cells import ChoiceCache
from auditor.verdict.policed_cells import cells_in_parts
from auditor.verdict.policy import FLAT_KINDS, Left, leave, parts_of, settings_of
from auditor.verdict.row import Row

__all__ = ["GROUP", "group_cells", "group_lag", "group_rows", "is_group"]

GROUP = "group"

# Whose pages a group is judged by; the first of them that is there stands in for the others.
_VIEWS = (View.PIP, View.PIP_HTML, View.UV, View.POETRY)

_STRENGTH = list(HeldState)  # declared strongest first

_WORST_LAG = (
    LagState.STUCK,
    LagState.UNKNOWN,
    LagState.NEVER,
    LagState.WITHIN_LAG,
    LagState.CURRENT,
)


def is_group(location: Location) -> bool:
    """Say whether a row stands for a group of places rather than for a place."""
    return location.kind == GROUP


def group_rows(rows: Sequence[Row]) -> Iterator[tuple[Row, tuple[Row, ...]]]:
    """Yield one row more per group and vantage, its cells still empty, and the rows of its members.

    Args:
        rows: of the members, and of whatever else there is.
    """
    grouped: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.location.group and row.location.role is Role.INDEX:
            grouped[row.location.group, row.observation.vantage].append(row)
    for (name, _), members in grouped.items():
        order = {each.name: at for at, each in enumerate(members[0].context.plan.locations)}
        members.sort(key=lambda row: order[row.location.name])
        if len(members) > 1:
            yield _group_row(name, members), tuple(members)


def group_cells(group: Row, members: Sequence[Row], cache: ChoiceCache) -> tuple[Selection, ...]:
    """Return the cells of a group as those see it who install with the settings of its members.

    Empty if they have none.
    """
    context, project = group.context, group.context.incident.project
    settings = {m.location.name: settings_of(m.location, project) for m in members}
    if not any(each.matter for each in settings.values()):
        return ()

    def left_in(environment: Environment) -> list[Left]:
        left = {
            m.location.name: [
                leave(
                    page, settings[m.location.name], m.observation.finished_at, environment, project
                )
                for page in m.observation.pages
            ]
            for m in members
        }
        pages = {name: [each.page for each in found] for name, found in left.items()}
        merged = _merged(group.location.name, members, pages)
        return [_left(page, [e for each in left.values() for e in each]) for page in merged]

    asked = [(settings[m.location.name], m.observation.pages) for m in members]
    parts = parts_of(context, asked)
    return cells_in_parts(group.observation, context, cache, parts, left_in)


def _left(merged: Page, parts: Sequence[Left]) -> Left:
    """What is left of a page put together; a client that gives up on one part gives up on all."""
    ours = [each for each in parts if each.page.view is merged.view]
    stopped = next((each.stopped for each in ours if each.stopped), "")
    return Left(
        page=replace(merged, candidates=()) if stopped else merged,
        seen=sum(each.seen for each in ours),
        refused=tuple(dict.fromkeys(lost for each in ours for lost in each.refused)),
        stopped=stopped,
        doubts=tuple(dict.fromkeys(text for each in ours for text in each.doubts)),
        doubtful=tuple(dict.fromkeys(c for each in ours for c in each.doubtful)),
    )


def group_lag(own: Lag, members: Sequence[Lag]) -> Lag:
    """Return until when a group that lacks the fix may lack it: as long as its slowest member."""
    if own.state is LagState.CURRENT or not members:
        return own
    waiting = [lag for lag in members if lag.state is not LagState.CURRENT] or list(members)
    worst = min(waiting, key=lambda lag: _WORST_LAG.index(lag.state))
    times = [lag.latest_by for lag in waiting if lag.latest_by is not None]
    latest_by = max(times, default=None) if len(times) == len(waiting) else None
    return replace(worst, latest_by=latest_by, basis=f"as its members: {worst.basis}")


def _group_row(name: str, members: Sequence[Row]) -> Row:
    first = members[0]
    location = Location(
        name=name,
        kind=GROUP,
        role=Role.INDEX,
        required=any(member.location.required for member in members),
        group=name,
        settings={"members": ", ".join(member.location.name for member in members)},
        declared_at=first.location.declared_at,
    )
    return Row(
        location=location,
        kind=KindFacts(name=GROUP, role=Role.INDEX),
        observation=_observation(name, members),
        context=first.context,
        cells=(),
        members=tuple(member.location for member in members),
        held_by_members=min((member.broken.held for member in members), key=_STRENGTH.index),
    )


def _observation(name: str, members: Sequence[Row]) -> Observation:
    found = {member.location.name: member.observation.pages for member in members}
    pages = _merged(name, members, found)
    observations = [member.observation for member in members]
    return Observation(
        location=name,
        vantage=observations[0].vantage,
        incident=observations[0].incident,
        outcome=_outcome(pages, observations),
        detail="",
        pages=pages,
        started_at=min(observation.started_at for observation in observations),
        finished_at=max(observation.finished_at for observation in observations),
        notes=(f"What one client gets from {', '.join(found)} together.",),
        # Whichever member offers a file: who chooses it asks one address, and tries no other.
        hints=tuple(hint for seen in observations for hint in seen.hints if hint.undeliverable),
    )


def _merged(
    name: str, members: Sequence[Row], found: Mapping[str, Sequence[Page]]
) -> tuple[Page, ...]:
    """Put together what each member answers, view by view."""
    strategies = {member.location.settings.get("index_strategy") for member in members}
    strategy = BEST_MATCH if BEST_MATCH in strategies else FIRST_INDEX
    asked = {page.view for pages in found.values() for page in pages}
    return tuple(
        merge_pages([_member(m, found, view) for m in members], view, strategy, name)
        for view in _VIEWS
        if view in asked
    )


def _outcome(pages: Sequence[Page], observations: Sequence[Observation]) -> Outcome:
    if any(page.outcome is PageOutcome.OBSERVED for page in pages):
        return Outcome.OBSERVED
    if all(observation.outcome is Outcome.ABSENT for observation in observations):
        return Outcome.ABSENT
    return next(o.outcome for o in observations if o.outcome is not Outcome.ABSENT)


def _member(row: Row, found: Mapping[str, Sequence[Page]], view: View) -> Member:
    """Return a member as a client class sees it: where it was asked once only, all see the same."""
    pages = found[row.location.name]
    page = next((page for page in pages if page.view is view), None)
    is_flat = row.location.kind in FLAT_KINDS
    if page is None and (is_flat or len({page.view for page in pages}) == 1):
        page = next(iter(pages), None)
    return Member(row.location.name, page, is_flat)
