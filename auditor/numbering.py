"""An order of the evidence that does not depend on which of several answers came first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from auditor.model import Bundle, Evidence, Hint, Holding, Observation, Page, Pin, Surface

__all__ = ["numbered"]

Citing = TypeVar("Citing", Page, Holding, Surface, Hint, Pin, Bundle)


def numbered(observation: Observation) -> Observation:
    """Put the evidence in an order of its own, and let every id follow it.

    Views are asked for at the same time, and their answers are recorded as they happen to come; but
    the same audit should give the same report twice. Equal requests keep their order: several
    samples of one page are a sequence.
    """
    taken = observation.evidence
    ids = [item.id for item in taken]
    ordered = sorted(taken, key=lambda item: (item.request, item.reproduce))
    new = {item.id: id_ for item, id_ in zip(ordered, ids, strict=True)}
    if len(new) < len(ids) or all(old == id_ for old, id_ in new.items()):
        return observation
    return replace(
        observation,
        evidence=tuple(_renamed(item, new) for item in ordered),
        pages=_following(observation.pages, new),
        holdings=_following(observation.holdings, new),
        surfaces=_following(observation.surfaces, new),
        hints=_following(observation.hints, new),
        pins=_following(observation.pins, new),
        bundles=_following(observation.bundles, new),
    )


def _renamed(item: Evidence, new: Mapping[str, str]) -> Evidence:
    return replace(item, id=new[item.id])


def _following(facts: tuple[Citing, ...], new: Mapping[str, str]) -> tuple[Citing, ...]:
    return tuple(
        replace(fact, evidence=tuple(new.get(id_, id_) for id_ in fact.evidence))
        if fact.evidence
        else fact
        for fact in facts
    )
