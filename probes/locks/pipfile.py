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
    is_named,
    lines_naming,
    text_of,
)

__all__ = ["read_pipfile_lock"]

_KEY_LINE = r'^\s*"([^"]+)"\s*:\s*\{'


def read_pipfile_lock(text: str, project: str, where: str) -> LockReading:
    """Read Pipfile.lock (pipenv 2026). Its digests belong to no file by name."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where}: no JSON: {error}") from error
    if not isinstance(document, dict) or "_meta" not in document:
        raise Damaged(f"{where}: no Pipfile.lock: it has no `_meta`")
    lines = lines_naming(text, project, _KEY_LINE)
    found = list(_entries(document, project))
    places = lines if len(lines) == len(found) else [0] * len(found)
    pins = tuple(
        _pin(f"{where}:{line}" if line else where, group, entry, project)
        for line, (group, entry) in zip(places, found, strict=True)
    )
    return LockReading(pins=pins)


def _entries(document: dict[str, object], project: str) -> Iterator[tuple[str, dict[str, object]]]:
    for group, packages in document.items():
        if group.startswith("_") or not isinstance(packages, dict):
            continue
        for name, entry in packages.items():
            if is_named(name, project):
                if not isinstance(entry, dict):
                    raise Damaged(f"Pipfile.lock: {group}.{name[:80]} is no object")
                yield group, entry


def _pin(where: str, group: str, entry: dict[str, object], project: str) -> Pin:
    specifier = text_of(entry.get("version"))
    hashes = entry.get("hashes")
    stated = hashes if isinstance(hashes, list) else []
    url = text_of(entry.get("file")) or text_of(entry.get("path"))
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
        how=f"Pipfile.lock, {group}",
    )
