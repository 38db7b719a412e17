"""The addresses behind one name, and which of them are asked apart.

A name with several addresses is often several machines: a client gets whichever its resolver names
first. Each of them is asked, over a connection to that very address; the name stays in the Host
header and in TLS, and it is the name that the certificate must be for.

The name is looked up through `lookup` and routes are tried with `has_route`. Both are context
variables, so that a test can let a name stand for servers of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain, zip_longest

from probes.kit.origins import Origin, origin_of
from probes.kit.proxies import proxy_for

__all__ = ["MAX_ADDRESSES", "AddressBook", "Nodes", "has_route", "lookup", "nodes_behind"]

# More than this many machines behind one name are a delivery network, of which no client sees all.
# What is left out may be the stale one, so that it is answered for as not asked.
MAX_ADDRESSES = 64
_MAX_SHOWN = 8
LOOKUP_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 1.0

# Addresses for documentation (RFC 5737, RFC 3849): whatever route they have is that of the whole
# family. Nothing is ever sent to them.
_ANYWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


async def _system_lookup(host: str, port: int) -> Sequence[str]:
    """Return every address that the system has for a name, whatever this machine can reach."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _system_has_route(address: str) -> bool:
    """Say whether packets to an address would leave. None does: connecting UDP sends nothing."""
    family = _FAMILIES[ipaddress.ip_address(address.partition("%")[0]).version]
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.connect((address, 9))
    except OSError:
        return False
    return True


lookup: ContextVar[Lookup] = ContextVar("lookup", default=_system_lookup)
has_route: ContextVar[Callable[[str], bool]] = ContextVar("has_route", default=_system_has_route)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """What stands behind the name of one location.

    Attributes:
        addresses: those to be asked apart, in an order that does not change from run to run. Empty:
            the connection finds its own way, because the host is an address already, has only one,
            cannot be looked up, or is left to a proxy.
        left_out: those that a client can be given as well, and that are too many to be asked.
        notes: what was not told apart or left out, and why.
    """

    addresses: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class AddressBook:
    """Looks each host up once, whatever is asked of it in one audit."""

    def __init__(self) -> None:
        self._found: dict[tuple[Origin, str | None], asyncio.Task[Nodes]] = {}

    async def nodes(self, url: str, via: str | None) -> Nodes:
        """Return what `nodes_behind` says, from the first time that it was asked."""
        key = (origin_of(url), via)
        if key not in self._found:
            self._found[key] = asyncio.create_task(nodes_behind(url, via))
        found = self._found[key]
        # Whoever gives up waiting must not take the answer away from the others.
        return found.result() if found.done() else await asyncio.shield(found)


async def nodes_behind(url: str, via: str | None) -> Nodes:
    """Find the addresses of a URL's host that are to be asked apart.

    Args:
        url: of the location.
        via: the forward proxy that the location names; None: what the environment says.

    Raises:
        ProbeError: the URL or the proxy cannot be used.
    """
    origin = origin_of(url)
    if _parsed(origin.host) is not None:
        return Nodes()
    if proxy_for(url, via) is not None:
        note = f"the proxy looks up {origin.host}: addresses behind that name were not told apart"
        return Nodes(notes=(note,))
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            found = await lookup.get()(origin.host, origin.port)
    except (OSError, UnicodeError):  # the request itself will tell what is wrong (and a time-out)
        return Nodes()
    return await _chosen(origin, _ordered(found))


async def _chosen(origin: Origin, found: Sequence[str]) -> Nodes:
    if len(found) < 2:
        return Nodes()
    reachable, notes = _with_route(origin.host, found)
    if origin.host == "localhost" or origin.host.endswith(".localhost"):  # RFC 6761, section 6.3
        reachable = await _listening(reachable, origin.port)
    asked, beyond = reachable[:MAX_ADDRESSES], reachable[MAX_ADDRESSES:]
    if beyond:
        notes.append(
            f"{origin.host} stands for {len(reachable)} addresses: only {MAX_ADDRESSES} of them "
            f"were asked, not {', '.join(beyond[:_MAX_SHOWN])}"
            f"{' and more' if len(beyond) > _MAX_SHOWN else ''}"
        )
    return Nodes(addresses=tuple(asked), left_out=tuple(beyond), notes=tuple(notes))


def _with_route(host: str, found: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Leave out a family that this machine cannot use at all, as every client here does."""
    routed = has_route.get()
    lost = [a for a in found if not routed(a) and not routed(_ANYWHERE[_version(a)])]
    kept = [a for a in found if a not in lost]
    if not lost or not kept:
        return found, []
    families = " and ".join(f"IPv{version}" for version in sorted({_version(a) for a in lost}))
    return kept, [
        f"{', '.join(lost[:_MAX_SHOWN])} of {host} not asked: this machine has no {families} "
        "route, so that no client here can use them"
    ]


async def _listening(addresses: Sequence[str], port: int) -> Sequence[str]:
    """Leave out addresses of this machine where nothing listens.

    `localhost` stands for 127.0.0.1 and ::1 whether or not a server listens on both. Where one of
    them is refused, no machine is down.
    """

    async def accepts(address: str) -> bool:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(address, port)
        except OSError:
            return False
        writer.close()
        return True

    answers = await asyncio.gather(*map(accepts, addresses))
    kept = [address for address, accepted in zip(addresses, answers, strict=True) if accepted]
    return kept or addresses


def _ordered(found: Iterable[str]) -> list[str]:
    """Sort out repetitions, and let the families take turns, so that a bound cuts off neither."""
    unique: dict[_Address, str] = {}
    for text in found:
        address = _parsed(text)
        if address is not None:
            plain = getattr(address, "ipv4_mapped", None) or address
            unique.setdefault(plain, text if plain is address else str(plain))
    families = [sorted((a for a in unique if a.version == v), key=int) for v in (4, 6)]
    turns = chain.from_iterable(zip_longest(*families))
    return [unique[address] for address in turns if address is not None]


def _parsed(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version
