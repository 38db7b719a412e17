"""What is left of an observation of which a part was lost: a reading that did not reach its end."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import FileHosting, HeldState, Observation, Page, PageOutcome, View
from auditor.model.extent import Extent, extent_of

__all__ = ["as_known"]

_LOST = "a part of what was seen here is missing from the observation"


def as_known(observation: Observation) -> Observation:
    """Return an observation that claims no more than what is left of it.

    An item that is missing was not denied: it may be the very one that would have decided.
    """
    stated, left = observation.extent, extent_of(observation)
    if stated is None or stated == left:
        return observation
    if stated.pages > left.pages or stated.files > left.files:
        observation = replace(observation, pages=_pages_in_part(observation, stated, left))
    if stated.holdings > left.holdings:
        observation = _holdings_in_part(observation)
    if stated.pins > left.pins or stated.bundles > left.bundles:
        observation = _read_in_part(observation)
    return observation


def _pages_in_part(observation: Observation, stated: Extent, left: Extent) -> tuple[Page, ...]:
    """The pages that are left; where one is lost, something stands in that nobody could read."""
    if stated.pages > left.pages:
        lost = Page(view=View.PIP, sample=0, outcome=PageOutcome.SKIPPED, detail=_LOST, url="")
        return (*observation.pages, lost)
    return tuple(replace(page, complete=False) for page in observation.pages)


def _holdings_in_part(observation: Observation) -> Observation:
    """Whether a file is not here is no longer known: another of its kind may be what is lost."""
    holdings = tuple(
        replace(h, state=HeldState.UNKNOWN) if h.state is HeldState.NOT_HELD else h
        for h in observation.holdings
    )
    return replace(_read_in_part(observation), holdings=holdings, file_hosting=FileHosting.UNKNOWN)


def _read_in_part(observation: Observation) -> Observation:
    notes = observation.notes if _LOST in observation.notes else (*observation.notes, _LOST)
    return replace(observation, holdings_complete=False, notes=notes)
