"""Reads one cache of PDM to its end."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from auditor.errors import ProbeError
from auditor.model import HeldState, Holding, Incident
from probes.client_caches.home import CacheReading, is_link
from probes.client_caches.installed import unpacked_holding
from probes.client_caches.stored import tell_stored
from probes.client_caches.unpacked import Unpacked, find_unpacked
from probes.client_caches.walk import entries_of
from probes.http_stores.built_wheels import holding_of, read_built_wheels
from probes.http_stores.content import Unsearched
from probes.http_stores.entry import Entry, entry_path
from probes.http_stores.finding import StoredFile, StoredPage
from probes.http_stores.pages import ReadPage, read_pages
from probes.http_stores.recognise import Recogniser, Stored
from probes.kit.disk import NotReadable
from probes.kit.redaction import redact_url
from probes.pdm_store.answers import Answer, read_answers
from probes.pdm_store.database import copied
from probes.pdm_store.freshness import expires_at

__all__ = ["LAYOUT", "find_files", "read_cache"]

_HTTP, _PACKAGES, _WHEELS = "http", "packages", "wheels"
# Of these, only the first three hold bytes of releases.
LAYOUT = frozenset({_HTTP, _PACKAGES, _WHEELS, "metadata", "hashes"})
# With PDM's own defaults it keeps here when it last looked for a newer PDM (2.29: a directory).
_OTHERS = frozenset(
    {"publish", "python", "self-check", "self-check.json", ".gitignore", "CACHEDIR.TAG"}
)
_DATABASE = "http-cache.db"
_BESIDE = frozenset({f"{_DATABASE}{ending}" for ending in ("", "-wal", "-shm", "-journal")})
_SUFFIX = ".cache"


def read_cache(
    path: Path, names: Set[str], incident: Incident, stop: threading.Event
) -> CacheReading:
    """Read the database, the unpacked wheels and the wheels that were built here."""
    reading = CacheReading()
    here = {name for name in names & LAYOUT if not is_link(path, name, reading)}
    for name in sorted(names - LAYOUT - _OTHERS):
        # JSON is metadata of releases, and what begins with a dot no client looks at.
        if not name.startswith(".") and not name.endswith((".json", ".lock")):
            reading.note("files and directories that this version does not know", name, hides=True)
    if _HTTP in here:
        _read_http(path, incident, reading, stop)
    if _PACKAGES in here:
        _read_packages(path, incident, reading, stop)
    if _WHEELS in here:
        built = read_built_wheels(str(path), incident, reading, stop)
        for wheel in sorted(built, key=lambda wheel: wheel.place):
            reading.holdings.append(partial(holding_of, wheel, path))
    return reading


def _read_http(
    path: Path, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    items = entries_of(str(path), _HTTP, reading)
    for item in items:
        if item.name not in _BESIDE:
            what = "files of another layout, which the PDM of today removes when it starts"
            reading.note(what, f"{_HTTP}/{item.name}", hides=True)
    if _DATABASE not in {item.name for item in items}:
        return
    place = f"{_HTTP}/{_DATABASE}"
    # What was read before it broke off is told all the same.
    ids: dict[str, str] = {}
    pages: list[ReadPage] = []
    try:
        with copied(path / place, stop) as (connection, still):
            if not still:
                what = "databases that were written all the time; audit again when PDM is done"
                reading.note(what, place, hides=True)
            for answer in read_answers(connection):
                _read_answer(place, answer, incident, reading, pages, ids, stop)
    except FileNotFoundError:
        return  # PDM removed it meanwhile
    except (OSError, NotReadable, ProbeError) as error:
        reading.note(f"databases that cannot be read to their end ({error})", place, hides=True)
    tell_stored(reading, path, pages, incident, partial(_command, path / place, ids))


def _read_answer(
    place: str,
    answer: Answer,
    incident: Incident,
    reading: CacheReading,
    pages: list[ReadPage],
    ids: dict[str, str],
    stop: threading.Event,
) -> None:
    found = CacheReading()
    try:
        find_files(place, answer, incident, found, stop)
    except Unsearched:
        reading.note("archives too large to be searched to their end", answer.id, hides=True)
    ids |= {file.key: answer.id for file in found.files}
    pages += _pages(answer, found.pages, incident)
    found.metadata = {f"{place}, {redact_url(answer.url)}": v for v in found.metadata.values()}
    reading.add([found])


def find_files(
    place: str, answer: Answer, incident: Incident, found: CacheReading, stop: threading.Event
) -> None:
    """Write down what one answer is of the project, or of a broken artifact.

    Raises:
        Unsearched: it is an archive that is too large to be searched.
    """
    try:
        Recogniser(incident, stop).recognise(_stored(place, answer), found)
    finally:
        found.files[:] = [_told(file, answer) for file in found.files]


def _stored(place: str, answer: Answer) -> Stored:
    usable = answer.is_whole and bool(answer.url) and answer.status > 0
    entry = Entry(
        status=answer.status,
        headers=answer.headers,
        vary=_vary(answer),
        body_at=0,
        body_size=0,
    )
    return Stored(
        place=place,
        key=_key(answer),
        start=0,
        body=answer.body,
        entry=entry if usable else None,
        modified_s=answer.stored_s,
    )


def _key(answer: Answer) -> str:
    try:
        return entry_path(answer.url).rpartition("/")[2]
    except ValueError:
        return answer.id


def _vary(answer: Answer) -> dict[str, str | None]:
    names = (name.strip().lower() for name in answer.headers.get("vary", "").split(","))
    return {name: answer.request_headers.get(name) for name in names if name}


def _told(file: StoredFile, answer: Answer) -> StoredFile:
    """Say where it came from, and whether PDM still uses it."""
    how = f"{file.how}; stored as the answer to {redact_url(answer.url)}"
    name = answer.url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    filename = file.filename or name
    if answer.is_deleted and file.state is HeldState.HELD:
        how = f"{how}; PDM has marked it for removal and uses it no more"
        return replace(file, filename=filename, how=how, state=HeldState.SHADOWED)
    return replace(file, filename=filename, how=how)


def _pages(answer: Answer, found: Sequence[StoredPage], incident: Incident) -> Iterator[ReadPage]:
    if answer.is_deleted:
        return
    stored_at = datetime.fromtimestamp(answer.stored_s, UTC)
    for page in read_pages(found, incident.project, trusting=True):
        trusted = "*" not in page.stored.entry.vary
        until = expires_at(answer.headers, stored_at) if trusted else stored_at
        yield replace(page, trusted=trusted, until=until, url=redact_url(answer.url))


def _command(database: Path, ids: dict[str, str], file: StoredFile) -> str:
    # `immutable`, so that looking again leaves nothing beside the database either.
    place = f"{database.absolute().as_uri()}?immutable=1"
    chunks = f"entry_id = x'{ids.get(file.key, '')}' AND chunk_number >= 0 ORDER BY chunk_number"
    words = ["sqlite3", place, " ".join(("SELECT hex(chunk_data) FROM streams WHERE", chunks))]
    return f"{shlex.join(words)} | xxd -r -p | sha256sum"


def _read_packages(
    path: Path, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    """Find unpacked wheels: `packages/<wheel>.cache/`, which environments link to."""
    for item in entries_of(str(path), _PACKAGES, reading):
        place = f"{_PACKAGES}/{item.name}"
        if item.is_symlink():
            reading.note("symbolic links, which are not followed", place, hides=True)
        elif item.is_dir(follow_symlinks=False):
            for release in find_unpacked(str(path), place, incident.project, reading, stop):
                holding = _unpacked(release, item.name)
                write = partial(unpacked_holding, holding, path / release.place)
                reading.holdings.append(write)


def _unpacked(release: Unpacked, directory: str) -> Holding:
    state = "every file is as its RECORD says" if release.checked else "not compared with a RECORD"
    if release.fault:
        state = f"it differs from its RECORD: {release.fault}"
    named = directory.removesuffix(_SUFFIX)
    return Holding(
        filename=named if named.endswith(".whl") else release.filename,
        version=release.version,
        intact=release.intact,
        state=HeldState.HELD,
        how=f"{release.place}: unpacked by PDM, so that the bytes of the wheel itself are not "
        f"here; {state}",
    )
