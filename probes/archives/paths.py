"""Paths in archives, and what links among them lead to."""

from __future__ import annotations

import posixpath
from collections.abc import Container

from probes.archives.members import Member, MemberType

__all__ = ["INSIDE", "Wanted", "comparable", "target_of"]

INSIDE = "!/"
_MAX_WANTED = 10_000


def target_of(member: Member) -> str:
    """Return where a link leads, as a path in the archive; it may be outside of it."""
    if member.type is MemberType.HARD_LINK or member.target.startswith("/"):
        return comparable(member.target)
    return comparable(posixpath.join(posixpath.dirname(member.path), member.target))


def comparable(path: str) -> str:
    """A path as it can be compared: archives are packed from `/`, `.` or a place below both."""
    path = posixpath.normpath(path.lstrip("/"))
    while path.startswith("../"):
        path = path[3:]
    return path


class Wanted:
    """Links of the project whose content was not met under a name that would show it."""

    def __init__(self) -> None:
        self._links: dict[str, Member] = {}

    def __bool__(self) -> bool:
        return bool(self._links)

    def add(self, link: Member) -> None:
        """Want what a link leads to."""
        if len(self._links) < _MAX_WANTED:
            self._links[target_of(link)] = link

    def take(self, path: str) -> Member | None:
        """Return the link that leads to a path, once; None if none does."""
        if not self._links:
            return None
        return self._links.pop(comparable(path), None)

    def forget(self, known: Container[str]) -> None:
        """Want no longer what leads to one of these paths."""
        self._links = {path: link for path, link in self._links.items() if path not in known}

    def rest(self) -> list[Member]:
        """What is still wanted."""
        return list(self._links.values())
