"""Goes through an archive and what in it is one again, and gathers what is of the project."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from auditor.errors import ProbeError
from auditor.model import Incident
from probes.archives.finding import Finder
from probes.archives.found import Found
from probes.archives.members import DAMAGED, Member, MemberType
from probes.archives.nesting import Shape, is_release_name, members_inside, members_of, shape_of
from probes.archives.paths import INSIDE, Wanted
from probes.archives.streams import Unopened
from probes.kit.answer import shown
from probes.kit.disk import open_regular

__all__ = ["ArchiveReading", "Walk", "read_archive_file"]

# An image in a cache has layers, and these a zipped application: that is three.
_MAX_DEPTH = 4


@dataclass
class ArchiveReading:
    """What one archive holds.

    Attributes:
        path: of the archive.
        found: what is of the project.
        unread: what could hide something, in words; empty: it was read to its end.
        members: how many there are.
        missing, denied: why nothing was read.
    """

    path: Path
    found: list[Found] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    members: int = 0
    missing: bool = False
    denied: bool = False


def read_archive_file(path: Path, incident: Incident, stop: threading.Event) -> ArchiveReading:
    """Read one archive to its end, or as far as it can be read."""
    reading = ArchiveReading(path)
    try:
        with open_regular(path) as file:
            _read(file, reading, incident, stop)
    except FileNotFoundError:
        reading.missing = True
        reading.unread.append(f"{path} does not exist")
    except PermissionError:
        reading.denied = True
        reading.unread.append(f"{path} may not be read by this user; run the audit as its owner")
    except (ProbeError, OSError) as error:
        reading.unread.append(f"{path}: {error}")
    return reading


def _read(
    file: BinaryIO, reading: ArchiveReading, incident: Incident, stop: threading.Event
) -> None:
    walk = Walk(reading, Finder(incident, stop), incident.project, stop)
    is_whole = walk.top(file)
    walk.finder.settle()
    if is_whole and walk.finder.wanted:
        file.seek(0)
        walk.resolve(file)
    reading.found += walk.finder.finish()
    reading.unread += walk.finder.unread


@dataclass
class Walk:
    """One pass over an archive."""

    reading: ArchiveReading
    finder: Finder
    project: str
    stop: threading.Event

    def top(self, file: BinaryIO) -> bool:
        """Look at every member; False if it was not read to its end."""
        try:
            self._look_at_all(members_of(file, self.stop), "")
        except (ProbeError, OSError, MemoryError, *DAMAGED) as error:
            self._give_up(self.reading.path, error)
            return False
        return True

    def resolve(self, file: BinaryIO) -> None:
        """Look again, for what links of the project lead to: most of it stands before them."""
        wanted: Wanted = self.finder.wanted
        try:
            for member in members_of(file, self.stop):
                if member.type is MemberType.FILE and (link := wanted.take(member.path)):
                    self.reading.found += self.finder.look_as(member, link)
                if not wanted:
                    return
        except (ProbeError, OSError, MemoryError, *DAMAGED) as error:
            self._give_up(self.reading.path, error)

    def _give_up(self, path: object, error: BaseException) -> None:
        text = str(error) or type(error).__name__
        self.reading.unread.append(f"{path}: {text}, after {self.reading.members} members")

    def _look_at_all(self, members: Iterable[Member], inside: str) -> None:
        for member in members:
            self.reading.members += 1
            self.look_at(_below(inside, member) if inside else member)

    def look_at(self, member: Member) -> None:
        """Look at one member, and at all that it contains."""
        try:
            shape, member = shape_of(member, self.project)
        except DAMAGED as error:
            self._tell(member.path, str(error) or type(error).__name__)
            return
        if shape is Shape.LEAF:
            self.reading.found += self.finder.look(member)
        elif shape is Shape.UNREAD:
            self._tell(member.path, "an archive of a kind that is not read")
        elif member.path.count(INSIDE) >= _MAX_DEPTH:
            self._tell(member.path, "an archive too deep in others")
        else:
            self._descend(member, shape)

    def _tell(self, path: str, problem: str) -> None:
        self.reading.unread.append(f"{shown(path, 300)}: {problem}")

    def _descend(self, member: Member, shape: Shape) -> None:
        if shape is Shape.NAMELESS:
            found = self.finder.look_nameless(member)
            self.reading.found += found
            if found:
                return
        deeper = member.path + INSIDE
        if shape is Shape.APPLICATION:
            self.finder.imports_from(deeper)
        unread_before = len(self.reading.unread)
        told_before = len(self.finder.unread)
        try:
            self._look_at_all(members_inside(member, self.stop), deeper)
        except (ProbeError, OSError, *DAMAGED) as error:
            # What is compressed and no archive, such as a page of a manual, hides no member.
            if not (isinstance(error, Unopened) and shape in (Shape.NAMELESS, Shape.PERHAPS)):
                self._tell(deeper, str(error) or type(error).__name__)
                return
        if is_release_name(member.path.rpartition("/")[2]) and self.finder.is_source(deeper):
            # A source archive of another project is a leaf: what lies in it, its test data above
            # all, is installed from nowhere, and may be damaged on purpose.
            del self.reading.unread[unread_before:], self.finder.unread[told_before:]


def _below(inside: str, member: Member) -> Member:
    target = inside + member.target if member.type is MemberType.HARD_LINK else member.target
    return replace(member, path=inside + member.path, target=target)
