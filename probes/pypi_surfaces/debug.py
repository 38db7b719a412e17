"""What the nodes of PyPI's delivery network say of themselves when asked with `Fastly-Debug: 1`.

Two headers of the answer are read (developer documentation of Fastly, "Fastly-Debug"):

`Fastly-Debug-Path: (D cache-ams-AMS 1470672957) (F cache-ams-AMS 1470672911) (D …) (F …)`
    one pair per node, the nearest first: when it delivered the answer, and when it fetched it.
`Fastly-Debug-TTL: (H cache-ams-AMS 1270.000 0.000 46) (M cache-iad-IAD - - -)`
    hit or miss, remaining lifetime, remaining grace, and age, in seconds.

A page may pass two nodes, and each counts from when *it* fetched: only the earliest fetch of all
tells the true age, which PyPI hides from clients by removing Age.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditor.model import NodeAge
from probes.kit.answer import Headers

__all__ = ["DebugAges", "read_debug"]

_MAX_NODES = 8
_MAX_CHARS = 2_000
# Ages beyond the lifetime that any cache has are nonsense, or an attack on arithmetic.
_MAX_AGE_S = 10 * 366 * 86_400.0

_STEP = re.compile(r"\(([DF]) ([A-Za-z0-9._-]{1,80}) (\d{9,11})\)")
_STORED = re.compile(
    r"\(([HMP]) ([A-Za-z0-9._-]{1,80}) ([-\d.]{1,16}) ([-\d.]{1,16}) (\d{1,9}|-)\)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugAges:
    """The age of one answer.

    Attributes:
        age_s: from the earliest fetch to the latest delivery; None if that is not said.
        nodes: the nodes on its way, nearest first.
    """

    age_s: float | None
    nodes: tuple[NodeAge, ...]


def read_debug(headers: Headers) -> DebugAges | None:
    """Read both headers; None if neither is there in a form that can be read."""
    path = (headers.joined("fastly-debug-path") or "")[:_MAX_CHARS]
    stored = (headers.joined("fastly-debug-ttl") or "")[:_MAX_CHARS]
    delivered: dict[str, int] = {}
    fetched: dict[str, int] = {}
    for step, node, time in _STEP.findall(path):
        (delivered if step == "D" else fetched).setdefault(node, int(time))
    said = {node: (hit, age) for hit, node, _, _, age in _STORED.findall(stored)}
    names = tuple(dict.fromkeys([*delivered, *fetched, *said]))[:_MAX_NODES]
    if not names:
        return None
    nodes = tuple(
        NodeAge(
            node=name,
            hit=said[name][0] == "H" if name in said else None,
            age_s=_age(delivered.get(name), fetched.get(name), said.get(name)),
        )
        for name in names
    )
    whole = _between(max(delivered.values(), default=None), min(fetched.values(), default=None))
    oldest = max((n.age_s for n in nodes if n.age_s is not None), default=None)
    ages = [age for age in (whole, oldest) if age is not None]
    return DebugAges(age_s=max(ages, default=None), nodes=nodes)


def _age(delivered: int | None, fetched: int | None, said: tuple[str, str] | None) -> float | None:
    """Return a node's age by its clock; by its own count where the clock is not shown."""
    by_clock = _between(delivered, fetched)
    if by_clock is not None or said is None or said[1] == "-":
        return by_clock
    return float(said[1])


def _between(delivered: int | None, fetched: int | None) -> float | None:
    if delivered is None or fetched is None:
        return None
    return min(max(0.0, float(delivered - fetched)), _MAX_AGE_S)
