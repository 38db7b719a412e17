"""Until when pip trusts a stored page, computed as pip computes it, not as RFC 9111 would.

pip from 26.2 on sends no `max-age=0` with index pages any more and so takes a stored page without
asking anybody, until the page expires (measured: 26.1 asks, 26.2 and 26.3 do not). Its arithmetic
(CacheController.cached_request): lifetime = max-age, else Expires - Date; age = now - Date. `Age`,
s-maxage, no-cache and must-revalidate in the answer count for nothing, directives are compared with
case, and what has no Date is never fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from auditor.model import View
from probes.http_stores.entry import Entry
from probes.kit.freshness import http_date
from probes.kit.views import CLIENTS

__all__ = ["expires_at", "matches_pips_request"]

_MAX_LIFETIME_S = 2**31


def expires_at(headers: Mapping[str, str], date: datetime) -> datetime:
    """Return when a stored answer stops being fresh for pip.

    Args:
        headers: of the answer; names in lower case.
        date: its Date, UTC.
    """
    lifetime_s = _max_age_s(headers.get("cache-control", ""))
    if lifetime_s is None:
        until = http_date(headers.get("expires"))
        lifetime_s = int((until - date).total_seconds()) if until else 0
    try:
        return date + timedelta(seconds=max(0, min(lifetime_s, _MAX_LIFETIME_S)))
    except OverflowError:  # a Date in the year 9999
        return date


def _max_age_s(cache_control: str) -> int | None:
    found = None
    for directive in cache_control.split(","):
        name, _, value = directive.partition("=")
        digits = value.strip()
        if name.strip() == "max-age" and digits.isascii() and digits.isdigit():
            found = int(digits[:12])
    return found


def matches_pips_request(entry: Entry) -> bool:
    """Say whether pip's request for a page has the headers that this answer varies by.

    A page that was stored for another Accept (pip before 22.2 asked for HTML) is no hit for a
    client of today. Headers that we do not know of are taken to match.
    """
    pip = CLIENTS[View.PIP]
    sent = {"accept": pip.accept, "accept-encoding": pip.accept_encoding}
    return "*" not in entry.vary and all(
        value == sent[name] for name, value in entry.vary.items() if name in sent
    )
