"""Directories of metadata in an archive: what is installed or unpacked there.

One is known by any of its members, links included: uv links environments to its cache, and an
image may lack the one file that states the version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO

from auditor.model import normalise_project
from probes.archives.members import Member, MemberType
from probes.archives.paths import comparable, target_of
from probes.kit.files import held_version

__all__ = ["STATING", "Info", "Infos"]

_METADATA_BYTES = 4 * 2**20
# More files of one directory tell nothing more.
_MAX_KEPT = 4000
_MAX_DIRECTORIES = 100_000
_INFO = re.compile(
    r"(?:^|/)(?P<name>[^/]+?)(?:-(?P<version>[^/-]+))?(?:-py[\d.]+)?"
    r"\.(?:dist-info|egg-info|egg!?/EGG-INFO)(?P<file>/.+)?$"
)
# The files that state the version.
STATING = ("/METADATA", "/PKG-INFO")
_VERSION = re.compile(rb"^version[ \t]*:[ \t]*(.*?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
# uv keeps wheels unpacked, and links them into environments.
_UV_STORE = re.compile(r"(?:^|/)archive-v\d+/")


@dataclass(slots=True)
class Info:
    """One directory of metadata of the project.

    Attributes:
        directory: its path.
        named: the version in its name; None if it has none.
        stated: the version that its metadata states; None if that was not read.
        members: the files that were met in it.
        target: what its metadata is a link to; "" if it is none.
        is_stored: whether it lies in a cache or a zipped distribution, where nothing imports it.
    """

    directory: str
    named: str | None
    stated: str | None = None
    members: list[str] = field(default_factory=list)
    target: str = ""
    is_stored: bool = False

    @property
    def version(self) -> str | None:
        """The version; what the metadata states counts more than the name."""
        return self.stated or self.named


class Infos:
    """Collects the directories of metadata of one project."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._by_member: dict[str, Info] = {}
        self.by_directory: dict[str, Info] = {}

    def add(self, member: Member, applications: frozenset[str]) -> Info | None:
        """Note a member; None: it is of no such directory of the project.

        Args:
            applications: those archives in the archive from which Python imports.
        """
        path = member.path
        if "-info" not in path and "EGG-INFO" not in path:  # nearly every one ends here
            return None
        match = _INFO.search(path)
        if match is None or normalise_project(match["name"]) != self._project:
            return None
        if match["file"] is None and not (
            path.endswith(".egg-info") or member.type is MemberType.SYMBOLIC_LINK
        ):
            return None
        directory = path[: match.start("file")] if match["file"] else path
        if len(self.by_directory) > _MAX_DIRECTORIES:
            return None
        info = self.by_directory.get(directory)
        if info is None:
            stored = _is_stored(directory, self._project, applications)
            info = Info(directory, match["version"], is_stored=stored)
            self.by_directory[directory] = info
        self._note(info, member)
        return info

    def at(self, target: str) -> Info | None:
        """Return the directory whose metadata lies at a path."""
        return self._by_member.get(target)

    def _note(self, info: Info, member: Member) -> None:
        if len(info.members) < _MAX_KEPT:
            info.members.append(member.path)
        states = member.path[len(info.directory) :] in (*STATING, "")
        if not states:
            return
        if member.type is MemberType.FILE:
            with member.open() as stream:
                info.stated = _version_in(stream) or info.stated
            self._by_member[comparable(member.path)] = info
        else:
            info.target = target_of(member)


def _is_stored(directory: str, project: str, applications: frozenset[str]) -> bool:
    above = directory.split("/")[:-1]
    if any(held_version(part.removesuffix("!"), project) for part in above):
        return True
    # On top of an archive it is a wheel's under another name, unless Python runs the archive.
    outer = directory.rpartition("/")[0] + "/"
    is_on_top = outer.endswith("!/") and outer not in applications
    return is_on_top or _UV_STORE.search(directory) is not None


def _version_in(stream: BinaryIO) -> str | None:
    """Read the field itself: parsers of whole messages take quadratic time on hostile ones."""
    headers = _END_OF_HEADERS.split(stream.read(_METADATA_BYTES), maxsplit=1)[0]
    match = _VERSION.search(headers)
    return match[1].decode("utf-8", "replace") or None if match else None
