"""How old an answer is, read from its headers. Hostile values cost the value, never the answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from auditor.model import Freshness
from probes.kit.answer import Headers, shown

__all__ = [
    "foreign_cache_signs",
    "foreign_file_cache_signs",
    "freshness_of",
    "http_date",
    "retry_after_s",
    "serial_of",
]

# RFC 9111, section 1.2.2: a number of seconds too large to hold counts as 2**31.
_MAX_SECONDS = 2**31
_MAX_HOPS = 16
_MAX_HOP_CHARS = 200
_MAX_SERIAL_DIGITS = 18

# One list member per cache. In `Cache-Status` (RFC 9211) and in Fastly's X-Cache the cache nearest
# to the client comes last, as proxies append; so does `Via` (RFC 9110, section 7.6.3).
_HOP_LISTS = ("cache-status", "x-cache", "via")
_HOP_SINGLES = ("x-cache-status", "x-proxy-cache", "x-varnish", "cf-cache-status", "x-cache-lookup")

# PyPI's own delivery network removes Age and Via and shows itself by X-Served-By and X-Cache.
_FOREIGN_SIGNS = (
    *("age", "via", "x-varnish", "cf-cache-status", "x-cache-lookup", "x-cache-status"),
    *("x-proxy-cache", "x-cache-detail", "cache-status", "warning"),
)
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,20})", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:[\s,;]|$)", re.IGNORECASE)


def freshness_of(
    headers: Headers,
    fetched_at: datetime,
    *,
    body_serial: int | None = None,
    redact: Callable[[str], str] = str,
) -> Freshness:
    """Read what an answer says about its age.

    Args:
        headers: of the answer.
        fetched_at: when we had it, UTC.
        body_serial: the serial that the page itself states. It wins over the header: proxies
            strip or invent headers, the body they pass on.
        redact: makes a text safe, which must happen before it is shortened.
    """
    age_s = _seconds(headers.get("age"))
    return Freshness(
        fetched_at=fetched_at,
        age_s=None if age_s is None else float(age_s),
        serial=serial_of(headers) if body_serial is None else body_serial,
        etag=_short(headers.get("etag"), redact),
        last_modified=http_date(headers.get("last-modified")),
        cache_control=_short(headers.joined("cache-control"), redact),
        expires_at=_expires_at(headers, fetched_at, age_s or 0),
        cache_status=_cache_status(headers, redact),
    )


def serial_of(headers: Headers) -> int | None:
    """Return the serial that the headers state; None if they state none that is a number."""
    text = (headers.get("x-pypi-last-serial") or "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_SERIAL_DIGITS:
        return None
    return int(text)


def http_date(text: str | None) -> datetime | None:
    """Read an HTTP date (RFC 9110, section 5.6.7); None if it is none."""
    try:
        moment = parsedate_to_datetime(text) if text and len(text) < 100 else None
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_after_s(headers: Headers, fetched_at: datetime) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3); None if there is none that makes sense."""
    text = (headers.get("retry-after") or "").strip()
    digits = text.removesuffix("…")  # of thousands of digits, `Headers` shows the first ones
    if digits.isascii() and digits.isdigit():
        return float(digits[:9])
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - fetched_at).total_seconds())


def foreign_cache_signs(headers: Headers) -> tuple[str, ...]:
    """Name the headers which show that a cache other than the server's own is in front of it."""
    there = headers.names
    signs = [name for name in _FOREIGN_SIGNS if name in there]
    # squid says `HIT from HOST`; Fastly only ever lists HIT and MISS beside X-Served-By.
    x_cache = headers.joined("x-cache")
    if x_cache is not None and (" from " in x_cache or headers.get("x-served-by") is None):
        signs.append("x-cache")
    return tuple(signs)


def foreign_file_cache_signs(headers: Headers) -> tuple[str, ...]:
    """Name the signs of somebody's cache in an answer of PyPI's *file* host.

    There the delivery network shows its age and calls itself `1.1 varnish`, once for each of its
    nodes, beside X-Served-By. squid and Varnish put a host or their own name into Via.
    """
    signs = foreign_cache_signs(headers)
    if headers.get("x-served-by") is None:
        return signs
    members = (headers.joined("via") or "").split(",")
    is_own = all(member.strip().lower() in ("", "1.1 varnish") for member in members)
    return tuple(sign for sign in signs if not (is_own and sign in ("age", "via")))


def _seconds(text: str | None) -> int | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(int(digits[:12]), _MAX_SECONDS)


def _expires_at(headers: Headers, fetched_at: datetime, age_s: int) -> datetime | None:
    control = headers.joined("cache-control") or ""
    if _NOT_KEPT.search(control):
        return fetched_at
    max_age = _MAX_AGE.search(control)
    if max_age is not None:
        return _later(fetched_at, (_seconds(max_age.group(1)) or 0) - age_s)
    expires = headers.get("expires")
    if expires is None:
        return None
    moment, date = http_date(expires), http_date(headers.get("date"))
    if moment is None:
        return fetched_at  # `Expires: 0` means already expired (RFC 9111, section 5.3)
    lifetime_s = (moment - (date or fetched_at)).total_seconds()
    return _later(fetched_at, int(min(lifetime_s, _MAX_SECONDS)) - age_s)


def _later(moment: datetime, seconds: int) -> datetime:
    return moment + timedelta(seconds=max(0, min(seconds, _MAX_SECONDS)))


def _cache_status(headers: Headers, redact: Callable[[str], str]) -> tuple[str, ...]:
    hops: list[str] = []
    there = headers.names
    for name in [name for name in _HOP_LISTS if name in there]:
        members = (headers.joined(name) or "").split(",")
        hops += [f"{name}: {member.strip()}" for member in reversed(members) if member.strip()]
    for name in [name for name in _HOP_SINGLES if name in there]:
        value = headers.get(name)
        if value:
            hops.append(f"{name}: {value}")
    return tuple(shown(redact(hop), _MAX_HOP_CHARS) for hop in hops[:_MAX_HOPS])


def _short(text: str | None, redact: Callable[[str], str]) -> str | None:
    return shown(redact(text), 300) if text else None
