"""One request on aiohttp: exactly the given headers, bounded, every failure named.

Only this module, `connections` and `lean_aiohttp` import aiohttp. They are imported when a probe is
first going to ask something: most of the time that `auditor --help` would take is in there.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from yarl import URL

from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from probes.kit.answer import Headers
from probes.kit.connections import Bounds, Connector, Meter, Resolver, metered
from probes.kit.decoding import MAX_WIRE_BYTES
from probes.kit.lean_aiohttp import aiohttp
from probes.kit.origins import origin_of
from probes.kit.reach import Reach
from probes.kit.tls_problems import tls_problem

if TYPE_CHECKING:
    from aiohttp.connector import Connection

__all__ = [
    "Call",
    "ConnectionLost",
    "Reply",
    "Sending",
    "Transport",
    "Transports",
]

CONNECT_TIMEOUT_S = 10.0
# How long a connection may wait for its next request: less than with any usual server, of which
# gunicorn waits the shortest (2 s). One that the server closes meanwhile would cost an attempt.
KEPT_S = 1.5
# Literal headers only: what aiohttp adds of its own accord would make another cache variant.
_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class ConnectionLost(Unreachable):
    """The connection broke while it was in use; asking once more may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, connected=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, ready to be sent.

    Attributes:
        method, url, headers: as sent, credentials included.
        proxy: through which it goes; None: directly.
        tls: settings for https.
        timeout_s: seconds for everything, from looking up the name to the last byte.
        prefix_bytes: how much of the body is wanted; None: all of it.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    timeout_s: float
    proxy: str | None = None
    tls: ssl.SSLContext | None = None
    prefix_bytes: int | None = None


@dataclass(slots=True)
class Sending:
    """What has happened to a request so far; readable after it failed or was cancelled.

    Attributes:
        times: how often its headers left, as aiohttp counts it: the ledger must show each.
        connected: whether there was a connection.
        status: of the answer, as soon as its headers are here.
    """

    times: int = 0
    connected: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        status, headers: of the answer.
        wire: the body as it was on the wire, cut off if so wanted.
        peer: the address that was connected to, perhaps a proxy's; None if not known.
    """

    status: int
    headers: Headers
    wire: bytes
    peer: str | None = None


# Of the request that this task sends.
_sending: ContextVar[Sending] = ContextVar("sending")


class _Request(aiohttp.ClientRequest):
    """Notes each time that it leaves. (aiohttp's tracing tells the same, at the price of a page.)

    A proxy's CONNECT is no such request: aiohttp makes it of its own class.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it over a connection that is there."""
        sending = _sending.get()
        sending.connected = True
        response = await super().send(conn)
        sending.times += 1  # what fails in there was not written
        return response


class Transport:
    """A pool of connections with the habits that an auditor needs. Close it after use.

    Args:
        keep_connections: whether they are used again.
        address: the only one that it connects to, whatever the name in a URL stands for; the name
            stays in the Host header and in TLS. None: what the system's resolver says.
        bounds: how near each host may be; None: nobody was told yet.
    """

    def __init__(
        self,
        *,
        keep_connections: bool = True,
        address: str | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self._resolver = Resolver(bounds, address)
        self._session = aiohttp.ClientSession(
            connector=Connector(bounds, self._resolver, KEPT_S if keep_connections else None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC_HEADERS,
            auto_decompress=False,
            trust_env=False,
            request_class=_Request,
        )
        # aiohttp repeats a GET by itself when the connection closes under it. Retries are ours to
        # decide and to count. There is no public switch; aiohttp's own TestClient sets this one.
        # Should it vanish, the ledger still counts every repetition (see `Sending.times`).
        self._session._retry_connection = False

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        await self._resolver.close()

    async def exchange(self, call: Call, sending: Sending) -> Reply:
        """Send one request and read the answer within bounds.

        Raises:
            Unreachable: nothing answered, or not in time.
            Denied: a proxy wants credentials.
            Malformed: the answer is not HTTP, or larger than any page.
            GuardRefused: the host is nearer than it may be.
        """
        where = origin_of(call.url).host_and_port
        metered.set(None)
        _sending.set(sending)
        try:
            return await self._reply(call, sending)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            _raise_fault(metered.get())
            if isinstance(error, aiohttp.ClientHttpProxyError):
                sending.times = max(1, sending.times)  # the proxy's log has a line for CONNECT
            raise _translated(error, sending, where, call) from error

    async def _reply(self, call: Call, sending: Sending) -> Reply:
        async with self._session.request(
            call.method,
            # Already encoded: requoting could ask for another cache entry than clients do.
            URL(call.url, encoded=True),
            headers=list(call.headers),
            proxy=call.proxy,
            ssl=call.tls if call.tls is not None else True,
            allow_redirects=False,
            timeout=_timeout(call.timeout_s),
        ) as response:
            meter = metered.get()
            sending.status = response.status
            if response.status == 407 and call.proxy is not None:
                raise _refused_by_proxy(response.status)
            return Reply(
                status=response.status,
                headers=Headers(tuple(response.headers.items())),
                wire=await self._read(call, response, meter),
                peer=meter.peer if meter else None,
            )

    async def _read(
        self, call: Call, response: aiohttp.ClientResponse, meter: Meter | None
    ) -> bytes:
        limit = MAX_WIRE_BYTES if call.prefix_bytes is None else call.prefix_bytes
        if call.method == "HEAD":
            return b""
        wire = bytearray()
        # What has come so far, which is little: aiohttp stops reading when nobody takes it.
        while chunk := await response.content.readany():
            wire += chunk
            if meter is not None:
                meter.taken(len(wire))
            if len(wire) > limit:
                response.close()  # the rest stays unread
                if call.prefix_bytes is None:
                    raise Malformed(f"the answer is larger than {limit} bytes, as no page is")
                return bytes(wire[:limit])
        _raise_fault(meter)  # for a body that ends with its connection, that was the end
        return bytes(wire)


class Transports:
    """A transport for each address that is asked: connections of several must not be mixed up.

    Args:
        keep_connections: as for `Transport`.
    """

    def __init__(self, *, keep_connections: bool) -> None:
        self._keep_connections = keep_connections
        self._by_address: dict[str | None, Transport] = {}
        self._bounds = Bounds()

    def confine(self, url: str, nearest: Reach) -> None:
        """Keep the host of a URL, asked directly, from being nearer than this from now on."""
        self._bounds.confine(URL(url, encoded=True), nearest)

    def to(self, address: str | None) -> Transport:
        """Return the transport to one address; None: to any that a name stands for."""
        if address not in self._by_address:
            self._by_address[address] = Transport(
                keep_connections=self._keep_connections,
                address=address,
                # An address that was chosen cannot become another one.
                bounds=self._bounds if address is None else None,
            )
        return self._by_address[address]

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._by_address.values():
            await transport.close()


def _raise_fault(meter: Meter | None) -> None:
    if meter is not None and meter.fault is not None:
        raise meter.fault


def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    # Looking up the name and connecting; nobody waits for a place in the pool.
    return aiohttp.ClientTimeout(total=total_s, connect=min(CONNECT_TIMEOUT_S, total_s))


def _translated(error: Exception, sending: Sending, where: str, call: Call) -> ProbeError:
    """Turn what aiohttp raises into an error of ours, which never quotes the URL."""
    if isinstance(error, TimeoutError):
        return _timed_out(sending, where, call.timeout_s)
    tls = tls_problem(error, where)
    if tls is not None:
        return tls
    if isinstance(error, aiohttp.ClientConnectorError):
        return _not_connected(error, where)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error.status)
    if isinstance(error, aiohttp.ClientResponseError):
        return Malformed(f"{where} answers with broken HTTP: {error.message[:120]!r}")
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Malformed(f"the request to {where} cannot be formed: {type(error).__name__}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return ConnectionLost(f"{where} broke off in the middle of its answer")
    return ConnectionLost(f"{where} closed the connection without a full answer")


def _timed_out(sending: Sending, where: str, timeout_s: float) -> Unreachable:
    if not sending.connected:
        return Unreachable(
            f"no connection to {where} in time; check host, port and firewall", connected=False
        )
    # What is left of the location's time differs by milliseconds from request to request, and the
    # views of one place shall say the same.
    shown_s = float(round(timeout_s)) if timeout_s >= 1 else timeout_s
    return Unreachable(
        f"{where} did not finish its answer within {shown_s:g} s; raise timeout_s if it is slow",
        connected=True,
    )


_CAUSES: Mapping[int, str] = MappingProxyType(
    {
        errno.ECONNREFUSED: "connection refused; is it running?",
        errno.ECONNRESET: "connection reset; is a firewall in between?",
        errno.EHOSTUNREACH: "no route to this host; is it on, and is a VPN needed?",
        errno.ENETUNREACH: "no route to its network; is this machine online?",
        errno.ETIMEDOUT: "nothing answers; check host, port and firewall",
        errno.EACCES: "this machine's own rules forbid the connection; check its firewall",
        errno.EPERM: "this machine's own rules forbid the connection; check its firewall",
        errno.EADDRNOTAVAIL: "its address cannot be used from this machine; check host and port",
    }
)


def _not_connected(error: aiohttp.ClientConnectorError, where: str) -> Unreachable:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"the name of {where} is not found; check its spelling", connected=False)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Unreachable(
            "no connection to the proxy; check `via` or HTTP_PROXY/HTTPS_PROXY", connected=False
        )
    # Never the text of the system: it quotes addresses that a name stands for.
    cause = _CAUSES.get(error.errno or 0, "the connection failed; is it running?")
    return Unreachable(f"{where}: {cause}", connected=False)


def _refused_by_proxy(status: int) -> ProbeError:
    if status in (401, 403, 407):
        return Denied(f"the proxy refuses with {status}; check its user, password and rules")
    return Unreachable(f"the proxy answers {status} for this host", connected=True)
