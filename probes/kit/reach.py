"""How near a host is: this machine, its link, a private network, or the public internet.

Whoever answers from afar must not send us nearer than it is itself: what listens on this machine or
in the network that it stands in often trusts whoever can reach it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import unicodedata
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

__all__ = ["Reach", "address_of", "farthest_of", "is_loopback", "reach_of"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_THIS_HOST = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122, section 3.2.1.3

# IPv6 addresses that carry an IPv4 address, which a gateway may unpack: where they lead is where
# that one does. How many bits follow it in each.
_CARRIERS = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # RFC 6052, section 2.1
    ipaddress.IPv6Network("64:ff9b:1::/48"): 0,  # RFC 8215, with a prefix of 96 bits
    ipaddress.IPv6Network("2002::/16"): 80,  # RFC 3056
    ipaddress.IPv6Network("::/96"): 0,  # RFC 4291, section 2.5.5.1
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,  # RFC 2765, section 2.1
}


class Reach(IntEnum):
    """From where an address can be asked; the nearest first."""

    MACHINE = 0
    LINK = 1
    NETWORK = 2
    PUBLIC = 3

    @property
    def words(self) -> str:
        """Where that is, to follow a verb."""
        return (
            "on this very machine",
            "on the link of this machine",
            "in a private network",
            "on the public internet",
        )[self]


@lru_cache(maxsize=4096)
def reach_of(host: str) -> Reach | None:
    """Return how near a host is by what is written; None if it is a name, not an address."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return Reach.MACHINE
    address = address_of(host)
    return None if address is None else min(map(_reach, _meant_by(address)))


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by what is written."""
    return reach_of(host) is Reach.MACHINE


def address_of(host: str) -> _Address | None:
    """Return the address that a host is written as; None if it is a name.

    `127.1`, `0x7f000001` and `2130706433` are addresses too, to those who open connections.
    """
    # What is sent is the name as IDNA makes it, which knows more than one full stop (RFC 3490).
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").partition("%")[0]
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    if not plain.isascii() or not plain[:1].isdigit() or " " in plain:
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(plain))
    except OSError:
        return None


async def farthest_of(host: str) -> Reach:
    """Look a host up, and return how far the farthest of its addresses is.

    The farthest, since whoever is far may give his name an address that is near as well. A name
    that is not found here counts as public.
    """
    literal = reach_of(host)
    if literal is not None:
        return literal
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return Reach.PUBLIC
    reaches = (reach_of(str(address[0])) for *_, address in found)
    return max((reach for reach in reaches if reach is not None), default=Reach.PUBLIC)


def _meant_by(address: _Address) -> Iterator[_Address]:
    yield address
    if address.version == 4:
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    for network, shift in _CARRIERS.items():
        if address in network:
            yield ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)


def _reach(address: _Address) -> Reach:
    if getattr(address, "ipv4_mapped", None) is not None:
        return Reach.PUBLIC  # what it carries decides
    # What connects to 0.0.0.0 or :: reaches this machine.
    if address.is_loopback or address.is_unspecified or address in _THIS_HOST:
        return Reach.MACHINE
    if address.is_link_local:
        return Reach.LINK
    return Reach.PUBLIC if address.is_global else Reach.NETWORK
