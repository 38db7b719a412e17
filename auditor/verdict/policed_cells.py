"""The cells of a place as those see them who install with settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from auditor.model import (
    Candidate,
    Choice,
    Environment,
    Location,
    Observation,
    Rejection,
    Selection,
    View,
    parse_version,
)
from auditor.verdict.cells import ChoiceCache, cells_of
from auditor.verdict.context import Context
from auditor.verdict.policy import Left, leave, parts_of, settings_of

__all__ = ["cells_in_parts", "policed_cells"]

_Told = dict[tuple[View, int, int], tuple[Rejection, ...]]


def policed_cells(
    observation: Observation, location: Location, context: Context, cache: ChoiceCache
) -> tuple[Selection, ...]:
    """Return the cells of a place as those see it who install with its settings."""
    project, at = context.incident.project, observation.finished_at
    settings = settings_of(location, project)

    def left_in(environment: Environment) -> list[Left]:
        return [leave(page, settings, at, environment, project) for page in observation.pages]

    parts = parts_of(context, [(settings, observation.pages)])
    return cells_in_parts(observation, context, cache, parts, left_in)


def cells_in_parts(
    observation: Observation,
    context: Context,
    cache: ChoiceCache,
    parts: Sequence[tuple[Environment, ...]],
    left_in: Callable[[Environment], Sequence[Left]],
) -> tuple[Selection, ...]:
    """Return the cells of what settings leave, in the order of pages and environments.

    Args:
        observation: the facts; its pages give way to those that are left.
        context: of the judgement.
        cache: of choices made in all environments.
        parts: environments in which the settings leave the same.
        left_in: what they leave of every page, in an environment.
    """
    cells: list[Selection] = []
    alone = len(parts) == 1
    for part in parts:
        left = {(each.page.view, each.page.sample): each for each in left_in(part[0])}
        pages = tuple(each.page for each in left.values())
        ours = context if alone else replace(context, environments=part)
        found = cells_of(replace(observation, pages=pages), ours, cache if alone else ChoiceCache())
        told: _Told = {}
        cells += [_told(cell, left[cell.view, cell.sample], told) for cell in found]
    order = {(page.view, page.sample): at for at, page in enumerate(observation.pages)}
    place = {environment.id: at for at, environment in enumerate(context.environments)}
    return tuple(sorted(cells, key=lambda c: (order[c.view, c.sample], place[c.environment])))


def _told(cell: Selection, left: Left, told: _Told) -> Selection:
    """Return a cell with what the settings left out, and with what is not known of them."""
    if cell.choice not in (Choice.CHOSEN, Choice.NOTHING):
        return replace(cell, seen=left.seen)
    doubt = _doubt(cell, left)
    if doubt:
        return replace(
            cell,
            choice=Choice.UNKNOWN,
            filename=None,
            version=None,
            is_fix=None,
            is_broken=None,
            seen=left.seen,
            reason=doubt,
        )
    # Cells share their rejections: the run writes them down once.
    key = (cell.view, cell.sample, id(cell.rejected))
    rejected = told.setdefault(key, (*cell.rejected, *left.refused))
    return replace(cell, seen=left.seen, rejected=rejected, reason=_reason(cell, left))


def _doubt(cell: Selection, left: Left) -> str:
    """Say what is not known of the settings and may keep the fix away; "" if nothing is.

    They only narrow what can be chosen: what is not the fix does not become it.
    """
    if not cell.is_fix:
        return ""
    if left.doubts:
        return f"the constraints are not known to their end: {left.doubts[0]}"
    file = Candidate(filename=cell.filename or "", version=cell.version)
    unsure = [c for c in left.doubtful if c.filename is not None or not c.admits(file)]
    if not unsure:
        return ""
    return f"it is not known whether {unsure[0].told} holds: {unsure[0].marker}"


def _reason(cell: Selection, left: Left) -> str:
    if left.stopped:
        return left.stopped
    if not left.refused:
        return cell.reason
    best = max(left.refused, key=lambda lost: _order(lost.version))
    why = f"{best.version or best.filename} was left out: {best.text}"
    if not left.page.candidates:
        return f"none of the {left.seen} files listed is admitted; {why}"
    if cell.choice is Choice.CHOSEN and _order(best.version) < _order(cell.version):
        return cell.reason
    return f"{cell.reason}; {why}"


def _order(version: str | None) -> tuple[bool, object]:
    parsed = parse_version(version or "")
    return (parsed is not None, parsed if parsed is not None else "")
