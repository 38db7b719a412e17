"""A page sorted into releases, newest first: all that does not depend on an environment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from packaging.version import Version

from auditor.model.filename import NamedFile, NameFault, TagTriple, read_filename
from auditor.model.observation import Candidate, Yank
from auditor.model.selection import RejectionCode
from auditor.model.version import normalise_project, parse_version

__all__ = ["Conditions", "Entry", "Listing", "Release", "listing_of"]


# What pip keeps apart when it cleans a URL (models/link.py, `_clean_url_path`).
_RESERVED = re.compile("(@|%2F)", re.IGNORECASE)

_REPEATED = NameFault(RejectionCode.DUPLICATE, "its URL is listed before; the first one counts")
_OLD_MAC_ZIP = NameFault(
    RejectionCode.NOT_A_DISTRIBUTION, "a zip with 'macosx10' in its URL is no source distribution"
)

_Key = tuple[str | None, str | None, str | None, bool, bool, bool]


class Conditions(NamedTuple):
    """What decides whether a file can be installed; pages have far fewer of these than files.

    Attributes:
        tags: of a wheel; None for a source distribution.
        py_version: of an old `-pyX.Y` suffix; None if there is none.
        requires_python: None if not known.
        yanked: as stated.
        certain: whether it is beyond doubt that an installer considers the file at all.
    """

    tags: TagTriple | None
    py_version: str | None
    requires_python: str | None
    yanked: Yank
    certain: bool


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


@dataclass(frozen=True, slots=True)
class Release:
    """Every file of one version, however each name spells that version.

    Attributes:
        version: of them all.
        entries: in page order.
        conditions: those of its entries.
    """

    version: Version
    entries: tuple[Entry, ...]
    conditions: frozenset[int]


class Listing:
    """What one page offers of one project, read as pip reads it.

    Attributes:
        project: normalised name.
        candidates: as given, in page order.
        conditions: each distinct set of conditions, and `counts` how many files have it.
        releases: newest first; `finals` and `prereleases` are its two parts.
        faults: by position, each file that is excluded everywhere.
    """

    def __init__(self, candidates: Sequence[Candidate], project: str) -> None:
        self.project = normalise_project(project)
        self.candidates = candidates
        self.faults: dict[int, NameFault] = {}
        self.conditions: list[Conditions] = []
        self.counts: list[int] = []
        self._by_version: dict[Version, list[Entry]] = {}
        self._read()
        self.releases = self._sorted_releases()
        self.finals = [r for r in self.releases if not r.version.is_prerelease]
        self.prereleases = [r for r in self.releases if r.version.is_prerelease]
        self._locals = [r for r in self.releases if r.version.local is not None]

    def pinned(self, pin: Version) -> list[Release]:
        """Return the releases that `==pin` matches: without a local label, any label will do."""
        labelled = [r for r in self._locals if pin.local is None and _public(r.version) == pin]
        exact = [r for r in self.releases if r.version == pin]
        return labelled + exact  # a label makes a version higher (PEP 440)

    def _read(self) -> None:
        indices: dict[_Key, int] = {}
        listed: dict[str, list[Candidate]] = {}
        by_text: dict[str, list[Entry]] = {}
        for position, candidate in enumerate(self.candidates):
            filename = candidate.filename
            named = read_filename(filename, self.project)
            repeated: bool | None = False
            if filename in listed:
                repeated = _is_repeated(candidate, listed[filename])
            else:
                listed[filename] = [candidate]
            fault = _fault(candidate, named, repeated)
            if fault is not None:
                self.faults[position] = fault
            elif isinstance(named, NamedFile):
                certain = repeated is False and candidate.version is not None
                index = self._index(candidate, named, certain, indices)
                by_text.setdefault(named.version, []).append(Entry(position, index, named))
        self._by_version = _merged(by_text)

    def _index(
        self, candidate: Candidate, named: NamedFile, certain: bool, indices: dict[_Key, int]
    ) -> int:
        """Return the index of a file's conditions, adding them if they are new, and count it."""
        tags, yanked, requires_python = named.tags, candidate.yanked, candidate.requires_python
        text = tags.text if tags is not None else None
        # Not the members of the enum: they hash in Python, and this runs for every file.
        free, unsaid = yanked is Yank.NO, yanked is Yank.UNKNOWN
        key = (text, named.py_version, requires_python, free, unsaid, certain)
        index = indices.setdefault(key, len(indices))
        if index == len(self.conditions):
            self.counts.append(0)
            self.conditions.append(
                Conditions(tags, named.py_version, requires_python, yanked, certain)
            )
        self.counts[index] += 1
        return index

    def _sorted_releases(self) -> list[Release]:
        return [
            Release(version, tuple(entries), frozenset([e.conditions for e in entries]))
            for version, entries in sorted(self._by_version.items(), key=_version, reverse=True)
        ]


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


def _version(item: tuple[Version, list[Entry]]) -> Version:
    return item[0]


def _public(version: Version) -> Version | None:
    return parse_version(version.public)


def _merged(by_text: dict[str, list[Entry]]) -> dict[Version, list[Entry]]:
    """Put `1.0` and `1.0.0` together, in page order."""
    merged: dict[Version, list[Entry]] = {}
    for text, entries in by_text.items():
        version = parse_version(text)
        if version is None:  # cannot be: read_filename yields valid versions only
            continue
        if version in merged:
            merged[version] = sorted(merged[version] + entries)
        else:
            merged[version] = entries
    return merged


def _fault(
    candidate: Candidate, named: NamedFile | NameFault, repeated: bool | None
) -> NameFault | None:
    """Return why no environment takes the file; None if some may."""
    if type(named) is NameFault:
        return named
    if repeated:
        return _REPEATED
    return _OLD_MAC_ZIP if _is_old_mac_zip(candidate) else None


def _is_old_mac_zip(candidate: Candidate) -> bool:
    """Say whether pip takes the file for a binary of setuptools' old `bdist_dumb` on macOS."""
    if not candidate.filename.endswith(".zip"):
        return False
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
