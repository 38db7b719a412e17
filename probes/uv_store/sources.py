"""Source archives that uv unpacked, and what it built from them.

sdists-v11/index/<hash>/<project>/<version>/revision.http     leads to a revision
sdists-v11/index/<hash>/<project>/<version>/<id>/src/         the source, unpacked
sdists-v11/index/<hash>/<project>/<version>/<id>/*.whl        wheels that were built from it
sdists-v11/index/<hash>/<project>/<version>/<id>/<stem>       link to such a wheel, unpacked
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from auditor.model import Fingerprint, HeldState, Holding, Incident, normalise_project
from auditor.model.filename import version_in
from probes.client_caches.home import CacheReading
from probes.client_caches.walk import walk
from probes.http_stores.disk import Body, opened
from probes.kit.core_metadata import read_core_metadata
from probes.kit.disk import NotReadable
from probes.kit.evidence import EvidenceRecorder
from probes.uv_store.archives import References, sought_by
from probes.uv_store.buckets import Bucket
from probes.uv_store.pointers import Pointer, read_pointer

__all__ = ["read_sources"]

_MAX_METADATA_BYTES = 8 * 2**20
_ARCHIVES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar")


@dataclass(frozen=True, slots=True)
class _Names:
    """What matters below one bucket: pointers, unpacked sources, built wheels, links."""

    pointers: Sequence[str]
    sources: Sequence[str]
    wheels: Sequence[str]
    links: Sequence[str]


def read_sources(
    home: Path, bucket: Bucket, references: References, incident: Incident, reading: CacheReading
) -> None:
    """Find unpacked sources of the project and wheels that were built; note what leads where."""
    names = _names(home, bucket, reading)
    for link in names.links:
        _refer(home, link, references)
    pointers = _by_source(home, names.pointers, reading)
    for place in names.sources:
        _read_source(home, place, pointers.get(place), incident, reading)
    for place in names.wheels:
        name = place.rpartition("/")[2]
        version = version_in(name, incident.project)
        if version is not None:
            reading.holdings.append(partial(_built, home, place, version))


def _names(home: Path, bucket: Bucket, reading: CacheReading) -> _Names:
    pointers: list[str] = []
    sources: list[str] = []
    wheels: list[str] = []
    links: list[str] = []
    # The sources themselves may have a hundred thousand files, and nothing in them is asked for.
    for place, name in walk(str(home), bucket.directory, reading, links=True, whole={"src"}):
        if name == "src":
            sources.append(place)
        elif name.startswith("revision."):
            pointers.append(place)
        elif name.endswith(".whl"):
            wheels.append(place)
        elif (home / place).is_symlink():
            links.append(place)
    return _Names(pointers, sources, wheels, links)


def _by_source(home: Path, places: Sequence[str], reading: CacheReading) -> Mapping[str, Pointer]:
    """Return the pointers by the place of the source that each leads to."""
    read = (read_pointer(str(home), place, reading) for place in places)
    found = (pointer for pointer in read if pointer is not None and pointer.target)
    return {f"{p.place.rpartition('/')[0]}/{p.target}/src": p for p in found}


def _refer(home: Path, link: str, references: References) -> None:
    try:
        target = os.readlink(home / link)  # noqa: PTH115  # a link's text may be no path at all
    except OSError:
        return  # removed meanwhile
    archive = target.rstrip("/").rpartition("/")[2]
    references.links[archive].append(link)
    references.built.add(archive)


def _read_source(
    home: Path, place: str, pointer: Pointer | None, incident: Incident, reading: CacheReading
) -> None:
    sought = sought_by([pointer], incident) if pointer else None
    name, version = _stated(home, f"{place}/PKG-INFO")
    ours = name == incident.project
    in_url = version_in(_filename(pointer), incident.project)
    if not (ours or in_url or sought):
        # Without PKG-INFO (a directory, an old archive) the path of an index names the project.
        version = _in_path(place, incident.project) if name is None else None
        if version is None:
            return
    holding = _source(pointer, place, incident, version if ours else in_url or version, sought)
    reading.holdings.append(partial(_written_down, holding, home / place))


def _filename(pointer: Pointer | None) -> str:
    return pointer.url.partition("?")[0].rpartition("/")[2] if pointer else ""


def _in_path(place: str, project: str) -> str | None:
    """Read the version in `…/<project>/<version>/<id>/src`."""
    parts = place.split("/")
    return parts[-3] if len(parts) > 4 and parts[-4] == project else None


def _stated(home: Path, place: str) -> tuple[str | None, str | None]:
    """Return the project and the version that PKG-INFO states."""
    try:
        with opened(f"{home}/{place}") as file:
            size = min(file.size, _MAX_METADATA_BYTES)
            stated = read_core_metadata(Body(file.descriptor, 0, size).whole())
    except (OSError, NotReadable):
        return None, None
    return (normalise_project(stated.name) if stated.name else None), stated.version


def _source(
    pointer: Pointer | None,
    place: str,
    incident: Incident,
    version: str | None,
    sought: tuple[Pointer, Fingerprint] | None,
) -> Holding:
    named = sought[1] if sought else Fingerprint()
    filename = _filename(pointer)
    if not filename.endswith(_ARCHIVES):
        filename = f"{incident.project}-{version or 'unknown'}.tar.gz"
    how = "nothing leads to it any more, so that uv does not use it"
    if pointer is not None:
        how = f"{pointer.place} leads to it"
    return Holding(
        filename=named.filename or filename,
        version=named.version or version,
        sha256=pointer.sha256 if pointer else None,
        state=HeldState.HELD if pointer else HeldState.SHADOWED,
        how=f"{place}: a source archive that uv unpacked; {how}",
    )


def _built(home: Path, place: str, version: str, where: str, recorder: EvidenceRecorder) -> Holding:
    """Say that a wheel built here is held. Its bytes are its own: they accuse nobody."""
    how = f"{place}: a wheel that uv built here from a source"
    holding = Holding(
        filename=place.rpartition("/")[2], version=version, state=HeldState.HELD, how=how
    )
    return _written_down(holding, home / place, where, recorder)


def _written_down(holding: Holding, path: Path, where: str, recorder: EvidenceRecorder) -> Holding:
    evidence = recorder.of_disk(
        path,
        {"state": holding.state.value, "how": holding.how},
        digest=f"sha256:{holding.sha256}" if holding.sha256 else None,
        reproduce=shlex.join(["ls", "-l", "--", str(path)]),
    )
    return replace(holding, how=f"{where}{holding.how}", evidence=(evidence,))
