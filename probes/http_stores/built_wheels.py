"""Wheels that pip built here from source archives: `wheels/aa/bb/cc/<…>/NAME-VERSION-….whl`.

`origin.json` beside a wheel (PEP 610, from pip 23.1 on) says what it was built from.
"""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from auditor.model import HeldState, Holding, Incident
from auditor.model.filename import version_in
from probes.http_stores.disk import Body, opened
from probes.http_stores.finding import StoreReading
from probes.kit.answer import shown
from probes.kit.disk import NotReadable
from probes.kit.evidence import EvidenceRecorder
from probes.kit.redaction import redact_url

__all__ = ["BuiltWheel", "holding_of", "read_built_wheels"]

STORE = "wheels"
_MAX_ORIGIN_BYTES = 2**20
_MAX_DEPTH = 8


class _ArchiveInfo(msgspec.Struct):
    hashes: dict[str, str] = {}


class _Origin(msgspec.Struct):
    url: str = ""
    archive_info: _ArchiveInfo = msgspec.field(default_factory=_ArchiveInfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltWheel:
    """A wheel of the project, or one that was built from a broken source archive.

    Attributes:
        place: relative to the cache.
        filename: of the wheel.
        version: by its name, else that of the archive; None if neither tells.
        origin_url: what it was built from; "" if not known.
        origin_sha256: of that archive; None if not known.
        sha256: of the wheel; None if it may not be read.
    """

    place: str
    filename: str
    version: str | None
    origin_url: str
    origin_sha256: str | None
    sha256: str | None


def read_built_wheels(
    home: str, incident: Incident, reading: StoreReading, stop: threading.Event
) -> list[BuiltWheel]:
    """Find the wheels that matter; what cannot be read goes to the notes of `reading`."""
    found: list[BuiltWheel] = []
    for place, names in _directories(home, reading, stop):
        wheels = [name for name in names if name.endswith(".whl")]
        if wheels:
            origin = _origin(home, place, names, reading)
            found += _that_matter(home, place, wheels, origin, incident, reading, stop)
    return found


def _directories(
    home: str, reading: StoreReading, stop: threading.Event
) -> Iterator[tuple[str, list[str]]]:
    pending = [(STORE, 0)]
    while pending and not stop.is_set():
        place, depth = pending.pop()
        names: list[str] = []
        try:
            with os.scandir(f"{home}/{place}") as items:
                for item in items:
                    if item.is_dir(follow_symlinks=False) and depth < _MAX_DEPTH:
                        pending.append((f"{place}/{item.name}", depth + 1))
                    elif item.is_symlink():
                        link = f"{place}/{item.name}"
                        reading.note("symbolic links, which are not followed", link, hides=True)
                    elif item.is_file(follow_symlinks=False):
                        names.append(item.name)
        except FileNotFoundError:
            continue  # a client removed it meanwhile
        except OSError:
            reading.note("directories that may not be listed", place, hides=True)
            continue
        yield place, sorted(names)


def _origin(home: str, place: str, names: list[str], reading: StoreReading) -> _Origin:
    if "origin.json" not in names:
        return _Origin()
    path = f"{place}/origin.json"
    try:
        with opened(f"{home}/{path}") as file:
            return msgspec.json.decode(
                os.pread(file.descriptor, min(file.size, _MAX_ORIGIN_BYTES), 0), type=_Origin
            )
    except FileNotFoundError:
        return _Origin()
    except (OSError, NotReadable):
        reading.note("files that may not be read", path, hides=True)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # The wheel is still known by its name; one of another name could have come from anything.
        reading.note("origins of built wheels that cannot be read", path)
    return _Origin()


def _that_matter(
    home: str,
    place: str,
    wheels: list[str],
    origin: _Origin,
    incident: Incident,
    reading: StoreReading,
    stop: threading.Event,
) -> Iterator[BuiltWheel]:
    digests: Mapping[str, str] = origin.archive_info.hashes
    source = digests.get("sha256", "").lower() or None
    broken = {f.sha256: f.version for f in incident.fingerprints if f.sha256}
    for name in wheels:
        version = version_in(name, incident.project)
        if version is None and source not in broken:
            continue
        yield BuiltWheel(
            place=f"{place}/{name}",
            filename=name,
            version=broken.get(source or "") or version,
            origin_url=redact_url(shown(origin.url, 2000)),
            origin_sha256=source if source and len(source) == 64 else None,
            sha256=_digest(home, f"{place}/{name}", reading, stop),
        )


def _digest(home: str, place: str, reading: StoreReading, stop: threading.Event) -> str | None:
    try:
        with opened(f"{home}/{place}") as file:
            return Body(file.descriptor, 0, file.size).sha256(stop)
    except (OSError, NotReadable):
        reading.note("built wheels that may not be read", place)
        return None


def holding_of(wheel: BuiltWheel, home: Path, where: str, recorder: EvidenceRecorder) -> Holding:
    """Say that a wheel built here is held.

    Its own digest and size are told as evidence only: it has the file name of the release's wheel
    and, rightly, other bytes. In `sha256` they would accuse it of being tampered with.
    """
    source = wheel.origin_url or "an unknown source"
    if wheel.origin_sha256:
        source += f" (sha256:{wheel.origin_sha256})"
    how = f"{where}{wheel.place}: a wheel built here from {source}"
    path = home / wheel.place
    evidence = recorder.of_disk(
        path,
        {"built-from": source, "kind": "locally built wheel: its digest is its own"},
        digest=f"sha256:{wheel.sha256}" if wheel.sha256 else None,
        reproduce=shlex.join(["cat", "--", str(path.parent / "origin.json")]),
    )
    return Holding(
        filename=wheel.filename,
        version=wheel.version,
        state=HeldState.HELD,
        how=how,
        evidence=(evidence,),
    )
