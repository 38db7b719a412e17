"""Credentials that come from a program instead of the configuration, and doubts about trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditor.config.problems import Problems
from auditor.config.suggest import did_you_mean
from auditor.contracts import Credentials
from auditor.model import Location

__all__ = ["lay_over", "trust_notes"]

Located = tuple[tuple[Location, Credentials], ...]


def lay_over(located: Located, given: Mapping[str, Credentials], problems: Problems) -> Located:
    """Let the credentials that a program hands over by name stand for those of a location."""
    known = [location.name for location, _ in located]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known)) or 'none'}"
            problems.add_from("credentials", f"there is no location {name!r}; {hint.rstrip()}")
    return tuple((location, given.get(location.name, found)) for location, found in located)


def trust_notes(located: Sequence[tuple[Location, Credentials]]) -> Iterator[str]:
    """Say of which places nobody knows who answered: a reader must see that in every report."""
    for location, credentials in located:
        if credentials.insecure and (location.url or "").lower().startswith("https:"):
            yield f"{location.name}: certificates are not verified there (insecure = true)"
