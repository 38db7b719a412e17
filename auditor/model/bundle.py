"""A bundle that somebody keeps and nobody can look into from here, such as a cache of a CI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Bundle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One bundle, by what its keeper says of it. Its content never changes once it is kept.

    Attributes:
        name: its key.
        scope: branch or tag that may use it; "" if it has none.
        created_at: UTC; None if not known.
        used_at: when it was last given out, UTC; None if not known.
        size: bytes; None if not known.
        remove: the command that removes it, ready to paste; "" if there is none.
        evidence: ids into the observation's evidence.
    """

    name: str
    scope: str = ""
    created_at: datetime | None = None
    used_at: datetime | None = None
    size: int | None = None
    remove: str = ""
    evidence: tuple[str, ...] = ()
