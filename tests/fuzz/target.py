"""What a fuzzer is pointed at: bytes in, and nothing out but an error that is no refusal."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from random import Random

from auditor.contracts import Assignment, Ledger, ProbeKind
from auditor.lab.artifacts import Artifact, build_release
from auditor.model import Fingerprint, Incident, Location, Observation, Role, SettingValue, Vantage
from auditor.observations import encode

__all__ = [
    "BROKEN",
    "FIXED",
    "INCIDENT",
    "NOW",
    "PROJECT",
    "SDIST",
    "Change",
    "Target",
    "assignment_of",
    "emptied",
    "observed",
    "scratch",
]

PROJECT = "brokenpkg"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _print(artifact: Artifact) -> Fingerprint:
    return Fingerprint(
        filename=artifact.filename,
        version=artifact.version,
        sha256=artifact.sha256,
        size=len(artifact.content),
    )


BROKEN, SDIST = build_release(PROJECT, "1.2.3")
FIXED, _ = build_release(PROJECT, "1.2.4")
INCIDENT = Incident(
    id="brokenpkg-1.2.3",
    project=PROJECT,
    broken=("1.2.3",),
    fixed=("1.2.4",),
    fingerprints=(_print(BROKEN), _print(SDIST)),
)


Change = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader and what it may answer to anything.

    Attributes:
        name: `GROUP.READER`.
        run: reads the bytes and compares, where there is something to compare with.
        seeds: well-formed inputs to begin with.
        refusals: the errors by which the reader says that it is no such thing.
        tokens: pieces of the format that chance would not find.
        change: alters an input without breaking its syntax; None: only bytes are altered.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    refusals: tuple[type[Exception], ...] = ()
    tokens: tuple[bytes, ...] = ()
    change: Change | None = None

    def accepts(self, data: bytes) -> bool:
        """Run one input; False where it was refused as it should be."""
        try:
            self.run(data)
        except self.refusals:
            return False
        return True


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def scratch(name: str) -> Path:
    """Return a directory of this process, which lasts as long as the process."""
    path = Path(_scratch().name) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def emptied(name: str) -> Path:
    """Return the same, with nothing in it."""
    path = Path(_scratch().name) / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


class _NoLimits:
    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        yield


def assignment_of(kind: str, path: Path, role: Role, **settings: SettingValue) -> Assignment:
    """Ask about the incident in one place on disk."""
    location = Location(name="here", kind=kind, role=role, path=str(path), settings=settings)
    return Assignment(
        incident=INCIDENT,
        location=location,
        vantage=Vantage(id="fuzz"),
        limits=_NoLimits(),
        ledger=Ledger(),
        user_agent_suffix="propagation-auditor/fuzz",
        now=lambda: NOW,
    )


def observed(kind: ProbeKind, path: Path, role: Role, **settings: SettingValue) -> Observation:
    """Observe one place on disk to the end; whatever was met there can be stored."""

    async def look() -> Observation:
        return await kind.observe(assignment_of(kind.name, path, role, **settings))

    observation = asyncio.run(look())
    encode(observation)
    return observation
