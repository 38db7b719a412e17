"""What of a project was found in an archive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Found", "FoundKind"]


class FoundKind(StrEnum):
    """As what it lies there."""

    FILE = "file"  # a distribution, under its name or another
    UNPACKED = "unpacked"  # its content, in a cache or in a zipped application
    INSTALLED = "installed"  # its content, where Python imports it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something of the project.

    Attributes:
        path: in the archive.
        member: the file in the archive by which it was found.
        kind: as what it lies there.
        filename: of the distribution; of the directory where it is unpacked.
        version: None if nothing says it.
        sha256: of a file; None if it was not read to its end.
        size: bytes of a file.
        intact: as in `Holding`.
        how: how it was recognised.
        members: of a directory: the files in it that were met.
        target: of a link whose content was not met: what it leads to.
    """

    path: str
    member: str
    kind: FoundKind
    filename: str
    version: str | None
    sha256: str | None = None
    size: int | None = None
    intact: bool | None = None
    how: str
    members: tuple[str, ...] = ()
    target: str = ""
