"""Requirement and constraint files as pip reads them: lines, options, and files they include.

Source: pip's documentation of the requirements file format (pip 26.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from auditor.model import Pin, PinnedFile, PinState
from auditor.model.filename import version_in
from auditor.model.requirement_lines import logical_lines
from auditor.model.requirement_options import NotUnderstood, Options, read_options
from probes.kit.redaction import redact_text, redact_url
from probes.locks.addresses import Address
from probes.locks.entries import (
    MAX_PINS,
    Damaged,
    LockReading,
    digests,
    file_of_url,
    is_file,
    is_named,
)

__all__ = ["Includes", "read_requirements"]

# pip itself follows them to any depth; nobody has more.
_MAX_INCLUDED = 50
# Of all files together. A compiled file of a thousand projects has a megabyte or two.
_MAX_CHARS = 8 * 2**20
# A compiled line has a hundred characters per file of the release, of which there are hundreds.
_MAX_LINE_CHARS = 256 * 1024
# A requirement with its marker. The parser takes quadratic time for brackets and the like.
_MAX_REQUIREMENT_CHARS = 5_000
_MAX_TOLD = 100
# Of all files together; each takes some five microseconds. A thousand projects have as many.
_MAX_LINES = 50_000
# Reading the options of a line, an address or a requirement takes some 50 microseconds.
_MAX_OPTION_LINES = 5_000
_MAX_ADDRESSES = 5_000
_MAX_PARSED = 2 * MAX_PINS
_OPTION_IN_LINE = re.compile(r"\s--?[a-zA-Z]")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_USER_INFO = re.compile(r"//[^/@\s]*@")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_AFTER_NAME = tuple("[=<>!~(;@,")
_MARKER_BEGINS = re.compile(r"\s;|;\s")
_FORM = "requirements"


@dataclass(frozen=True)
class Includes:
    """How included files are got at.

    Attributes:
        resolve: from a file that includes and the path it names to that path.
        read: its text; raises `Damaged` with the cause if it cannot be read.
    """

    resolve: Callable[[str, str], str]
    read: Callable[[str], str]


@dataclass
class _Reading:
    """What has been read so far, over all included files."""

    project: str
    broken: frozenset[str]
    includes: Includes
    pins: list[Pin] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    chars: int = 0
    lines: int = 0
    option_lines: int = 0
    addresses: int = 0
    parsed: int = 0

    def miss(self, text: str) -> None:
        """Say that something was not read."""
        if len(self.unread) < _MAX_TOLD:
            self.unread.append(text)

    def note(self, text: str) -> None:
        """Say what a reader should know besides."""
        if len(self.notes) < _MAX_TOLD:
            self.notes.append(text)


def read_requirements(
    text: str,
    project: str,
    where: str,
    includes: Includes,
    broken: frozenset[str] = frozenset(),
) -> LockReading:
    """Read a file of requirements, and those that it includes.

    Args:
        text: of the file.
        project: normalised name.
        where: the file's path, for the places of entries.
        includes: gets at included files.
        broken: SHA-256 digests of the broken files as far as they are known, which pin them under
            any name.
    """
    reading = _Reading(project=project, broken=broken, includes=includes, seen={where})
    _read(reading, text, where)
    return LockReading(
        pins=tuple(reading.pins),
        unread=tuple(dict.fromkeys(reading.unread)),
        notes=tuple(dict.fromkeys(reading.notes)),
    )


def _read(reading: _Reading, text: str, where: str) -> None:
    reading.chars += len(text)
    if reading.chars > _MAX_CHARS:
        reading.miss(f"{where}: with what includes it, more than {_MAX_CHARS} characters")
        return
    for number, line in logical_lines(text):
        place = f"{where}:{number}"
        reading.lines += 1
        if reading.lines > _MAX_LINES:
            reading.miss(f"{place}: with what includes it, more than {_MAX_LINES} lines")
            return
        if len(line) > _MAX_LINE_CHARS:
            reading.miss(f"{place}: a line of more than {_MAX_LINE_CHARS} characters")
        elif line.startswith("-"):
            _read_options(reading, line, where, place)
        else:
            _read_requirement(reading, line, place)


def _options(reading: _Reading, text: str, place: str) -> Options:
    """Read options; what cannot be read of them is said."""
    reading.option_lines += 1
    if reading.option_lines > _MAX_OPTION_LINES:
        reading.miss(f"{place}: more than {_MAX_OPTION_LINES} lines with options")
        return Options()
    try:
        return read_options(text)
    except NotUnderstood as error:
        reading.miss(f"{place}: {redact_text(str(error))}")
        return Options()


def _read_options(reading: _Reading, line: str, where: str, place: str) -> None:
    options = _options(reading, line, place)
    files = (*options.requirements, *options.constraints)
    # pip follows the first of a line, and uv refuses such a line.
    if len(files) + len(options.editables) > 1:
        reading.miss(f"{place}: several files or projects in one line")
    for named in files:
        _read_included(reading, named, where, place)
    for named in options.editables:
        _read_address(reading, named, (), place, editable=True)
    for source in options.sources:
        reading.note(f"{place}: asks {redact_text(source[:500])}")


def _read_included(reading: _Reading, named: str, where: str, place: str) -> None:
    if "://" in named and not named.lower().startswith("file:"):
        reading.miss(f"{place}: includes {redact_url(named)}, which was not fetched")
        return
    path = reading.includes.resolve(where, named)
    if path in reading.seen:
        return
    if len(reading.seen) > _MAX_INCLUDED:
        reading.miss(f"{place}: more than {_MAX_INCLUDED} files are included")
        return
    reading.seen.add(path)
    try:
        text = reading.includes.read(path)
    except Damaged as error:
        reading.miss(f"{place}: includes {redact_text(named[:200])}, which {error}")
        return
    _read(reading, text, path)


def _read_requirement(reading: _Reading, line: str, place: str) -> None:
    cut = _OPTION_IN_LINE.search(line)
    text = (line[: cut.start()] if cut else line).strip()
    name = _named(text)
    if name is not None and not is_named(name, reading.project) and not reading.broken:
        return
    options = _options(reading, line[cut.start() :], place) if cut else Options()
    stated = _files(options.hashes)
    if name is None:
        _read_address(reading, text, stated, place)
    elif is_named(name, reading.project):
        _read_ours(reading, text, stated, place)
    else:
        _, _, fragment = text.partition("#")
        linked = _files([] if not fragment else fragment.partition(" ")[0].split("&"))
        _read_disguised(reading, (*stated, *linked), place)


def _named(text: str) -> str | None:
    """The project that a requirement names; None if it is no requirement but an address."""
    found = _NAME.match(text)
    if found is None:
        return None
    rest = text[found.end() :].lstrip()
    if (rest and not rest.startswith(_AFTER_NAME)) or is_file(found[0]):
        return None
    return found[0]


def _files(stated: tuple[str, ...] | list[str]) -> tuple[PinnedFile, ...]:
    return tuple(PinnedFile(hashes=found) for text in stated if (found := digests(text)))


def _read_disguised(reading: _Reading, files: tuple[PinnedFile, ...], place: str) -> None:
    """Read the digests of another project: those of the broken bytes force them all the same."""
    if any(file.hashes.get("sha256") in reading.broken for file in files):
        reading.pins.append(_forced(place, None, files, "", "by a digest, under another name"))


def _read_ours(reading: _Reading, text: str, stated: tuple[PinnedFile, ...], place: str) -> None:
    reading.parsed += 1
    if reading.parsed > _MAX_PARSED:
        reading.miss(f"{place}: more than {_MAX_PARSED} entries about the project")
        return
    if len(text) > _MAX_REQUIREMENT_CHARS:
        reading.miss(f"{place}: a requirement of more than {_MAX_REQUIREMENT_CHARS} characters")
        return
    # Credentials in an address decide nothing about what is installed.
    if _VARIABLE.search(_USER_INFO.sub("//", text)):
        reading.miss(f"{place}: a variable of the environment decides it")
        return
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError):
        reading.miss(f"{place}: {redact_text(text[:200])} is not understood")
        return
    reading.pins.append(_pin(requirement, stated, reading.project, place))


def _read_address(
    reading: _Reading,
    text: str,
    stated: tuple[PinnedFile, ...],
    place: str,
    *,
    editable: bool = False,
) -> None:
    """Read a line that is no requirement: the URL or path of a file or of a source tree."""
    reading.addresses += 1
    if reading.addresses > _MAX_ADDRESSES:
        reading.miss(f"{place}: more than {_MAX_ADDRESSES} lines with addresses")
        return
    found = _MARKER_BEGINS.search(text)
    marker = text[found.end() :].strip() if found else ""
    address = Address.of(text[: found.start()] if found else text)
    if address is None or _VARIABLE.search(address.path):
        reading.miss(f"{place}: {redact_text(text[:200])} is not understood")
        return
    files = (_linked(address.text, address.filename), *stated)
    whose = address.whose(reading.project)
    told = {file.hashes.get("sha256") for file in files} - {None}
    if whose.ours or told & reading.broken:
        _read_our_address(reading, address, files, marker, place, editable=editable)
    elif not whose.known and not (told and reading.broken):
        reading.miss(f"{place}: {address.redacted} names no project: it may be this one")


def _read_our_address(
    reading: _Reading,
    address: Address,
    files: tuple[PinnedFile, ...],
    marker: str,
    place: str,
    *,
    editable: bool,
) -> None:
    is_tree = not address.is_vcs and not is_file(address.filename)
    if is_tree and editable:
        reading.note(f"{place}: an editable project: no release is pinned")
    elif is_tree and not address.is_url:
        reading.miss(f"{place}: {address.redacted} does not tell which version it is")
    else:
        version = address.version(reading.project)
        reading.pins.append(_forced(place, version, files, marker, "by its address"))


def _linked(address: str, filename: str) -> PinnedFile:
    _, _, fragment = address.partition("#")
    return PinnedFile(
        filename=filename, url=redact_url(address), hashes=digests(*fragment.split("&"))
    )


def _forced(
    place: str, version: str | None, files: tuple[PinnedFile, ...], marker: str, how: str
) -> Pin:
    return Pin(
        where=place,
        state=PinState.FORCED,
        version=version,
        files=files,
        marker=marker,
        how=how,
        form=_FORM,
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
        form=_FORM,
    )
