"""`python -m tests.bench.page_server`: pages of two sizes, compressed.

Whatever the prefix, `small/` and `large/` are one page each, and `projNNNN/` is the large one of
another project for each NNNN. Prints its port, then serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
from functools import lru_cache
from typing import cast

from tests.bench.pages import HTML_TYPE, JSON_TYPE, Shape, make_page

__all__ = ["LARGE", "SMALL", "named"]

# About 20 KB and 1.1 MB in JSON.
SMALL = Shape("small", 52, 26)
LARGE = Shape("large", 2388, 179, binary=True)


def named(number: int) -> str:
    """Return the name of one of the projects with a large page; all are equally long."""
    return f"proj{number:04}"


class _Bodies:
    """Compressed bodies; that of a renamed project is made when it is asked for."""

    def __init__(self) -> None:
        self._fixed: dict[tuple[bytes, bool], bytes] = {}
        for shape in (SMALL, LARGE):
            page = make_page(shape)
            self._fixed[shape.project.encode(), True] = gzip.compress(page.json, 6)
            self._fixed[shape.project.encode(), False] = gzip.compress(page.html, 6)
        renamed = make_page(Shape(named(0), LARGE.files, LARGE.versions, LARGE.binary))
        self._plain = {True: renamed.json, False: renamed.html}
        self.get = lru_cache(maxsize=16)(self._made)

    def _made(self, name: bytes, is_json: bool) -> bytes:
        fixed = self._fixed.get((name, is_json))
        if fixed is not None:
            return fixed
        # The large page under another name of the same length: another body.
        return gzip.compress(self._plain[is_json].replace(named(0).encode(), name), 1)


class _Pages(asyncio.Protocol):
    def __init__(self, bodies: _Bodies) -> None:
        self._bodies = bodies
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            request, self._read = self._read[:end].lower(), self._read[end + 4 :]
            is_json = b"simple.v1+json" in request
            name = request.split(b" ", 2)[1].rstrip(b"/").rpartition(b"/")[2]
            body = self._bodies.get(name, is_json)
            kind = JSON_TYPE if is_json else HTML_TYPE
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            self._transport.write(head.encode() + b"Content-Encoding: gzip\r\n\r\n" + body)


async def main() -> None:
    bodies = _Bodies()
    server = await asyncio.get_running_loop().create_server(lambda: _Pages(bodies), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
