"""Reads one cache of uv to its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from auditor.model import Incident
from auditor.model.filename import version_in
from probes.client_caches.home import CacheReading, is_link
from probes.client_caches.walk import walk
from probes.uv_store.archives import References, read_archives, read_environments
from probes.uv_store.buckets import BUCKETS, Bucket, find_buckets
from probes.uv_store.pages import read_pages
from probes.uv_store.pointers import read_pointer
from probes.uv_store.sources import read_sources

__all__ = ["read_cache"]


def read_cache(
    path: Path, names: Set[str], incident: Incident, stop: threading.Event
) -> CacheReading:
    """Read every bucket, those of unknown layout as far as they look like known ones."""
    reading = CacheReading()
    buckets = [b for b in find_buckets(names) if not is_link(path, b.directory, reading)]
    _note_unknown(buckets, reading)
    references = References()
    for bucket in _of(buckets, "wheels"):
        _read_pointers(path, bucket, references, incident, reading)
    for bucket in _of(buckets, "sdists"):
        read_sources(path, bucket, references, incident, reading)
    for bucket in _of(buckets, "archive"):
        read_archives(path, bucket, references, incident, reading, stop)
    for bucket in buckets:
        if bucket.holds_environments:
            read_environments(path, bucket, incident, reading, stop)
    for bucket in _of(buckets, "simple"):
        read_pages(path, bucket, incident, reading)
    return reading


def _of(buckets: Iterable[Bucket], kind: str) -> Iterable[Bucket]:
    return (bucket for bucket in buckets if bucket.kind == kind)


def _note_unknown(buckets: Sequence[Bucket], reading: CacheReading) -> None:
    for bucket in buckets:
        if bucket.is_known:
            continue
        if bucket.kind in BUCKETS:
            what = "buckets of a layout that this version does not know, read as if it did"
        else:
            what = "buckets of a sort that this version does not know"
        reading.note(what, bucket.directory, hides=True)


def _read_pointers(
    home: Path, bucket: Bucket, references: References, incident: Incident, reading: CacheReading
) -> None:
    """Take up what leads to the archives, and tell of metadata without its wheel (PEP 658)."""
    wheels: set[str] = set()
    metadata: dict[str, str] = {}
    for place, name in walk(str(home), bucket.directory, reading, links=True):
        stem, extension = os.path.splitext(name)  # noqa: PTH122  # of a name, which is no path
        if extension in (".http", ".rev"):
            pointer = read_pointer(str(home), place, reading)
            if pointer is not None:
                references.pointers[pointer.target].append(pointer)
                wheels.add(place.removesuffix(extension))
        elif extension == ".msgpack":
            version = _version(place, stem, incident.project)
            if version is not None:
                metadata[place] = version
        elif extension != ".lock":
            _take_link(home, place, references, reading)
    kept = {p: v for p, v in metadata.items() if p.removesuffix(".msgpack") not in wheels}
    reading.metadata |= kept


def _version(place: str, stem: str, project: str) -> str | None:
    """Read the version in `…/<project>/<version>-<tags>`."""
    parts = place.split("/")
    if len(parts) < 2 or parts[-2] != project:
        return None
    return version_in(f"{project.replace('-', '_')}-{stem}.whl", project)


def _take_link(home: Path, place: str, references: References, reading: CacheReading) -> None:
    """A symbolic link leads to an archive; where a system has none, a file holds its name."""
    try:
        target = os.readlink(home / place)  # noqa: PTH115  # a link's text may be no path at all
    except OSError:
        return  # removed meanwhile, or a file: its pointer says the same
    archive = target.rstrip("/").rpartition("/")[2]
    references.links[archive].append(place)
