"""What one layer adds and hides, and what of a stack of layers can still be seen.

Sources: OCI image specification 1.1, *Image Layer Filesystem Changeset* (whiteouts); the format of
`docker save` (Docker 27), which puts `manifest.json` beside the blobs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from auditor.errors import ProbeError
from auditor.model import Incident
from probes.archives.finding import Finder
from probes.archives.found import Found
from probes.archives.infos import STATING
from probes.archives.members import DAMAGED, Member
from probes.archives.nesting import members_of
from probes.archives.paths import INSIDE, comparable
from probes.archives.streams import Cut
from probes.archives.walking import ArchiveReading, Walk

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
    """Read a layer to its end, or as far as it can be read: what was found by then is there."""
    layer, reading = Layer(), ArchiveReading(Path())
    walk = Walk(reading, Finder(incident, stop), incident.project, stop)
    try:
        # Container runtimes take the end of a layer for its end, with or without tar's mark.
        for member in members_of(file, stop, needs_mark=False):
            _sort(member, layer, walk)
    except (ProbeError, OSError, *DAMAGED) as error:
        layer.unread.append(str(error) or type(error).__name__)
    layer.found = [*reading.found, *walk.finder.finish(is_part=True)]
    layer.unread += [*reading.unread, *walk.finder.unread]
    return layer


def _sort(member: Member, layer: Layer, walk: Walk) -> None:
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
        walk.look_at(replace(member, path=path))


def _clean(path: str) -> str:
    return path.removeprefix("./").strip("/")


def stacked(layers: Sequence[Layer]) -> Iterable[Seen]:
    """Tell what can be seen of a stack of layers, the lowest first, and what is hidden in it."""
    known: dict[str, Found] = {}
    for number, layer in enumerate(layers, start=1):
        known |= {comparable(path): f for f in layer.found for path in (f.member, *f.members)}
        for found in layer.found:
            above = enumerate(layers[number:], start=number + 1)
            hidden = next((n for n, upper in above if _hides(upper, found)), None)
            yield Seen(_resolved(found, known), number, hidden)


def _resolved(found: Found, known: Mapping[str, Found]) -> Found:
    """A link is what it leads to, wherever in its layer or in those below that lies."""
    target = known.get(found.target) if found.target else None
    if target is None or target is found:
        return found
    return replace(
        found,
        version=target.version or found.version,
        sha256=target.sha256,
        size=target.size,
        intact=target.intact,
    )


def _hides(upper: Layer, found: Found) -> bool:
    """Whether a layer removes, empties around or overwrites something of a lower one."""
    path = found.member.partition(INSIDE)[0]
    ancestors = list(_ancestors(path))
    if any(place in upper.removed or place in upper.opaque for place in ancestors):
        return True
    # Of a directory, what states the version decides, or else all that was seen of it.
    is_one = path != found.member or not found.members or found.member.endswith(STATING)
    paths = (path,) if is_one else found.members
    return all(place in upper.removed or hash(place) in upper.paths for place in paths)


def _ancestors(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    yield ""
