"""Pipfile.lock: JSON, one object per group of packages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from auditor.model import Pin, PinnedFile, PinState
from probes.kit.redaction import redact_url
from probes.locks.entries import (
    Damaged,
    LockReading,
    digests,
    file_of_url,
    is_file,
    is_named,
    lines_naming,
    text_of,
)

__all__ = ["read_pipfile_lock"]

# Of a file, or of a repository in any of the systems that pip knows: no release of an index.
_ADDRESSES = ("file", "path", "git", "hg", "svn", "bzr")
_KEY_LINE = r'^\s*"([^"]+)"\s*:\s*\{'


def read_pipfile_lock(text: str, project: str, where: str) -> LockReading:
    """Read Pipfile.lock (pipenv 2026). Its digests belong to no file by name."""
    try:
        document = json.loads(text)
        if "\\u" in text:  # half a surrogate pair could not be written down: that is refused
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where}: no JSON: {error}") from error
    if not isinstance(document, dict) or "_meta" not in document or len(document) < 2:
        raise Damaged(f"{where}: no Pipfile.lock: it has no `_meta`, or no packages beside it")
    lines = lines_naming(text, project, _KEY_LINE)
    found = list(_entries(document, project))
    numbers = lines if len(lines) == len(found) else [0] * len(found)
    pins: list[Pin] = []
    notes: list[str] = []
    for number, (group, entry) in zip(numbers, found, strict=True):
        place = f"{where}:{number}" if number else where
        path = text_of(entry.get("path"))
        if path and not is_file(path):
            notes.append(f"{place}: the project itself, from directory {path[:300]}")
        else:
            pins.append(_pin(place, group, entry))
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def _entries(document: dict[str, object], project: str) -> Iterator[tuple[str, dict[str, object]]]:
    for group, packages in document.items():
        if group.startswith("_") or not isinstance(packages, dict):
            continue
        for name, entry in packages.items():
            if is_named(name, project):
                if not isinstance(entry, dict):
                    raise Damaged(f"Pipfile.lock: {group}.{name[:80]} is no object")
                yield group, entry


def _pin(where: str, group: str, entry: dict[str, object]) -> Pin:
    specifier = text_of(entry.get("version"))
    hashes = entry.get("hashes")
    stated = hashes if isinstance(hashes, list) else []
    url = next((u for key in _ADDRESSES if (u := text_of(entry.get(key)))), "")
    files = [PinnedFile(hashes=found) for text in stated if (found := digests(text))]
    if url:
        files.append(PinnedFile(filename=file_of_url(url), url=redact_url(url)))
    exact = specifier.startswith("==") and not specifier.endswith("*")
    return Pin(
        where=where,
        state=PinState.FORCED if exact or files else PinState.RANGE,
        version=specifier.lstrip("=").strip() if exact else None,
        specifier="" if exact or specifier == "*" else specifier,
        files=tuple(files),
        marker=text_of(entry.get("markers")),
        how=f"Pipfile.lock, {group[:80]}",
        form="Pipfile.lock",
    )
