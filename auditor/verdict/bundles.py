"""What can be said of bundles that nobody can look into: time alone excludes some of them."""

from __future__ import annotations

from datetime import datetime

from auditor.model import parse_version
from auditor.model.bundle import Bundle
from auditor.verdict.context import Context

__all__ = ["broken_since", "made_meanwhile", "may_hold"]


def broken_since(context: Context) -> datetime | None:
    """Return when the first file of any broken release was uploaded; None if that is not known.

    One broken release of which no page says when it came may have come before all others.
    """
    times: dict[object, datetime] = {}
    for candidate in context.source_files.values():
        if not context.is_broken_file(candidate):
            continue
        if candidate.uploaded_at is None:
            return None
        version = parse_version(candidate.version or "")
        times[version] = min(candidate.uploaded_at, times.get(version, candidate.uploaded_at))
    if not context.source_observed or not set(context.line.broken) <= set(times):
        return None
    return min(times.values(), default=None)


def may_hold(bundle: Bundle, since: datetime | None) -> bool:
    """Say whether a bundle may hold the broken release: what is older than it cannot."""
    return since is None or bundle.created_at is None or bundle.created_at >= since


def made_meanwhile(bundle: Bundle, fixed_at: datetime | None) -> bool:
    """Say whether a bundle was made before the fix was out."""
    return bundle.created_at is None or fixed_at is None or bundle.created_at < fixed_at
