"""Where a location stands in the configuration, for formats that point at a line of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from auditor.model import Location

__all__ = ["Declared", "declared"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A line of a configuration file.

    Attributes:
        file: as the user named it.
        line: from 1.
    """

    file: str
    line: int

    @property
    def uri(self) -> str:
        """The file as a relative reference, or as a `file:` URI if its path is absolute."""
        path = PurePath(self.file)
        text = quote(path.as_posix().encode("utf-8", "surrogateescape"))
        return f"file://{text}" if path.is_absolute() else text


def declared(location: Location) -> Declared | None:
    """Read `FILE:LINE`; None where an option or nothing at all named the location."""
    file, colon, line = (location.declared_at or "").rpartition(":")
    if not colon or not file or file.startswith("-") or not (line.isascii() and line.isdigit()):
        return None
    number = int(line[:9])
    return Declared(file, number) if number else None
