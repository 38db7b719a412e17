"""What an action at the source would change at one location, as far as the facts at hand tell.

Nothing here is guessed from a kind's name. What follows from this audit's own observations is
computed; what would need measured behaviour of the software in between is `unknown`, with why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from auditor.model import (
    Action,
    Candidate,
    Choice,
    Counterfactual,
    Gets,
    HeldState,
    LagState,
    Page,
    Selection,
    Status,
    When,
    Yank,
)
from auditor.selection import Chosen, choose_all
from auditor.verdict.context import Context
from auditor.verdict.lag import lag_of
from auditor.verdict.row import Row
from auditor.verdict.source_state import SourceState

__all__ = ["counterfactuals_of"]

# The worst cell speaks for the place.
_WORST = (Gets.BROKEN, Gets.ERROR, Gets.NOTHING, Gets.OLDER, Gets.UNKNOWN, Gets.FIX)

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)

# What has already been done at the source; all that it achieved is what was observed.
_GONE = {
    SourceState.DELETED: "the source no longer lists it",
    SourceState.PROJECT_GONE: "the whole project is gone from the source",
    SourceState.QUARANTINED: "the source has the project in quarantine, and lists no file of it",
}
_LATE = "what is not listed cannot be yanked, so that nobody else learns of a yank either"


def counterfactuals_of(row: Row, status: Status) -> Mapping[Action, Counterfactual]:
    """Answer for each action: what would be true here afterwards?"""
    if status is Status.UNKNOWN and not row.observation.pages and not row.observation.holdings:
        nothing = Counterfactual(because="nothing is known of this place")
        return dict.fromkeys(Action, nothing)
    now = _as_observed(row)
    return {
        Action.DELETED: _if_deleted(row, now),
        Action.YANKED: _if_yanked(row, now),
        Action.REUPLOADED: _if_reuploaded(row, now),
        Action.ROLLED_FORWARD: _if_rolled_forward(row, now),
    }


def _if_deleted(row: Row, now: Counterfactual) -> Counterfactual:
    context = row.context
    if context.source_state.gone:
        return replace(now, when=When.ALREADY, because=_GONE[context.source_state])
    if context.source_observed and not _source_lists_broken(context):
        return replace(now, when=When.ALREADY, because="the source does not list it")
    if row.is_source:
        kept = [_without_broken(p, context) for p in row.usable_pages]
        return replace(
            _recomputed(row, kept),
            listed=False,
            held=HeldState.UNKNOWN if row.broken.held in _HERE else row.broken.held,
            hash_locked_gets=Gets.UNKNOWN,
            when=When.AT_ONCE,
            because="the source's own page without the broken files; whether its file host keeps "
            "serving them was not observed",
        )
    if row.broken.listed is False and row.broken.held is HeldState.NOT_HELD:
        return replace(now, when=When.ALREADY, because="there is nothing here to remove")
    return _unchanged(row, now) or _needs_behaviour(row)


def _if_yanked(row: Row, now: Counterfactual) -> Counterfactual:
    if row.context.source_state.gone:
        return replace(now, when=When.NEVER, because=f"{_GONE[row.context.source_state]}: {_LATE}")
    if row.context.source_yanked():
        return replace(now, when=When.ALREADY, because="the source has yanked it")
    if row.is_source:
        pages = [_yanked(p, row.context) for p in row.usable_pages]
        return replace(
            _recomputed(row, pages),
            listed=row.broken.listed,
            held=row.broken.held,
            hash_locked_gets=now.hash_locked_gets,
            when=When.AT_ONCE,
            because="the source's own page with the broken files marked as yanked",
        )
    return _unchanged(row, now) or _needs_behaviour(row)


def _if_reuploaded(row: Row, now: Counterfactual) -> Counterfactual:
    if row.is_source:
        return Counterfactual(because="it depends on whether the source lets a name be reused")
    return _unchanged(row, now) or _needs_behaviour(row)


def _if_rolled_forward(row: Row, now: Counterfactual) -> Counterfactual:
    if not row.context.source_lists_fix():
        return _unchanged(row, now) or _needs_behaviour(row)
    lag = lag_of(row)
    if lag.state is LagState.CURRENT or not row.is_index:
        because = "the source has published the fix; this is what was observed"
        return replace(now, when=When.ALREADY, because=because)
    if lag.state is LagState.WITHIN_LAG and lag.latest_by:
        because = f"it copies the source within its lag ({lag.basis})"
        return replace(now, unpinned_gets=Gets.FIX, when=lag.latest_by, because=because)
    if lag.state is LagState.NEVER:
        return replace(now, when=When.NEVER, because=lag.basis)
    return replace(now, when=When.UNKNOWN, because="the fix is published, but has not arrived here")


def _unchanged(row: Row, now: Counterfactual) -> Counterfactual | None:
    """The answer for a place that nothing ever copies to; None for any other."""
    if row.kind.syncs or row.location.upstream is not None:
        return None
    because = f"nothing that happens at the source reaches a {row.kind.name}"
    return replace(now, when=When.NEVER, because=because)


def _needs_behaviour(row: Row) -> Counterfactual:
    return Counterfactual(
        because=f"this needs measured behaviour of what runs here ({row.kind.name}), which this "
        "audit does not have"
    )


def _as_observed(row: Row) -> Counterfactual:
    return Counterfactual(
        listed=row.broken.listed,
        held=row.broken.held,
        unpinned_gets=_unpinned(row),
        pinned_gets=_pinned(row, [p.candidates for p in row.usable_pages if p.complete]),
        hash_locked_gets=_hash_locked(row),
        offline_gets=_offline(row),
    )


def _recomputed(row: Row, pages: Sequence[tuple[Candidate, ...]]) -> Counterfactual:
    """What the cells of this row would get from other pages in the same places."""
    if not row.all_pages_read:
        return Counterfactual()
    context = row.context
    chosen = (choose_all(p, context.environments, context.incident.project) for p in pages)
    return Counterfactual(
        unpinned_gets=_worst(
            _gets_chosen(choice, context)
            for by_environment in chosen
            for environment, choice in by_environment.items()
            if environment in context.counting
        ),
        pinned_gets=_pinned(row, pages),
        offline_gets=_offline(row),
    )


def _unpinned(row: Row) -> Gets:
    """What an unpinned install gets in the worst cell.

    A store gives nothing to anybody who does not ask for a version, unless its client trusts a
    page that it keeps.
    """
    if row.is_index:
        return _worst(_gets(cell) for cell in row.counting)
    trusted = row.trusted_cells
    return _worst(_gets(cell) for cell in trusted) if trusted else Gets.NOTHING


def _pinned(row: Row, pages: Sequence[tuple[Candidate, ...]]) -> Gets:
    """What `PROJECT==BROKEN` gets in the worst cell."""
    if not row.is_index:
        return _from_bytes(row)
    if not row.all_pages_read:
        return Gets.UNKNOWN
    context = row.context
    return _worst(
        _gets_pinned(choice, context)
        for page in dict.fromkeys(map(_Page, pages))
        for version in context.line.broken
        for environment, choice in choose_all(
            page.candidates, context.environments, context.incident.project, pin=str(version)
        ).items()
        if environment in context.counting
    )


class _Page:
    """Candidates as a dictionary key, so that equal pages are chosen from once."""

    __slots__ = ("candidates", "key")

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates
        self.key = tuple((c.filename, c.yanked, c.requires_python) for c in candidates)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Page) and self.key == other.key


def _hash_locked(row: Row) -> Gets:
    """What a lock with file name, URL and hash gets from here."""
    if row.broken.held in _HERE or row.broken.listed:
        return Gets.BROKEN
    return Gets.ERROR if row.broken.held is HeldState.NOT_HELD else Gets.UNKNOWN


def _offline(row: Row) -> Gets:
    """What a machine without network gets from here: only a local place gives anything."""
    if row.location.url is not None:
        return Gets.ERROR
    if row.is_index:
        return _worst(_gets(cell) for cell in row.counting)
    return _from_bytes(row)


def _from_bytes(row: Row) -> Gets:
    """What a store gives to somebody who asks for the broken release."""
    if row.broken.held is HeldState.UNKNOWN:
        return Gets.UNKNOWN
    return Gets.BROKEN if row.broken.held in _HERE else Gets.NOTHING


def _gets(cell: Selection) -> Gets:
    if cell.choice is Choice.UNKNOWN:
        return Gets.UNKNOWN
    if cell.choice is not Choice.CHOSEN:
        return Gets.NOTHING
    if cell.is_broken:
        return Gets.BROKEN
    return Gets.FIX if cell.is_fix else Gets.OLDER


def _gets_chosen(chosen: Chosen, context: Context) -> Gets:
    if chosen.choice is Choice.UNKNOWN:
        return Gets.UNKNOWN
    if chosen.candidate is None:
        return Gets.NOTHING
    if context.is_broken_file(chosen.candidate):
        return Gets.BROKEN
    return Gets.FIX if context.line.is_fix(chosen.candidate.version) else Gets.OLDER


def _gets_pinned(chosen: Chosen, context: Context) -> Gets:
    gets = _gets_chosen(chosen, context)
    return Gets.ERROR if gets is Gets.NOTHING else gets


def _worst(gets: Iterable[Gets]) -> Gets:
    return min(gets, key=_WORST.index, default=Gets.UNKNOWN)


def _without_broken(page: Page, context: Context) -> tuple[Candidate, ...]:
    return tuple(c for c in page.candidates if not context.is_broken_file(c))


def _yanked(page: Page, context: Context) -> tuple[Candidate, ...]:
    return tuple(
        structs.replace(c, yanked=Yank.YES) if context.is_broken_file(c) else c
        for c in page.candidates
    )


def _source_lists_broken(context: Context) -> bool:
    return any(context.is_broken_file(c) for c in context.source_files.values())
