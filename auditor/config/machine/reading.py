"""Every reader in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from auditor.config.machine import bandersnatch, devpi, pdm, pip, poetry, uv
from auditor.config.machine.found import Found, Machine, Note

__all__ = ["READERS", "look_around"]

READERS: Mapping[str, Callable[[Machine], Iterator[Found | Note]]] = {
    "pip": pip.read,
    "uv": uv.read,
    "Poetry": poetry.read,
    "PDM": pdm.read,
    "devpi client": devpi.read,
    "bandersnatch": bandersnatch.read,
}


def look_around(machine: Machine) -> tuple[Found | Note, ...]:
    """Return what every reader found, in the order in which it will be written."""
    return tuple(each for read in READERS.values() for each in read(machine))
