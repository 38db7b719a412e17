"""Rules on bundles that nobody can look into, such as the caches of a CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from auditor.model import Remedy, Status
from auditor.model.bundle import Bundle
from auditor.verdict.bundles import broken_since, made_meanwhile, may_hold
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, names, ruling

__all__ = ["excluded", "remove_suspects", "suspect"]

# A repository may have thousands of caches; the list of its keeper has all of them.
_MOST_TOLD = 5
_MOST_COMMANDS = 20
_SHOWN_CHARS = 120


def suspect(row: Row) -> Iterator[Ruling]:
    """Bundles that were made when the broken release was on offer, or later: they may hold it."""
    suspects = row.suspect_bundles
    if not suspects:
        return
    line = row.context.line
    fixed_at = row.context.fix_published_at
    since = broken_since(row.context)
    meanwhile = [b for b in suspects if made_meanwhile(b, fixed_at)]
    later = len(suspects) - len(meanwhile)
    between = f"while {line.broken_text} was on offer and {line.fixed_text} was not"
    parts = [f"{len(meanwhile)} of {len(row.observation.bundles)} caches were made {between}"]
    if later:
        parts.append(f"{later} later, which may have been filled from one of these")
    yield ruling(
        "suspect-cache",
        f"{'; '.join(parts)}. Nobody can look into them from here.",
        status=Status.UNKNOWN,
        expected=f"caches made before {_time(since)}, when {line.broken_text} was uploaded"
        if since
        else f"the time at which {line.broken_text} was uploaded, which no page states",
        observed=names((_told(b) for b in _most_used(suspects)), most=_MOST_TOLD),
        evidence=(e for b in suspects for e in b.evidence),
    )


def excluded(row: Row) -> Iterator[Ruling]:
    """Bundles that are older than the broken release cannot hold it."""
    since = broken_since(row.context)
    older = [b for b in row.observation.bundles if not may_hold(b, since)]
    if older and since:
        newest = max(b.created_at for b in older if b.created_at)
        yield ruling(
            "cache-too-old",
            f"{len(older)} of {len(row.observation.bundles)} caches are older than "
            f"{row.context.line.broken_text}, and cannot hold it.",
            expected=f"made before {_time(since)}",
            observed=f"the newest of them was made at {_time(newest)}",
            evidence=(e for b in older for e in b.evidence),
        )


def remove_suspects(row: Row) -> tuple[Remedy, ...]:
    """The commands that remove the suspects, those first that were made before the fix."""
    fixed_at = row.context.fix_published_at
    ordered = sorted(_most_used(row.suspect_bundles), key=lambda b: not made_meanwhile(b, fixed_at))
    commands = [b for b in ordered if b.remove][:_MOST_COMMANDS]
    return tuple(
        Remedy(
            command=bundle.remove,
            effect=f"removes a cache that was {_times(bundle)}",
            caution="the next job that wants it starts without a cache, and takes longer",
        )
        for bundle in commands
    )


def _most_used(bundles: Sequence[Bundle]) -> list[Bundle]:
    """Those first that were given out last: they reach most people."""
    return sorted(
        bundles,
        key=lambda b: (b.used_at.timestamp() if b.used_at else 0.0, b.name),
        reverse=True,
    )


def _told(bundle: Bundle) -> str:
    scope = f" ({bundle.scope[:_SHOWN_CHARS]})" if bundle.scope else ""
    return f"{bundle.name[:_SHOWN_CHARS]}{scope}, {_times(bundle)}"


def _times(bundle: Bundle) -> str:
    used = f", last used {_time(bundle.used_at)}" if bundle.used_at else ""
    return f"made {_time(bundle.created_at) if bundle.created_at else 'at an unknown time'}{used}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
