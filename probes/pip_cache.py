"""Kind `pip-cache`: the cache directory of one user's pip, or of many users by a pattern."""

from __future__ import annotations

import threading
from collections.abc import Set
from functools import partial
from pathlib import Path

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.model import Incident, Observation, RemedyTemplate, Role, Status, Touch
from probes.client_caches.home import CacheReading, Client, is_link
from probes.client_caches.observing import MAX_PAGES, observe_caches
from probes.client_caches.stored import tell_stored
from probes.http_stores.built_wheels import holding_of, read_built_wheels
from probes.http_stores.pages import ReadPage, read_pages
from probes.http_stores.scan import StoreScan

__all__ = ["KIND"]

# `http-v2` from pip 23.3 on; `http` before, and nothing removes it when pip is upgraded.
_NEW, _OLD, _WHEELS = "http-v2", "http", "wheels"
_LAYOUT = frozenset({_NEW, _OLD, _WHEELS, "selfcheck"})


async def observe(assignment: Assignment) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    return await observe_caches(assignment, _CLIENT)


def _read(path: Path, names: Set[str], incident: Incident, stop: threading.Event) -> CacheReading:
    reading = CacheReading()
    scan = StoreScan(str(path), incident, stop)
    pages: list[ReadPage] = []
    for store in (_NEW, _OLD):
        if store in names and not is_link(path, store, reading):
            found = scan.read(store)
            # Only pip from 26.2 on trusts pages, and it reads `http-v2` alone.
            trusting = store == _NEW
            pages += read_pages(found.pages[:MAX_PAGES], incident.project, trusting=trusting)
            reading.add([found])
    tell_stored(reading, path, pages, incident)
    if _WHEELS in names and not is_link(path, _WHEELS, reading):
        built = read_built_wheels(str(path), incident, reading, stop)
        for wheel in sorted(built, key=lambda wheel: wheel.place):
            reading.holdings.append(partial(holding_of, wheel, path))
    return reading


_CLIENT = Client(
    name="pip",
    layout=", ".join(sorted(_LAYOUT)),
    knows=_LAYOUT.__contains__,
    directory="pip",
    tells="pip cache dir",
    read=_read,
)


def recognises(met: Met) -> bool:
    """A directory with one of pip's stores, and with what pip alone puts beside them."""
    if met.names is None:
        return False
    stores = {"http", "http-v2"} & met.names
    return bool(stores) and bool({"selfcheck", "wheels"} & met.names or met.path.name == "pip")


KIND = ProbeKind(
    name="pip-cache",
    summary="pip's cache directory: downloads, index pages and locally built wheels",
    role=Role.STORE,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="what `pip cache dir` prints; /home/*/.cache/pip for that of everybody",
        ),
    ),
    observe=observe,
    recognises=recognises,
    syncs=False,
    touches=(
        TouchNote(
            request="read of the cache's files",
            touch=Touch.INERT,
            proof="opened for reading only, without changing access times where that is allowed; "
            "tests compare content and times of every file before and after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="python -m pip cache purge --cache-dir {path}",
            effect="removes the broken bytes, every stored page and every built wheel",
            caution="also removes what was downloaded of all other projects; "
            "`pip cache remove` does not help: it knows only the wheels that were built here, "
            "says that nothing matches, and leaves the downloaded files",
            statuses=(Status.LATENT, Status.EXPOSED, Status.TAMPERED),
        ),
        RemedyTemplate(
            command=(
                "python -m pip install --cache-dir {path} --refresh-package {project} "
                "--upgrade {project}"
            ),
            effect="makes pip ask the index again, and store the new page for everybody after",
            caution="for pip from 26.2 on; the broken bytes stay in the cache, and a pin or a "
            "direct URL still gets them",
            statuses=(Status.EXPOSED,),
        ),
    ),
    verified="pip 23.2.1, 26.1 and 26.3",
)
