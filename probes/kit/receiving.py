"""From what came over the wire to an answer: decoded, digested, and bounded."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from auditor.errors import ProbeError
from probes.kit.answer import Answer
from probes.kit.beside import beside_the_loop
from probes.kit.decoding import MAX_PAGE_BYTES, decode
from probes.kit.request import Request

if TYPE_CHECKING:
    from probes.kit.transport import Reply

__all__ = ["received"]

# Below this, decoding is faster than handing it to a thread.
_THREAD_BYTES = 2**17


async def received(
    request: Request,
    reply: Reply,
    *,
    fetched_at: datetime,
    proxy: str | None,
    with_credentials: bool,
) -> Answer:
    """Make an answer of a reply; a body that cannot be decoded becomes its fault.

    Args:
        request: as it was sent.
        reply: what came back.
        fetched_at: when it was here, UTC.
        proxy: the proxy that was used, without credentials; None: direct.
        with_credentials: whether any were sent.
    """
    encoding = reply.headers.joined("content-encoding")
    work = partial(_body, reply.wire, encoding, is_partial=request.prefix_bytes is not None)
    length = len(reply.wire)
    large = length >= _THREAD_BYTES
    body, digest, fault = await beside_the_loop(work, length) if large else work()
    return Answer(
        method=request.method,
        sent_headers=request.headers,
        asked_url=request.url,
        url=request.url,
        status=reply.status,
        headers=reply.headers,
        body=body,
        body_sha256=digest,
        fault=fault,
        wire_bytes=length,
        fetched_at=fetched_at,
        proxy=proxy,
        with_credentials=with_credentials,
        address=request.address,
        peer=reply.peer if proxy is None else None,
    )


def _body(
    wire: bytes, encoding: str | None, *, is_partial: bool
) -> tuple[bytes, str | None, ProbeError | None]:
    """Return the body, its digest (None if it is empty), and why it could not be decoded."""
    try:
        body = decode(wire, encoding, limit=MAX_PAGE_BYTES, partial=is_partial)
    except ProbeError as fault:
        return b"", None, fault
    return body, hashlib.sha256(body).hexdigest() if body else None, None
