"""Downloaded files: `artifacts/aa/bb/cc/<rest>/<file>`, the directory named after the link.

The name of the directory is the SHA-256 of a JSON object of the link's URL and hash, so that a link
that is known can be recognised (poetry/utils/cache.py, ArtifactCache). Wheels that Poetry built lie
beside the source archive, or alone if that came from git: their digests are their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.model import Candidate, HeldState, Incident
from auditor.model.filename import version_in
from probes.client_caches.home import CacheReading
from probes.client_caches.walk import walk
from probes.http_stores.content import Unsearched
from probes.http_stores.disk import Body, opened
from probes.http_stores.entry import Entry
from probes.http_stores.finding import StoredFile
from probes.http_stores.recognise import Recogniser, Stored
from probes.kit.disk import NotReadable

__all__ = ["STORE", "Links", "read_artifacts"]

STORE = "artifacts"
_SOURCES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".bz2")
# What a file is stored with that needs nothing beside it.
_WHOLE = Entry(status=200, headers={}, vary={}, body_at=0, body_size=0)
_EMPTY_READING = "it is no archive, or a damaged one, whatever its name says"


@dataclass(frozen=True, slots=True)
class Links:
    """Links to files of the project, as pages and descriptions of releases give them.

    Attributes:
        directories: where Poetry stores what a link leads to, and the link's URL.
        digests: every digest that a link states.
        broken: the directories of broken artifacts whose URL is known.
    """

    directories: Mapping[str, str]
    digests: frozenset[str]
    broken: frozenset[str]

    @classmethod
    def of(cls, candidates: Iterable[Candidate], incident: Incident) -> Links:
        """Gather them."""
        directories: dict[str, str] = {}
        broken: set[str] = set()
        digests = {p.sha256 for p in incident.fingerprints if p.sha256}
        for candidate in candidates:
            sha256 = candidate.hashes.get("sha256")
            digests |= {sha256} if sha256 else set()
            if candidate.url:
                directories[_directory(candidate.url, sha256)] = candidate.url
        for print_ in incident.fingerprints:
            if print_.url:
                named = {_directory(print_.url, sha256) for sha256 in {print_.sha256, None}}
                directories |= dict.fromkeys(named, print_.url)
                broken |= named
        return cls(directories, frozenset(digests), frozenset(broken))


def _directory(url: str, sha256: str | None) -> str:
    key = {"url": url.partition("#")[0], **({"sha256": sha256} if sha256 else {})}
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    name = hashlib.sha256(text.encode()).hexdigest()
    return "/".join((STORE, name[:2], name[2:4], name[4:6], name[6:]))


def read_artifacts(
    home: Path, links: Links, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    """Recognise every file, by its content first, by its name or place where that says nothing."""
    recogniser = Recogniser(incident, stop)
    for place, name in walk(str(home), STORE, reading):
        if stop.is_set():
            reading.note("directories left out: the time was up", place, hides=True)
            return
        found = CacheReading()
        try:
            _recognise(home, place, recogniser, found)
        except FileNotFoundError:
            continue  # Poetry removed it meanwhile
        except Unsearched:
            reading.note("archives too large to be searched to their end", place, hides=True)
        except (OSError, NotReadable):
            reading.note("files that may not be read", place, hides=True)
        files = [_told(file, home, name, links, incident) for file in found.files]
        found.files[:] = files or _by_name(home, place, name, links, incident)
        reading.add([found])


def _recognise(home: Path, place: str, recogniser: Recogniser, found: CacheReading) -> None:
    with opened(f"{home}/{place}") as file:
        body = Body(file.descriptor, 0, file.size)
        stored = Stored(
            place=place, key="", start=0, body=body, entry=_WHOLE, modified_s=file.modified_s
        )
        recogniser.recognise(stored, found)


def _told(file: StoredFile, home: Path, name: str, links: Links, incident: Incident) -> StoredFile:
    """Name a file as it is named here, and keep its digest from accusing anybody if it is ours."""
    how, sha256 = file.how, file.sha256
    if sha256 is not None and sha256 not in links.digests and not _is_download(file, home, links):
        how, sha256 = f"{how}; it may have been built here: its digest is its own", None
    named = version_in(name, incident.project)
    if named is not None and file.version is not None and named != file.version:
        how = f"{how}, as {file.version}, whatever its name says"
    return replace(file, filename=name if named else file.filename, sha256=sha256, how=how)


def _is_download(file: StoredFile, home: Path, links: Links) -> bool:
    """Say whether a link that is known leads to this file, and not to the source it is made of."""
    directory = file.place.rpartition("/")[0]
    if directory not in links.directories:
        return False
    url_name = links.directories[directory].partition("?")[0].rpartition("/")[2]
    return url_name == file.place.rpartition("/")[2] or not _has_source(f"{home}/{directory}")


def _has_source(directory: str) -> bool:
    try:
        with os.scandir(directory) as found:
            return any(item.name.endswith(_SOURCES) for item in found)
    except OSError:
        return True


def _by_name(
    home: Path, place: str, name: str, links: Links, incident: Incident
) -> list[StoredFile]:
    """Say what is known of a file whose content is that of nothing: half-written, empty, unread."""
    version = version_in(name, incident.project)
    if version is None and place.rpartition("/")[0] not in links.broken:
        return []
    try:
        size = os.lstat(home / place).st_size
    except OSError:
        return []
    file = StoredFile(
        place=place,
        key="",
        start=0,
        size=size,
        sha256=None,
        filename=name,
        version=version,
        state=HeldState.UNKNOWN,
        how=_EMPTY_READING,
        intact=False,
    )
    return [file]
