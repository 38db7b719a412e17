"""The cells of a location: what each client in each environment would choose from each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.model import (
    Candidate,
    Candidates,
    Choice,
    Observation,
    Page,
    PageOutcome,
    Selection,
    View,
)
from auditor.selection.policies import Picked, choose_as, client_of
from auditor.verdict.context import Context

__all__ = ["ChoiceCache", "cells_of"]


@dataclass(slots=True)
class ChoiceCache:
    """Choices already made, so that a page seen at many places is decided once.

    Equality of the candidates is compared, not only the digest of the body: a replayed file of
    observations may have been edited.
    """

    _made: dict[tuple[str, str], list[tuple[Candidates, Mapping[str, Picked]]]] = field(
        default_factory=dict
    )
    _cells: dict[tuple[int, View, int], list[Selection]] = field(default_factory=dict)

    def cells(self, page: Page, context: Context) -> list[Selection]:
        """Return the cells of a page; equal pages have the same, wherever they were seen."""
        chosen = self.choose(page, context)
        key = id(chosen), page.view, page.sample  # which is kept, so that no other gets its id
        if key not in self._cells:
            environments = _environment_ids(context)
            self._cells[key] = [_cell(page, e, chosen[e], context) for e in environments]
        return self._cells[key]

    def choose(self, page: Page, context: Context) -> Mapping[str, Picked]:
        """Choose for every environment from one page."""
        client = client_of(page.view)
        known = self._made.setdefault((client, page.body_sha256 or ""), [])
        for candidates, chosen in known:
            if candidates == page.candidates:
                return chosen
        chosen = choose_as(client, page.candidates, context.environments, context.incident.project)
        known.append((page.candidates, chosen))
        return chosen


def cells_of(
    observation: Observation, context: Context, cache: ChoiceCache
) -> tuple[Selection, ...]:
    """Every cell of one location: view × sample × environment."""
    return tuple(
        cell for page in observation.pages for cell in _cells_of_page(page, context, cache)
    )


def _cells_of_page(page: Page, context: Context, cache: ChoiceCache) -> list[Selection]:
    if page.outcome is PageOutcome.REFUSED:
        return [_empty(page, e, context, Choice.REFUSED) for e in _environment_ids(context)]
    if page.outcome is PageOutcome.ABSENT:
        return [_empty(page, e, context, Choice.NOTHING) for e in _environment_ids(context)]
    if page.outcome is not PageOutcome.OBSERVED or not page.complete:
        return [_empty(page, e, context, Choice.UNKNOWN) for e in _environment_ids(context)]
    return cache.cells(page, context)


def _environment_ids(context: Context) -> list[str]:
    return [environment.id for environment in context.environments]


def _empty(page: Page, environment: str, context: Context, choice: Choice) -> Selection:
    """A cell of a page that offers nothing to choose from, or that could not be read whole."""
    if page.outcome is PageOutcome.OBSERVED:
        reason = f"{len(page.faults)} entries of this page could not be read; one may be better"
    elif page.outcome is PageOutcome.ABSENT:
        reason = "this view answers that there is no such project"
    else:
        reason = page.detail or f"this view is {page.outcome.value}"
    return Selection(
        client=client_of(page.view),
        environment=environment,
        view=page.view,
        sample=page.sample,
        choice=choice,
        seen=len(page.candidates),
        counts=choice is not Choice.REFUSED and context.counts(client_of(page.view), environment),
        reason=reason,
    )


def _cell(page: Page, environment: str, chosen: Picked, context: Context) -> Selection:
    file = chosen.candidate
    return Selection(
        client=client_of(page.view),
        environment=environment,
        view=page.view,
        sample=page.sample,
        choice=chosen.choice,
        filename=file.filename if file else None,
        version=file.version if file else None,
        seen=chosen.seen,
        applicable=chosen.applicable,
        counts=context.counts(client_of(page.view), environment),
        is_fix=_is_fix(file, context) if file else None,
        is_broken=context.is_broken_file(file) if file else None,
        reason=chosen.reason,
        rejected=chosen.rejected,
    )


def _is_fix(file: Candidate, context: Context) -> bool:
    return context.line.is_fix(file.version) and not context.is_broken_file(file)
