"""What a walk through a cache directory brings back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from probes.cache_server.kept import KeptAnswer
from probes.cache_server.signs import Program
from probes.kit.answer import shown
from probes.kit.pages import ParsedPage

__all__ = ["Findings", "KeptFile", "KeptPage"]

_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of the project, or a broken artifact under whatever name.

    Attributes:
        place: the file that holds the body, relative to the directory.
        answer: what is written down beside it.
        filename, version: as on an index.
        sha256: of the body; None if it is not whole or could not be read.
        size: of the body, in bytes.
        problem: what is wrong with it; "" if nothing.
        intact: as in `Holding`.
        passed_over: whether the program itself makes no use of it.
    """

    place: str
    answer: KeptAnswer
    filename: str
    version: str | None
    sha256: str | None
    size: int
    problem: str = ""
    intact: bool | None = None
    passed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """A variant of the project's page.

    Attributes:
        place: the file that holds it, relative to the directory.
        answer: what is written down beside it.
        body_sha256: of the decoded body; None if it could not be decoded.
        parsed: what it lists; None if it cannot be read.
    """

    place: str
    answer: KeptAnswer
    body_sha256: str | None
    parsed: ParsedPage | None


@dataclass(slots=True)
class Findings:
    """Gathers what is found, and what could not be looked at.

    Attributes:
        files, pages: of the project.
        refusals: answers that are no success, to requests for them.
        programs: whose files were met.
        entries: how many answers were read.
        strangers: files that are nothing that we know.
        keeps_distributions: whether a file to install is among them, of whatever project.
        complete: whether nothing was skipped that could hide a file of the project.
        counts: what else was met, by its name.
        examples: places of the things counted, a few of each.
    """

    files: list[KeptFile] = field(default_factory=list)
    pages: list[KeptPage] = field(default_factory=list)
    refusals: list[tuple[str, KeptAnswer]] = field(default_factory=list)
    programs: set[Program] = field(default_factory=set)
    entries: int = 0
    strangers: int = 0
    keeps_distributions: bool = False
    complete: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, what: str, place: str, *, hides: bool = False) -> None:
        """Count something that was not read.

        Args:
            what: such as `files that vanished`.
            place: relative to the directory.
            hides: whether a file of the project could be in it.
        """
        self.counts[what] += 1
        examples = self.examples.setdefault(what, [])
        if len(examples) < _MAX_SHOWN:
            examples.append(shown(place))
        self.complete = self.complete and not hides

    def add(self, other: Findings, home: Path) -> None:
        """Add what was found in another directory, by its whole paths."""
        self.files += [replace(file, place=str(home / file.place)) for file in other.files]
        self.pages += [replace(page, place=str(home / page.place)) for page in other.pages]
        self.refusals += [(str(home / place), answer) for place, answer in other.refusals]
        self.programs |= other.programs
        self.entries += other.entries
        self.strangers += other.strangers
        self.keeps_distributions = self.keeps_distributions or other.keeps_distributions
        self.complete = self.complete and other.complete

    def notes(self) -> Iterator[str]:
        """Say in words what was not read."""
        for what, count in sorted(self.counts.items()):
            more = ", …" if count > len(self.examples[what]) else ""
            yield f"{count} {what}: {', '.join(self.examples[what])}{more}"
