"""Archives in a directory of distributions: releases by their names, and bundles of other files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from probes.archives.nesting import is_archive_name, is_release_name
from probes.archives.peeking import is_source_archive

__all__ = ["bundles_among", "has_source_archive"]

_MAX_NAMED = 20


def has_source_archive(directory: Path, names: Iterable[str]) -> bool:
    """Whether one is among these files, for all that is known: one that is cut is one by its name.

    Other things are called like releases too, such as `wheelhouse-2026.tar.gz`.
    """
    releases = filter(is_release_name, names)
    return any(is_source_archive(directory / name) is not False for name in releases)


def bundles_among(directory: Path, names: Iterable[str]) -> str:
    """Say which archives no installer opens here, and anybody else may; "" if there are none."""
    found = [
        name
        for name in names
        if is_archive_name(name)
        and (not is_release_name(name) or is_source_archive(directory / name) is False)
    ]
    if not found:
        return ""
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    shown = ", ".join(sorted(found)[:_MAX_NAMED])
    return f"not opened: {shown}{more}; audit it as kind archive to know what is in it"
