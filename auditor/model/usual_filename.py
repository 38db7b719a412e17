"""File names of the usual form, which nearly all are: one pattern reads them.

Whatever the pattern does not know is left to `filename`, which reads every name as pip does, takes
ten times as long, and agrees on all names that are read here (a test sees to that).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from auditor.model.tag_triple import Fit, read_tags
from auditor.model.version import is_plain_version, parse_version

__all__ = ["UsualName", "reader_of"]

# The version as the name spells it, and where the file fits.
UsualName = tuple[str, Fit]

# Longer ones are left alone: a pattern is made for each project.
_MAX_PROJECT_CHARS = 200
_PROJECT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SDIST: Fit = (None, None)

# Every length is bounded, so that no name is longer than `filename` reads. No version has a dash
# here: that of an archive may, and begins after the first dash that may precede it.
_VERSION = r"([0-9][\w.+!]{0,60})"
_BUILD = r"(?:-[0-9]{1,9}\w{0,40})?"
_TAGS = r"([\w.]{1,80}-[\w.]{1,80}-[\w.]{1,200})"
# A `.tar` in front of the extension is part of it: no installer knows `.tar.whl` or `.tar.zip`.
_NO_TAR = r"(?<!(?i:\.tar))"
_WHEEL_END = rf"{_VERSION}{_BUILD}-{_TAGS}{_NO_TAR}\.whl"
_ARCHIVE_END = rf"{_VERSION}{_NO_TAR}\.(?:tar\.gz|zip)"


@lru_cache(maxsize=256)
def reader_of(project: str) -> Callable[[str], UsualName | None]:
    """Return what reads the names of a project's files; it returns None for an unusual name.

    Args:
        project: its normalised name.
    """
    if len(project) > _MAX_PROJECT_CHARS or _PROJECT.fullmatch(project) is None:
        return _nothing
    # A wheel's name has no dash within the project, and no two underscores side by side.
    wheel, archive = project.replace("-", "[_.]"), project.replace("-", "[-_.]")
    pattern = f"(?i:{wheel})-{_WHEEL_END}|(?i:{archive})-{_ARCHIVE_END}"
    match = re.compile(pattern, re.ASCII).fullmatch

    def read(filename: str) -> UsualName | None:
        found = match(filename)
        if found is None:
            return None
        version, tags, of_archive = found.groups()
        if of_archive is not None:
            return (of_archive, _SDIST) if _is_version(of_archive) else None
        triple = read_tags(tags)
        return (version, (triple.text, None)) if triple and _is_version(version) else None

    return read


@lru_cache(maxsize=8192)
def _is_version(text: str) -> bool:
    return is_plain_version(text) or parse_version(text) is not None


def _nothing(filename: str) -> None:
    """Read no name at all."""
