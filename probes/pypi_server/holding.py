"""Whether a pypiserver holds the broken files: by its own word, and on its disk."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.model import Candidate, HeldState, Holding, Incident, Page
from auditor.model.filename import version_in
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import witness
from probes.kit.tree import read_tree
from probes.pypi_server.asking import OwnWord

__all__ = ["DiskReading", "broken_of", "not_here", "read_roots", "told_holdings", "unknown"]


@dataclass(frozen=True, slots=True)
class DiskReading:
    """What lies in a package directory.

    Attributes:
        holdings: of broken and fixed files.
        complete: whether all of it was searched.
        notes: what was not, and why.
    """

    holdings: tuple[Holding, ...] = ()
    complete: bool = False
    notes: tuple[str, ...] = field(default=())


def broken_of(incident: Incident, pages: Iterable[Page]) -> tuple[Candidate, ...]:
    """Return the broken files that the pages list or the incident names, each name once."""
    found: dict[str, Candidate] = {}
    for page in pages:
        for candidate in page.candidates:
            digest = candidate.hashes.get("sha256")
            if incident.is_broken(candidate.version) or digest in incident.broken_sha256:
                found.setdefault(candidate.filename, candidate)
    for known in incident.fingerprints:
        if known.filename and known.filename not in found:
            version = known.version or version_in(known.filename, incident.project)
            hashes = {"sha256": known.sha256} if known.sha256 else {}
            found[known.filename] = Candidate(
                filename=known.filename, version=version, hashes=hashes
            )
    return tuple(found.values())


def unknown(files: Iterable[Candidate], how: str) -> tuple[Holding, ...]:
    """Say of each file that it is not known whether it is here."""
    return tuple(_holding(file, HeldState.UNKNOWN, how) for file in files)


def not_here(files: Iterable[Candidate], how: str, word: OwnWord) -> tuple[Holding, ...]:
    """Say of each file that it is not here, by the server's own word."""
    return tuple(_holding(file, HeldState.NOT_HELD, how, word) for file in files)


def told_holdings(files: Iterable[Candidate], word: OwnWord) -> tuple[Holding, ...]:
    """Say of each broken file whether it is here, by the word of a recognised pypiserver.

    It walks its directories for every answer and computes the digest in a link from the file. So
    there is nothing that HEAD could add, which a cache that shows no sign of itself would turn
    into a GET and keep.
    """
    held = "pypiserver lists it among the files of its own directory"
    digest = f"{held}, and computes the digest in its link from the file"
    not_held = "pypiserver lists every local file, and not this one"
    return tuple(
        _holding(file, HeldState.HELD, digest if "sha256" in file.hashes else held, word)
        if file.filename in word.files
        else _holding(file, HeldState.NOT_HELD, not_held, word)
        for file in files
    )


def _holding(file: Candidate, state: HeldState, how: str, word: OwnWord | None = None) -> Holding:
    held = state is HeldState.HELD
    return Holding(
        filename=file.filename,
        version=file.version,
        sha256=file.hashes.get("sha256") if held else None,
        state=state,
        how=how,
        evidence=(word.evidence,) if word is not None and word.evidence else (),
    )


def read_roots(
    top: Path,
    incident: Incident,
    listed: frozenset[str] | None,
    stop: threading.Event,
    recorder: EvidenceRecorder,
) -> DiskReading:
    """Read a package directory, as pypiserver does: with all that lies below it.

    Args:
        top: one of its package directories.
        incident: the question.
        listed: names that the server lists; None if that is not known.
        stop: set when the probe is cancelled.
        recorder: keeps what was read.
    """
    if not top.is_dir():
        return DiskReading(notes=(f"on disk: {top} is no directory that can be read",))
    reading = read_tree(top, incident, stop)
    holdings: list[Holding] = []
    for file in reading.files:
        held = _shown(file.holding, file.relative, listed)
        holdings += witness([held], (top / file.relative).parent, incident, recorder)
    return DiskReading(
        tuple(holdings), reading.complete, tuple(f"on disk: {text}" for text in reading.problems)
    )


def _shown(holding: Holding, relative: Path, listed: frozenset[str] | None) -> Holding:
    """Mark what lies in the directory and is not served from it."""
    if holding.state is not HeldState.HELD:
        return holding
    # pypiserver passes over names that begin with a dot, directories included.
    hidden = any(part.startswith(".") for part in relative.parts)
    if not hidden and (listed is None or holding.filename in listed):
        return holding
    why = "a name with a dot in front" if hidden else "the server does not list it"
    return replace(holding, state=HeldState.SHADOWED, how=f"{holding.how}; {why}: {relative}")
