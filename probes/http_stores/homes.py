"""Finds the caches that a path or a pattern names. What may not be looked into is said, not lost.

`glob.glob` passes over directories that it may not list: `/home/*/.cache/pip` would then say
nothing of the homes of others, and nothing would look like "nothing there".
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Homes", "find_homes"]

_MAX_HOMES = 100_000
_MAGIC = re.compile(r"[*?\[]")


@dataclass(slots=True)
class Homes:
    """What a pattern led to.

    Attributes:
        found: directories, in order.
        unreadable: places that the pattern names and that may not be looked into.
        is_pattern: whether the path was one.
    """

    found: list[Path]
    unreadable: list[str]
    is_pattern: bool = False


def find_homes(path: Path) -> Homes:
    """Expand `*`, `?` and `[…]` in a path; one that exists to the letter means itself."""
    homes = Homes([], [])
    if not _MAGIC.search(str(path)) or os.access(path, os.F_OK):
        homes.found.append(path)
        return homes
    homes.is_pattern = True
    _expand(path.anchor or ".", path.relative_to(path.anchor).parts, homes)
    homes.found.sort()
    return homes


def _expand(directory: str, parts: Sequence[str], homes: Homes) -> None:
    if len(homes.found) >= _MAX_HOMES:
        homes.unreadable.append(f"{directory}: more than {_MAX_HOMES} directories match")
        return
    if not parts:
        homes.found.append(Path(directory))
        return
    part, rest = parts[0], parts[1:]
    try:
        names = _matching(directory, part) if _MAGIC.search(part) else [part]
        for name in names:
            below = f"{directory.rstrip('/')}/{name}"
            if _is_directory(below):
                _expand(below, rest, homes)
    except PermissionError as error:
        homes.unreadable.append(str(error.filename or directory))
    except FileNotFoundError:
        return  # removed meanwhile


def _matching(directory: str, pattern: str) -> list[str]:
    with os.scandir(directory) as found:
        return sorted(
            item.name
            for item in found
            if fnmatch.fnmatchcase(item.name, pattern)
            and (pattern.startswith(".") or not item.name.startswith("."))
        )


def _is_directory(path: str) -> bool:
    """Raises PermissionError where that may not be known."""
    try:
        os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        # It may be entered though not listed: whether it holds a cache shows further down.
        return Path(path).is_dir()
    except OSError:
        return False
    return True
