"""What pip installs from one page: the rules of pip 26.3, with facts that may be missing.

The rules (pip/_internal/index/package_finder.py and resolution/resolvelib/factory.py):

1. A file counts if its name is one of the project's, a tag of it fits, and `requires-python`
   admits the interpreter.
2. Pre-releases count only if no final release does; a *yanked* final release is enough to hide
   them, because yanks are looked at later.
3. Yanked files are never chosen, except by a pin that nothing else can satisfy.
4. The highest version wins, then the best tag (every wheel before a source distribution), then
   the highest build number, then the file that is listed last.

A missing fact leaves several worlds open. Each file is given the set of things it may be, and the
rules are walked once: the answer is certain if every world has the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.version import Version

from auditor.model.filename import BuildTag
from auditor.model.observation import Yank
from auditor.selection.listing import Listing
from auditor.selection.releases import Conditions, Entry, Release
from auditor.selection.support import Support, allows_python

__all__ = ["LOST", "TAKEN", "YANKED", "Decision", "View", "decide", "preference"]

# What a file may be in one environment, as a set of bits; more than one bit: a fact is missing.
LOST = 1  # it doesn't count: its name, its tags or requires-python exclude it
TAKEN = 2  # it counts
YANKED = 4  # it counts, and is yanked

# A large project has a few thousand distinct conditions.
MAX_REMEMBERED_MASKS = 20_000


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that pip may do, over all values that the missing facts can have.

    Attributes:
        contenders: files that would be chosen in some world, the most preferred first; the last
            one would be chosen if none of the others were.
        nothing: whether in some world nothing is chosen.
        final_certain: whether a final release counts in every world, which hides pre-releases.
        pinned: the releases that were asked for; None if any would do.
    """

    contenders: tuple[Entry, ...]
    nothing: bool
    final_certain: bool
    pinned: tuple[Release, ...] | None = None


class View:
    """A listing as one environment sees it.

    Attributes:
        listing, support: what was put together.
    """

    def __init__(self, listing: Listing, support: Support) -> None:
        self.listing = listing
        self.support = support
        self._masks: list[int] = []
        self._allowing: dict[int, set[int]] = {TAKEN: set(), YANKED: set()}
        self._certain: set[int] = set()

    @cached_property
    def masks(self) -> list[int]:
        """For each of the listing's conditions, what such a file may be."""
        _ = self.listing.counts  # reads what was not read yet
        return self._grow()

    @cached_property
    def possible(self) -> frozenset[int]:
        """Conditions under which a file may count."""
        return frozenset(i for i, mask in enumerate(self.masks) if mask != LOST)

    def mask(self, entry: Entry) -> int:
        """Return what a file may be."""
        if entry.conditions >= len(self._masks):
            self._grow()
        return self._masks[entry.conditions]

    def may_be(self, release: Release, what: int) -> bool:
        """Say whether a file of a release may be *what*."""
        conditions = release.conditions  # reading them can add to those of the listing
        if len(self._masks) < len(self.listing.conditions):
            self._grow()
        return not conditions.isdisjoint(self._allowing[what])

    def certainly_counts(self, release: Release) -> bool:
        """Say whether a file of a release counts in every world."""
        conditions = release.conditions
        if len(self._masks) < len(self.listing.conditions):
            self._grow()
        return not conditions.isdisjoint(self._certain)

    def applicable(self) -> int:
        """Return how many files may be installed if asked for by version."""
        return sum(self.listing.counts[index] for index in self.possible)

    def preferred(self, release: Release, what: int) -> list[Entry]:
        """Return the files of a release that may be *what*, the most preferred first."""
        fitting = [entry for entry in release.entries if self.mask(entry) & what]
        if len(fitting) > 1:
            fitting.sort(key=lambda entry: preference(entry, self.support), reverse=True)
        return fitting

    def _grow(self) -> list[int]:
        """Return the masks of all conditions that the listing has met so far."""
        known = len(self._masks)
        self._masks += [
            _remembered_mask(each, self.support) for each in self.listing.conditions[known:]
        ]
        for index, mask in enumerate(self._masks[known:], known):
            for what, indices in self._allowing.items():
                if mask & what:
                    indices.add(index)
            if not mask & LOST:
                self._certain.add(index)
        return self._masks


def preference(entry: Entry, support: Support) -> tuple[int, BuildTag, int]:
    """Return what is higher the more an environment prefers a file of a release."""
    tags = entry.named.tags
    rank = support.worst_rank if tags is None else support.rank(tags)
    return (-(rank or 0), entry.named.build, entry.position)


def decide(view: View, pin: Version | None = None) -> Decision:
    """Apply pip's rules to a page, unpinned or with `==pin`."""
    if pin is None:
        return _unpinned(view)
    releases = tuple(view.listing.pinned(pin))
    return _pinned(view, releases)


def _remembered_mask(conditions: Conditions, support: Support) -> int:
    """Return what such a file may be in an environment; the same come back on every mirror."""
    masks = support.masks
    mask = masks.get(conditions.key)
    if mask is None:
        if len(masks) >= MAX_REMEMBERED_MASKS:
            masks.clear()
        mask = masks[conditions.key] = _mask(conditions, support)
    return mask


def _mask(conditions: Conditions, support: Support) -> int:
    tags = conditions.tags
    if tags is not None and support.rank(tags) is None:
        return LOST
    if conditions.py_version not in (None, support.py_version):
        return LOST
    requires_python = conditions.requires_python
    allowed = None
    if requires_python is not None:
        allowed = allows_python(requires_python, support.full_version)
    if allowed is False:
        return LOST
    doubt = 0 if allowed and conditions.certain else LOST
    if conditions.yanked is Yank.UNKNOWN:
        return doubt | TAKEN | YANKED
    return doubt | (YANKED if conditions.yanked is Yank.YES else TAKEN)


def _unpinned(view: View) -> Decision:
    listing = view.listing
    contenders, settled = _walk(view, listing.finals(), TAKEN)
    if settled:
        return Decision(tuple(contenders), nothing=False, final_certain=True)
    # Where no final release can be chosen, it takes a yanked one to hide the pre-releases.
    nothing = any(view.may_be(release, YANKED) for release in listing.finals())
    final_certain = any(map(view.certainly_counts, listing.finals()))
    if not final_certain:
        found, settled = _walk(view, listing.prereleases(), TAKEN)
        contenders += found
        nothing = nothing or not settled
    return Decision(tuple(contenders), nothing, final_certain)


def _pinned(view: View, releases: tuple[Release, ...]) -> Decision:
    contenders, settled = _walk(view, releases, TAKEN)
    if not settled:
        # No other file counts in this world: a yanked one may be taken after all.
        found, settled = _walk(view, releases, YANKED)
        contenders += found
    final_certain = any(not r.version.is_prerelease for r in releases)
    return Decision(tuple(contenders), not settled, final_certain, releases)


def _walk(view: View, releases: Iterable[Release], what: int) -> tuple[list[Entry], bool]:
    """Collect the files that may be chosen as *what*, until one that certainly is.

    Returns them, and whether there was one that is certain.
    """
    contenders: list[Entry] = []
    for entry in _in_order(view, releases, what):
        contenders.append(entry)
        mask = view.mask(entry)
        # In the walk for yanked files nothing else counts, so that being excluded is the only
        # alternative.
        if mask == TAKEN or (what == YANKED and not mask & LOST):
            return contenders, True
    return contenders, False


def _in_order(view: View, releases: Iterable[Release], what: int) -> Iterator[Entry]:
    for release in releases:
        if view.may_be(release, what):
            yield from view.preferred(release, what)
