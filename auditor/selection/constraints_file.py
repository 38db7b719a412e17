"""A constraints file as pip reads it: lines, options, addresses, and the files that it includes.

What cannot be read or resolved is told, never passed over: it may be what decides.

Source: pip 26.3 (`req/req_file.py`, `req/constructors.py`), with which the tests compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from auditor.model.filename import version_in
from auditor.model.requirement_lines import logical_lines
from auditor.model.requirement_options import NotUnderstood, Options, read_options
from auditor.model.version import normalise_project
from auditor.selection.constraints import Constraint, filename_of

__all__ = ["ConstraintsFile", "Include", "read_constraint_lines"]

# Real files have some hundred lines, and a compiled one that of each file's digest.
_MAX_LINES = 20_000
_MAX_LINE_CHARS = 256 * 1024
# The parser takes quadratic time for brackets and the like.
_MAX_REQUIREMENT_CHARS = 5_000
# pip itself follows them to any depth; nobody has more.
_MAX_INCLUDED = 50
_MAX_TOLD = 20
_TOLD_CHARS = 120

_OPTION_IN_LINE = re.compile(r"\s--?[a-zA-Z]")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_USER_INFO = re.compile(r"//[^/@\s]*@")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_AFTER_NAME = tuple("[=<>!~(;@,")
_MARKER_BEGINS = re.compile(r"\s;|;\s")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
# `name-1.2.3.tar.gz`, with anything that begins with a digit for a version.
_SDIST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*?-\d[^-/]*")

# From the file that includes and what it names to the path and the text of that file; ValueError
# with the cause if it cannot be read.
Include = Callable[[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ConstraintsFile:
    """What a constraints file says of some projects.

    Attributes:
        constraints: of these projects, in the order of the file.
        unread: what may speak of them and could not be read or resolved, each with its line.
    """

    constraints: tuple[Constraint, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass
class _Reading:
    """What has been read so far, over all included files."""

    projects: frozenset[str]
    include: Include
    constraints: list[Constraint] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    lines: int = 0

    def miss(self, place: str, cause: str) -> None:
        """Say that something was not read."""
        if len(self.unread) < _MAX_TOLD:
            self.unread.append(f"{place}: {cause}")


def read_constraint_lines(
    text: str, projects: Iterable[str], where: str, include: Include
) -> ConstraintsFile:
    """Return what a constraints file, with those it includes, says of some projects.

    Lines for other projects are passed over as long as pip can read them: it refuses a file with
    one that it cannot, so that nothing is installed with it at all. Indexes that the file names
    are not asked: the place that is audited stands for them.

    Args:
        text: of the file.
        projects: normalised names.
        where: its path, for the places of lines.
        include: gets at included files.
    """
    reading = _Reading(projects=frozenset(projects), include=include, seen={where})
    _read(reading, text, where)
    return ConstraintsFile(tuple(reading.constraints), tuple(dict.fromkeys(reading.unread)))


def _read(reading: _Reading, text: str, where: str) -> None:
    for number, line in logical_lines(text):
        reading.lines += 1
        place = f"{where}:{number}"
        if reading.lines > _MAX_LINES:
            reading.miss(place, f"more than {_MAX_LINES} lines")
            return
        if len(line) > _MAX_LINE_CHARS:
            reading.miss(place, f"a line of more than {_MAX_LINE_CHARS} characters")
        elif line.startswith("-"):
            _read_options(reading, line, where, place)
        else:
            _read_requirement(reading, line, place)


def _options(reading: _Reading, text: str, place: str) -> Options:
    try:
        return read_options(text)
    except NotUnderstood as error:
        reading.miss(place, _shown(str(error)))
        return Options()


def _read_options(reading: _Reading, line: str, where: str, place: str) -> None:
    options = _options(reading, line, place)
    if options.choosing:
        reading.miss(place, f"{', '.join(options.choosing)} changes what is chosen")
    if options.editables:
        reading.miss(place, "pip refuses editable projects as constraints")
    files = (*options.requirements, *options.constraints)
    if len(files) > 1:
        reading.miss(place, "several files in one line")
    for named in files:
        _read_included(reading, named, where, place)


def _read_included(reading: _Reading, named: str, where: str, place: str) -> None:
    if "://" in named or named.lower().startswith("file:"):
        reading.miss(place, f"includes {_shown(named)}, which was not fetched")
        return
    if _VARIABLE.search(named):
        reading.miss(place, f"includes {_shown(named)}: a variable of the environment decides it")
        return
    if len(reading.seen) > _MAX_INCLUDED:
        reading.miss(place, f"more than {_MAX_INCLUDED} files are included")
        return
    try:
        path, text = reading.include(where, named)
    except ValueError as error:
        reading.miss(place, f"includes {_shown(named)}: {_shown(str(error))}")
        return
    if path not in reading.seen:
        reading.seen.add(path)
        _read(reading, text, path)


def _read_requirement(reading: _Reading, line: str, place: str) -> None:
    cut = _OPTION_IN_LINE.search(line)
    text = (line[: cut.start()] if cut else line).strip()
    name = _named(text)
    ours = name is not None and normalise_project(name) in reading.projects
    # Credentials in an address decide nothing about what is installed.
    if _VARIABLE.search(_USER_INFO.sub("//", text)):
        if ours or name is None:
            reading.miss(place, f"{_shown(text)}: a variable of the environment decides it")
        return
    hashes = _options(reading, line[cut.start() :], place).hashes if cut and ours else ()
    if name is None:
        _read_address(reading, text, hashes, place)
    else:
        _read_named(reading, text, hashes, place, ours=ours)


def _named(text: str) -> str | None:
    """The project that a requirement names; None if it is no requirement but an address."""
    found = _NAME.match(text)
    if found is None or found[0].lower().endswith(_ARCHIVES):
        return None
    rest = text[found.end() :].lstrip()
    return found[0] if not rest or rest.startswith(_AFTER_NAME) else None


def _read_named(
    reading: _Reading, text: str, hashes: tuple[str, ...], place: str, *, ours: bool
) -> None:
    try:
        if len(text) > _MAX_REQUIREMENT_CHARS:
            raise InvalidRequirement("too long")
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError):
        reading.miss(place, f"{_shown(text)} is not understood")
        return
    if requirement.extras:
        reading.miss(place, f"{_shown(text)}: pip refuses extras in constraints")
    if not ours or (requirement.url is None and not str(requirement.specifier) and not hashes):
        return
    filename = None if requirement.url is None else filename_of(requirement.url)
    constraint = Constraint(
        project=normalise_project(requirement.name),
        specifier="" if filename is not None else str(requirement.specifier),
        filename=filename,
        hashes=hashes,
        marker=str(requirement.marker or ""),
    )
    _add(reading, constraint, text, place)


def _read_address(reading: _Reading, text: str, hashes: tuple[str, ...], place: str) -> None:
    """Read a line that is no requirement: the URL or path of a file."""
    found = _MARKER_BEGINS.search(text)
    filename = filename_of(text[: found.start()] if found else text)
    marker = text[found.end() :].strip() if found else ""
    for project in sorted(reading.projects):
        if version_in(filename, project) is not None:
            constraint = Constraint(
                project=project, filename=filename, hashes=hashes, marker=marker
            )
            _add(reading, constraint, text, place)
            return
    if not _is_of_another(filename):
        reading.miss(place, f"{_shown(text)} names no project: it may be this one")


def _add(reading: _Reading, constraint: Constraint, text: str, place: str) -> None:
    filename = constraint.filename
    if filename is not None and version_in(filename, constraint.project) is None:
        reading.miss(place, f"{_shown(text)} does not tell which version it is")
    else:
        reading.constraints.append(constraint)


def _is_of_another(filename: str) -> bool:
    """Whether a file name tells a project and a version, which is not one of those asked about."""
    if filename.lower().endswith(".whl"):
        return filename.count("-") >= 4
    is_archive = filename.lower().endswith(_ARCHIVES) and len(filename) < 300
    return is_archive and _SDIST.match(filename) is not None


def _shown(text: str) -> str:
    """A part of a line for a sentence, without the credentials of an address."""
    return _USER_INFO.sub("//", text)[:_TOLD_CHARS]
