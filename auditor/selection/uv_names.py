"""What the name of a file says to uv, where that differs from what it says to pip.

uv (0.13, crate `uv-distribution-filename`) knows no `-pyX.Y` suffix, takes tags as they are spelt
and demands build numbers of ASCII letters and digits.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache

from packaging.utils import canonicalize_name
from packaging.version import Version

from auditor.model.filename import MAX_FILENAME_CHARS, BuildTag, NameFault
from auditor.model.orders import FINAL, PRERELEASE
from auditor.model.remembered import RememberedProjects, RememberedTexts
from auditor.model.selection import RejectionCode
from auditor.model.version import MAX_VERSION_CHARS, parse_version, version_order

__all__ = ["UvName", "UvTags", "names_of"]


_PROJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_TAG = re.compile(r"[A-Za-z0-9_]+")
_BUILD = re.compile(r"([0-9]+)([A-Za-z0-9_.]*)")
_NUMBER = re.compile(r"[0-9]+")
# uv keeps numbers in 64 bits, and refuses the largest one.
_TOO_LARGE = 2**64 - 1

# uv takes these two for source distributions (PEP 625, with the older .zip), and only recognises
# the others (uv 0.13, `is_pep625_compliant`).
_SOURCES = (".tar.gz", ".zip")
_OLD_SOURCES = (
    *(".tar", ".tgz", ".tbz", ".txz", ".tlz"),
    *(".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma", ".tar.zst"),
)


@dataclass(frozen=True, slots=True, eq=False)
class UvTags:
    """The tag set of a wheel, each member spelt as in the name. The text stands for all of it.

    Attributes:
        text: all of it.
        pythons, abis, platforms: the members of each part.
    """

    text: str
    pythons: frozenset[str]
    abis: frozenset[str]
    platforms: frozenset[str]

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UvTags) and self.text == other.text


@dataclass(frozen=True, slots=True)
class UvName:
    """A name that uv can read, or why it cannot.

    Attributes:
        order: compares like the version, `PRERELEASE` or `FINAL` at its end; None: not readable.
        version: as spelt there; None if it cannot be read.
        tags: of a wheel; None for a source distribution.
        build: build number of a wheel; empty if it has none.
        fault: why uv skips the file; None if it does not.
    """

    order: str | None = None
    version: str | None = None
    tags: UvTags | None = None
    build: BuildTag = ()
    fault: NameFault | None = None


def names_of(project: str) -> RememberedTexts[UvName]:
    """Return what says of each file name on a project's page what uv reads in it.

    Args:
        project: normalised.
    """
    return _NAMES.of(project)


def _names(project: str) -> RememberedTexts[UvName]:
    return RememberedTexts(lambda filename: _read(filename, project))


_NAMES = RememberedProjects(_names)


def _read(filename: str, project: str) -> UvName:
    if len(filename) > MAX_FILENAME_CHARS:
        return _fault(RejectionCode.INVALID_NAME, "the name is too long")
    if filename.endswith(".whl"):
        return _read_wheel(filename.removesuffix(".whl"), project)
    lowered = filename.lower()
    for extension in (*_SOURCES, *_OLD_SOURCES):
        # Of `.tar.gz`, uv compares the last part as it stands and `.tar` in any case.
        last = extension[extension.rindex(".") :]
        if lowered.endswith(extension) and filename.endswith(last):
            return _read_source(filename[: -len(extension)], extension, project)
    return _fault(
        RejectionCode.NOT_A_DISTRIBUTION, "the name ends in no extension that uv installs"
    )


def _read_wheel(stem: str, project: str) -> UvName:
    parts = stem.split("-")
    if len(parts) not in (5, 6):
        text = f"not a wheel's name: {len(parts)} parts between dashes instead of 5 or 6"
        return _fault(RejectionCode.INVALID_NAME, text)
    if _PROJECT_NAME.fullmatch(parts[0]) is None:
        text = f"not a wheel's name: {parts[0]!r} is no project name"
        return _fault(RejectionCode.INVALID_NAME, text)
    version = _version(parts[1])
    if version is None:
        return _invalid_version(parts[1])
    build = _build(parts[2]) if len(parts) == 6 else ()
    tags = _tags(tuple(parts[-3:]))
    if build is None or tags is None:
        what = "build number" if build is None else "tag set"
        return _fault(RejectionCode.INVALID_NAME, f"not a wheel's name: no valid {what}")
    if canonicalize_name(parts[0]) != project:
        text = f"{parts[0]!r} is not of the project {project}"
        return _fault(RejectionCode.OTHER_PROJECT, text)
    return UvName(_order(version), parts[1].strip(), tags, build)


def _read_source(stem: str, extension: str, project: str) -> UvName:
    # The name must be as long as the normalised one: `foo__bar-1.0` is not of foo-bar.
    name, text = stem[: len(project)], stem[len(project) + 1 :]
    if stem[len(project) : len(project) + 1] != "-" or not _is_project(name, project):
        return _fault(RejectionCode.OTHER_PROJECT, f"{stem!r} is not of the project {project}")
    version = _version(text)
    if version is None:
        return _invalid_version(text)
    if extension not in _SOURCES:
        text = f"uv takes no {extension} for a source distribution (PEP 625)"
        return _fault(RejectionCode.NOT_A_DISTRIBUTION, text)
    return UvName(_order(version), text.strip())


def _is_project(text: str, project: str) -> bool:
    return _PROJECT_NAME.fullmatch(text) is not None and canonicalize_name(text) == project


@lru_cache(maxsize=8192)
def _version(text: str) -> Version | None:
    version = parse_version(text) if text.isascii() else None
    if version is None or any(int(number) >= _TOO_LARGE for number in _NUMBER.findall(text)):
        return None
    return version


@lru_cache(maxsize=8192)
def _order(version: Version) -> str:
    return sys.intern(version_order(version) + (PRERELEASE if version.is_prerelease else FINAL))


def _build(text: str) -> BuildTag | None:
    match = _BUILD.fullmatch(text)
    if match is None or len(match[1]) > len(str(_TOO_LARGE)) or int(match[1]) > _TOO_LARGE:
        return None
    return int(match[1]), match[2]


@lru_cache(maxsize=8192)
def _tags(parts: tuple[str, str, str]) -> UvTags | None:
    members = [part.split(".") for part in parts]
    if not all(_TAG.fullmatch(member) for part in members for member in part):
        return None
    pythons, abis, platforms = map(frozenset, members)
    return UvTags("-".join(parts), pythons, abis, platforms)


def _invalid_version(text: str) -> UvName:
    problem = f"{text[:MAX_VERSION_CHARS]!r} is not a version (PEP 440)"
    return _fault(RejectionCode.INVALID_VERSION, problem)


def _fault(code: RejectionCode, text: str) -> UvName:
    return UvName(fault=NameFault(code, text))
