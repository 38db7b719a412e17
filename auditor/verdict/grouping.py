"""One row more for each group of places that one client uses together.

The row is judged by the rules of any index, on pages put together as the client does it. It is no
place: nothing is stored in it, so that no count of places with broken bytes includes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from auditor.model import (
    FileHosting,
    KindFacts,
    Lag,
    LagState,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Role,
    View,
)
from auditor.selection.groups import BEST_MATCH, FIRST_INDEX, Member, merge_pages
from auditor.verdict.policy import policed
from auditor.verdict.row import Row

__all__ = ["GROUP", "group_lag", "group_rows", "is_group"]

GROUP = "group"

# Kinds that a client is given by --find-links.
_FLAT_KINDS = frozenset({"wheelhouse"})

# Whose pages a group is judged by; the first of them that is there stands in for the others.
_VIEWS = (View.PIP, View.PIP_HTML, View.UV, View.POETRY)

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
    )


def _observation(name: str, members: Sequence[Row]) -> Observation:
    strategies = {member.location.settings.get("index_strategy") for member in members}
    strategy = BEST_MATCH if BEST_MATCH in strategies else FIRST_INDEX
    project = members[0].context.incident.project
    seen = {m.location.name: policed(m.observation, m.location, project) for m in members}
    asked = {page.view for observation in seen.values() for page in observation.pages}
    pages = tuple(
        merge_pages([_member(m, seen, view) for m in members], view, strategy, name)
        for view in _VIEWS
        if view in asked
    )
    observations = [member.observation for member in members]
    return Observation(
        location=name,
        vantage=observations[0].vantage,
        incident=observations[0].incident,
        outcome=_outcome(pages, observations),
        detail="",
        pages=pages,
        file_hosting=FileHosting.ELSEWHERE,  # nothing is stored in a group
        started_at=min(observation.started_at for observation in observations),
        finished_at=max(observation.finished_at for observation in observations),
        notes=(f"What one client gets from {', '.join(seen)} together.",),
    )


def _outcome(pages: Sequence[Page], observations: Sequence[Observation]) -> Outcome:
    if any(page.outcome is PageOutcome.OBSERVED for page in pages):
        return Outcome.OBSERVED
    if all(observation.outcome is Outcome.ABSENT for observation in observations):
        return Outcome.ABSENT
    return next(o.outcome for o in observations if o.outcome is not Outcome.ABSENT)


def _member(row: Row, seen: Mapping[str, Observation], view: View) -> Member:
    """Return a member as a client class sees it: where it was asked once only, all see the same."""
    pages = seen[row.location.name].pages
    found = next((page for page in pages if page.view is view), None)
    is_flat = row.location.kind in _FLAT_KINDS
    if found is None and (is_flat or len({page.view for page in pages}) == 1):
        found = next(iter(pages), None)
    return Member(row.location.name, found, is_flat)
