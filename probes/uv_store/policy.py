"""Until when uv trusts an index page that it keeps, computed as uv computes it.

uv stores with each page the facts that RFC 9111 needs: when it asked, when it had the answer, and
the headers on freshness. It takes the page without asking anybody while it is fresh; `Age` counts,
and where nothing states a lifetime, a tenth of the time since Last-Modified is one.
Source: files that uv 0.6.17 to 0.13.9 wrote for answers with each of these headers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from probes.uv_store.rkyv import Archive, NotArchived

__all__ = ["CachePolicy", "read_policy"]

# uv 0.13 writes the length of the page, after a checksum of four bytes; before, that of the policy.
_NEW_TRAILER_BYTES, _OLD_TRAILER_BYTES = 12, 8
_HEURISTIC_SHARE = 10
_MAX_LIFETIME_S = 2**31
# An answer takes no longer than this; two times further apart are no times of one request.
_MAX_DELAY_S = 7 * 86_400
_EPOCH_FROM_S, _EPOCH_TO_S = 1_262_304_000, 7_258_118_400  # 2010 to 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """What decides how long a page is fresh. Times are seconds since 1970, or seconds.

    Attributes:
        page_size: bytes of the page itself, at the beginning of the file.
        url: what was asked.
        asked_s, answered_s: when.
        status: HTTP status.
        no_cache: whether it must not be used without asking.
        max_age_s, age_s, date_s, expires_s, modified_s: of the headers; None if not stated.
    """

    page_size: int
    url: str
    asked_s: int
    answered_s: int
    status: int
    no_cache: bool
    max_age_s: int | None
    age_s: int | None
    date_s: int | None
    expires_s: int | None
    modified_s: int | None

    @property
    def fetched_at(self) -> datetime:
        """When uv had the answer."""
        return datetime.fromtimestamp(self.answered_s, UTC)

    @property
    def expires_at(self) -> datetime:
        """When uv asks again."""
        date = self.answered_s if self.date_s is None else self.date_s
        delay = max(0, self.answered_s - self.asked_s)
        age = max(0, self.answered_s - date, (self.age_s or 0) + delay)
        left = min(self._lifetime_s(date), _MAX_LIFETIME_S) - age
        return self.fetched_at + timedelta(seconds=max(0, left))

    def _lifetime_s(self, date: int) -> int:
        if self.no_cache:
            return 0
        if self.max_age_s is not None:
            return self.max_age_s
        if self.expires_s is not None:
            return self.expires_s - date
        if self.modified_s is not None:
            return (date - self.modified_s) // _HEURISTIC_SHARE
        return 0


def read_policy(content: bytes, *, new: bool) -> CachePolicy:
    """Read the policy at the end of a stored page.

    Args:
        content: of the whole file.
        new: whether it is laid out as by uv 0.13; else as by 0.6 to 0.12.

    Raises:
        NotArchived: it is laid out in another way, or damaged.
    """
    length = int.from_bytes(content[-8:], "little")
    if new:
        end, start = len(content) - _NEW_TRAILER_BYTES, length
    else:
        end = len(content) - _OLD_TRAILER_BYTES
        start = end - length
    if not 0 < start < end:
        raise NotArchived("its last bytes state no length")
    policy = (_new if new else _old)(Archive(content[:end]), end, start)
    _check(policy)
    return policy


Reader = Callable[[Archive, int, int], CachePolicy]


def _new(archive: Archive, end: int, start: int) -> CachePolicy:
    directives, stated = archive.u8(end - 80), archive.u8(end - 79)
    headers = archive.u8(end - 40)

    def header(bit: int, at: int) -> int | None:
        return archive.i64(end - at) if headers & bit else None

    return CachePolicy(
        page_size=start,
        url=archive.text(end - 192),
        asked_s=archive.i64(end - 128),
        answered_s=archive.i64(end - 16),
        status=archive.u16(end - 120),
        no_cache=bool(directives & 1),
        max_age_s=archive.i64(end - 112) if stated & 4 else None,
        age_s=header(1, 72),
        date_s=header(2, 64),
        expires_s=header(4, 56),
        modified_s=header(8, 48),
    )


def _old(archive: Archive, end: int, start: int) -> CachePolicy:
    def option(at: int) -> int | None:
        return archive.i64(end - at + 8) if archive.u8(end - at) else None

    return CachePolicy(
        page_size=start,
        url=archive.text(end - 312),
        asked_s=archive.i64(end - 200),
        answered_s=archive.i64(end - 16),
        status=archive.u16(end - 192),
        no_cache=bool(archive.u8(end - 168)),
        max_age_s=option(184),
        age_s=option(96),
        date_s=option(80),
        expires_s=option(64),
        modified_s=option(48),
    )


def _check(policy: CachePolicy) -> None:
    """Refuse what cannot be the answer to one request: then the layout is another one."""
    optional = (policy.date_s, policy.expires_s, policy.modified_s)
    if not policy.url.startswith(("http://", "https://", "file://")):
        raise NotArchived("its policy has no URL")
    if not 100 <= policy.status < 600:
        raise NotArchived(f"its policy has the HTTP status {policy.status}")
    if not _EPOCH_FROM_S <= policy.asked_s <= policy.answered_s < _EPOCH_TO_S:
        raise NotArchived("its policy has no times")
    if policy.answered_s - policy.asked_s > _MAX_DELAY_S:
        raise NotArchived("its policy has times of two requests")
    if any(at is not None and not 0 <= at < 2**40 for at in optional):
        raise NotArchived("its policy has odd times")
    if any(s is not None and s < 0 for s in (policy.max_age_s, policy.age_s)):
        raise NotArchived("its policy has a negative age")
