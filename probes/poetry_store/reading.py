"""Reads one cache of Poetry to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path

from auditor.model import Candidate, Incident, View
from probes.client_caches.home import CacheReading, is_link
from probes.client_caches.installed import read_installed
from probes.client_caches.observing import MAX_PAGES
from probes.client_caches.stored import tell_stored
from probes.client_caches.walk import entries_of
from probes.http_stores.pages import ReadPage, read_pages
from probes.http_stores.scan import StoreScan
from probes.poetry_store.artifacts import STORE, Links, read_artifacts
from probes.poetry_store.releases import read_releases

__all__ = ["LAYOUT", "read_cache"]

_CACHE, _REPOSITORIES, _ENVIRONMENTS = "cache", "cache/repositories", "virtualenvs"
LAYOUT = frozenset({_CACHE, STORE, _ENVIRONMENTS})
# `_http_` from Poetry 2.4 on, `_http` before.
_STORES = frozenset({"_http_", "_http"})
# Nothing of a release is in these: interpreters that Poetry installed, what `poetry self` adds to.
_OTHERS = frozenset({"python", ".gitignore", "CACHEDIR.TAG"})


def read_cache(
    path: Path, names: Set[str], incident: Incident, stop: threading.Event
) -> CacheReading:
    """Read what Poetry keeps in its stores, as artifacts and as environments."""
    reading = CacheReading()
    here = {name for name in names & LAYOUT if not is_link(path, name, reading)}
    for name in sorted(names - LAYOUT - _OTHERS):
        if not name.startswith("."):  # such as what a file manager leaves
            reading.note("directories that this version does not know", name, hides=True)
    pages: list[ReadPage] = []
    candidates: list[Candidate] = []
    if _CACHE in here:
        for source in _sources(path, reading):
            pages += _read_stores(path, source, incident, reading, stop)
            candidates += read_releases(path, source, _STORES, incident, reading)
    candidates += _listed(pages)
    if STORE in here:
        links = Links.of(candidates, incident)
        read_artifacts(path, links, incident, reading, stop)
    tell_stored(reading, path, pages, incident)
    if _ENVIRONMENTS in here:
        read_installed(path, _ENVIRONMENTS, incident, reading, stop)
    return reading


def _sources(path: Path, reading: CacheReading) -> Iterator[str]:
    for item in entries_of(str(path), _CACHE, reading):
        if item.name != "repositories" or item.is_symlink():
            place = f"{_CACHE}/{item.name}"
            reading.note("directories that this version does not know", place, hides=True)
    for item in entries_of(str(path), _REPOSITORIES, reading):
        place = f"{_REPOSITORIES}/{item.name}"
        if item.is_dir(follow_symlinks=False):
            yield place
        elif item.is_symlink():
            reading.note("symbolic links, which are not followed", place, hides=True)


def _read_stores(
    path: Path, source: str, incident: Incident, reading: CacheReading, stop: threading.Event
) -> Sequence[ReadPage]:
    pages: list[ReadPage] = []
    scan = StoreScan(str(path), incident, stop)
    for item in entries_of(str(path), source, reading):
        if item.name not in _STORES:
            continue
        if is_link(path, f"{source}/{item.name}", reading):
            continue
        found = scan.read(f"{source}/{item.name}")
        read = read_pages(found.pages[:MAX_PAGES], incident.project, trusting=True)
        pages += map(_as_poetry_sees_it, read)
        reading.add([found])
    return pages


def _as_poetry_sees_it(page: ReadPage) -> ReadPage:
    """Poetry asks with headers of its own, and what it stored fits what it asks for.

    Which encodings it names depends on what is installed beside it, so that they are not compared.
    """
    return replace(page, view=View.POETRY, trusted="*" not in page.stored.entry.vary)


def _listed(pages: Sequence[ReadPage]) -> Iterator[Candidate]:
    for page in pages:
        if page.parsed is not None:
            yield from (c for c in page.parsed.candidates if c.version is not None)
