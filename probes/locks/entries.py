"""What every lock file format comes down to: entries about one project, and what was not read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from auditor.errors import ProbeError
from auditor.model import Pin, PinnedFile, PinState, normalise_project
from auditor.model.filename import version_in
from probes.kit.redaction import redact_url

__all__ = [
    "MAX_MARKER_CHARS",
    "MAX_PINS",
    "Damaged",
    "LockReading",
    "bounded",
    "digests",
    "file_of_url",
    "is_file",
    "is_named",
    "lines_naming",
    "pin_of",
    "text_of",
    "version_of",
]

# `sha256:…` in most formats, `sha256=…` in fragments and in some of pip's own options.
_DIGEST = re.compile(r"^(sha256|sha384|sha512|sha1|md5|blake2b)[:=]([0-9a-fA-F]{32,128})$")
_ARCHIVE = re.compile(r"\.(whl|tar\.gz|zip|tgz|tar\.bz2|tbz|tar\.xz|txz|tar)$", re.IGNORECASE)
_MAX_TEXT_CHARS = 2000
# A universal lock forks a project some ten times, and a release has a few hundred files. What a
# judge would spend seconds on is no entry of a real lock.
MAX_PINS = 100
_MAX_FILES = 2_000
_MAX_SPECIFIER_CHARS = 500
MAX_MARKER_CHARS = 4_000
# Of all entries of one lock together.
_MAX_SPECIFIERS_CHARS = 5_000
_MAX_MARKERS_CHARS = 20_000


class Damaged(ProbeError):
    """A lock file that cannot be understood; the text names the place and the cause."""


@dataclass(frozen=True, slots=True)
class LockReading:
    """What one lock file says about a project.

    Attributes:
        pins: its entries, in the order of the file.
        unread: what could name the project and was not read, in words; empty: nothing.
        notes: what else a reader should know.
    """

    pins: tuple[Pin, ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def is_named(name: object, project: str) -> bool:
    """Say whether a name in a lock means this project."""
    return isinstance(name, str) and len(name) < 300 and normalise_project(name) == project


def text_of(value: object) -> str:
    """A text of a lock; "" for anything else, which a damaged one can hold in its place."""
    return value[:_MAX_TEXT_CHARS] if isinstance(value, str) else ""


def digests(*stated: object) -> dict[str, str]:
    """Digests by algorithm, from texts such as `sha256:…`."""
    found = (_DIGEST.match(text) for text in stated if isinstance(text, str))
    return {match[1]: match[2].lower() for match in found if match}


def is_file(address: str) -> bool:
    """Say whether a local address is that of a file that installers take, not of a source tree."""
    return bool(_ARCHIVE.search(address.partition("#")[0]))


def file_of_url(url: str) -> str | None:
    """The file name in a URL or path; None if it has none."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return unquote(path.rpartition("/")[2]) or None


def pin_of(
    where: str,
    version: str,
    files: tuple[PinnedFile, ...],
    *,
    marker: str = "",
    form: str,
) -> Pin:
    """Make the entry of a lock that names one version."""
    return Pin(
        where=where,
        state=PinState.FORCED,
        version=version or None,
        files=tuple(_redacted(file) for file in files),
        marker=marker,
        how=form,
        form=form,
    )


def bounded(reading: LockReading) -> LockReading:
    """Keep what can be judged in a moment, and say what was left out."""
    pins: list[Pin] = []
    unread, notes = list(reading.unread), list(reading.notes)
    specifiers, markers = _MAX_SPECIFIERS_CHARS, _MAX_MARKERS_CHARS
    for pin in reading.pins[:MAX_PINS]:
        specifiers -= len(pin.specifier)
        markers -= len(pin.marker)
        if len(pin.specifier) > _MAX_SPECIFIER_CHARS or specifiers < 0:
            unread.append(f"{pin.where}: a specifier that is too long to be judged")
            continue
        if len(pin.marker) > MAX_MARKER_CHARS or markers < 0:
            notes.append(f"{pin.where}: its marker is too long: taken to hold everywhere")
            pin = replace(pin, marker="")
        if len(pin.files) > _MAX_FILES:
            unread.append(f"{pin.where}: more than {_MAX_FILES} digests")
            pin = replace(pin, files=pin.files[:_MAX_FILES])
        pins.append(pin)
    if len(reading.pins) > MAX_PINS:
        unread.append(f"{reading.pins[MAX_PINS].where}: more than {MAX_PINS} entries")
    return LockReading(pins=tuple(pins), unread=tuple(unread), notes=tuple(notes))


def _redacted(file: PinnedFile) -> PinnedFile:
    url = redact_url(file.url) if file.url else None
    return PinnedFile(filename=file.filename, url=url, hashes=file.hashes, size=file.size)


def version_of(files: tuple[PinnedFile, ...], project: str) -> str:
    """The version that the file names of an entry say; "" if they say none."""
    found = (version_in(file.filename, project) for file in files if file.filename)
    return next((version for version in found if version), "")


def lines_naming(text: str, project: str, pattern: str) -> list[int]:
    """Numbers of the lines that name the project, by a pattern whose first group is the name."""
    wanted = re.compile(pattern)
    return [
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := wanted.match(line[:_MAX_TEXT_CHARS])) and is_named(found[1], project)
    ]
