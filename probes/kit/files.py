"""Files of a project on disk: what each offers to an installer, and the proof that it is held."""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.errors import ProbeError
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
from probes.kit.sought import Sought

__all__ = [
    "FileReading",
    "Unsearched",
    "digest_holding",
    "disguised_holding",
    "held_version",
    "hosting_on_disk",
    "odd_version",
    "oddly_named_holding",
    "read_distribution",
    "witness",
]


class Unsearched(ProbeError):
    """A file that could be a broken artifact was not read to its end; the text says why."""


@dataclass(frozen=True, slots=True)
class FileReading:
    """What became of one file.

    Attributes:
        candidate: what an installer is offered; None: it discards the file.
        holding: the bytes; `unknown` where they could not be read. None: the file was not read.
        fault: what could not be read, or why it is no candidate; None if all is well.
    """

    candidate: Candidate | None = None
    holding: Holding | None = None
    fault: Fault | None = None


def read_distribution(path: Path, project: str, stop: threading.Event) -> FileReading:
    """Read a file that is called like a distribution of the project."""
    version = held_version(path.name, project)
    named = version_in(path.name, project)
    candidate = Candidate(filename=path.name, version=named, url=path.as_uri(), yanked=Yank.NO)
    try:
        digest = digest_file(path, stop)
    except (NotReadable, FileNotFoundError) as error:
        problem = f"{_cause(error)}; installers may choose it by its name, and then fail"
        unknown = _unknown(path, version, _cause(error))
        return FileReading(holding=unknown, fault=Fault(subject=path.name, problem=problem))
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
        intact = error.intact if isinstance(error, Unreadable) else None
        return FileReading(offered, replace(holding, intact=intact), fault)
    holding = replace(holding, intact=metadata.intact)
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
    problem = _inconsistency(holding.version, metadata, project)
    if problem is None:
        stated = _with(candidate, candidate.hashes, candidate.size, python=metadata.requires_python)
        return FileReading(stated, holding)
    fault = Fault(subject=candidate.filename, problem=problem, loses_entry=False)
    same_project = metadata.name is None or normalise_project(metadata.name) == project
    # What lies here is what the metadata says, whatever it is called: a 1.2.3 that was renamed
    # to 1.2.4 is a broken artifact that is held.
    version = metadata.version if same_project else holding.version
    return FileReading(
        None, replace(holding, version=version, how=f"{holding.how}; {problem}"), fault
    )


def _inconsistency(version: str | None, metadata: DistributionMetadata, project: str) -> str | None:
    if metadata.name is not None and normalise_project(metadata.name) != project:
        return f"its metadata names the project {metadata.name[:60]!r}: pip discards the file"
    named, stated = parse_version(version or ""), parse_version(metadata.version or "")
    if named is not None and stated is not None and named != stated:
        return f"its metadata says version {stated}: pip discards the file as inconsistent"
    return None


def held_version(filename: str, project: str) -> str | None:
    """Return the version in the name of a file that is held, also if pip ignores such a name.

    pip compares endings with case: `….WHL` is no wheel to it, and the bytes are there all the same.
    """
    return version_in(filename, project) or version_in(filename.lower(), project)


# Forms that installers once read or never did, and names with something odd in them.
_ODD_ENDINGS = (
    *(".whl", ".egg", ".exe", ".msi", ".rpm", ".deb", ".zip"),
    *(".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"),
)
_ODD_NAME = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*?)-"
    r"(?P<version>\d+(?:\.\d+)*(?:\.?(?:a|b|rc|post|dev)\d+)*)(?![a-z0-9])"
)


def odd_version(filename: str, project: str) -> str | None:
    """Return the version of a file of the project whose name no installer reads, such as an egg."""
    name = filename.lower()
    match = _ODD_NAME.match(name) if name.endswith(_ODD_ENDINGS) else None
    if match is None or normalise_project(match["name"]) != project:
        return None
    return match["version"]


def oddly_named_holding(path: Path, project: str, stop: threading.Event) -> Holding | None:
    """Recognise a file of the project whose name no installer reads."""
    version = odd_version(path.name, project)
    if version is None:
        return None
    try:
        holding = digest_holding(path, version, digest_file(path, stop))
    except (OSError, NotReadable) as error:
        return None if _leads_nowhere(error) else _unknown(path, version, _cause(error))
    return replace(holding, how=f"{holding.how}; no installer reads such a name")


def _leads_nowhere(error: Exception) -> bool:
    """Whether it is a link to nothing, or round in a circle: there are no bytes."""
    return isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ELOOP)


def disguised_holding(path: Path, sought: Sought, stop: threading.Event) -> Holding | None:
    """Recognise a broken artifact under another name by its content, if its digest is known.

    Raises:
        Unsearched: it could be one, and may not be read or is more than what is hashed.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or not sought.may_have(status.st_size):
            return None
        if not sought.spend(status.st_size):
            raise Unsearched(f"{path.name}: nothing more is hashed in search of broken files")
        digest = digest_file(path, stop)
    except (OSError, NotReadable) as error:
        if _leads_nowhere(error):
            return None
        raise Unsearched(f"{path.name}: {_cause(error)}") from error
    if digest.sha256 is None:
        raise Unsearched(f"{path.name}: too large to be hashed here")
    fingerprint = sought.by_sha256.get(digest.sha256)
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
    told = (_witnessed(holding, directory, incident, recorder) for holding in holdings)
    return tuple(replace(holding, filename=_as_text(holding.filename)) for holding in told)


def _as_text(filename: str) -> str:
    """Return a name that can be written down: on disk, names are bytes of no particular coding."""
    return filename if filename.isascii() else os.fsencode(filename).decode("utf-8", "replace")


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
        reproduce=_as_text(shlex.join(["sha256sum", "--", str(path)])),
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
