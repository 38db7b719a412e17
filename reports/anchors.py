"""Stable ids for the rows of a page, so that a link to one of them keeps working."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditor.model import Verdict

__all__ = ["anchors"]

_OTHER = re.compile(r"[^a-z0-9]+")
_LONGEST = 60


def anchors(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return `loc-<name>` for each row, with the vantage where there are several; all differ."""
    several = len({v.vantage for v in verdicts}) > 1
    taken: set[str] = set()
    found = []
    for verdict in verdicts:
        name = f"{verdict.location.name} {verdict.vantage}" if several else verdict.location.name
        base = f"loc-{_OTHER.sub('-', name.lower()[:_LONGEST]).strip('-') or 'unnamed'}"
        anchor, number = base, 1
        while anchor in taken:
            number += 1
            anchor = f"{base}-{number}"
        taken.add(anchor)
        found.append(anchor)
    return tuple(found)
