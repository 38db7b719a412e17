"""What the driver asks of a real program: where to audit it, how to refresh it, what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auditor.lab.drive.upstream import Upstream
from auditor.model import SettingValue

__all__ = ["AccessLine", "Inventory", "Place", "Subject", "inventory_of"]

Inventory = Mapping[str, frozenset[str]]
"""File name to the SHA-256 of every artifact of that name on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One location that the audit is given.

    Attributes:
        name: of the location.
        table: its keys of `[[locations]]` beside the name; `upstream` is the source if not given.
        index_url: what a client is given to install from here.
        held_known: whether design section 4 demands that `held` is known here.
        checks_held: whether the inventory is that of this place; False for a mere overlay.
        proxy: that a client is given as well; None: it has none.
    """

    name: str
    table: Mapping[str, SettingValue]
    index_url: str
    held_known: bool = True
    checks_held: bool = True
    proxy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLine:
    """One line of a program's own access log: the path with its query, as it was sent."""

    method: str
    path: str
    status: int
    user_agent: str


class Subject(Protocol):
    """A real program, or several that belong together, around the embedded PyPI."""

    @property
    def name(self) -> str:
        """Of the program."""
        ...

    def running(self, upstream: Upstream, directory: Path) -> AbstractAsyncContextManager[object]:
        """Run it against this upstream, with all its files below a directory."""
        ...

    def places(self) -> Sequence[Place]:
        """Return where to look, once it runs."""
        ...

    async def refresh(self) -> None:
        """Make it catch up with its upstream, as its operator would."""
        ...

    def inventory(self) -> Inventory:
        """Return what it holds on disk."""
        ...

    def access_log(self) -> Sequence[AccessLine] | None:
        """Return what it says that it was asked; None if it keeps no log."""
        ...


def inventory_of(directory: Path) -> Inventory:
    """Return every wheel and source distribution below a directory."""
    found: dict[str, set[str]] = {}
    for path in directory.rglob("*"):
        if path.name.endswith((".whl", ".tar.gz", ".zip")) and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found.setdefault(path.name, set()).add(digest)
    return {name: frozenset(digests) for name, digests in found.items()}
