"""A page sorted into releases, newest first: all that does not depend on an environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from weakref import WeakValueDictionary

from packaging.version import Version

from auditor.model.file_table import FileTable, filenames_of
from auditor.model.filename import NameFault, read_filename
from auditor.model.observation import Candidate
from auditor.model.orders import FINAL, PRERELEASE
from auditor.model.version import version_order
from auditor.selection.releases import Conditions, Files, Release

__all__ = ["Listing", "listing_of"]


class Listing:
    """What one page offers of one project, read as pip reads it.

    Most questions are settled by the newest release: until something else is asked for, versions
    are put in order, and no file of any other release is looked at.

    Attributes:
        project: normalised name.
        candidates: as given, in page order.
    """

    def __init__(self, candidates: Sequence[Candidate], project: str) -> None:
        self._files = Files(candidates, project)
        self.project = self._files.project
        self.candidates = candidates
        self._releases: dict[str, Release] = {}
        self._orders = self._files.orders

    @property
    def conditions(self) -> Sequence[Conditions]:
        """Each distinct set of conditions seen so far."""
        return self._files.conditions

    def sort_conditions(self) -> bool:
        """As `Files.sort_conditions`."""
        return self._files.sort_conditions()

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """Every release, newest first."""
        found = map(self._release, self._orders)
        return tuple(release for release in found if release.entries)

    def finals(self) -> Iterator[Release]:
        """Yield every final release, newest first."""
        return (self._release(order) for order in self._orders if order[-1] == FINAL)

    def prereleases(self) -> Iterator[Release]:
        """Yield every pre-release, newest first."""
        return (self._release(order) for order in self._orders if order[-1] == PRERELEASE)

    def newest(self) -> Release:
        """Return the newest release. There must be one."""
        found = map(self._release, self._orders)
        return next(release for release in found if release.entries)

    @cached_property
    def counts(self) -> list[int]:
        """How many files have each of the conditions, of which there are no more after this."""
        if self.sort_conditions():
            counter = self._files.counted
        else:
            counter = Counter(
                entry.conditions for release in self.releases for entry in release.entries
            )
        return [counter[index] for index in range(len(self.conditions))]

    @cached_property
    def faults(self) -> dict[int, NameFault]:
        """By position, each file that is excluded everywhere."""
        _ = self.releases  # reads every entry, which finds those that have no fault in their name
        faults = dict(self._files.faults)
        for position, filename in enumerate(filenames_of(self.candidates)):
            named = read_filename(filename, self.project)
            if isinstance(named, NameFault):
                faults[position] = named
        return faults

    def pinned(self, pin: Version) -> list[Release]:
        """Return the releases that `==pin` matches: without a local label, any label will do."""
        order = version_order(pin)
        # A label makes a version higher (PEP 440), so that these come first.
        start = order[:-1] if pin.local is None else order
        matching = [each for each in self._orders if each.startswith(start)]
        return [release for release in map(self._release, matching) if release.entries]

    def _release(self, order: str) -> Release:
        release = self._releases.get(order)
        if release is None:
            release = self._releases[order] = Release(self._files, order)
        return release


_LISTINGS: WeakValueDictionary[tuple[int, str], Listing] = WeakValueDictionary()


def listing_of(candidates: Sequence[Candidate], project: str) -> Listing:
    """Sort a page into releases. The same one is sorted once, however often it is asked about.

    That is as long as somebody holds a listing, or a choice that was made from it: pages are large,
    and to keep the last ones here would keep them from being forgotten.
    """
    if not isinstance(candidates, tuple | FileTable):
        return Listing(candidates, project)
    # A listing holds its files, so that no other one has this id while it lives.
    key = id(candidates), project
    listing = _LISTINGS.get(key)
    if listing is None:
        listing = _LISTINGS[key] = Listing(candidates, project)
    return listing
