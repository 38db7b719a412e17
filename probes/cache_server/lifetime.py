"""Until when a cache keeps a page, as far as the page itself tells: Date, Age and max-age."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from probes.cache_server.signs import Program, Signs, State
from probes.kit.answer import Headers
from probes.kit.freshness import http_date

__all__ = ["Life", "lifetime_s", "page_life"]

_MAX_S = 2**31
_SHARED = re.compile(r"(?:^|[\s,])s-maxage\s*=\s*\"?(\d{1,20})", re.IGNORECASE)
_PRIVATE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,20})", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[\s,])(?:no-store|no-cache|private)(?:[\s,;=]|$)", re.IGNORECASE)

# These send Age whenever they answer from what they keep (measured): without it they just fetched.
_ALWAYS_TELL = frozenset({Program.SQUID, Program.VARNISH, Program.APACHE})


@dataclass(frozen=True, slots=True)
class Life:
    """Until when a page lives in the cache, and how that is known or why it is not.

    Attributes:
        expires_at: UTC; None if not known.
        basis: in words.
    """

    expires_at: datetime | None
    basis: str


def lifetime_s(headers: Headers) -> int | None:
    """Return for how many seconds a shared cache may keep an answer; None if nothing is said.

    RFC 9111, section 4.2.1: s-maxage before max-age before Expires.
    """
    control = headers.joined("cache-control") or ""
    if _NOT_KEPT.search(control):
        return 0
    for pattern in (_SHARED, _PRIVATE):
        match = pattern.search(control)
        if match:
            return min(int(match[1][:12]), _MAX_S)
    return _from_expires(headers)


def _from_expires(headers: Headers) -> int | None:
    text = headers.get("expires")
    if text is None:
        return None
    until, date = http_date(text), http_date(headers.get("date"))
    if until is None or date is None:
        return 0 if until is None else None
    return max(0, min(int((until - date).total_seconds()), _MAX_S))


def page_life(
    headers: Headers, signs: Signs, fetched_at: datetime, program: Program | None
) -> Life:
    """Say until when a page lives in the cache that it came from.

    Args:
        headers, signs: of the answer.
        fetched_at: when we had it, UTC.
        program: what the cache is, if that was recognised.
    """
    lifetime = lifetime_s(headers)
    if lifetime is None:
        return Life(
            None,
            "the page states no lifetime: for how long it is kept is the cache's own rule (squid "
            "and Apache a share of the page's age, Varnish 120 s, nginx not at all)",
        )
    if signs.age_s is not None:
        return Life(_later(fetched_at, lifetime - signs.age_s), "its lifetime less its Age")
    if signs.state.is_fresh_from_upstream or program in _ALWAYS_TELL:
        return Life(_later(fetched_at, lifetime), "its lifetime: it was fetched just now")
    bound = _later(fetched_at, lifetime)
    kept = "from its cache" if signs.state is State.HIT else "from its cache or not"
    return Life(
        None,
        f"the answer came {kept}, and nothing tells how long it had been there (no Age, and its "
        f"Date is of now, as nginx sends it); if its max-age is heeded, until {bound:%H:%M:%S} UTC "
        "at the latest",
    )


def _later(moment: datetime, seconds: int) -> datetime:
    return moment + timedelta(seconds=max(0, min(seconds, _MAX_S)))
