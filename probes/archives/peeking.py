"""What the first members of an archive on disk tell of it, without reading it to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from auditor.errors import ProbeError
from probes.archives.members import DAMAGED
from probes.archives.nesting import members_of
from probes.kit.disk import open_regular

__all__ = ["first_names", "is_source_archive"]

_MOST_NAMES = 256
# What is skipped to get at the next name has to be decompressed.
_MOST_BYTES = 64 * 2**20
_SOURCE_MARKS = ("PKG-INFO", "setup.py", "pyproject.toml")


def first_names(path: Path, most: int = _MOST_NAMES) -> Iterator[str]:
    """Yield the names of the first members, as far as they can be had cheaply.

    Raises:
        OSError, ProbeError and those in `DAMAGED`: it is no archive, or ends early.
    """
    passed = 0
    with open_regular(path) as file:
        for number, member in enumerate(members_of(file, threading.Event())):
            if number >= most or passed > _MOST_BYTES:
                return
            yield member.path
            passed += member.size


def is_source_archive(path: Path) -> bool | None:
    """Say whether an archive that is called like a release is one; None: it cannot be read."""
    stem = path.name
    try:
        for name in first_names(path):
            top, _, below = name.partition("/")
            if below in _SOURCE_MARKS and stem.startswith(f"{top}."):
                return True
    except (OSError, ProbeError, *DAMAGED):
        return None
    return False
