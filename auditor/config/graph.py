"""Checks the links between locations: unique names, known upstreams, no circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditor.config.lines import KeyPath
from auditor.config.problems import Problems
from auditor.config.schema import LocationTable
from auditor.config.suggest import did_you_mean
from auditor.config.tables import Placed

__all__ = ["Named", "check_links", "name_all"]

Named = tuple[str, Placed[LocationTable]]


def name_all(placed: Sequence[Placed[LocationTable]], problems: Problems) -> tuple[Named, ...]:
    """Give every location its name: its own, else its kind, else its kind and a number."""
    taken = {each.table.name for each in placed}
    named: list[Named] = []
    seen: set[str] = set()
    for each in placed:
        name = each.table.name or next(n for n in _names(each.table.kind) if n not in taken)
        if each.table.name in seen:
            problems.add((*each.path, "name"), f"{name!r} is used twice; give each its own name")
        taken.add(name)
        seen.add(name)
        named.append((name, each))
    for _, each in named:
        if each.table.group is not None and each.table.group in taken:
            text = f"{each.table.group!r} is the name of a location; give the group another one"
            problems.add((*each.path, "group"), text)
    return tuple(named)


def check_links(named: Sequence[Named], also_known: frozenset[str], problems: Problems) -> None:
    """Check that every upstream exists and that following them comes to an end.

    Args:
        also_known: names of locations that have other problems, and must not cause more.
    """
    known = {name for name, _ in named} | also_known
    places: dict[str, KeyPath] = {name: (*each.path, "upstream") for name, each in named}
    upstreams = {name: each.table.upstream for name, each in named if each.table.upstream}
    for name, upstream in upstreams.items():
        if upstream not in known:
            hint = did_you_mean(upstream, known) or f"known: {', '.join(sorted(known))}"
            problems.add(places[name], f"there is no location {upstream!r}; {hint.rstrip()}")
    for circle in _circles(upstreams):
        text = " -> ".join((*circle, circle[0]))
        problems.add(places[circle[0]], f"the links go in a circle ({text}); remove one of them")


def _names(kind: str) -> Iterator[str]:
    yield kind
    number = 2
    while True:
        yield f"{kind}-{number}"
        number += 1


def _circles(upstreams: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Find each circle once, beginning with the member that stands first in the file."""
    done: set[str] = set()
    for start in upstreams:
        chain: list[str] = []
        at: str | None = start
        while at is not None and at not in done:
            done.add(at)
            chain.append(at)
            at = upstreams.get(at)
        if at in chain:
            yield tuple(chain[chain.index(at) :])
