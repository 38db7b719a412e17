"""Which location is the source, the one that all others copy from in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from auditor.model.location import Location

__all__ = ["find_source"]


def find_source(locations: Sequence[Location]) -> Location | None:
    """The root of the `upstream` links, else the location of kind `pypi`, else None."""
    by_name = {loc.name: loc for loc in locations}
    roots = Counter(_root(loc, by_name).name for loc in locations if loc.upstream in by_name)
    if roots:
        order = list(by_name)
        return by_name[min(roots, key=lambda name: (-roots[name], order.index(name)))]
    return next((loc for loc in locations if loc.kind == "pypi"), None)


def _root(location: Location, by_name: Mapping[str, Location]) -> Location:
    seen = {location.name}
    while (above := by_name.get(location.upstream or "")) and above.name not in seen:
        location = above
        seen.add(location.name)
    return location
