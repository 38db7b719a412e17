"""Which wheels uv takes in an environment, best first."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

from auditor.model.selection import Environment
from auditor.selection.environments import rows_on, tag_rows
from auditor.selection.tag_ranks import TagRanks, TagRow
from auditor.selection.uv_names import UvTags

__all__ = ["UvSupport", "uv_support_of"]

_CPYTHON = re.compile(r"cp3\d{1,2}t?")
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_")
_FIRST_YEARLY_MACOS = 11


class UvSupport:
    """An environment as uv sees it, with everything that was ever looked up for it.

    Attributes:
        full_version: the interpreter's.
        worst_rank: below every wheel.
    """

    def __init__(self, environment: Environment) -> None:
        self.full_version = environment.python_full_version
        self._ranks = TagRanks(_uv_rows(environment))
        self.worst_rank = self._ranks.count

    def rank(self, tags: UvTags) -> int | None:
        """Return the rank of the best tag of a wheel, 0 being the best; None if none fits."""
        return self._ranks.of(tags)


@lru_cache(maxsize=256)
def uv_support_of(environment: Environment) -> UvSupport:
    """Return what an environment takes; each environment is expanded once."""
    return UvSupport(environment)


def _uv_rows(environment: Environment) -> tuple[TagRow, ...]:
    """Return the tags in uv's order (uv 0.13, `Tags::from_env`)."""
    platforms = _uv_platforms(environment)
    if _CPYTHON.fullmatch(environment.interpreter) is None or not platforms:
        return tag_rows(environment)
    return rows_on(environment.interpreter, platforms)


def _uv_platforms(environment: Environment) -> tuple[str, ...]:
    """Return what such a machine reports to uv: `linux_…` last, of macOS 11 and up only `_0`."""
    lists = dict.fromkeys(row.platforms for row in tag_rows(environment))  # rows share them
    found = dict.fromkeys(chain.from_iterable(lists))
    names = [name for name in found if name != "any" and not _is_minor_macos(name)]
    return tuple(sorted(names, key=lambda name: name.startswith("linux_")))


def _is_minor_macos(platform: str) -> bool:
    match = _MACOS.match(platform)
    return match is not None and int(match[1]) >= _FIRST_YEARLY_MACOS and match[2] != "0"
