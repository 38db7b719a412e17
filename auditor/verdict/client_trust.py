"""How long a client goes by the page that it has, asking nobody.

pip 26.2 and later, and uv, keep an index page for as long as its headers allow and choose from it
without a request; earlier pips always ask. What a cache sends counts in full: nginx
restarts the clock, and pip does not look at `Age`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from auditor.model import Lag, LagState, Page, View
from auditor.verdict.row import Row

__all__ = ["trust_of", "with_trust"]

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})")
_NEVER = re.compile(r"(?:^|[\s,])(?:no-store|no-cache)(?:$|[\s,=])")

# Without any statement uv keeps a page for a tenth of its age (RFC 9111, section 4.2.2); pip asks.
_UV_SHARE = 0.1
# No page speaks for so long; a hostile one must not overflow a date.
_LONGEST = timedelta(days=3650)


def trust_of(page: Page) -> timedelta:
    """Return for how long the clients of a page go by it; nothing if they always ask."""
    freshness = page.freshness
    stated = (freshness.cache_control or "").lower()
    if _NEVER.search(stated):
        return timedelta()
    match = _MAX_AGE.search(stated)
    if match is not None:
        return min(timedelta(seconds=int(match[1])), _LONGEST)
    fetched, modified = freshness.fetched_at, freshness.last_modified
    if page.view is View.UV and fetched is not None and modified is not None:
        return min(max((fetched - modified) * _UV_SHARE, timedelta()), _LONGEST)
    return timedelta()


def with_trust(row: Row, lag: Lag, arrives_by: datetime | None) -> Lag:
    """Say until when the last client of a place may still get what was there before the fix.

    Args:
        row: the place.
        lag: of what it serves.
        arrives_by: when the fix is served there at the latest; None: that cannot be said.
    """
    trust = max(map(trust_of, row.usable_pages), default=timedelta())
    if arrives_by is None or lag.state not in (LagState.CURRENT, LagState.WITHIN_LAG):
        return lag
    basis = lag.basis
    if trust:
        seconds = int(trust.total_seconds())
        basis += f"; then clients may go by the page they have for {seconds} s"
    return replace(lag, last_client_by=arrives_by + trust, basis=basis)
