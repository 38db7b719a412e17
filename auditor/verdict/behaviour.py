"""What software of each kind was measured to do when something happens at the source.

The data is `behaviour.toml`, with the versions and the day of each measurement; `auditor lab` plays
it again and fails where it is wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["Behaviour", "ByUrl", "Bytes", "Deed", "HopLag", "Listing", "behaviour_of", "behaviours"]


class Deed(StrEnum):
    """What can happen at the source, told as finely as software tells it apart."""

    ROLLED_FORWARD = "rolled-forward"
    YANKED = "yanked"
    FIXED_THEN_YANKED = "fixed-then-yanked"  # the right order
    DELETED_FILE_SERVED = "deleted-file-served"  # off the pages, its URL goes on working
    DELETED_FILE_GONE = "deleted-file-gone"
    PROJECT_DELETED = "project-deleted"  # with all its files
    REPLACED = "replaced"  # the same file name with other bytes
    UPSTREAM_DOWN = "upstream-down"

    @property
    def measured_as(self) -> str:
        """Its column of the data: what a page does depends on no more than this."""
        columns = {
            Deed.DELETED_FILE_SERVED: "deleted",
            Deed.DELETED_FILE_GONE: "deleted",
            Deed.FIXED_THEN_YANKED: "yanked",
        }
        return columns.get(self, self.value)


class Listing(StrEnum):
    """What a page shows once the lag is over."""

    FOLLOWS = "follows"
    KEEPS = "keeps"
    ERROR = "error"
    BY_PATH = "by-path"


class Bytes(StrEnum):
    """What becomes of broken bytes that are held."""

    KEEPS = "keeps"
    ORPHANS = "orphans"
    NONE = "none"


class ByUrl(StrEnum):
    """Where the file comes from for somebody who has its URL at this place."""

    HELD = "held"
    HELD_ELSE_UPSTREAM = "held-else-upstream"
    LISTED = "listed"
    UPSTREAM = "upstream"


class HopLag(StrEnum):
    """How long it takes until a change arrives."""

    HOP = "hop"  # what is expected of the hop
    NONE = "none"
    NEVER = "never"


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One measurement.

    Attributes:
        program, versions: what was measured.
        kind: of the locations that it speaks for.
        needs: traits that such a location must have.
        measured: on which day.
        confirmed: when the lab last played it and found nothing wrong; None: not yet.
        settings: with which it ran.
        lag, extra_lag_s: when a change arrives; the seconds come on top of the hop's lag.
        by_url, listing, bytes: see `behaviour.toml`.
        because: the same in a sentence.
    """

    program: str
    kind: str
    versions: tuple[str, ...]
    measured: date
    settings: str
    lag: HopLag
    by_url: ByUrl = msgspec.field(name="by_url")
    because: str
    listing: Mapping[str, Listing]
    bytes: Mapping[str, Bytes]
    needs: frozenset[str] = frozenset()
    confirmed: date | None = None
    extra_lag_s: float = msgspec.field(name="extra_lag_s", default=0.0)
    hides_lifetime: bool = msgspec.field(name="hides_lifetime", default=False)

    def listing_after(self, deed: Deed) -> Listing:
        """What its page shows after a deed."""
        return self.listing[deed.measured_as]

    def keeps_bytes(self, deed: Deed) -> Bytes:
        """What becomes of broken bytes; nothing that removes no file touches them."""
        return self.bytes.get(deed.measured_as, Bytes.KEEPS)

    @property
    def source(self) -> str:
        """The measurement, as one cites it."""
        return (
            f"{self.program} {', '.join(self.versions)}, measured {self.confirmed or self.measured}"
        )


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    revision: int
    behaviours: tuple[Behaviour, ...]


@cache
def behaviours() -> tuple[Behaviour, ...]:
    """Return every measurement, the most particular of a kind first."""
    text = files("auditor.verdict").joinpath("behaviour.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), type=_Document).behaviours


def behaviour_of(kind: str, traits: Iterable[str]) -> Behaviour | None:
    """Return the measurement that speaks for a location; None if there is none.

    Args:
        kind: of the location.
        traits: what is known of it, in the words of the data.
    """
    known = frozenset(traits)
    return next((b for b in behaviours() if b.kind == kind and b.needs <= known), None)
