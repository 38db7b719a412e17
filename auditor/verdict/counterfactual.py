"""What an action at the source would change at one location, as far as the facts at hand tell.

Nothing here is guessed from a kind's name. What was done already is what this audit observed; what
was not follows from this audit's own observations, the declared chain and the measured behaviour of
the software in between. Without a measurement it is `unknown`, with why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from auditor.model import (
    Action,
    Counterfactual,
    Gets,
    HeldState,
    LagState,
    Role,
    Status,
    When,
)
from auditor.verdict.aftermath import World, foreseen_of
from auditor.verdict.behaviour import Deed
from auditor.verdict.context import Context
from auditor.verdict.gets import as_observed
from auditor.verdict.lag import lag_of
from auditor.verdict.row import Row
from auditor.verdict.source_state import SourceState

__all__ = ["counterfactuals_of"]

# What has already been done at the source; all that it achieved is what was observed.
_GONE = {
    SourceState.DELETED: "the source no longer lists it",
    SourceState.PROJECT_GONE: "the whole project is gone from the source",
    SourceState.QUARANTINED: "the source has the project in quarantine, and lists no file of it",
}
_LATE = "what is not listed cannot be yanked, so that nobody else learns of a yank either"
# So says the help page of PyPI on the reuse of file names.
_REFUSED = "PyPI lets no file name be used twice, not even after the file was deleted"


def counterfactuals_of(
    row: Row, status: Status, world: World | None = None
) -> Mapping[Action, Counterfactual]:
    """Answer for each action: what would be true here afterwards?

    Args:
        row: the place.
        status: its verdict.
        world: every row, by which the chain is followed; None: this one alone.
    """
    if status is Status.UNKNOWN and not row.observation.pages and not row.observation.holdings:
        nothing = Counterfactual(because="nothing is known of this place")
        return dict.fromkeys(Action, nothing)
    known = world or World(rows={row.location.name: row}, traits={})
    now = as_observed(row)
    return {
        Action.DELETED: _if_deleted(row, now, known),
        Action.YANKED: _if_yanked(row, now, known),
        Action.REUPLOADED: _if_reuploaded(row, now, known),
        Action.ROLLED_FORWARD: _if_rolled_forward(row, now, known),
    }


def _if_deleted(row: Row, now: Counterfactual, world: World) -> Counterfactual:
    context = row.context
    if context.source_state.gone:
        return replace(now, when=When.ALREADY, because=_GONE[context.source_state])
    if context.source_observed and not _source_lists_broken(context):
        return replace(now, when=When.ALREADY, because="the source does not list it")
    if row.broken.listed is False and row.broken.held is HeldState.NOT_HELD:
        return replace(now, when=When.ALREADY, because="there is nothing here to remove")
    # Whether the source's file host goes on serving the file is not the maintainer's choice.
    return _where_both_agree(
        _foreseen(row, now, Deed.DELETED_FILE_SERVED, world),
        _foreseen(row, now, Deed.DELETED_FILE_GONE, world),
    )


def _if_yanked(row: Row, now: Counterfactual, world: World) -> Counterfactual:
    if row.context.source_state.gone:
        return replace(now, when=When.NEVER, because=f"{_GONE[row.context.source_state]}: {_LATE}")
    if row.context.source_yanked():
        return replace(now, when=When.ALREADY, because="the source has yanked it")
    return _foreseen(row, now, Deed.YANKED, world)


def _if_reuploaded(row: Row, now: Counterfactual, world: World) -> Counterfactual:
    """Here `fix` stands for the other bytes, whatever the name of the file says."""
    source = row.context.source
    if source is not None and source.kind == "pypi":
        return replace(now, when=When.NEVER, because=_REFUSED)
    return _foreseen(row, now, Deed.REPLACED, world)


def _if_rolled_forward(row: Row, now: Counterfactual, world: World) -> Counterfactual:
    if not row.context.source_lists_fix():
        return _foreseen(row, now, Deed.ROLLED_FORWARD, world)
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


def _foreseen(row: Row, now: Counterfactual, deed: Deed, world: World) -> Counterfactual:
    foreseen = foreseen_of(row, deed, world, now)
    if row.location.role is Role.STORE and foreseen.when is When.NEVER and _pages_expire(row):
        # A client trusts a page that it keeps for a while only; then it asks the index again.
        return replace(foreseen, unpinned_gets=Gets.NOTHING)
    return foreseen


def _pages_expire(row: Row) -> bool:
    return all(page.freshness.expires_at is not None for page in row.usable_pages)


def _where_both_agree(one: Counterfactual, other: Counterfactual) -> Counterfactual:
    """Keep what is true either way; the rest is not known."""
    unknown = Counterfactual()
    values = {
        f.name: getattr(one if getattr(one, f.name) == getattr(other, f.name) else unknown, f.name)
        for f in fields(Counterfactual)
    }
    return Counterfactual(**{**values, "because": one.because})


def _source_lists_broken(context: Context) -> bool:
    return any(context.is_broken_file(c) for c in context.source_files.values())
