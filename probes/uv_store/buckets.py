"""Which buckets uv keeps, and which layouts of them were seen on real versions of uv."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BUCKETS", "Bucket", "find_buckets", "is_of_uv"]

_NAME = re.compile(r"([a-z][a-z-]{0,40})-v(\d{1,6})")
_BESIDE = frozenset({"CACHEDIR.TAG", ".lock", ".gitignore"})

# Measured: uv 0.6.17, 0.8.24, 0.9.30, 0.10.12, 0.11.3, 0.12.5 and 0.13.9 wrote simple 15, 18, 19,
# 20, 21, 24 and 28; wheels 5, 6 and 8; sdists 9 and 11; archive 0. Between two numbers that are
# alike, those in between are taken to be so, too.
BUCKETS: Mapping[str, range | tuple[int, ...]] = MappingProxyType(
    {
        "archive": range(1),
        "wheels": range(5, 9),
        "sdists": range(9, 12),
        "simple": (*range(15, 25), 28),
    }
)
# Environments hold installed releases, in the layout of Python itself.
_ENVIRONMENTS = frozenset({"builds", "environments"})
# Nothing of a project's release files is in these: interpreters, programs, git repositories.
_OTHERS = frozenset({"interpreter", "python", "binaries", "git"})


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """One bucket.

    Attributes:
        kind: such as `wheels`.
        number: of its layout.
    """

    kind: str
    number: int

    @property
    def directory(self) -> str:
        """Its name in the cache."""
        return f"{self.kind}-v{self.number}"

    @property
    def holds_environments(self) -> bool:
        """Whether its entries are environments."""
        return self.kind in _ENVIRONMENTS

    @property
    def is_known(self) -> bool:
        """Whether its layout was seen on a real uv, or cannot hide a file of a release."""
        if self.kind in BUCKETS:
            return self.number in BUCKETS[self.kind]
        return self.kind in _ENVIRONMENTS | _OTHERS


def find_buckets(names: Iterable[str]) -> Sequence[Bucket]:
    """Return the buckets among the names in a cache, in order."""
    matches = filter(None, map(_NAME.fullmatch, names))
    return sorted(Bucket(match[1], int(match[2])) for match in matches)


def is_of_uv(name: str) -> bool:
    """Say whether a directory with such a name in it is a cache of uv."""
    return name == "CACHEDIR.TAG" or _NAME.fullmatch(name) is not None
