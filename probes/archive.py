"""Kind `archive`: caches that CI providers keep as tar or zip, and any archive of files."""

from __future__ import annotations

import fnmatch
import shlex
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.model import (
    HeldState,
    Holding,
    Incident,
    Integrity,
    Observation,
    Outcome,
    Pin,
    PinState,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.http_stores.homes import find_homes
from probes.kit.answer import shown
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, list_directory, local_path
from probes.kit.evidence import EvidenceRecorder

__all__ = ["KIND"]

if TYPE_CHECKING:
    from probes.archives.found import Found
    from probes.archives.walking import ArchiveReading

_MAX_UNREAD = 20


async def observe(assignment: Assignment) -> Observation:
    """Stream through the archive, or through each one that the path names."""
    started_at, path = assignment.now(), assignment.location.path
    if path is None:
        detail = "path is not given; name an archive, or several with * and ?"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    incident = assignment.incident
    read = await in_thread(lambda stop: _read_all(local_path(path), incident, stop))
    recorder = EvidenceRecorder()
    holdings, pins = _told(read, recorder)
    unread = [text for reading in read for text in reading.unread]
    outcome, detail = _outcome(read, path)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        holdings=holdings,
        holdings_complete=not unread if outcome is Outcome.OBSERVED else None,
        pins=pins,
        evidence=recorder.all(),
        notes=unread[:_MAX_UNREAD],
    )


def _read_all(path: Path, incident: Incident, stop: threading.Event) -> list[ArchiveReading]:
    from probes.archives.walking import ArchiveReading, read_archive_file

    directories = find_homes(path.parent)
    read = [
        read_archive_file(found, incident, stop)
        for directory in directories.found
        for found in _named(directory, path.name)
    ]
    read += [
        ArchiveReading(Path(place), unread=[f"{place} may not be read"], denied=True)
        for place in directories.unreadable
    ]
    return read


def _named(directory: Path, pattern: str) -> list[Path]:
    """The files in a directory that a pattern names; a name that exists to the letter is itself."""
    if not set(pattern) & set("*?[") or (directory / pattern).exists():
        return [directory / pattern]
    try:
        names = list_directory(directory).names
    except OSError:
        return []
    return [directory / n for n in fnmatch.filter(names, pattern) if (directory / n).is_file()]


def _told(
    read: Sequence[ArchiveReading], recorder: EvidenceRecorder
) -> tuple[list[Holding], list[Pin]]:
    from probes.archives.found import FoundKind

    holdings: list[Holding] = []
    pins: list[Pin] = []
    for reading in read:
        for found in reading.found:
            evidence = _evidence(reading.path, found, recorder)
            place = f"{reading.path}: {shown(found.path, 300)}"
            holdings.append(
                Holding(
                    filename=shown(found.filename, 300),
                    version=found.version,
                    sha256=found.sha256,
                    size=found.size,
                    intact=found.intact,
                    state=HeldState.HELD,
                    how=f"{found.how} ({place})",
                    evidence=(evidence,),
                )
            )
            if found.kind is FoundKind.INSTALLED:
                pins.append(
                    Pin(
                        where=place,
                        state=PinState.INSTALLED,
                        version=found.version,
                        integrity=Integrity.STATED,
                        how=found.how,
                        evidence=(evidence,),
                    )
                )
    return holdings, pins


def _evidence(path: Path, found: Found, recorder: EvidenceRecorder) -> str:
    facts = {"member": shown(found.path, 300), "version": found.version or "not stated"}
    if found.size is not None:
        facts["size"] = str(found.size)
    digest = f"sha256:{found.sha256}" if found.sha256 else None
    name = path.name.lower()
    reproduce = ""
    if name.endswith(".zip"):
        reproduce = f"unzip -l {shlex.quote(str(path))}"
    elif ".tar" in name or name.endswith(".tgz"):
        unpack = "--use-compress-program='zstd --long=31' " if name.endswith("zst") else ""
        reproduce = f"tar {unpack}-tvf {shlex.quote(str(path))}"
    return recorder.of_disk(path, facts, digest=digest, excerpt=found.how, reproduce=reproduce)


def _outcome(read: Sequence[ArchiveReading], asked: str) -> tuple[Outcome, str]:
    if not read:
        # Not *absent*: a pattern that is mistyped matches nothing too.
        return Outcome.UNREACHABLE, f"{asked} matches nothing; check the pattern"
    if any(reading.members or not reading.unread for reading in read):
        return Outcome.OBSERVED, ""
    worst = read[0]
    if worst.denied:
        return Outcome.DENIED, worst.unread[0]
    outcome = Outcome.UNREACHABLE if worst.missing else Outcome.MALFORMED
    return outcome, worst.unread[0]


def recognises(met: Met) -> bool:
    """An archive by its name or its first bytes, which holds neither a release nor an image."""
    from probes.archives.nesting import is_archive_name, is_release_name
    from probes.archives.peeking import is_source_archive
    from probes.archives.unnamed import Opening, opening_of
    from probes.images.opening import is_saved_image

    name = met.path.name
    if met.names is not None:
        return False
    if not is_archive_name(name):
        return opening_of(met.path)[0] is Opening.ARCHIVE
    if is_saved_image(met.path):
        return False
    return not is_release_name(name) or is_source_archive(met.path) is False


def doubts(met: Met) -> str:
    """What begins as an archive and does not open as one could hold anything."""
    from probes.archives.nesting import is_archive_name
    from probes.archives.unnamed import opening_of

    if met.names is not None or is_archive_name(met.path.name):
        return ""
    return opening_of(met.path)[1]


KIND = ProbeKind(
    name="archive",
    summary="a CI cache or any other archive: tar (gz, zst, xz, bz2) or zip",
    role=Role.STORE,
    settings=(Setting(key="path", required=True, meaning="the archive; * and ? name several"),),
    observe=observe,
    syncs=False,
    recognises=recognises,
    doubts=doubts,
    touches=(
        TouchNote(
            request="read of the archive as a stream",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked, written or run",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="gh cache delete KEY",
            effect="for GitHub Actions: the next run fills the cache anew",
            caution="`gh cache list` names the keys; a cache of the default branch serves every "
            "other one, so delete it there as well",
            statuses=(Status.LATENT, Status.PINNED),
        ),
        RemedyTemplate(
            command="change the key of the cache in the CI configuration",
            effect="with any provider: no job restores the old one any more",
            caution="the bytes stay until the provider evicts them; restore-keys that match a "
            "prefix still find them",
            statuses=(Status.LATENT, Status.PINNED),
        ),
    ),
    verified="GNU tar 1.34, zstd 1.5, xz 5.4, pip 26.3 (its cache in the archive)",
    unverified=("its remedies, which only the provider of the cache can carry out",),
)
