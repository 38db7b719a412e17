"""Kind `lockfile`: what a lock, requirements or constraints file forces."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.model import (
    Incident,
    Observation,
    Outcome,
    Pin,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.locks.formats import LockFile, find_locks, is_lock, read_lock

__all__ = ["KIND"]

# A monorepo has hundreds.
_MAX_FILES = 10_000


async def observe(assignment: Assignment) -> Observation:
    """Read the file, or every lock file directly in the directory."""
    started_at, path = assignment.now(), assignment.location.path
    if path is None:
        detail = "path is not given; name a lock file, or a directory that has some"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    incident = assignment.incident
    files = await in_thread(lambda stop: _read_all(local_path(path), incident, stop))
    return _told(assignment, path, files, started_at)


def _read_all(path: Path, incident: Incident, stop: threading.Event) -> list[LockFile]:
    try:
        paths = find_locks(path)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        return [LockFile(path, problem=f"{path}: {error.strerror or error}", denied=denied)]
    read = [
        read_lock(found, incident.project, stop, incident.broken_sha256)
        for found in paths[:_MAX_FILES]
    ]
    if len(paths) > _MAX_FILES:
        read.append(LockFile(path, problem=f"{path}: only {_MAX_FILES} lock files were read"))
    return read


def _told(
    assignment: Assignment, asked: str, files: Sequence[LockFile], started_at: datetime
) -> Observation:
    read = [file for file in files if file.reading is not None]
    problems = [file.problem for file in files if file.problem]
    unread = [text for file in read if file.reading for text in file.reading.unread]
    recorder = EvidenceRecorder()
    pins = [pin for n, file in enumerate(read, start=1) for pin in _pins(file, n, recorder)]
    notes = [note for file in read if file.reading for note in file.reading.notes]
    complete = not problems and not unread
    outcome, detail = _outcome(files, asked, mentioned=bool(pins), complete=complete)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pins=pins,
        holdings_complete=complete if read else None,
        evidence=recorder.all(),
        notes=[*problems, *unread, *notes][:100],
    )


def _pins(file: LockFile, number: int, recorder: EvidenceRecorder) -> list[Pin]:
    if file.reading is None or not file.reading.pins:
        return []
    lines = "\n".join(f"{pin.where}: {pin.version or pin.specifier}" for pin in file.reading.pins)
    evidence = recorder.of_disk(file.path, {"entries": str(len(file.reading.pins))}, excerpt=lines)
    # pip joins what a requirements file, its constraints and its included files say of a project.
    joined = str(number) if any(pin.form == "requirements" for pin in file.reading.pins) else ""
    return [replace(pin, evidence=(evidence,), together=joined) for pin in file.reading.pins]


def _outcome(
    files: Sequence[LockFile], asked: str, *, mentioned: bool, complete: bool
) -> tuple[Outcome, str]:
    if not files:
        return Outcome.UNREACHABLE, f"{asked} has no lock, requirements or constraints file"
    if mentioned:
        return Outcome.OBSERVED, ""
    if any(file.reading is not None for file in files):
        nowhere = f"{len(files)} file(s) pin no release of the project"
        return (Outcome.ABSENT, nowhere) if complete else (Outcome.OBSERVED, "")
    worst = files[0]
    if worst.denied:
        return Outcome.DENIED, worst.problem
    # Not *absent*: a path that is mistyped says nothing about the project.
    return (Outcome.UNREACHABLE if worst.missing else Outcome.MALFORMED), worst.problem


def recognises(met: Met) -> bool:
    """A file that is called like a lock, requirements or constraints file, or lies among them."""
    return met.names is None and is_lock(met.path)


KIND = ProbeKind(
    name="lockfile",
    summary="requirements, constraints, pylock.toml, uv, Poetry, PDM or Pipfile locks",
    role=Role.PIN,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="the file, or a directory whose lock files are all read",
        ),
    ),
    observe=observe,
    syncs=False,
    recognises=recognises,
    touches=(
        TouchNote(
            request="read of the file, and of requirement files that it includes",
            touch=Touch.INERT,
            proof="opened for reading only; nothing that it names is fetched",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="uv lock --upgrade-package '{project}>={fixed}'",
            effect="for uv.lock: moves this project, and only it, to the fix",
            caution="asks the index that is configured here, which must list the fix",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("uv.lock",),
        ),
        RemedyTemplate(
            command="uv lock --upgrade-package '{project}>={fixed}' && uv export -o {path}",
            effect="for a pylock.toml that uv exports: moves this project, and writes it again",
            caution="let the program write it again that wrote it, if it was another one",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("pylock.toml",),
        ),
        RemedyTemplate(
            command="poetry update {project}",
            effect="for poetry.lock: moves this project as far as pyproject.toml admits",
            caution="a release that Poetry has in its cache keeps its old hashes: "
            "`poetry cache clear --all .` first",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("poetry.lock",),
        ),
        RemedyTemplate(
            command="pdm cache clear && pdm update {project}",
            effect="for pdm.lock: moves this project as far as pyproject.toml admits",
            caution="without clearing its cache PDM trusts a cached page until that expires, and "
            "locks the broken release again",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("pdm.lock",),
        ),
        RemedyTemplate(
            command="pipenv --clear && pipenv upgrade '{project}>={fixed}'",
            effect="for Pipfile.lock: moves this project and locks again",
            caution="Pipfile then asks for the fix or later; without clearing its cache first, "
            "which the option of `upgrade` does not, pipenv trusts a cached page and finds no fix",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("Pipfile.lock",),
        ),
        RemedyTemplate(
            command="pip-compile --upgrade-package '{project}>={fixed}'",
            effect="for a compiled requirements.txt: moves this project, and only it, to the fix",
            caution="give it the options that the head of the file names: without "
            "--generate-hashes it leaves out every hash; in a file written by hand, write the new "
            "version and hashes instead",
            statuses=(Status.PINNED, Status.BEHIND),
            forms=("requirements",),
        ),
        RemedyTemplate(
            command="echo '{project}!={broken}' >> constraints.txt",
            effect="keeps every later lock away from the broken release",
            statuses=(Status.PINNED,),
            forms=("requirements",),
        ),
    ),
    verified="pip 26.3, uv 0.13, Poetry 2.5, PDM 2.29, packaging 26.3 (pylock)",
)
