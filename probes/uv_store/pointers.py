"""What leads to an unpacked wheel or source: `.http` (from an index or a URL) and `.rev` (a path).

    wheels-v8/index/<hash>/<project>/<version>-<tags>.http      msgpack, then the cache policy
    wheels-v8/index/<hash>/<project>/<version>-<tags>           link to archive-v0/<id>
    sdists-v11/index/<hash>/<project>/<version>/revision.http   the same for a source archive

The msgpack says under which id the content lies, what the file was called, and its digest, which uv
computed while it unpacked; uv before 0.13 keeps one only where it was asked to verify it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from probes.client_caches.home import CacheReading
from probes.http_stores.disk import Body, opened
from probes.kit.disk import NotReadable
from probes.kit.redaction import redact_url

__all__ = ["Pointer", "read_pointer"]

_MAX_POINTER_BYTES = 2**20
# The msgpack is short; what follows it is a policy of another format.
_MAX_OBJECT_BYTES = 2**12
_ID = re.compile(r"[\w-]{1,64}")
_URL = re.compile(rb"(?:https?|file)://[^\x00-\x20\"<>\x7f-\xff]{1,2000}")
_ARCHIVE_NAME = re.compile(r"^(.*?\.(?:whl|tar\.gz|tgz|zip|tar\.bz2|tar\.xz|tar))(?![\w.])")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """One pointer.

    Attributes:
        place: relative to the cache.
        target: id of what it leads to; "" if it cannot be read.
        filename: of the wheel; "" if it does not say.
        sha256: of the file as it was downloaded; None if uv did not compute it.
        url: where it came from, without credentials; "" if it does not say.
        raw: its bytes, for who looks for a URL in them.
    """

    place: str
    target: str
    filename: str
    sha256: str | None
    url: str
    raw: bytes


def read_pointer(home: str, place: str, reading: CacheReading) -> Pointer | None:
    """Read a pointer; None if it is gone. What cannot be read is noted."""
    try:
        with opened(f"{home}/{place}") as file:
            raw = Body(file.descriptor, 0, min(file.size, _MAX_POINTER_BYTES)).whole()
    except FileNotFoundError:
        return None  # uv replaced it meanwhile
    except (OSError, NotReadable):
        reading.note("pointers that may not be read", place, hides=True)
        return None
    texts = list(_texts(_first_object(raw)))
    ids = [t for t in texts if _ID.fullmatch(t) and not _SHA256.fullmatch(t)]
    if not ids:
        # uv takes it for missing; what it led to may lie here all the same.
        reading.note("damaged pointers, which uv ignores", place)
    return Pointer(
        place=place,
        target=ids[0] if ids else "",
        filename=next((t for t in texts if t.endswith(".whl")), ""),
        sha256=next((t for t in texts if _SHA256.fullmatch(t)), None),
        url=_url(raw),
        raw=raw,
    )


def _first_object(raw: bytes) -> object:
    """Decode the msgpack at the beginning, however long it is."""
    try:
        return msgspec.msgpack.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    # msgspec reads no stream. It says where an object ended that something follows.
    head = raw[:_MAX_OBJECT_BYTES]
    try:
        return msgspec.msgpack.decode(head)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        ended = re.search(r"trailing characters \(byte (\d+)\)", str(error))
    if ended is None:
        return None
    try:
        return msgspec.msgpack.decode(head[: int(ended[1])])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _texts(document: object, depth: int = 0) -> Iterator[str]:
    """Every text of a document in order, but the names of fields and of algorithms."""
    match document:
        case str():
            yield document
        case list() | tuple() if depth < 8:
            for member in _members(document):
                yield from _texts(member, depth + 1)
        case dict() if depth < 8:
            for member in document.values():
                yield from _texts(member, depth + 1)
        case _:
            return


def _members(document: Sequence[object]) -> Sequence[object]:
    return document[:1000]


def _url(raw: bytes) -> str:
    match = _URL.search(raw)
    if match is None:
        return ""
    # A text of rkyv ends nowhere: the next one follows without a gap.
    text = match[0].decode("ascii")
    named = _ARCHIVE_NAME.match(text)
    return redact_url(named[1] if named else text)
