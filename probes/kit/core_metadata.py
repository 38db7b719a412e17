"""The three fields of core metadata that an audit needs, read in time linear in its size."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.metadata import parse_email

__all__ = ["CoreMetadata", "read_core_metadata"]

# What the standard library's e-mail parser takes for a header line, or for the next line of one.
_HEADER = re.compile(rb"From |[\x21-\x39\x3b-\x7e]*:|[\t ]")
_WANTED = re.compile(rb"(name|version|requires-python)[ \t]*:", re.IGNORECASE)
# Real ones have at most some hundred characters; what is longer is not worth the time of a parser.
_MAX_VALUE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """What a METADATA or PKG-INFO file says of its release.

    Attributes:
        name: as written; None if it says none, or several.
        version: as written; None likewise.
        requires_python: the specifier as written; "" if there is none. One that is too long to be
            one ends in "…", which no specifier does.
    """

    name: str | None
    version: str | None
    requires_python: str


def read_core_metadata(content: bytes) -> CoreMetadata:
    """Read a METADATA or PKG-INFO file.

    packaging's parser takes time quadratic in the number of distinct headers, of which a hostile
    file has tens of thousands: it is given only the fields that are wanted.

    Args:
        content: of the file, or its beginning.
    """
    raw, _ = parse_email(_wanted(content))
    python = (raw.get("requires_python") or "").strip()
    if len(python) > _MAX_VALUE_CHARS:
        python = f"{python[:_MAX_VALUE_CHARS]}…"
    return CoreMetadata(_short(raw.get("name")), _short(raw.get("version")), python)


def _wanted(content: bytes) -> bytes:
    """The header lines of the wanted fields, with their continuations, as they stand."""
    kept: list[bytes] = []
    keeps = False
    for line in content.splitlines(keepends=True):
        if not _HEADER.match(line):
            break  # the empty line before the description, or what is no header
        if line[:1] not in (b" ", b"\t"):
            keeps = bool(_WANTED.match(line))
        if keeps:
            kept.append(line)
    return b"".join([*kept, b"\n\n"])


def _short(value: str | None) -> str | None:
    return value.strip()[:_MAX_VALUE_CHARS] if value is not None else None
