"""Real index pages of past incidents, cut by upload time, with the hosts rewritten.

Each `*.json` holds the files of the releases around an incident as PyPI's page stated them on the
day in `read_on`: name, sha256, requires-python, size, upload time, and how it is marked *today*.
When a release was yanked no page says, so that every moment after its upload exists twice: before
the yank, and after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from auditor.model import (
    Candidate,
    Environment,
    Incident,
    KindFacts,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Plan,
    Role,
    Run,
    Vantage,
    View,
)
from auditor.model.filename import version_in
from auditor.verdict import judge
from auditor.verdict.release_check import Proposed, ReleaseCheck, Wanted, check_release
from probes.kit.pages import parse_page
from tests.truth.pages import JSON_TYPE
from tests.truth.pip_finder import PAGE_URL

HOUR = timedelta(hours=1)
PROJECTS = ("requests", "attrs", "urllib3", "aiohttp", "setuptools", "pydantic")
_FILES = Path(__file__).parent


@dataclass(frozen=True)
class File:
    """One file, as the index stated it."""

    filename: str
    sha256: str
    requires_python: str | None
    size: int
    uploaded_at: datetime
    yanked: bool | str


@dataclass(frozen=True)
class Past:
    """One incident and every file around it, in the order of their upload."""

    project: str
    broken: tuple[str, ...]
    fixed: tuple[str, ...]
    files: tuple[File, ...]

    def version(self, file: File) -> str:
        return version_in(file.filename, self.project) or "?"

    def uploaded(self, version: str) -> datetime:
        """When a release was complete."""
        return max(f.uploaded_at for f in self.files if self.version(f) == version)

    def first_upload(self, version: str) -> datetime:
        return min(f.uploaded_at for f in self.files if self.version(f) == version)

    @property
    def incident(self) -> Incident:
        return Incident(
            id=f"{self.project}-{self.broken[0]}",
            project=self.project,
            broken=self.broken,
            fixed=self.fixed,
        )

    def moments(self) -> Iterator[Moment]:
        """The hour before and after each step, without the yank and with it."""
        for version in (*self.broken, *self.fixed):
            for at in (self.first_upload(version) - HOUR, self.uploaded(version) + HOUR):
                yield Moment(self, at, yanked=False)
                if at > self.uploaded(self.broken[0]):
                    yield Moment(self, at, yanked=True)


@dataclass(frozen=True)
class Moment:
    """The page at one time.

    Attributes:
        past: the incident.
        at: UTC.
        yanked: whether the broken releases are marked as they are today.
    """

    past: Past
    at: datetime
    yanked: bool

    def __str__(self) -> str:
        mark = "yanked" if self.yanked else "not-yanked"
        return f"{self.past.project}-{self.at:%Y-%m-%dT%H:%M}-{mark}"

    @property
    def files(self) -> tuple[File, ...]:
        listed = (f for f in self.past.files if f.uploaded_at <= self.at)
        if self.yanked:
            return tuple(listed)
        broken = self.past.broken
        return tuple(
            replace(f, yanked=False) if self.past.version(f) in broken else f for f in listed
        )

    @property
    def body(self) -> bytes:
        """The page, as PEP 691 has it."""
        page = {
            "meta": {"api-version": "1.1"},
            "name": self.past.project,
            "files": [_entry(file, self.past.project) for file in self.files],
        }
        return json.dumps(page).encode()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        parsed = parse_page(
            self.body, url=PAGE_URL, content_type=JSON_TYPE, project=self.past.project
        )
        assert parsed.complete
        return tuple(parsed.candidates)

    def observation(self) -> Observation:
        """What looking at the index showed."""
        page = Page(
            view=View.PIP,
            outcome=PageOutcome.OBSERVED,
            url=PAGE_URL,
            complete=True,
            candidates=self.candidates,
        )
        return Observation(
            location="pypi",
            vantage="here",
            incident=self.past.incident.id,
            outcome=Outcome.OBSERVED,
            connected=True,
            pages=(page,),
            started_at=self.at,
            finished_at=self.at,
        )

    def plan(self, environments: tuple[Environment, ...]) -> Plan:
        return Plan(
            incidents=(self.past.incident,),
            locations=(
                Location(
                    name="pypi",
                    kind="pypi",
                    role=Role.INDEX,
                    url="https://index.example/simple/",
                ),
            ),
            vantage=Vantage(id="here"),
            environments=environments,
            kinds={"pypi": KindFacts(name="pypi", role=Role.INDEX)},
            tool_version="0.0",
            created_at=self.at,
        )

    def audit(self, environments: tuple[Environment, ...]) -> Run:
        (run,) = judge(self.plan(environments), [self.observation()])
        return run

    def check(
        self,
        environments: tuple[Environment, ...],
        proposed: tuple[Proposed, ...] = (),
        wanted: tuple[Wanted, ...] = (),
    ) -> ReleaseCheck:
        (check,) = check_release(
            self.plan(environments), [self.observation()], proposed=proposed, wanted=wanted
        )
        return check


def _entry(file: File, project: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": f"https://files.example/{project}/{file.filename}",
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "upload-time": file.uploaded_at.isoformat().replace("+00:00", "Z"),
        "yanked": file.yanked,
    }
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    return entry


@lru_cache
def read_past(project: str) -> Past:
    """Read one stored incident."""
    stored = json.loads((_FILES / f"{project}.json").read_text(encoding="utf-8"))
    rows = (File(*row) for row in stored["files"])
    files = (replace(f, uploaded_at=_time(str(f.uploaded_at))) for f in rows)
    return Past(stored["project"], tuple(stored["broken"]), tuple(stored["fixed"]), tuple(files))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
