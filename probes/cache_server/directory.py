"""One look at a cache directory: what is held, which pages are kept, and until when."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from auditor.model import (
    HeldState,
    Holding,
    Incident,
    Page,
)
from probes.cache_server.findings import Findings, KeptFile
from probes.cache_server.kept import KeptAnswer
from probes.cache_server.recognise import Recogniser
from probes.cache_server.signs import Program
from probes.cache_server.walk import CacheWalk
from probes.kit.answer import shown
from probes.kit.evidence import EvidenceRecorder

__all__ = [
    "MAX_WITNESSED",
    "DirectoryReading",
    "directories_in",
    "page_expiry",
    "read_directories",
    "read_directory",
    "times_of",
    "until",
]

MAX_WITNESSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryReading:
    """What a directory holds.

    Attributes:
        path: of the directory.
        findings: as found.
        holdings: files of the project, with their evidence.
        problem: why nothing of it counts; "" if it does.
        notes: facts that no field has room for.
    """

    path: Path
    findings: Findings = field(default_factory=Findings)
    holdings: tuple[Holding, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether a file that was not found is not on this disk."""
        return not self.problem and self.findings.complete

    @property
    def knows_project(self) -> bool:
        """Whether anything of the project is in it; else it may be anybody's directory."""
        found = self.findings
        return bool(found.pages or found.files or found.refusals)

    @property
    def lacks_files(self) -> str:
        """Why a file that was not found may lie elsewhere all the same; "" if it does not.

        nginx may keep pages in one zone and files in another (`proxy_cache` per `location`): a
        directory without a single file to install can be that of the pages alone.
        """
        found = self.findings
        if found.keeps_distributions or found.files or self.may_hold_more_in_memory:
            return ""
        return (
            f"no file to install is in {self.path}, of whatever project: it may be the directory "
            f"of pages alone; name every directory of this cache, with {os.pathsep} between them"
        )

    @property
    def may_hold_more_in_memory(self) -> bool:
        """Whether the program also keeps answers in memory that it never writes to disk."""
        return Program.SQUID in self.findings.programs


def directories_in(setting: str) -> tuple[str, ...]:
    """Split what names several directories, such as `/srv/pages:/srv/files`."""
    if Path(setting).is_dir():
        return (setting,)
    return tuple(re.split(f"{re.escape(os.pathsep)}(?={re.escape(os.sep)})", setting))


def read_directories(
    paths: Sequence[Path],
    incident: Incident,
    recorder: EvidenceRecorder,
    stop: threading.Event,
    *,
    limit_s: float,
) -> DirectoryReading:
    """Read every directory of one cache, as if they were one; what cannot be read hides things."""
    share_s = limit_s / len(paths)
    readings = [read_directory(p, incident, recorder, stop, limit_s=share_s) for p in paths]
    good = [reading for reading in readings if not reading.problem]
    if len(readings) == 1 or not good:
        return readings[0]
    whole = Findings()
    for reading in good:
        whole.add(reading.findings, reading.path)
    problems = [reading.problem for reading in readings if reading.problem]
    whole.complete = whole.complete and not problems
    return DirectoryReading(
        path=good[0].path,
        findings=whole,
        holdings=tuple(holding for reading in good for holding in reading.holdings),
        notes=(*problems, *(note for reading in good for note in reading.notes)),
    )


def read_directory(
    path: Path,
    incident: Incident,
    recorder: EvidenceRecorder,
    stop: threading.Event,
    *,
    limit_s: float,
) -> DirectoryReading:
    """Read a cache directory of nginx, squid or Apache; never raises for what is in it."""
    try:
        walk = CacheWalk(str(path), Recogniser(incident, stop), stop, limit_s=limit_s)
        findings = walk.read()
    except OSError as error:
        return DirectoryReading(path=path, problem=_cannot_list(path, error))
    if findings.strangers and not findings.entries:
        problem = (
            f"{path} is no cache directory of nginx, squid or Apache that is known here: none of "
            f"its {findings.strangers} files is an entry; check the path, and the program's version"
        )
        return DirectoryReading(path=path, findings=findings, problem=problem)
    notes = list(findings.notes())
    if findings.strangers:
        notes.append(f"{findings.strangers} files are no entries of a cache, and were left alone")
    if findings.programs:
        programs = ", ".join(sorted(program.value for program in findings.programs))
        notes.append(f"{path}: {findings.entries} answers, kept by {programs}")
    holdings = [_holding(file, path, incident, recorder) for file in findings.files]
    return DirectoryReading(
        path=path, findings=findings, holdings=tuple(holdings), notes=tuple(notes)
    )


def _cannot_list(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{path} may not be read by this user; run the audit as the server's user, or root"
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist; check cache_path, and whether it is mounted"
    return f"{path} cannot be read: {error.strerror}"


def _holding(file: KeptFile, home: Path, incident: Incident, recorder: EvidenceRecorder) -> Holding:
    answer, path = file.answer, home / file.place
    matters = incident.is_broken(file.version) or incident.is_named_fixed(file.version)
    evidence: tuple[str, ...] = ()
    if matters or file.sha256 in incident.broken_sha256:
        evidence = (_witness(file, path, recorder),)
    how = f"{shown(file.place)}: kept by {answer.program.value}{until(answer)}"
    if file.passed_over:
        how += ", and passed over: its header is that of another body"
    return Holding(
        filename=file.filename,
        version=file.version,
        sha256=file.sha256,
        size=file.size,
        state=_state(file),
        how=f"{how}; {file.problem}" if file.problem else how,
        intact=file.intact,
        evidence=evidence,
    )


def _state(file: KeptFile) -> HeldState:
    if file.problem and file.sha256 is None:
        return HeldState.UNKNOWN
    return HeldState.SHADOWED if file.passed_over else HeldState.HELD


def _witness(file: KeptFile, path: Path, recorder: EvidenceRecorder) -> str:
    answer = file.answer
    facts = {"program": answer.program.value, "key": answer.shown_key, "status": str(answer.status)}
    facts |= {"size": str(file.size)} | times_of(answer)
    if file.problem:
        facts["problem"] = file.problem
    command = f"tail --bytes=+{answer.body_at + 1} {shlex.quote(shown(str(path)))} | sha256sum"
    digest = f"sha256:{file.sha256}" if file.sha256 else None
    return recorder.of_disk(path, facts, digest=digest, reproduce=command)


def times_of(answer: KeptAnswer) -> dict[str, str]:
    """Return since when and until when an answer is kept, as evidence."""
    times = {"stored-at": answer.stored_at, "expires-at": answer.expires_at}
    facts = {name: f"{time:%Y-%m-%dT%H:%M:%SZ}" for name, time in times.items() if time}
    return facts | ({"variant": answer.variant} if answer.variant else {})


def until(answer: KeptAnswer) -> str:
    """Return the end of a clause that says until when an answer is given, or ""."""
    expires_at = answer.expires_at
    return f", fresh until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""


def page_expiry(reading: DirectoryReading, page: Page) -> datetime | None:
    """Return until when the kept variants with this very body live, the last of them; None: none.

    The body is compared, not the request: nginx names its variants by a digest of the headers. One
    that had expired when the page came was not what the page came from.
    """
    fetched_at = page.freshness.fetched_at
    times = [
        kept.answer.expires_at
        for kept in reading.findings.pages
        if kept.body_sha256 is not None
        and kept.body_sha256 == page.body_sha256
        and kept.answer.expires_at is not None
        and (fetched_at is None or kept.answer.expires_at > fetched_at)
    ]
    return max(times, default=None)
