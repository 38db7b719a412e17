"""What the name of a file says of a project's release, read exactly as pip reads it.

pip asks the name alone: the wheel filename convention for `.whl`, and for every other archive
"the normalised name in front of some dash is the project, the rest is the version".
Each name is read once: the same names come back on every mirror.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from packaging.utils import canonicalize_name

from auditor.model.remembered import Column, RememberedProjects, RememberedTexts
from auditor.model.selection import RejectionCode
from auditor.model.tag_triple import Fit, TagTriple, read_tags
from auditor.model.usual_filename import usual_names_of
from auditor.model.version import MAX_VERSION_CHARS, normalise_project, parse_version

__all__ = [
    "BuildTag",
    "FileKind",
    "NameFault",
    "NamedFile",
    "fits_of",
    "read_filename",
    "version_in",
    "versions_in",
]

# No file system and no index takes a name longer than 255 bytes; reading costs grow with the
# square of the number of dashes, so that a longer one is an attack.
MAX_FILENAME_CHARS = 1024

# pip's SUPPORTED_EXTENSIONS (utils/unpacking.py, unchanged from pip 19 to 26.3). Lower case only:
# pip does not install `.TAR.GZ`.
ARCHIVE_EXTENSIONS = frozenset(
    {".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz"}
    | {".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma"}
)

# From the days of setuptools' bdist_dumb and eggs: `foo-1.0-py2.7.tar.gz` (pip, LinkEvaluator).
_PY_SUFFIX = re.compile(r"-py([123]\.?[0-9]?)$")
_WHEEL_NAME = re.compile(r"^[\w._]+\Z")
_BUILD = re.compile(r"(\d+)(.*)", re.ASCII)
# Longer digit runs than CPython converts to an integer crash pip itself.
_MAX_BUILD_CHARS = 200

BuildTag = tuple[()] | tuple[int, str]


class FileKind(StrEnum):
    """What pip takes a file for."""

    WHEEL = "wheel"
    SDIST = "sdist"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file whose name is that of a distribution of the project.

    Attributes:
        kind: wheel, or anything that is built from source.
        version: as the file name spells it; always valid under PEP 440.
        tags: of a wheel; None for a source distribution.
        build: build number of a wheel; empty if it has none.
        py_version: the X.Y of an old `-pyX.Y` suffix; None if there is none.
    """

    kind: FileKind
    version: str
    tags: TagTriple | None = None
    build: BuildTag = ()
    py_version: str | None = None


@dataclass(frozen=True, slots=True)
class NameFault:
    """A file whose name excludes it, for every environment.

    Attributes:
        code: why.
        text: the same in words, with what was seen.
    """

    code: RejectionCode
    text: str


def read_filename(filename: str, project: str) -> NamedFile | NameFault:
    """Read one file name as pip would, on behalf of one project.

    Args:
        filename: last part of the URL, unquoted.
        project: its name, in any spelling.
    """
    if len(filename) > MAX_FILENAME_CHARS:
        text = f"the name has {len(filename)} characters, more than {MAX_FILENAME_CHARS}"
        return NameFault(RejectionCode.INVALID_NAME, text)
    return _read_filename(filename, project)


@lru_cache(maxsize=1 << 13)
def _read_filename(filename: str, project: str) -> NamedFile | NameFault:
    stem, extension = _split_extension(filename)
    if extension == ".whl":
        return _read_wheel(stem, canonicalize_name(project))
    if extension in ARCHIVE_EXTENSIONS:
        return _read_archive(stem, canonicalize_name(project))
    seen = f"the extension {extension!r}" if extension else "a name without extension"
    text = f"{seen} is none that installers install"
    return NameFault(RejectionCode.NOT_A_DISTRIBUTION, text)


def version_in(filename: str, project: str) -> str | None:
    """Return the version that pip reads in a file name; None if it finds none for the project.

    The text is as the name spells it (`1.0-RC.1`), without a `-pyX.Y` suffix.
    """
    named = read_filename(filename, project)
    return named.version if isinstance(named, NamedFile) else None


def versions_in(filenames: Sequence[str], project: str) -> Column[str | None]:
    """Return `version_in` of each name, for a whole page at once."""
    return _VERSIONS.of(project).of_all(filenames)


def _versions(project: str) -> RememberedTexts[str | None]:
    usual = usual_names_of(normalise_project(project))

    def version(filename: str) -> str | None:
        named = usual.read(filename)
        text = named[0] if named else version_in(filename, project)
        # One object for all the files of a version: they are compared with each other later.
        return None if text is None else sys.intern(text)

    return RememberedTexts(version, usual.versions)


_VERSIONS = RememberedProjects(_versions)


def fits_of(project: str) -> RememberedTexts[Fit]:
    """Return what says of each file name of a project where such a file fits."""
    return _FITS.of(project)


def _fits(project: str) -> RememberedTexts[Fit]:
    usual = usual_names_of(normalise_project(project))

    def fit(filename: str) -> Fit:
        if (known := usual.read(filename)) is not None:
            return known[1]
        named = read_filename(filename, project)
        if isinstance(named, NameFault):
            return None, None
        return named.tags.text if named.tags else None, named.py_version

    return RememberedTexts(fit)


_FITS = RememberedProjects(_fits)


def _split_extension(filename: str) -> tuple[str, str]:
    """Split off the extension, `.tar` included (pip, utils/misc.py)."""
    stem, extension = posixpath.splitext(filename)
    if stem[-4:].lower() == ".tar":
        return stem[:-4], stem[-4:] + extension
    return stem, extension


def _read_wheel(stem: str, project: str) -> NamedFile | NameFault:
    """Read `{name}-{version}[-{build}]-{python}-{abi}-{platform}`."""
    parts = stem.split("-")
    name = parts[0]
    if len(parts) not in (5, 6):
        return _invalid_wheel(f"{len(parts)} parts between dashes instead of 5 or 6")
    if "__" in name or _WHEEL_NAME.match(name) is None:
        return _invalid_wheel(f"{name!r} is no escaped project name")
    if parse_version(parts[1]) is None:
        return _invalid_version(parts[1])
    build = _read_build(parts[2]) if len(parts) == 6 else ()
    if build is None:
        return _invalid_wheel(f"the build number {parts[2]!r} does not start with a digit")
    tags = read_tags("-".join(parts[-3:]))
    if tags is None:
        return _invalid_wheel(f"{'-'.join(parts[-3:])!r} is no tag set")
    if canonicalize_name(name) != project:
        return _other_project(name, project)
    return NamedFile(FileKind.WHEEL, parts[1].strip(), tags, build)


def _read_build(text: str) -> BuildTag | None:
    match = _BUILD.match(text)
    if match is None or len(text) > _MAX_BUILD_CHARS:
        return None
    return int(match[1]), match[2]


def _read_archive(stem: str, project: str) -> NamedFile | NameFault:
    """Read `{name}-{version}[-py{X.Y}]`, where both may contain dashes."""
    start = _version_start(stem, project)
    if start is None:
        return _other_project(stem, project)
    text = stem[start:]
    suffix = _PY_SUFFIX.search(text)
    version = text[: suffix.start()] if suffix else text
    if parse_version(version) is None:
        return _invalid_version(version)
    return NamedFile(FileKind.SDIST, version.strip(), py_version=suffix[1] if suffix else None)


def _version_start(stem: str, project: str) -> int | None:
    """Return where the version starts: after the first dash with the project in front of it."""
    dash = stem.find("-", len(project))
    while dash >= 0:
        if canonicalize_name(stem[:dash]) == project:
            return dash + 1
        dash = stem.find("-", dash + 1)
    return None


def _invalid_wheel(problem: str) -> NameFault:
    return NameFault(RejectionCode.INVALID_NAME, f"not a wheel's name: {problem}")


def _invalid_version(text: str) -> NameFault:
    if not text:
        return NameFault(RejectionCode.INVALID_VERSION, "the name carries no version")
    problem = f"{text[:MAX_VERSION_CHARS]!r} is not a version (PEP 440)"
    return NameFault(RejectionCode.INVALID_VERSION, problem)


def _other_project(seen: str, project: str) -> NameFault:
    return NameFault(RejectionCode.OTHER_PROJECT, f"{seen!r} is not of the project {project}")
