"""File names of the usual form, which nearly all are: one pattern reads them.

Whatever the pattern does not know is left to `filename`, which reads every name as pip does, takes
ten times as long, and agrees on all names that are read here (a test sees to that).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from auditor.model.orders import are_versions, order_of
from auditor.model.tag_triple import Fit, read_tags

__all__ = ["UsualName", "UsualNames", "usual_names_of"]

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
_NEVER = r"(?!)()()()"


class UsualNames:
    """Reads the names of one project's files.

    Args:
        pattern: of a name. Its groups are the version and the tags of a wheel, and the version of
            an archive.
    """

    def __init__(self, pattern: str) -> None:
        # Compiling takes as long as reading a thousand names: one for both.
        self._line = re.compile(f"^(?:{pattern})$", re.ASCII | re.MULTILINE)

    def read(self, filename: str) -> UsualName | None:
        """Read one name; None if it is an unusual one."""
        found = self._line.fullmatch(filename)
        if found is None:
            return None
        version, tags, of_archive = found.groups()
        if order_of(of_archive or version) is None:
            return None
        if of_archive is not None:
            return of_archive, _SDIST
        triple = read_tags(tags)
        return (version, (triple.text, None)) if triple else None

    def versions(self, filenames: Sequence[str]) -> Sequence[str] | None:
        """Read the versions in many names; None if one of them is unusual."""
        text = "\n".join(filenames)
        found = self._line.findall(text)
        # Whatever else is between two line breaks is no usual name.
        if not len(found) == len(filenames) == text.count("\n") + 1:
            return None
        texts = [version or of_archive for version, _, of_archive in found]
        # One object for all the files of a version: they are compared with each other later.
        distinct = dict(zip(texts, texts, strict=True))
        tags = {tags for _, tags, _ in found if tags}
        if not are_versions(list(distinct.values())) or not all(map(read_tags, tags)):
            return None
        return list(map(distinct.__getitem__, texts))


@lru_cache(maxsize=256)
def usual_names_of(project: str) -> UsualNames:
    """Return what reads the names of a project's files.

    Args:
        project: its normalised name.
    """
    if len(project) > _MAX_PROJECT_CHARS or _PROJECT.fullmatch(project) is None:
        return UsualNames(_NEVER)
    # A wheel's name has no dash within the project, and no two underscores side by side.
    wheel, archive = project.replace("-", "[_.]"), project.replace("-", "[-_.]")
    return UsualNames(f"(?i:{wheel})-{_WHEEL_END}|(?i:{archive})-{_ARCHIVE_END}")
