"""What stands between us and the places: a proxy is part of what was seen."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import Run
from reports.words import plural

__all__ = ["proxy_notes"]

_MOST_NAMES = 5


def proxy_notes(run: Run) -> Iterator[str]:
    """Say through which proxy which places were seen, one sentence for each proxy."""
    seen: dict[str, dict[str, None]] = {}
    for verdict in run.verdicts:
        if verdict.proxy is not None:
            seen.setdefault(verdict.proxy, {})[verdict.location.name] = None
    for proxy, places in sorted(seen.items()):
        names = list(places)
        more = len(names) - _MOST_NAMES
        listed = ", ".join(names[:_MOST_NAMES])
        rest = f" and {plural(more, 'more place')}" if more > 0 else ""
        yield f"Seen through the proxy {proxy}: {listed}{rest}."
