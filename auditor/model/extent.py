"""How much an observation said when it was made, so that what is lost of it later is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.observation import Candidate, Holding, Observation
    from auditor.model.pin import Pin

__all__ = ["Extent", "extent_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The length of each list of which a shorter one would say something else.

    Attributes:
        pages: answers, over all views and samples.
        files: that these pages list, all together.
        holdings, pins, bundles: as in `Observation`.
        facts: versions, digests and sizes by which all of these are told apart, and the files that
            are not delivered. A page that nobody could have edited, as it is still the one that was
            read, is not gone through.
    """

    pages: int = 0
    files: int = 0
    holdings: int = 0
    pins: int = 0
    bundles: int = 0
    facts: int = 0

    def at_least(self, other: Extent) -> Extent:
        """Return the larger of each number."""
        return Extent(
            pages=max(self.pages, other.pages),
            files=max(self.files, other.files),
            holdings=max(self.holdings, other.holdings),
            pins=max(self.pins, other.pins),
            bundles=max(self.bundles, other.bundles),
            facts=max(self.facts, other.facts),
        )


def extent_of(observation: Observation, *, every_page: bool = False) -> Extent:
    """Count what the lists of an observation hold now.

    Args:
        observation: whose.
        every_page: whether pages are gone through as well that nobody could have edited.
    """
    files = {id(page.candidates): page.candidates for page in observation.pages}
    facts = {
        at: _facts_of(listed)
        for at, listed in files.items()
        if every_page or isinstance(listed, tuple)
    }
    return Extent(
        pages=len(observation.pages),
        files=sum(len(page.candidates) for page in observation.pages),
        holdings=len(observation.holdings),
        pins=len(observation.pins),
        bundles=len(observation.bundles),
        facts=sum(facts.get(id(page.candidates), 0) for page in observation.pages)
        + sum(map(_facts_of_holding, observation.holdings))
        + sum(map(_facts_of_pin, observation.pins))
        + sum(len(hint.undeliverable) for hint in observation.hints),
    )


def _facts_of(files: Sequence[Candidate]) -> int:
    return sum(len(c.hashes) + (c.version is not None) + (c.size is not None) for c in files)


def _facts_of_holding(holding: Holding) -> int:
    known = (holding.version, holding.sha256, holding.size, holding.md5, holding.crc32)
    return sum(1 for fact in known if fact is not None)


def _facts_of_pin(pin: Pin) -> int:
    files = sum(len(f.hashes) + (f.size is not None) for f in pin.files)
    return files + (pin.version is not None) + bool(pin.specifier)
