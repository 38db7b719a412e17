"""The compressed tag set of a wheel (PEP 425), as its file name writes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Fit", "TagTriple", "read_tags"]

# What a name says of the environments that its file fits: the tag set of a wheel, and the X.Y of an
# old `-pyX.Y` suffix; None where it has none.
Fit = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class TagTriple:
    """The compressed tag set of a wheel (PEP 425), in lower case and not multiplied out.

    Attributes:
        text: all of it, such as `py2.py3-none-any`.
        pythons, abis, platforms: the members of each part.
    """

    text: str
    pythons: frozenset[str]
    abis: frozenset[str]
    platforms: frozenset[str]


@lru_cache(maxsize=8192)
def read_tags(text: str) -> TagTriple | None:
    """Read a compressed tag set such as `py3-none-any`; None if packaging would refuse it."""
    text = text.lower()
    pythons, abis, platforms = (part.split(".") for part in text.split("-"))
    if "" in pythons or "" in abis or "" in platforms:
        return None
    if not all(python.isidentifier() for python in pythons):
        return None
    return TagTriple(text, frozenset(pythons), frozenset(abis), frozenset(platforms))
