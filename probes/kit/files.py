"""Files of a project on disk: what each offers to an installer, and the proof that it is held."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.model import (
    Candidate,
    Fault,
    FileHosting,
    HeldState,
    Holding,
    Incident,
    Yank,
    normalise_project,
    parse_version,
)
from auditor.model.filename import version_in
from probes.kit.disk import ContentDigest, NotReadable, digest_file
from probes.kit.distribution import DistributionMetadata, Unreadable, read_metadata
from probes.kit.evidence import EvidenceRecorder

__all__ = [
    "FileReading",
    "digest_holding",
    "disguised_holding",
    "hosting_on_disk",
    "read_distribution",
    "witness",
]


@dataclass(frozen=True, slots=True)
class FileReading:
    """What became of one file.

    Attributes:
        candidate: what an installer is offered; None: it discards the file.
        holding: the bytes; None if there are none.
        fault: what could not be read, or why it is no candidate; None if all is well.
    """

    candidate: Candidate | None = None
    holding: Holding | None = None
    fault: Fault | None = None


def read_distribution(path: Path, project: str, stop: threading.Event) -> FileReading:
    """Read a file that is called like a distribution of the project."""
    version = version_in(path.name, project)
    candidate = Candidate(filename=path.name, version=version, url=path.as_uri(), yanked=Yank.NO)
    try:
        digest = digest_file(path, stop)
    except (NotReadable, FileNotFoundError) as error:
        problem = f"{_cause(error)}; installers may choose it by its name, and then fail"
        return FileReading(fault=Fault(subject=path.name, problem=problem))
    except OSError as error:
        # pip chooses by name and only then opens the file: it stays on offer.
        return FileReading(candidate, _unknown(path, version, _cause(error)))
    holding = digest_holding(path, version, digest)
    hashes = {"sha256": digest.sha256} if digest.sha256 else {}
    offered = _with(candidate, hashes, digest.size)
    try:
        metadata = read_metadata(path, stop)
    except (Unreadable, NotReadable, OSError) as error:
        fault = Fault(subject=path.name, problem=_cause(error), loses_entry=False)
        return FileReading(offered, holding, fault)
    return _judged_by_metadata(offered, holding, metadata, project)


def _judged_by_metadata(
    candidate: Candidate, holding: Holding, metadata: DistributionMetadata, project: str
) -> FileReading:
    """Let the metadata decide, as it does in pip once it has opened the file.

    A find-links page or directory states no Requires-Python. pip therefore chooses by name, opens
    the file, and if its METADATA excludes this Python goes on to the next version: what counts in
    the end is the METADATA. A file whose metadata states another name or version than its file
    name is discarded likewise ("inconsistent version"), and pip falls back to an older release.
    """
    problem = _inconsistency(candidate, metadata, project)
    if problem is None:
        stated = _with(candidate, candidate.hashes, candidate.size, python=metadata.requires_python)
        return FileReading(stated, holding)
    fault = Fault(subject=candidate.filename, problem=problem, loses_entry=False)
    same_project = metadata.name is None or normalise_project(metadata.name) == project
    # What lies here is what the metadata says, whatever it is called: a 1.2.3 that was renamed
    # to 1.2.4 is a broken artifact that is held.
    version = metadata.version if same_project else candidate.version
    return FileReading(
        None, replace(holding, version=version, how=f"{holding.how}; {problem}"), fault
    )


def _inconsistency(
    candidate: Candidate, metadata: DistributionMetadata, project: str
) -> str | None:
    if metadata.name is not None and normalise_project(metadata.name) != project:
        return f"its metadata names the project {metadata.name[:60]!r}: pip discards the file"
    named, stated = parse_version(candidate.version or ""), parse_version(metadata.version or "")
    if named is not None and stated is not None and named != stated:
        return f"its metadata says version {stated}: pip discards the file as inconsistent"
    return None


def disguised_holding(path: Path, incident: Incident, stop: threading.Event) -> Holding | None:
    """Recognise a broken artifact under another name, if the incident knows size and digest."""
    known = {f.sha256: f for f in incident.fingerprints if f.sha256 and f.size is not None}
    try:
        if path.stat().st_size not in {f.size for f in known.values()}:
            return None
        digest = digest_file(path, stop)
    except (OSError, NotReadable):
        return None
    fingerprint = known.get(digest.sha256 or "")
    if fingerprint is None:
        return None
    holding = digest_holding(path, fingerprint.version, digest)
    return replace(holding, how=f"{holding.how}; its content is that of a broken artifact")


def digest_holding(path: Path, version: str | None, digest: ContentDigest) -> Holding:
    """Say that a file is held, as its content proves."""
    how = "read from disk and hashed" if digest.sha256 else "on disk; too large to be hashed here"
    return Holding(
        filename=path.name,
        version=version,
        sha256=digest.sha256,
        size=digest.size,
        state=HeldState.HELD,
        how=how,
    )


def witness(
    holdings: Iterable[Holding], directory: Path, incident: Incident, recorder: EvidenceRecorder
) -> tuple[Holding, ...]:
    """Add evidence to the holdings that matter: those of broken and of fixed releases."""
    return tuple(_witnessed(holding, directory, incident, recorder) for holding in holdings)


def _witnessed(
    holding: Holding, directory: Path, incident: Incident, recorder: EvidenceRecorder
) -> Holding:
    matters = incident.is_broken(holding.version) or incident.is_named_fixed(holding.version)
    if not (matters or holding.sha256 in incident.broken_sha256):
        return holding
    path = directory / holding.filename
    evidence = recorder.of_disk(
        path,
        {"state": holding.state.value, "size": str(holding.size), "how": holding.how},
        digest=f"sha256:{holding.sha256}" if holding.sha256 else None,
        reproduce=shlex.join(["sha256sum", "--", str(path)]),
    )
    return replace(holding, evidence=(*holding.evidence, evidence))


def hosting_on_disk(candidates: Sequence[Candidate]) -> FileHosting:
    """Say whether the files on offer are on this disk, or linked from elsewhere."""
    here = {(candidate.url or "").startswith("file:") for candidate in candidates}
    if not here:
        return FileHosting.UNKNOWN
    if here == {True}:
        return FileHosting.HERE
    return FileHosting.MIXED if True in here else FileHosting.ELSEWHERE


def _unknown(path: Path, version: str | None, cause: str) -> Holding:
    return Holding(
        filename=path.name, version=version, state=HeldState.UNKNOWN, how=f"unreadable: {cause}"
    )


def _with(
    candidate: Candidate, hashes: dict[str, str], size: int | None, *, python: str | None = None
) -> Candidate:
    return Candidate(
        filename=candidate.filename,
        version=candidate.version,
        url=candidate.url,
        hashes=hashes,
        yanked=candidate.yanked,
        requires_python=python,
        size=size,
    )


def _cause(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is a link that leads nowhere"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
