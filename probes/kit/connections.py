"""Connections of which is known where they lead, and how much came over them.

A name can stand for another address whenever it is looked up. What may be asked is therefore
decided where the connection is made, by the address that it is made to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

from auditor.errors import GuardRefused, Malformed
from probes.kit.lean_aiohttp import aiohttp
from probes.kit.reach import Reach, reach_of

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

__all__ = ["Bounds", "Connector", "Meter", "Resolver", "metered"]

# Of an answer: its first line and headers, those of answers before it (RFC 9110, section 15.2),
# and what comes of its body before anybody takes it.
_LEAD_BYTES = 2**20
# A server that writes each byte as a chunk of its own (RFC 9112, section 7.1) sends six for one.
_FRAMING_PER_BYTE = 7
# Framing of a whole page, however large: more is no framing, but a way to keep us busy.
_MAX_FRAMING_BYTES = 2**25


class Bounds:
    """How near the hosts of one location may be, as far as that is decided."""

    def __init__(self) -> None:
        self._by_host: dict[str, Reach] = {}

    def confine(self, url: URL, nearest: Reach) -> None:
        """Keep a host from being any nearer, from now on."""
        host = _plain(url.raw_host)
        self._by_host[host] = max(nearest, self._by_host.get(host, nearest))

    def of(self, host: str | None) -> Reach:
        """Return how near a host may be."""
        if not self._by_host:  # nearly always
            return Reach.MACHINE
        return self._by_host.get(_plain(host), Reach.MACHINE)


class Resolver(aiohttp.abc.AbstractResolver):
    """Lets a name stand for what the system says, and never for what is nearer than it may be.

    Args:
        bounds: which decide that.
        address: the only one that every name stands for; None: what the system says.
    """

    def __init__(self, bounds: Bounds, address: str | None) -> None:
        self._bounds = bounds
        self._address = address
        self._system = aiohttp.DefaultResolver() if address is None else None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        """Return the addresses that may be connected to.

        Raises:
            OSError: the name is not found.
            GuardRefused: it stands for nothing but what is too near.
        """
        nearest = self._bounds.of(host)
        if self._system is None:
            found = [_result(host, port, cast(str, self._address))]
        else:
            found = await self._system.resolve(host, port, family)
        allowed = [each for each in found if not _is_nearer(each["host"], nearest)]
        if found and not allowed:
            raise _too_near(host, found[0]["host"], nearest)
        return allowed

    async def close(self) -> None:
        """Let go of what the system's resolver holds."""
        if self._system is not None:
            await self._system.close()


class Connector(aiohttp.TCPConnector):
    """Makes connections that are metered, and checks the address of those that are used again.

    Args:
        bounds: of the hosts that are asked directly.
        resolver: that keeps them.
        keep_s: for how long a connection waits for its next request; None: it is closed.
    """

    def __init__(self, bounds: Bounds, resolver: Resolver, keep_s: float | None) -> None:
        # How many requests a host gets at once is decided by the run's limits, not here.
        super().__init__(
            limit=0, force_close=keep_s is None, keepalive_timeout=keep_s, resolver=resolver
        )
        self._bounds = bounds

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's name for it
    ) -> Connection:
        """Return a connection for a request, and let `metered` know it.

        Raises:
            GuardRefused: it would lead nearer than the host may be.
        """
        connection = await super().connect(req, traces, timeout)
        meter = _meter_of(connection)
        if meter is None:  # closed again before anybody could use it: sending will tell
            return connection
        if req.proxy is None:
            nearest = self._bounds.of(req.url.raw_host)
            if meter.peer is not None and _is_nearer(meter.peer, nearest):
                connection.close()
                raise _too_near(req.url.raw_host or "", meter.peer, nearest)
        meter.begin()
        metered.set(meter)
        return connection


class Meter(asyncio.Protocol):
    """Stands between a connection and its reader, and ends what sends more than any answer has.

    What the reader is given is bounded by the reader. The framing around it (extensions of chunks,
    trailers, interim answers) is not given to anybody, and nobody else could count it.

    Attributes:
        peer: the address at the other end; None if the system does not say.
        fault: why the connection was broken off; None if it was not.
    """

    def __init__(self, reader: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._reader = reader
        self._transport = transport
        self._came = 0
        self._limit = _LEAD_BYTES
        self.fault: Malformed | None = None
        name = transport.get_extra_info("peername")
        self.peer: str | None = name[0] if isinstance(name, tuple) else None

    def begin(self) -> None:
        """Start counting for one more request."""
        self._came = 0
        self._limit = _LEAD_BYTES

    def taken(self, body_bytes: int) -> None:
        """Let more come, now that so much of the body is taken and found to be in order."""
        framing = min(_FRAMING_PER_BYTE * body_bytes, _MAX_FRAMING_BYTES)
        self._limit = _LEAD_BYTES + body_bytes + framing

    def data_received(self, data: bytes) -> None:
        """Count, and hand over."""
        self._came += len(data)
        if self._came <= self._limit:
            self._reader.data_received(data)
        elif self.fault is None:
            text = "the answer goes on and on around its content, as no page's does"
            self.fault = Malformed(text)
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """Hand over."""
        return self._reader.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over."""
        self._reader.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand over."""
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        """Hand over."""
        self._reader.resume_writing()


# Of the request that this task sends: aiohttp lets go of a connection as soon as its answer ends.
metered: ContextVar[Meter | None] = ContextVar("metered", default=None)


def _meter_of(connection: Connection) -> Meter | None:
    transport = connection.transport
    if transport is None:
        return None
    current = transport.get_protocol()
    if isinstance(current, Meter):
        return current
    meter = Meter(cast(asyncio.Protocol, current), transport)
    transport.set_protocol(meter)
    return meter


def _result(host: str, port: int, address: str) -> aiohttp.abc.ResolveResult:
    is_ipv6 = ipaddress.ip_address(address).version == 6
    return aiohttp.abc.ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


def _plain(host: str | None) -> str:
    return (host or "").rstrip(".").lower()


def _is_nearer(address: str, nearest: Reach) -> bool:
    reach = reach_of(address)
    return reach is not None and reach < nearest


def _too_near(host: str, address: str, nearest: Reach) -> GuardRefused:
    where = (reach_of(address) or Reach.MACHINE).words
    return GuardRefused(
        f"what is {nearest.words} leads to the private host {host[:100]}, which is {where}: "
        "it was not asked"
    )
