"""The files of a page as columns: a candidate is made of a row when somebody asks for one.

Pages have thousands of files, and an incident is about a few of them. What is asked of every file
(its name, its version, what decides whether it can be installed) is read from the columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import compress
from typing import TypeVar, cast, overload

from auditor.model.observation import Candidate
from auditor.model.outcome import Yank
from auditor.model.remembered import Column

__all__ = [
    "FileTable",
    "filenames_of",
    "listed_with",
    "lists_version",
    "picked",
    "positions_with",
    "specifiers_of",
    "urls_of",
    "versions_of",
    "yanks_of",
]


T = TypeVar("T")

# So often all files are gone through for those of one version: more often would take longer than
# to look at each file once.
_SEARCHES = 2


class FileTable(Sequence[Candidate], ABC):
    """A sequence of candidates that equals a tuple of the same ones. It never changes.

    Attributes:
        project: whose page it is, normalised.
        filenames, versions: of each file, in page order; as in `Candidate`. Every version is the
            one that the file name says for this project.
    """

    def __init__(
        self, project: str, filenames: Sequence[str], versions: Sequence[str | None]
    ) -> None:
        self.project = project
        self.filenames = filenames
        self.versions = versions
        self._derived: dict[Hashable, object] = {}
        self._made: dict[int, Candidate] = {}
        self._all: tuple[Candidate, ...] | None = None

    @abstractmethod
    def urls(self) -> Sequence[str | None]:
        """Return of each file its `url`."""

    @abstractmethod
    def yanks(self) -> Sequence[Yank]:
        """Return of each file whether it is yanked."""

    @abstractmethod
    def specifiers(self) -> Sequence[str | None]:
        """Return of each file its `requires_python`."""

    @abstractmethod
    def positions_of(self, digests: Collection[str]) -> Sequence[int]:
        """Return where the files are whose SHA-256 is one of these."""

    @abstractmethod
    def make(self, position: int) -> Candidate:
        """Make the candidate of one row."""

    @abstractmethod
    def make_all(self) -> Sequence[Candidate]:
        """Make all of them at once, which takes less than one after another."""

    def whole(self) -> tuple[Candidate, ...]:
        """Return all candidates."""
        if self._all is None:
            made = list(self.make_all())
            for position, candidate in self._made.items():
                made[position] = candidate
            self._all = tuple(made)
            self._made.clear()
        return self._all

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what follows from these files alone, worked out once.

        Args:
            key: tells it from everything else that follows from them.
            make: works it out.
        """
        if key not in self._derived:
            self._derived[key] = make()
        return cast(T, self._derived[key])

    def at(self, positions: Iterable[int]) -> list[Candidate]:
        """Return the candidates at some positions, counted from the beginning."""
        if self._all is not None:
            return list(map(self._all.__getitem__, positions))
        made = self._made
        return [made[at] if at in made else made.setdefault(at, self.make(at)) for at in positions]

    def __len__(self) -> int:
        return len(self.filenames)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, index: int | slice) -> Candidate | tuple[Candidate, ...]:
        if isinstance(index, slice) or self._all is not None:
            return self.whole()[index]
        position = range(len(self))[index]
        candidate = self._made.get(position)
        if candidate is None:
            candidate = self._made[position] = self.make(position)
        return candidate

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.whole())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, FileTable):
            # Most that differ do so here, and nothing needs to be made to see it.
            return self.filenames == other.filenames and self.whole() == other.whole()
        return self.whole() == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.whole())

    def __repr__(self) -> str:
        return repr(self.whole())


def filenames_of(files: Sequence[Candidate]) -> Sequence[str]:
    """Return of each file its name."""
    if isinstance(files, FileTable):
        return files.filenames
    return [file.filename for file in files]


def versions_of(files: Sequence[Candidate]) -> Sequence[str | None]:
    """Return of each file its version."""
    if isinstance(files, FileTable):
        return files.versions
    return [file.version for file in files]


def urls_of(files: Sequence[Candidate]) -> Sequence[str | None]:
    """Return of each file where it is."""
    return files.urls() if isinstance(files, FileTable) else [file.url for file in files]


def yanks_of(files: Sequence[Candidate]) -> Sequence[Yank]:
    """Return of each file whether it is yanked."""
    return files.yanks() if isinstance(files, FileTable) else [file.yanked for file in files]


def specifiers_of(files: Sequence[Candidate]) -> Sequence[str | None]:
    """Return of each file which Python it requires."""
    if isinstance(files, FileTable):
        return files.specifiers()
    return [file.requires_python for file in files]


def lists_version(files: Sequence[Candidate], wanted: Callable[[str | None], bool]) -> bool:
    """Say whether a version that is wanted is among those of the files."""
    return any(map(wanted, _distinct_versions(files)))


def listed_with(
    files: Sequence[Candidate],
    wanted: Callable[[str | None], bool],
    digests: Collection[str] = (),
) -> list[Candidate]:
    """Return the files with a version that is wanted, or with one of the digests, in page order."""
    versions = versions_of(files)
    found = set(filter(wanted, _distinct_versions(files)))
    if len(found) > _SEARCHES:
        positions = set(compress(range(len(versions)), map(found.__contains__, versions)))
    else:
        positions = {at for version in found for at in positions_with(version, versions)}
    if digests:
        positions.update(_positions_of(files, digests))
    return picked(files, sorted(positions))


def _distinct_versions(files: Sequence[Candidate]) -> Mapping[str | None, None]:
    """Return each version of the files once, in page order."""
    if isinstance(files, FileTable):
        if isinstance(files.versions, Column):
            return files.versions.distinct
        return files.once("distinct versions", lambda: dict.fromkeys(files.versions))
    return dict.fromkeys(versions_of(files))


def positions_with(version: str | None, versions: Sequence[str | None]) -> Iterator[int]:
    """Yield where one version is, as it is spelled there."""
    at = -1
    with suppress(ValueError):
        while True:
            at = versions.index(version, at + 1)
            yield at


def picked(files: Sequence[Candidate], positions: Iterable[int]) -> list[Candidate]:
    """Return the files at some positions, in their order."""
    if isinstance(files, FileTable):
        return files.at(positions)
    return [files[position] for position in positions]


def _positions_of(files: Sequence[Candidate], digests: Collection[str]) -> Sequence[int]:
    if isinstance(files, FileTable):
        return files.positions_of(digests)
    return [at for at, file in enumerate(files) if file.hashes.get("sha256") in digests]
