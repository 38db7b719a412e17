"""What lies in proxpi's cache directory: `HOST/PATH OF THE URL/FILENAME`, and nothing else tells.

proxpi never removes a file because its upstream did: it only stops to serve it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from auditor.model import Candidate, HeldState, Holding, Incident, Page, PageOutcome
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import witness
from probes.kit.origins import is_artifact_url
from probes.kit.tree import read_tree

__all__ = ["DiskReading", "read_cache"]

# `_hostname_normalise_pattern` in `_cache.py` of 1.3.1.
_NOT_IN_HOST = re.compile(r"[^a-z0-9]+")
_HOST = re.compile(r"localhost|[a-z0-9]+(?:-[a-z0-9]+)+")
_MAX_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True)
class DiskReading:
    """What the cache directory holds.

    Attributes:
        holdings: of broken and fixed files.
        complete: whether all of it was searched.
        notes: what was not, and why.
        differing: files whose copies all have another digest than every page states.
    """

    holdings: tuple[Holding, ...] = ()
    complete: bool = False
    notes: tuple[str, ...] = ()
    differing: tuple[Holding, ...] = field(default=())


def read_cache(
    top: Path,
    incident: Incident,
    pages: Iterable[Page],
    stop: threading.Event,
    recorder: EvidenceRecorder,
) -> DiskReading:
    """Search the cache directory for the files of the incident.

    Args:
        top: what PROXPI_CACHE_DIR names.
        incident: the question.
        pages: what the server lists, of which it serves files.
        stop: set when the probe is cancelled.
        recorder: keeps what was read.
    """
    if not top.is_dir():
        return DiskReading(notes=(f"on disk: {top} is no directory that can be read",))
    read = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
    listed = _digests(c for page in read for c in page.candidates)
    reading = read_tree(top, incident, stop)
    if not reading.files and not _has_host(top, incident, stop):
        reading.miss(
            f"no file to install is below a directory of {top} that is named after a host, such as "
            "files-example-org/: is it what PROXPI_CACHE_DIR names?"
        )
    holdings: list[Holding] = []
    for file in reading.files:
        held = _shown(file.holding, listed if read else None)
        holdings += witness([held], (top / file.relative).parent, incident, recorder)
    return DiskReading(
        tuple(holdings),
        reading.complete,
        tuple(f"on disk: {text}" for text in reading.problems),
        _differing(holdings, listed),
    )


def _has_host(top: Path, incident: Incident, stop: threading.Event) -> bool:
    """Whether anything lies here as proxpi puts it: an empty or unrelated directory proves nothing.

    A host of one word could be any directory's name, unless the source is known to have that host.
    """
    entries_left = _MAX_LOOKED_AT
    urls = (urlsplit(f.url) for f in incident.fingerprints if f.url)
    known = {_NOT_IN_HOST.sub("-", url.hostname or "") for url in urls}
    for host in sorted(top.iterdir()):
        is_host = host.name in known or _HOST.fullmatch(host.name)
        if not is_host or host.is_symlink() or not host.is_dir():
            continue
        for _, _, names in os.walk(host):
            entries_left -= 1 + len(names)
            if any(map(is_artifact_url, names)):
                return True
            if entries_left < 0 or stop.is_set():
                return False
    return False


def _digests(candidates: Iterable[Candidate]) -> dict[str, set[str]]:
    """Return the SHA-256 that the pages state for each listed name."""
    found: dict[str, set[str]] = {}
    for candidate in candidates:
        stated = candidate.hashes.get("sha256")
        found.setdefault(candidate.filename, set()).update([stated] if stated else [])
    return found


def _shown(holding: Holding, listed: dict[str, set[str]] | None) -> Holding:
    """Mark a file that proxpi keeps and does not list: it answers 404 for it."""
    if holding.state is not HeldState.HELD or listed is None or holding.filename in listed:
        return holding
    why = "no page lists it, so that proxpi answers 404 for it and keeps it"
    return replace(holding, state=HeldState.SHADOWED, how=f"{holding.how}; {why}")


def _differing(holdings: Iterable[Holding], listed: dict[str, set[str]]) -> tuple[Holding, ...]:
    kept: dict[str, list[Holding]] = {}
    for holding in holdings:
        if holding.state is HeldState.HELD and holding.sha256:
            kept.setdefault(holding.filename, []).append(holding)
    return tuple(
        copies[0]
        for filename, copies in kept.items()
        if listed.get(filename) and not {c.sha256 for c in copies} & listed[filename]
    )
