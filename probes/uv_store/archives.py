"""Wheels that uv unpacked: `archive-v0/<id>`, and which pointers lead to each.

A wheel is known by the `.dist-info` in it, whatever the pointers say, and by the digest or URL in a
pointer, whatever the `.dist-info` says. uv can use it while a pointer leads to it; it lies here
without one, too.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from auditor.model import Fingerprint, HeldState, Holding, Incident
from probes.client_caches.home import CacheReading
from probes.client_caches.installed import read_environment, read_installed, unpacked_holding
from probes.client_caches.unpacked import Unpacked, find_unpacked
from probes.client_caches.walk import entries_of
from probes.uv_store.buckets import Bucket
from probes.uv_store.pointers import Pointer

__all__ = ["References", "read_archives", "read_environments", "sought_by"]


@dataclass(frozen=True, slots=True)
class References:
    """What leads to the archives.

    Attributes:
        pointers: by the id of the archive.
        links: places of symbolic links, by the id of the archive that they lead to.
        built: ids of archives that were built here, from a source.
    """

    pointers: dict[str, list[Pointer]] = field(default_factory=lambda: defaultdict(list))
    links: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    built: set[str] = field(default_factory=set)

    def lead_to(self, archive: str) -> bool:
        """Say whether anything leads to an archive."""
        return archive in self.pointers or archive in self.links


def sought_by(
    pointers: Iterable[Pointer], incident: Incident
) -> tuple[Pointer, Fingerprint] | None:
    """Return the pointer to a broken artifact, by its digest or URL, and what that identifies."""
    for pointer in pointers:
        for print_ in incident.fingerprints:
            by_digest = pointer.sha256 is not None and pointer.sha256 == print_.sha256
            if by_digest or (print_.url and print_.url.encode() in pointer.raw):
                return pointer, print_
    return None


def read_archives(
    home: Path,
    bucket: Bucket,
    references: References,
    incident: Incident,
    reading: CacheReading,
    stop: threading.Event,
) -> None:
    """Find every unpacked wheel of the project, and every broken artifact of another name."""
    for item in entries_of(str(home), bucket.directory, reading):
        place = f"{bucket.directory}/{item.name}"
        if stop.is_set():
            reading.note("directories left out: the time was up", place, hides=True)
            return
        if item.is_symlink():
            what = "symbolic links where uv makes none, which are not followed"
            reading.note(what, place, hides=True)
        elif item.is_dir(follow_symlinks=False):
            _read_archive(home, place, item.name, references, incident, reading, stop)


def _read_archive(
    home: Path,
    place: str,
    archive: str,
    references: References,
    incident: Incident,
    reading: CacheReading,
    stop: threading.Event,
) -> None:
    found = list(find_unpacked(str(home), place, incident.project, reading, stop))
    pointers = references.pointers.get(archive, [])
    sought = sought_by(pointers, incident)
    if sought is not None and not found:
        found = [_by_pointer(place, *sought)]
    for release in found:
        holding = _holding(release, archive, references, sought)
        reading.holdings.append(partial(unpacked_holding, holding, home / release.place))
    # uv also keeps whole environments here, for `uvx` and scripts.
    read_environment(home, place, incident, reading, stop)


def _by_pointer(place: str, pointer: Pointer, print_: Fingerprint) -> Unpacked:
    return Unpacked(
        place=place,
        filename=print_.filename or pointer.filename,
        version=print_.version or "",
        fault="",
        checked=False,
        intact=None,
    )


def _holding(
    release: Unpacked,
    archive: str,
    references: References,
    sought: tuple[Pointer, Fingerprint] | None,
) -> Holding:
    pointers = references.pointers.get(archive, [])
    pointer = sought[0] if sought else next(iter(pointers), None)
    built = archive in references.built
    sha256 = pointer.sha256 if pointer and not built and not release.fault else None
    filename = (pointer.filename if pointer else "") or release.filename
    return Holding(
        filename=filename,
        version=release.version or None,
        # Content that was altered or lost since is no longer what that digest is of.
        sha256=sha256,
        intact=release.intact,
        state=HeldState.HELD if references.lead_to(archive) else HeldState.SHADOWED,
        how=_how(release, pointer, references.links.get(archive, []), sha256, built=built),
    )


def _how(
    release: Unpacked,
    pointer: Pointer | None,
    links: Sequence[str],
    sha256: str | None,
    *,
    built: bool,
) -> str:
    parts = [f"{release.place}: unpacked by uv, so that the bytes of the wheel itself are not here"]
    if built:
        parts.append("it was built here from a source archive")
    if sha256:
        parts.append("uv computed its digest while it unpacked it")
    if release.checked:
        parts.append("every file is as its RECORD says")
    if release.fault:
        parts.append(f"it differs from its RECORD: {release.fault}")
    if pointer is not None:
        parts.append(f"{pointer.place} leads to it")
    elif links:
        parts.append(f"{links[0]} leads to it")
    else:
        parts.append("nothing leads to it any more, so that uv does not use it")
    return "; ".join(parts)


def read_environments(
    home: Path, bucket: Bucket, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    """Find the project in environments that uv keeps: of tools, of scripts, of builds."""
    read_installed(home, bucket.directory, incident, reading, stop)
