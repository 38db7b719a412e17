"""What a check of a release is asked, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from packaging.specifiers import SpecifierSet

from auditor.model import Candidate

__all__ = ["Level", "Proposed", "ReleaseCheck", "ReleaseFinding", "Wanted"]


class Level(StrEnum):
    """How much a finding matters, the worst first: the order of this class is that of a report."""

    FAIL = "fail"
    UNKNOWN = "unknown"  # it could not be determined, and it decides
    WARN = "warn"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFinding:
    """Something that a maintainer should know of the fix.

    Attributes:
        code: what `auditor explain` knows.
        level: `fail` and `unknown` decide the exit code.
        text: one sentence for a reader in a hurry.
        expected, observed: the two sides of the rule; "" where there are none.
        next_step: what to do; "" if nothing.
    """

    code: str
    level: Level
    text: str
    expected: str = ""
    observed: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A file on disk that is going to be uploaded.

    Attributes:
        candidate: as an index would list it.
        metadata_name, metadata_version: what the file says of itself; None if it does not.
        problem: why its metadata could not be read; "" if it could.
    """

    candidate: Candidate
    metadata_name: str | None = None
    metadata_version: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a dependant asks for.

    Attributes:
        specifier: the versions that it admits.
        text: the requirement as written.
        where: the option, or the file and line.
    """

    specifier: SpecifierSet
    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCheck:
    """All that is to be said of one fix.

    Attributes:
        incident: its id.
        project: normalised name.
        broken, fixed: versions, as a reader would name them.
        last_good: the version before the broken ones; None if none is listed.
        proposed: names of the files that are not yet published.
        source: name of the place where the release is or will be; None if there is none.
        environments: number of environments that were looked at.
        findings: the worst first.
        sentence: all of it in one sentence.
    """

    incident: str
    project: str
    broken: str
    fixed: str
    last_good: str | None
    proposed: tuple[str, ...]
    source: str | None
    environments: int
    findings: tuple[ReleaseFinding, ...]
    sentence: str

    @property
    def exit_code(self) -> int:
        """0: ready; 1: a finding fails; 3: something that decides is not known."""
        levels = {finding.level for finding in self.findings}
        return 1 if Level.FAIL in levels else 3 if Level.UNKNOWN in levels else 0
