"""One entry of a store: where it lies, and what it says (CacheControl's serial format 4).

    http-v2/a/b/c/d/e/<sha224 of the URL>        `cc=4,` + msgpack {response: {…}, vary: {…}}
    http-v2/a/b/c/d/e/<sha224 of the URL>.body   the body as it was transferred
    http/a/b/c/d/e/<sha224 of the URL>           the same msgpack with the body inside

pip writes `http-v2` from 23.3 on, and `http` before. The URL itself is stored nowhere.
Source: pip/_vendor/cachecontrol/serialize.py and caches/file_cache.py, pip 23.2.1 to 26.3.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

__all__ = [
    "Damaged",
    "Entry",
    "Foreign",
    "entry_path",
    "is_entry_name",
    "parse_entry",
    "read_entry",
]

# Real ones have some 2 kB of headers.
_MAX_HEADER_BYTES = 2**20
_FIRST_READ_BYTES = 2**14
_NAME = re.compile(r"[0-9a-f]{56}")
# Every writer puts the body first. What follows it is small, so that a body inside an entry is
# never loaded to read the headers behind it.
_UP_TO_BODY = re.compile(
    rb"cc=4,([\x81-\x8f]\xa8response[\x81-\x8f]\xa4body)(?:\xc4(.)|\xc5(..)|\xc6(....))", re.DOTALL
)
_NO_BODY = b"\xc4\x00"


class Foreign(Exception):
    """It is not an entry that today's clients read; the text says what it is."""


class Damaged(Exception):
    """It begins like an entry and cannot be read; the text says why."""


class _Response(msgspec.Struct):
    headers: dict[str, str]
    status: int
    body: bytes = b""


class _Document(msgspec.Struct):
    response: _Response
    vary: dict[str, str | None] = {}


_DECODER = msgspec.msgpack.Decoder(_Document)


# A struct, as `Stored`: there is one per file, and a frozen dataclass costs ten times as much.
class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an entry says of the answer that it keeps.

    Attributes:
        status: HTTP status.
        headers: of the answer; names in lower case.
        vary: the request headers that it varies by, as they were sent; names in lower case.
        body_at, body_size: where the body is in the entry's own file; of size 0 where it has a
            file of its own.
    """

    status: int
    headers: Mapping[str, str]
    vary: Mapping[str, str | None]
    body_at: int
    body_size: int

    def is_cut(self, body_size: int) -> bool:
        """Say whether the stored body is shorter or longer than what was announced.

        CacheControl stores no answer whose length is not the announced one, so that such a body
        was damaged later.
        """
        announced = self.headers.get("content-length", "")
        return announced.isascii() and announced.isdigit() and announced[:20] != str(body_size)


def entry_path(url: str) -> str:
    """Return where the answer to a URL is stored, below the root of a store.

    Raises:
        ValueError: the text is no URL.
    """
    parts = urlsplit(url)
    path = parts.path or "/"
    # CacheController._urlnorm: only scheme and authority are normalised, the fragment is dropped.
    query = f"?{parts.query}" if parts.query else ""
    key = f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}{query}"
    name = hashlib.sha224(key.encode("utf-8", "surrogateescape")).hexdigest()
    return "/".join((*name[:5], name))


def is_entry_name(name: str) -> bool:
    """Say whether a file has the name of an entry."""
    return _NAME.fullmatch(name) is not None


def read_entry(descriptor: int, size: int) -> Entry:
    """Read an entry without its body.

    Args:
        descriptor: of the open file.
        size: of the file, bytes.

    Raises:
        Foreign, Damaged: see there.
        OSError: it cannot be read.
    """
    head = os.pread(descriptor, min(size, _FIRST_READ_BYTES), 0)
    return _read(head, size, lambda count, at: os.pread(descriptor, count, at))


def parse_entry(content: bytes) -> Entry:
    """Read an entry that is in memory. Raises as `read_entry`."""
    return _read(content, len(content), lambda count, at: content[at : at + count])


def _read(head: bytes, size: int, read_at: Callable[[int, int], bytes]) -> Entry:
    if not head.startswith(b"cc=4,"):
        raise Foreign(_what_else(head))
    match = _UP_TO_BODY.match(head)
    if match is None:
        raise Damaged("it does not begin with a body as every known writer puts it")
    length = next(group for group in match.groups()[1:] if group is not None)
    body_at, body_size = match.end(), int.from_bytes(length, "big")
    end = body_at + body_size
    if end > size:
        raise Damaged(f"its body of {body_size} bytes breaks off")
    if size - end > _MAX_HEADER_BYTES:
        raise Damaged(f"its headers are larger than {_MAX_HEADER_BYTES} bytes")
    rest = head[end:] if size <= len(head) else read_at(size - end, end)
    return _decoded(match[1] + _NO_BODY + rest, body_at, body_size)


def _decoded(document: bytes, body_at: int, body_size: int) -> Entry:
    try:
        read = _DECODER.decode(document)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Damaged("its headers are no msgpack of the known form") from error
    return Entry(
        status=read.response.status,
        headers={name.lower(): value for name, value in read.response.headers.items()},
        vary={name.lower(): value for name, value in read.vary.items()},
        body_at=body_at,
        body_size=body_size,
    )


def _what_else(head: bytes) -> str:
    if not head:
        return "an empty file"
    if re.match(rb"cc=\d,", head):
        # 0 to 3 were pickle, zlib'd JSON and the like: nothing that reads them is in use, and
        # unpickling is execution.
        return f"an entry of serial format {head[3:4].decode()}, which installers ignore today"
    return "no entry of an HTTP cache"
