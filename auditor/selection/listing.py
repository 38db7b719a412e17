"""A page sorted into releases, newest first: all that does not depend on an environment."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from packaging.version import Version

from auditor.model.filename import (
    NamedFile,
    NameFault,
    TagTriple,
    orders_in,
    read_filename,
    version_in,
)
from auditor.model.observation import Candidate, Yank
from auditor.model.selection import RejectionCode
from auditor.model.version import normalise_project, parse_version, version_order

__all__ = ["Conditions", "Entry", "Listing", "Release", "listing_of"]


# What pip keeps apart when it cleans a URL (models/link.py, `_clean_url_path`).
_RESERVED = re.compile("(@|%2F)", re.IGNORECASE)

_REPEATED = NameFault(RejectionCode.DUPLICATE, "its URL is listed before; the first one counts")
_OLD_MAC_ZIP = NameFault(
    RejectionCode.NOT_A_DISTRIBUTION, "a zip with 'macosx10' in its URL is no source distribution"
)

ConditionsKey = tuple[str | None, str | None, str | None, bool, bool, bool]


class Conditions(NamedTuple):
    """What decides whether a file can be installed; pages have far fewer of these than files.

    Attributes:
        tags: of a wheel; None for a source distribution.
        py_version: of an old `-pyX.Y` suffix; None if there is none.
        requires_python: None if not known.
        yanked: as stated.
        certain: whether it is beyond doubt that an installer considers the file at all.
        key: stands for all of these.
    """

    tags: TagTriple | None
    py_version: str | None
    requires_python: str | None
    yanked: Yank
    certain: bool
    key: ConditionsKey


class Entry(NamedTuple):
    """One file of a release.

    Attributes:
        position: on the page, from 0.
        conditions: index into the conditions of the listing.
        named: what its name says.
    """

    position: int
    conditions: int
    named: NamedFile


class Listing:
    """What one page offers of one project, read as pip reads it.

    Most questions are settled by the newest release: until something else is asked for, versions
    are put in order, and no file of any other release is looked at.

    Attributes:
        project: normalised name.
        candidates: as given, in page order.
        conditions: each distinct set of conditions seen so far.
    """

    def __init__(self, candidates: Sequence[Candidate], project: str) -> None:
        self.project = normalise_project(project)
        self.candidates = candidates
        self.conditions: list[Conditions] = []
        self._counts: list[int] = []
        self._indices: dict[ConditionsKey, int] = {}
        self._faults: dict[int, NameFault] = {}
        self._releases: dict[str, Release] = {}
        names = [candidate.filename for candidate in candidates]
        self._names = names
        self._is_repetitive = len(set(names)) < len(names)
        self._positions = _by_order(orders_in(names, self.project))
        # The order of a version is a text: these sort and compare without Python code.
        self._orders = sorted(self._positions, reverse=True)
        self._unsorted = iter(self._orders)
        self._finals: list[Release] = []
        self._prereleases: list[Release] = []

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """Every release, newest first."""
        found = map(self._release, self._orders)
        return tuple(release for release in found if release.entries)

    def finals(self) -> Iterator[Release]:
        """Yield every final release, newest first."""
        return self._part(self._finals)

    def prereleases(self) -> Iterator[Release]:
        """Yield every pre-release, newest first."""
        return self._part(self._prereleases)

    def newest(self) -> Release:
        """Return the newest release. There must be one."""
        found = map(self._release, self._orders)
        return next(release for release in found if release.entries)

    @cached_property
    def counts(self) -> list[int]:
        """How many files have each of the conditions, of which there are no more after this."""
        _ = [release.entries for release in self.releases]
        return self._counts

    @cached_property
    def faults(self) -> dict[int, NameFault]:
        """By position, each file that is excluded everywhere."""
        _ = self.counts  # reads every entry, which finds those that have no fault in their name
        for position, name in enumerate(self._names):
            named = read_filename(name, self.project)
            if isinstance(named, NameFault):
                self._faults[position] = named
        return self._faults

    def pinned(self, pin: Version) -> list[Release]:
        """Return the releases that `==pin` matches: without a local label, any label will do."""
        order = version_order(pin)
        matching = [order] if order in self._positions else []
        if pin.local is None:
            # A label makes a version higher (PEP 440), so that these come first.
            matching = [each for each in self._orders if each.startswith(order[:-1])]
        return [release for release in map(self._release, matching) if release.entries]

    def _part(self, part: list[Release]) -> Iterator[Release]:
        """Yield the releases of one part, sorting more of them in when they run out."""
        taken = 0
        while taken < len(part) or self._sort_in_next(part):
            yield part[taken]
            taken += 1

    def _sort_in_next(self, part: list[Release]) -> bool:
        """Look at older releases until one belongs to that part; False if none does."""
        for order in self._unsorted:
            release = self._release(order)
            home = self._prereleases if release.version.is_prerelease else self._finals
            home.append(release)
            if home is part:
                return True
        return False

    def _release(self, order: str) -> Release:
        release = self._releases.get(order)
        if release is None:
            release = self._releases[order] = Release(self, self._positions[order])
        return release

    def read_entries(self, positions: Iterable[int]) -> tuple[Entry, ...]:
        """Read the files at these positions, which are all that have their version."""
        entries: list[Entry] = []
        listed: dict[str, list[Candidate]] = {}
        for position in positions:
            candidate, name = self.candidates[position], self._names[position]
            named = read_filename(name, self.project)
            repeated: bool | None = False
            if self._is_repetitive:
                repeated = _is_repeated(candidate, listed.setdefault(name, []))
            fault = _REPEATED if repeated else None
            if fault is None and name.endswith(".zip") and _is_old_mac_zip(candidate):
                fault = _OLD_MAC_ZIP
            if fault is not None:
                self._faults[position] = fault
            elif isinstance(named, NamedFile):
                certain = repeated is False and candidate.version is not None
                entries.append(Entry(position, self._index(candidate, named, certain), named))
        return tuple(entries)

    def _index(self, candidate: Candidate, named: NamedFile, certain: bool) -> int:
        """Return the index of a file's conditions, adding them if they are new, and count it."""
        tags, yanked = named.tags, candidate.yanked
        key = (
            None if tags is None else tags.text,
            named.py_version,
            candidate.requires_python,
            # Not the members of the enum: they hash in Python, and this runs for every file.
            yanked is Yank.NO,
            yanked is Yank.UNKNOWN,
            certain,
        )
        index = self._indices.get(key)
        if index is None:
            index = self._indices[key] = len(self.conditions)
            self._counts.append(0)
            self.conditions.append(
                Conditions(tags, named.py_version, candidate.requires_python, yanked, certain, key)
            )
        self._counts[index] += 1
        return index


class Release:
    """Every file of one version, however each name spells that version.

    Attributes:
        version: of them all.
    """

    def __init__(self, listing: Listing, positions: Sequence[int]) -> None:
        self._listing = listing
        self._positions = positions
        name = listing.candidates[positions[0]].filename
        version = parse_version(version_in(name, listing.project) or "")
        if version is None:  # cannot be: the file was sorted by it
            raise ValueError(f"{name!r} has no version")
        self.version = version

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Files that some environment may take, in page order."""
        return self._listing.read_entries(self._positions)

    @cached_property
    def conditions(self) -> frozenset[int]:
        """Those of its entries."""
        return frozenset([entry.conditions for entry in self.entries])


def _by_order(orders: Iterable[str | None]) -> dict[str, list[int]]:
    """Return the positions of each version, in page order."""
    positions: defaultdict[str | None, list[int]] = defaultdict(list)
    for position, order in enumerate(orders):
        positions[order].append(position)
    return {order: found for order, found in positions.items() if order is not None}


def listing_of(candidates: Sequence[Candidate], project: str) -> Listing:
    """Sort a page into releases. The same tuple is sorted once, however often it is asked about."""
    if isinstance(candidates, tuple):
        return _remembered(_SameObject(candidates), project)
    return Listing(candidates, project)


class _SameObject:
    """A tuple of candidates as a key: by identity, and kept alive so that it stays the same."""

    __slots__ = ("candidates",)

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates

    def __hash__(self) -> int:
        return id(self.candidates)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameObject) and other.candidates is self.candidates


@lru_cache(maxsize=16)
def _remembered(key: _SameObject, project: str) -> Listing:
    return Listing(key.candidates, project)


def _is_old_mac_zip(candidate: Candidate) -> bool:
    """Say whether pip takes the file for a binary of setuptools' old `bdist_dumb` on macOS."""
    parts = _split(candidate.url or "")
    return "macosx10" in (unquote(parts.path) if parts else "") + candidate.filename


def _is_repeated(candidate: Candidate, earlier: list[Candidate]) -> bool | None:
    """Say whether pip has seen this URL: it keeps the first. None if that cannot be said.

    The candidate joins those before it. Only files of one name can share a URL.
    """
    repeated = [_same_url(candidate, other) for other in earlier]
    earlier.append(candidate)
    if True in repeated:
        return True
    return None if None in repeated else False


def _same_url(candidate: Candidate, other: Candidate) -> bool | None:
    """Compare as pip does: including the fragment, which holds the hash on an HTML page."""
    if candidate.url is None or other.url is None:
        return None
    if _comparable(candidate.url) != _comparable(other.url):
        return False
    # On a JSON page these would be the same, on an HTML page not.
    return True if candidate.hashes == other.hashes else None


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # such as `http://[`
        return None


def _comparable(url: str) -> str:
    """Spell a URL as pip does before it compares: `%7E` and `~` are the same, `%2F` and `/` not."""
    parts = _split(url)
    if parts is None:
        return url
    pieces = _RESERVED.split(parts.path)
    path = "".join(
        piece.upper() if _RESERVED.fullmatch(piece) else quote(unquote(piece), errors="replace")
        for piece in pieces
    )
    return urlunsplit(parts._replace(path=path))
