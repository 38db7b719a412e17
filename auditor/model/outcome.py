"""How single answers ended, and how single files are marked: words that facts share."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PageOutcome", "Yank"]


class PageOutcome(StrEnum):
    """How one page of a location ended."""

    OBSERVED = "observed"
    ABSENT = "absent"
    REFUSED = "refused"  # 406: this client cannot use the place at all
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    SKIPPED = "skipped"


class Yank(StrEnum):
    """Whether a file is marked as yanked (PEP 592)."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"
