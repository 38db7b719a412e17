"""A page sorted into releases as uv reads it, newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from packaging.version import Version

from auditor.model.filename import version_in
from auditor.model.observation import Candidate, Yank
from auditor.model.orders import FINAL, PRERELEASE
from auditor.model.selection import Rejection
from auditor.model.version import normalise_project, version_order
from auditor.selection.uv_names import UvName, UvTags, names_of
from auditor.selection.uv_specifiers import lower_end

__all__ = ["UvConditions", "UvEntry", "UvListing"]

# Up to so many, Rust's unstable sort is one by insertion, which keeps equals in their order.
_SORTED_STABLY = 20

# So often all files are gone through for those of one version; then all of them are sorted.
_SEARCHES = 2


class UvConditions(NamedTuple):
    """What decides whether a file can be installed; pages have far fewer of these than files.

    Attributes:
        tags: of a wheel; None for a source distribution.
        requires_python: None if not known.
        yanked: as stated.
        certain: whether it is beyond doubt that the file is considered at all.
    """

    tags: UvTags | None
    requires_python: str | None
    yanked: Yank
    certain: bool


class UvEntry(NamedTuple):
    """One file of a release.

    Attributes:
        position: on the page, from 0.
        filename: of the file.
        named: what its name says.
        conditions: what decides whether it can be installed.
    """

    position: int
    filename: str
    named: UvName
    conditions: UvConditions


class UvListing:
    """What one page offers of one project, read as uv reads it.

    Attributes:
        project: normalised name.
        candidates: as given, in page order.
    """

    def __init__(self, candidates: Sequence[Candidate], project: str) -> None:
        self.project = normalise_project(project)
        self.candidates = candidates
        self._names = names_of(self.project)
        self._order_at = [self._names[candidate.filename].order for candidate in candidates]
        self._orders = sorted(filter(None, set(self._order_at)), reverse=True)
        self._entries: dict[str, tuple[UvEntry, ...]] = {}
        self._searched = 0

    def finals(self) -> Iterator[str]:
        """Yield the order of every final release, newest first."""
        return (order for order in self._orders if order[-1] == FINAL)

    def prereleases(self) -> Iterator[str]:
        """Yield the order of every pre-release, newest first."""
        return (order for order in self._orders if order[-1] == PRERELEASE)

    def all_orders(self) -> Sequence[str]:
        """Return the order of every release, newest first."""
        return self._orders

    def pinned(self, pin: Version) -> list[str]:
        """Return what `==pin` matches: without a local label, any label will do."""
        order = version_order(pin)
        start = order[:-1] if pin.local is None else order
        return [each for each in self._orders if each.startswith(start)]

    def entries(self, order: str) -> tuple[UvEntry, ...]:
        """Return the files of one release, in page order."""
        found = self._entries.get(order)
        if found is None:
            entries = tuple(map(self.entry, self._positions_of(order)))
            if len(self.candidates) > _SORTED_STABLY:
                entries = _without_contradictions(entries)
            found = self._entries[order] = entries
        return found

    def entry(self, position: int) -> UvEntry:
        """Read one file."""
        candidate = self.candidates[position]
        named = self._names[candidate.filename]
        conditions = UvConditions(
            named.tags,
            candidate.requires_python,
            candidate.yanked,
            # A probe that does not vouch for the version leaves open whether the file counts.
            _is_certain(candidate, self.project),
        )
        return UvEntry(position, candidate.filename, named, conditions)

    @cached_property
    def conditions(self) -> frozenset[UvConditions]:
        """Every distinct set of conditions on the page."""
        keys = {
            (
                self._names[c.filename].tags,
                c.requires_python,
                c.yanked,
                _is_certain(c, self.project),
            )
            for c, order in zip(self.candidates, self._order_at, strict=True)
            if order is not None
        }
        return frozenset(UvConditions(*key) for key in keys)

    def faults(self) -> Iterator[Rejection]:
        """Yield each file that is excluded everywhere, by its name."""
        for candidate in self.candidates:
            fault = self._names[candidate.filename].fault
            if fault is not None:
                yield Rejection(
                    filename=candidate.filename, version=None, code=fault.code, text=fault.text
                )

    def _positions_of(self, order: str) -> Sequence[int]:
        if self._searched >= _SEARCHES:
            return self._positions[order]
        self._searched += 1
        return [at for at, each in enumerate(self._order_at) if each == order]

    @cached_property
    def _positions(self) -> dict[str | None, list[int]]:
        positions: defaultdict[str | None, list[int]] = defaultdict(list)
        for position, order in enumerate(self._order_at):
            positions[order].append(position)
        return positions


def _is_certain(candidate: Candidate, project: str) -> bool:
    """Say whether a file is considered: a version that its name carries may not be missing."""
    return candidate.version is not None or version_in(candidate.filename, project) is None


def _without_contradictions(entries: tuple[UvEntry, ...]) -> tuple[UvEntry, ...]:
    """Take `requires-python` for unknown where one file is listed with different ones.

    uv sorts the files of an HTML page by name alone and with an unstable sort, so that nobody can
    say which of equal names it meets first.
    """
    ends: defaultdict[str, set[object]] = defaultdict(set)
    if len({entry.filename for entry in entries}) == len(entries):
        return entries
    for entry in entries:
        wanted = entry.conditions.requires_python
        ends[entry.filename].add(None if wanted is None else (lower_end(wanted),))
    return tuple(
        entry
        if len(ends[entry.filename]) == 1
        else entry._replace(conditions=entry.conditions._replace(requires_python=None))
        for entry in entries
    )
