"""Descriptions of releases: ten digits that say when each expires, and a JSON object.

Poetry writes them with `9999999999`, which is never (poetry/utils/cache.py, 1.5 to 2.5.1), and asks
no index for the hashes of a release that it has described: a lock file that is made later has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from auditor.model import Candidate, Incident, normalise_project
from probes.client_caches.home import CacheReading
from probes.client_caches.walk import walk
from probes.http_stores.disk import Body, opened
from probes.kit.answer import shown
from probes.kit.disk import NotReadable

__all__ = ["read_releases"]

_MAX_BYTES = 32 * 2**20
_NAME = re.compile(r"[0-9a-f]{64}")
_NEVER_S = 9_999_999_999


class _File(msgspec.Struct):
    file: str = ""
    hash: str = ""
    url: str | None = None


class _Release(msgspec.Struct):
    name: str = ""
    version: str = ""
    files: list[_File] = []


_DECODER = msgspec.json.Decoder(_Release)


def read_releases(
    home: Path, source: str, stores: frozenset[str], incident: Incident, reading: CacheReading
) -> Iterator[Candidate]:
    """Yield every file of the project that a described release lists.

    Args:
        home: the cache.
        source: directory of one repository, relative to it.
        stores: names of directories in it that are stores of HTTP answers.
        incident: the question.
        reading: gets a remark for each broken release that is described.
    """
    for place, name in walk(str(home), source, reading, whole=stores):
        if not _NAME.fullmatch(name):
            continue
        read = _read(f"{home}/{place}")
        if read is None:
            # It holds no bytes of a release: at worst a lock file is made with old hashes.
            reading.note("descriptions of releases that cannot be read", place)
            continue
        until_s, release = read
        if normalise_project(release.name) != incident.project:
            continue
        if incident.is_broken(release.version):
            reading.remarks.append(_remark(place, release, until_s))
        yield from _candidates(release)


def _read(path: str) -> tuple[int, _Release] | None:
    try:
        with opened(path) as file:
            content = Body(file.descriptor, 0, min(file.size, _MAX_BYTES)).whole()
        return int(content[:10]), _DECODER.decode(content[10:])
    except FileNotFoundError:
        return 0, _Release()  # Poetry removed it meanwhile
    except (OSError, NotReadable, ValueError, RecursionError):
        return None


def _remark(place: str, release: _Release, until_s: int) -> str:
    until = "for ever" if until_s >= _NEVER_S else _said(until_s)
    return (
        f"{place}: describes {shown(release.name, 100)} {shown(release.version, 100)} {until}, "
        f"with the hashes of {len(release.files)} files that `poetry lock` writes down without "
        "asking; it holds no bytes of them"
    )


def _said(until_s: int) -> str:
    try:
        return f"until {datetime.fromtimestamp(until_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return "until a time that is none"


def _candidates(release: _Release) -> Iterator[Candidate]:
    for file in release.files:
        name, _, digest = file.hash.partition(":")
        yield Candidate(
            filename=file.file,
            version=release.version,
            url=file.url,
            hashes={name: digest.lower()} if digest else {},
        )
