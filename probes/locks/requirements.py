"""Requirement and constraint files as pip reads them: lines, options, and files they include.

Source: pip's documentation of the requirements file format (pip 26.3).
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from auditor.model import Pin, PinnedFile, PinState
from auditor.model.filename import version_in
from probes.kit.redaction import redact_text, redact_url
from probes.locks.entries import LockReading, digests, file_of_url, is_named

__all__ = ["read_requirements"]

# pip itself follows them to any depth; nobody has more.
_MAX_INCLUDED = 50
# pip takes a comment only after white space or at the start of a line.
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION_IN_LINE = re.compile(r"\s--?[a-zA-Z]")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_SOURCES = ("-i", "--index-url", "--pypi-url", "--extra-index-url", "-f", "--find-links")
_ARCHIVE = re.compile(r"\.(whl|tar\.gz|zip|tgz|tar\.bz2|tar\.xz)$", re.IGNORECASE)

Include = Callable[[str, str], tuple[str, str] | None]
"""From a file that includes and the path it names to the path and text; None: not readable."""


@dataclass
class _Reading:
    """What has been read so far, over all included files."""

    project: str
    include: Include
    pins: list[Pin] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def read_requirements(text: str, project: str, where: str, include: Include) -> LockReading:
    """Read a file of requirements, and those that it includes.

    Args:
        text: of the file.
        project: normalised name.
        where: the file's path, for the places of entries.
        include: reads an included file.
    """
    reading = _Reading(project=project, include=include, seen={where})
    _read(reading, text, where)
    return LockReading(
        pins=tuple(reading.pins),
        unread=tuple(dict.fromkeys(reading.unread)),
        notes=tuple(dict.fromkeys(reading.notes)),
    )


def _read(reading: _Reading, text: str, where: str) -> None:
    for number, line in _logical_lines(text):
        place = f"{where}:{number}"
        if line.startswith("-"):
            _read_option(reading, line, where, place)
        else:
            _read_requirement(reading, line, place)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, and drop comments and what is empty. The number is the first line's."""
    started, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        started = started or number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        parts.append(line if not comment else " " + line)
        whole = _COMMENT.sub("", "".join(parts)).strip()
        if whole:
            yield started, whole
        started, parts = 0, []
    whole = _COMMENT.sub("", "".join(parts)).strip()
    if whole:
        yield started, whole


def _read_option(reading: _Reading, line: str, where: str, place: str) -> None:
    name, _, value = line.replace("=", " ", 1).partition(" ")
    value = value.strip()
    # pip accepts `-rother.txt`, too.
    if name not in _INCLUDES and name[:2] in ("-r", "-c") and not name.startswith("--"):
        name, value = name[:2], name[2:] + value
    if name in _INCLUDES:
        _read_included(reading, value, where, place)
    elif name in ("-e", "--editable"):
        if reading.project in value.replace("_", "-").replace(".", "-").lower():
            reading.notes.append(f"{place}: an editable project: no release is pinned")
    elif name in _SOURCES:
        reading.notes.append(f"{place}: {name} {redact_text(value)}")


def _read_included(reading: _Reading, value: str, where: str, place: str) -> None:
    if "://" in value:
        reading.unread.append(f"{place}: includes {redact_url(value)}, which was not fetched")
        return
    found = reading.include(where, value)
    if found is None:
        reading.unread.append(f"{place}: includes {value[:200]}, which cannot be read")
        return
    path, text = found
    if path in reading.seen:
        return
    if len(reading.seen) > _MAX_INCLUDED:
        reading.unread.append(f"{place}: more than {_MAX_INCLUDED} files are included")
        return
    reading.seen.add(path)
    _read(reading, text, path)


def _read_requirement(reading: _Reading, line: str, place: str) -> None:
    cut = _OPTION_IN_LINE.search(line)
    text, options = (line[: cut.start()], line[cut.start() :]) if cut else (line, "")
    stated = _hashes(options)
    if _VARIABLE.search(text):
        reading.unread.append(f"{place}: a variable of the environment decides it")
        return
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement:
        _read_location(reading, text.strip(), stated, place)
        return
    if is_named(requirement.name, reading.project):
        reading.pins.append(_pin(requirement, stated, reading.project, place))


def _hashes(options: str) -> tuple[PinnedFile, ...]:
    try:
        words = shlex.split(options)
    except ValueError:
        words = options.split()
    values = [word.removeprefix("--hash=") for word in words if word.startswith("--hash=")]
    values += [b for a, b in itertools.pairwise(words) if a == "--hash"]
    return tuple(PinnedFile(hashes=found) for value in values if (found := digests(value)))


def _read_location(
    reading: _Reading, text: str, stated: tuple[PinnedFile, ...], place: str
) -> None:
    """Read a line that is no requirement: the URL or path of one file."""
    address, _, marker = text.partition(" ;")
    filename = file_of_url(address.strip()) or ""
    version = version_in(filename, reading.project)
    if version is None:
        if not _ARCHIVE.search(filename) and reading.project in text.lower().replace("_", "-"):
            reading.unread.append(f"{place}: {redact_text(text[:200])} is not understood")
        return
    files = (_linked(address.strip(), filename), *stated)
    reading.pins.append(_forced(place, version, files, marker.strip(), "by its address"))


def _linked(address: str, filename: str) -> PinnedFile:
    _, _, fragment = address.partition("#")
    return PinnedFile(
        filename=filename, url=redact_url(address), hashes=digests(*fragment.split("&"))
    )


def _forced(
    place: str, version: str | None, files: tuple[PinnedFile, ...], marker: str, how: str
) -> Pin:
    return Pin(
        where=place, state=PinState.FORCED, version=version, files=files, marker=marker, how=how
    )


def _pin(requirement: Requirement, stated: tuple[PinnedFile, ...], project: str, place: str) -> Pin:
    marker = str(requirement.marker or "")
    if requirement.url:
        filename = file_of_url(requirement.url) or ""
        files = (_linked(requirement.url, filename), *stated)
        return _forced(place, version_in(filename, project), files, marker, "by its address")
    exact = [
        s.version
        for s in requirement.specifier
        if s.operator in ("==", "===") and not s.version.endswith(".*")
    ]
    if exact:
        how = "a version with hashes" if stated else "a version"
        return _forced(place, exact[0], stated, marker, how)
    return Pin(
        where=place,
        # Whatever the range admits, only these bytes are accepted.
        state=PinState.FORCED if stated else PinState.RANGE,
        specifier=str(requirement.specifier),
        files=stated,
        marker=marker,
        how="a requirement",
    )
