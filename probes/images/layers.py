"""What one layer adds and hides, and what of a stack of layers can still be seen.

Sources: OCI image specification 1.1, *Image Layer Filesystem Changeset* (whiteouts); the format of
`docker save` (Docker 27), which puts `manifest.json` beside the blobs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from auditor.model import Incident
from probes.archives.finding import Finder, Found
from probes.archives.members import Member, MemberType, members_of
from probes.archives.streams import Cut

__all__ = ["Layer", "Seen", "read_layer", "stacked"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# The largest images have some million files; each costs us a number.
_MAX_PATHS = 20_000_000


@dataclass
class Layer:
    """What one layer holds.

    Attributes:
        found: what is of the project.
        removed: paths that it removes from the layers below.
        opaque: directories of which it hides everything that is below.
        paths: of everything in it, as hashes.
        unread: what could hide something, in words.
    """

    found: list[Found] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    paths: set[int] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """Something of the project in a stack of layers.

    Attributes:
        found: what it is.
        layer: number of its layer, 1 for the lowest.
        hidden_by: number of the layer that hides it; None if it can be seen.
    """

    found: Found
    layer: int
    hidden_by: int | None


def read_layer(file: BinaryIO, incident: Incident, stop: threading.Event) -> Layer:
    """Read a layer to its end. Raises as `members_of`."""
    layer, finder = Layer(), Finder(incident, stop)
    for member in members_of(file, stop):
        path = _clean(member.path)
        directory, _, name = path.rpartition("/")
        if name == _OPAQUE:
            layer.opaque.add(directory)
        elif name.startswith(_WHITEOUT):
            layer.removed.add(f"{directory}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        else:
            layer.paths.add(hash(path))
            if len(layer.paths) > _MAX_PATHS:
                raise Cut("a layer has more files than are kept in mind")
            layer.found += _found(member, path, finder)
    layer.unread += finder.unread
    return layer


def _found(member: Member, path: str, finder: Finder) -> Iterator[Found]:
    if member.type is MemberType.FILE or member.type is MemberType.HARD_LINK:
        yield from finder.look(
            Member(path, member.size, member.type, _clean(member.target), member.open)
        )


def _clean(path: str) -> str:
    return path.removeprefix("./").strip("/")


def stacked(layers: Sequence[Layer]) -> Iterable[Seen]:
    """Tell what can be seen of a stack of layers, the lowest first, and what is hidden in it."""
    for number, layer in enumerate(layers, start=1):
        for found in layer.found:
            above = enumerate(layers[number:], start=number + 1)
            hidden = next((n for n, upper in above if _hides(upper, found)), None)
            yield Seen(found, number, hidden)


def _hides(upper: Layer, found: Found) -> bool:
    """Whether a layer removes, empties around or overwrites something of a lower one."""
    path = found.member
    ancestors = list(_ancestors(path))
    if any(place in upper.removed for place in (path, *ancestors)):
        return True
    if any(place in upper.opaque for place in ancestors):
        return True
    return hash(path) in upper.paths


def _ancestors(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    yield ""
