"""The files of a page by their version: what each is, read when somebody asks for it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from packaging.version import Version

from auditor.model.file_table import (
    FileTable,
    filenames_of,
    picked,
    positions_with,
    specifiers_of,
    versions_of,
    yanks_of,
)
from auditor.model.filename import (
    NamedFile,
    NameFault,
    fits_of,
    read_filename,
    version_in,
    versions_in,
)
from auditor.model.observation import Candidate, Yank
from auditor.model.remembered import Column
from auditor.model.selection import RejectionCode
from auditor.model.tag_triple import Fit, TagTriple, read_tags
from auditor.model.version import normalise_project, parse_version
from auditor.selection.spelled import spelled_in

__all__ = ["Conditions", "ConditionsKey", "Entry", "Files", "Release"]


# What pip keeps apart when it cleans a URL (models/link.py, `_clean_url_path`).
_RESERVED = re.compile("(@|%2F)", re.IGNORECASE)

# So often all files are gone through for those of one version; whoever asks for more versions than
# this gets all of them sorted at once, which takes four times as long.
_SEARCHES = 2

_REPEATED = NameFault(RejectionCode.DUPLICATE, "its URL is listed before; the first one counts")
_OLD_MAC_ZIP = NameFault(
    RejectionCode.NOT_A_DISTRIBUTION, "a zip with 'macosx10' in its URL is no source distribution"
)

# Where it fits, requires-python, whether it is yanked, and whether it is certainly considered.
ConditionsKey = tuple[Fit, str | None, Yank, bool]


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


class Files:
    """The files of one page, and what was found out about them so far.

    Attributes:
        project: normalised name.
        candidates: as given, in page order.
        conditions: each distinct set of conditions seen so far.
        faults: by position, files found to be excluded everywhere by their address.
        orders: of each version, newest first.
        counted: how many files have each of the conditions, once those are sorted.
    """

    def __init__(self, candidates: Sequence[Candidate], project: str) -> None:
        self.project = normalise_project(project)
        self.candidates = candidates
        self.conditions: list[Conditions] = []
        self.faults: dict[int, NameFault] = {}
        self._indices: dict[ConditionsKey, int] = {}
        self._fits = fits_of(self.project)
        self._names = filenames_of(candidates)
        self._versions = self._read_versions()
        if isinstance(self._versions, Column):
            self._spelled = self._versions.once(spelled_in)
        else:
            self._spelled = spelled_in(dict.fromkeys(self._versions))
        self.orders = self._spelled.orders
        self._searched = 0
        self._sorted_conditions: Mapping[str | None, set[int]] | None = None
        self.counted: Counter[int] = Counter()

    def positions_of(self, order: str) -> Sequence[int]:
        """Return where the files of one version are, in page order."""
        if self._searched >= _SEARCHES:
            return self._positions[order]
        self._searched += 1
        spellings = self._spelled.texts_of(order)
        return sorted(at for text in spellings for at in positions_with(text, self._versions))

    @cached_property
    def _order_at(self) -> Sequence[str | None]:
        """Of each file the order of its version; None if it has none."""
        return list(map(self._spelled.order_of.get, self._versions))

    @cached_property
    def _positions(self) -> dict[str | None, list[int]]:
        positions: defaultdict[str | None, list[int]] = defaultdict(list)
        for position, order in enumerate(self._order_at):
            positions[order].append(position)
        return positions

    def version_at(self, position: int) -> Version:
        """Return the version of a file that has one."""
        name = self._names[position]
        version = parse_version(version_in(name, self.project) or "")
        if version is None:  # cannot be: the file was sorted by it
            raise ValueError(f"{name!r} has no version")
        return version

    def read_conditions(self, order: str, positions: Sequence[int]) -> frozenset[int] | None:
        """Return what the files of one version have for conditions.

        None if that cannot be said without a look at every address. (Making no entries takes a
        fifth of the time, and most files are of releases that nobody chooses.)
        """
        if self._sorted_conditions is not None:
            return frozenset(self._sorted_conditions[order])
        if self._needs_addresses(positions):
            return None
        files = picked(self.candidates, positions)
        return frozenset(map(self._index, map(self._key, files)))

    def sort_conditions(self) -> bool:
        """Read the conditions of every file now, for somebody who asks for many releases.

        Returns whether that was done: it is not if it takes a look at every address.
        """
        if self._sorted_conditions is not None:
            return True
        if self._needs_addresses(range(len(self._names))):
            return False
        found: defaultdict[str | None, set[int]] = defaultdict(set)
        known, indices = self._indices.get, list[int]()
        for order, key in zip(self._order_at, self._keys(), strict=True):
            if order is not None:
                index = known(key)
                if index is None:
                    index = self._index(key)
                found[order].add(index)
                indices.append(index)
        self._sorted_conditions = found
        self.counted = Counter(indices)
        return True

    def _key(self, file: Candidate) -> ConditionsKey:
        fit = self._fits[file.filename]
        return fit, file.requires_python, file.yanked, file.version is not None

    def _keys(self) -> Iterable[ConditionsKey]:
        """Return `_key` of every file."""
        files = self.candidates
        return zip(
            [self._fits[name] for name in self._names],
            specifiers_of(files),
            yanks_of(files),
            [version is not None for version in versions_of(files)],
            strict=True,
        )

    def read_entries(self, positions: Sequence[int]) -> tuple[Entry, ...]:
        """Read the files at these positions, which are all that have their version."""
        entries: list[Entry] = []
        listed: dict[str, list[Candidate]] = {}
        files = picked(self.candidates, positions)
        is_repetitive = len({file.filename for file in files}) < len(files)
        for position, candidate in zip(positions, files, strict=True):
            name, key = candidate.filename, self._key(candidate)
            named = read_filename(name, self.project)
            repeated: bool | None = False
            if is_repetitive:
                repeated = _is_repeated(candidate, listed.setdefault(name, []))
            fault = _REPEATED if repeated else None
            if fault is None and name.endswith(".zip") and _is_old_mac_zip(candidate):
                fault = _OLD_MAC_ZIP
            if fault is not None:
                self.faults[position] = fault
            elif isinstance(named, NamedFile):
                if repeated is None:
                    key = (*key[:3], False)
                entries.append(Entry(position, self._index(key), named))
        return tuple(entries)

    def _read_versions(self) -> Sequence[str | None]:
        """Return of each file the version that its name says."""
        files = self.candidates
        if isinstance(files, FileTable) and files.project == self.project:
            return files.versions
        return versions_in(self._names, self.project)

    def _needs_addresses(self, positions: Sequence[int]) -> bool:
        """Say whether the address of one of these may exclude it."""
        names = [self._names[position] for position in positions]
        if len(set(names)) < len(names):
            return True
        zips = (at for at, name in zip(positions, names, strict=True) if name.endswith(".zip"))
        return any(_is_old_mac_zip(self.candidates[position]) for position in zips)

    def _index(self, key: ConditionsKey) -> int:
        """Return the index of conditions, adding them if they are new."""
        index = self._indices.get(key)
        if index is None:
            index = self._indices[key] = len(self.conditions)
            self.conditions.append(_conditions(key))
        return index


class Release:
    """Every file of one version, however each name spells that version."""

    def __init__(self, files: Files, order: str) -> None:
        self._files = files
        self._order = order

    @cached_property
    def version(self) -> Version:
        """The version of them all."""
        return self._files.version_at(self._positions[0])

    @cached_property
    def _positions(self) -> Sequence[int]:
        return self._files.positions_of(self._order)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Files that some environment may take, in page order."""
        return self._files.read_entries(self._positions)

    @cached_property
    def conditions(self) -> frozenset[int]:
        """Those of its entries."""
        if "entries" in self.__dict__:
            return frozenset(entry.conditions for entry in self.entries)
        found = self._files.read_conditions(self._order, self._positions)
        return frozenset(entry.conditions for entry in self.entries) if found is None else found


def _conditions(key: ConditionsKey) -> Conditions:
    (tags, py_version), requires_python, yanked, certain = key
    triple = None if tags is None else read_tags(tags)
    return Conditions(triple, py_version, requires_python, yanked, certain, key)


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
