"""What a trace says: the copy, the places that have it, and how well each explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from auditor.model import HeldState, Location, Outcome

__all__ = ["Bytes", "Copy", "Place", "Trace", "as_document"]


class Bytes(StrEnum):
    """How what a place has compares with the copy."""

    SAME = "same bytes"
    OTHER = "other bytes"
    UNCOMPARED = "that version, bytes not compared"
    NONE = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is traced.

    Attributes:
        project: normalised name; None if it is not known, so that only bytes can be compared.
        version: None if only a digest is known.
        filename: None if it is not known.
        sha256: None if only a version is known.
        fault: what is wrong with the file that was given; "" if nothing is known to be.
    """

    project: str | None
    version: str | None = None
    filename: str | None = None
    sha256: str | None = None
    fault: str = ""

    @property
    def label(self) -> str:
        """How a reader calls it."""
        name = self.filename or (f"{self.project} {self.version}" if self.version else self.project)
        if name is None:
            return f"sha256:{self.sha256}"
        return f"{name} (sha256:{self.sha256})" if self.sha256 else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One location, and what it has of the copy.

    Attributes:
        location: where.
        outcome, detail: how looking ended.
        lists, holds: what of it is on offer, and what lies there.
        state: of what lies there.
        urls: under which it is offered.
        forced_by: lock entries and the like that name these bytes or that version.
        rank: how well it explains the copy, 1 for best; None: it does not.
        why: the reason for that, in words.
    """

    location: Location
    outcome: Outcome
    detail: str
    lists: Bytes
    holds: Bytes
    state: HeldState
    urls: tuple[str, ...] = ()
    forced_by: tuple[str, ...] = ()
    rank: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The answer.

    Attributes:
        copy: what was traced.
        places: those that explain it first, then the others as they were given.
        sentence: the answer in one sentence.
        at_source: what the source still has of it, in words.
    """

    copy: Copy
    places: tuple[Place, ...]
    sentence: str
    at_source: str


def as_document(found: Trace) -> Mapping[str, object]:
    """The trace as plain values, for JSON."""
    return {
        "copy": asdict(found.copy),
        "sentence": found.sentence,
        "at_source": found.at_source,
        "places": [
            {
                "name": place.location.name,
                "kind": place.location.kind,
                "locator": place.location.locator,
                "outcome": place.outcome.value,
                "lists": place.lists.value,
                "holds": place.holds.value,
                "state": place.state.value,
                "urls": list(place.urls),
                "forced_by": list(place.forced_by),
                "rank": place.rank,
                "why": place.why,
            }
            for place in found.places
        ],
    }
