"""Ports that stay free until a program listens on them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom

from auditor.lab.server import LOOPBACK

__all__ = ["free_port", "free_ports"]

# Whoever connects somewhere, or listens on "any" port, gets one of this range: what was free there
# may be taken before a program listens on it, and stays taken for a minute after its last use.
# https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
_HANDED_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_FEWEST = 1_000
_TRIES = 1_000

_random = SystemRandom()


def free_port(*addresses: str) -> int:
    """Return a port that is free at these addresses; none is named: at 127.0.0.1.

    Raises:
        OSError: there was none.
    """
    return free_ports(1, *addresses)[0]


def free_ports(count: int, *addresses: str) -> list[int]:
    """Return several, none twice.

    Raises:
        OSError: there were not as many.
    """
    with ExitStack() as held:
        return [_hold_one(addresses or (LOOPBACK,), held) for _ in range(count)]


def _hold_one(addresses: tuple[str, ...], held: ExitStack) -> int:
    for tries_left in reversed(range(_TRIES)):
        port = _propose()
        with ExitStack() as here:
            try:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    here.enter_context(socket.socket(family)).bind((address, port))
            except OSError:
                if not tries_left:
                    raise
                continue
            held.push(here.pop_all())
            return port
    raise AssertionError("the last try returns or raises")


def _propose() -> int:
    above = _first_handed_out()
    if above - _LOWEST >= _FEWEST:
        return _random.randrange(_LOWEST, above)
    with socket.socket() as asked:
        asked.bind((LOOPBACK, 0))
        return int(asked.getsockname()[1])


def _first_handed_out() -> int:
    try:
        return int(_HANDED_OUT.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return 0
