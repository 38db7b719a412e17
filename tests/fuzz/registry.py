"""Every target by its name: `GROUP.READER`, where the group is the module that declares it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from tests.fuzz.target import Target

__all__ = ["GROUPS", "find_target", "load_targets"]

GROUPS = ("pages", "names", "caches", "archives", "locks", "stored")


def load_targets() -> Iterator[Target]:
    """Yield all of them."""
    for group in GROUPS:
        yield from _targets(group)


def find_target(name: str) -> Target:
    """Return one, and load its own group alone.

    Raises:
        KeyError: there is none of that name.
    """
    group = name.partition(".")[0]
    found = {target.name: target for target in _targets(group)} if group in GROUPS else {}
    return found[name]


def _targets(group: str) -> tuple[Target, ...]:
    declared: tuple[Target, ...] = importlib.import_module(f"tests.fuzz.{group}").TARGETS
    return declared
