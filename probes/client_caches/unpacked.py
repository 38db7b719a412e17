"""Releases that lie unpacked in a directory: found by their `.dist-info`, checked by their RECORD.

The bytes of the wheel itself are gone, and with them its digest; each file that is left can be
compared with what the wheel's RECORD says of it (the binary distribution format, PyPA).
"""

from __future__ import annotations

import base64
import csv
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.model import normalise_project
from auditor.model.filename import version_in
from probes.client_caches.home import CacheReading
from probes.client_caches.walk import entries_of
from probes.http_stores.disk import Body, opened
from probes.kit.core_metadata import read_core_metadata
from probes.kit.disk import NotReadable

__all__ = ["Unpacked", "find_unpacked", "site_packages"]

_MAX_TEXT_BYTES = 8 * 2**20
# The wheels with most members have some 20,000; a release is hashed within seconds up to here.
_MAX_MEMBERS = 100_000
_MAX_HASHED_BYTES = 2 * 2**30
_MAX_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """One release of the project that lies unpacked.

    Attributes:
        place: its `.dist-info`, relative to the cache.
        filename: of the wheel, as its WHEEL file restores it.
        version: as its METADATA says, else as the directory's name does.
        fault: what differs from its RECORD; "" if nothing does, or the RECORD states no digests.
        checked: whether every file was compared with a digest.
        intact: whether nothing of it is missing; None if that is not known.
    """

    place: str
    filename: str
    version: str
    fault: str
    checked: bool
    intact: bool | None


def find_unpacked(
    home: str, directory: str, project: str, reading: CacheReading, stop: threading.Event
) -> Iterator[Unpacked]:
    """Find what lies unpacked in one directory, such as an archive of uv or `site-packages`."""
    for item in entries_of(home, directory, reading):
        stem = item.name.removesuffix(".dist-info")
        if stem == item.name:
            continue
        named = version_in(f"{stem}-py3-none-any.whl", project)
        if named is None:
            continue
        if item.is_symlink():
            link = f"{directory}/{item.name}"
            reading.note("symbolic links, which are not followed", link, hides=True)
            continue
        yield _described(home, directory, item.name, named, project, reading, stop)


def site_packages(home: str, directory: str, reading: CacheReading) -> Iterator[str]:
    """Return where an environment keeps what is installed in it."""
    for top in entries_of(home, directory, reading):
        if top.name.lower() not in ("lib", "lib64") or top.is_symlink():
            continue
        for below in entries_of(home, f"{directory}/{top.name}", reading):
            place = f"{directory}/{top.name}/{below.name}"
            if below.name == "site-packages":
                yield place
            elif below.name.startswith(("python", "pypy")) and not below.is_symlink():
                yield f"{place}/site-packages"


def _described(
    home: str,
    directory: str,
    dist_info: str,
    named: str,
    project: str,
    reading: CacheReading,
    stop: threading.Event,
) -> Unpacked:
    place = f"{directory}/{dist_info}"
    stated = _stated_version(_text(home, f"{place}/METADATA"), project)
    stem = dist_info.removesuffix(".dist-info")
    tags = _tags(_text(home, f"{place}/WHEEL") or "")
    record = _text(home, f"{place}/RECORD")
    fault, checked = "its RECORD cannot be read", False
    if record is not None:
        fault, checked = _compare(home, directory, record, stop)
    missing = stated is None or "missing" in fault
    return Unpacked(
        place=place,
        filename=f"{stem}-{tags}.whl" if tags else f"{stem}.dist-info",
        version=stated or named,
        fault=fault if stated is not None or fault else "its METADATA cannot be read",
        checked=checked,
        intact=False if missing else (True if checked else None),
    )


def _text(home: str, place: str) -> str | None:
    try:
        with opened(f"{home}/{place}") as file:
            if file.size > _MAX_TEXT_BYTES:
                return None
            return Body(file.descriptor, 0, file.size).whole().decode("utf-8", "replace")
    except (OSError, NotReadable):
        return None


def _stated_version(metadata: str | None, project: str) -> str | None:
    stated = read_core_metadata((metadata or "").encode())
    name, version = stated.name, stated.version
    return version if name and version and normalise_project(name) == project else None


def _tags(wheel: str) -> str:
    """Restore the end of the wheel's file name: build number and tags."""
    fields = [line.partition(":") for line in wheel.splitlines()[:2000]]
    tags = [value.strip().split("-") for key, _, value in fields if key.strip() == "Tag"]
    builds = [value.strip() for key, _, value in fields if key.strip() == "Build"]
    triples = [tag for tag in tags if len(tag) == 3]
    if not triples:
        return ""
    # A compressed tag set (PEP 425) multiplies out to the Tag lines, in the order of the name.
    parts = [".".join(dict.fromkeys(tag[at] for tag in triples)) for at in range(3)]
    return "-".join((*builds[:1], *parts))


def _compare(home: str, directory: str, record: str, stop: threading.Event) -> tuple[str, bool]:
    """Compare every file with the RECORD; return what differs, and whether all were compared."""
    missing: list[str] = []
    altered: list[str] = []
    checked, left = True, _MAX_HASHED_BYTES
    for name, digest in _lines(record):
        if not _is_inside(name):
            continue
        path = f"{home}/{directory}/{name}"
        try:
            left -= os.lstat(path).st_size
            if not digest.startswith("sha256=") or left < 0 or stop.is_set():
                checked = checked and _needs_no_digest(name)
            elif _digest(path, stop) != digest:
                altered.append(name)
        except FileNotFoundError:
            missing.append(name)
        except (OSError, NotReadable):
            checked = False
    faults = [
        f"{what}: {', '.join(names[:_MAX_SHOWN])}{', …' if len(names) > _MAX_SHOWN else ''}"
        for what, names in (("missing", missing), ("altered", altered))
        if names
    ]
    return "; ".join(faults), checked and not faults


def _lines(record: str) -> Iterator[tuple[str, str]]:
    try:
        for number, row in enumerate(csv.reader(io.StringIO(record))):
            if number >= _MAX_MEMBERS:
                return
            if len(row) >= 2:
                yield row[0], row[1]
    except csv.Error:
        return


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\0" not in name


def _needs_no_digest(name: str) -> bool:
    return name.endswith((".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s"))


def _digest(path: str, stop: threading.Event) -> str:
    with opened(path) as file:
        sha256 = Body(file.descriptor, 0, file.size).sha256(stop)
    text = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
    return f"sha256={text}"
