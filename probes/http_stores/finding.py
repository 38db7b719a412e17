"""What a walk through a store brings back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.model import HeldState
from probes.http_stores.entry import Entry

__all__ = ["StoreReading", "StoredFile", "StoredPage"]

_MAX_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of the project, or a broken artifact under whatever name.

    Attributes:
        place: the file that holds the bytes, relative to the cache.
        key: name of its entry: sha224 of the URL.
        start: where the bytes begin in that file.
        size: bytes.
        sha256: of the bytes; None if they are not whole or were not read.
        filename, version: as the content restores them; None if it does not.
        state: held; shadowed if the client itself cannot use the entry; unknown if damaged.
        how: how that is known.
        intact: as in `Holding`.
    """

    place: str
    key: str
    start: int
    size: int
    sha256: str | None
    filename: str | None
    version: str | None
    state: HeldState
    how: str
    intact: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """An index page that names the project.

    Attributes:
        place: the file that holds the body, relative to the cache.
        entry: what was stored with it.
        body: decoded; empty if `problem` says why.
        wire_size: bytes as stored.
        modified_s: of the file, seconds since 1970.
        problem: why the body could not be decoded; "" if it could.
    """

    place: str
    entry: Entry
    body: bytes
    wire_size: int
    modified_s: float
    problem: str = ""


@dataclass(slots=True)
class StoreReading:
    """Gathers findings; each thread has its own, and they are added up in the end.

    Attributes:
        files, pages: of the project.
        metadata: versions of which only the metadata was kept (PEP 658), by place.
        entries: number of entries read.
        complete: whether nothing was skipped that could hide a file of the project.
        counts: what else was met, by its name.
        examples: places of the things counted, a few of each.
    """

    files: list[StoredFile] = field(default_factory=list)
    pages: list[StoredPage] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    entries: int = 0
    complete: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, what: str, place: str, *, hides: bool = False) -> None:
        """Count something that is no entry to be read.

        Args:
            what: such as `entries without a body`.
            place: relative to the cache.
            hides: whether a file of the project could be in it.
        """
        self.counts[what] += 1
        shown = self.examples.setdefault(what, [])
        if len(shown) < _MAX_SHOWN:
            shown.append(place)
        self.complete = self.complete and not hides

    def add(self, others: Iterable[StoreReading]) -> None:
        """Take over what others gathered."""
        for other in others:
            self.files += other.files
            self.pages += other.pages
            self.metadata |= other.metadata
            self.entries += other.entries
            self.complete = self.complete and other.complete
            self.counts += other.counts
            for what, places in other.examples.items():
                mine = self.examples.setdefault(what, [])
                mine += places[: _MAX_SHOWN - len(mine)]

    def notes(self) -> tuple[str, ...]:
        """Say in words what was met beside findings."""
        return tuple(
            f"{count} {what}: {', '.join(sorted(self.examples[what]))}"
            + ("" if count <= len(self.examples[what]) else ", …")
            for what, count in sorted(self.counts.items())
        )
