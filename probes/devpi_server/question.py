"""One file that an index of a devpi server is asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """One file in one index.

    Attributes:
        filename, version, sha256: of the file; None if not known.
        index: that would have it.
        url: of its entry; None: it cannot be known without a digest.
        listed: whether a page names it, so that asking makes no index re-read a page.
    """

    filename: str
    version: str | None
    sha256: str | None
    index: str
    url: str | None
    listed: bool
