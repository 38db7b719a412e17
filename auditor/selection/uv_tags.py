"""Which wheels uv takes in an environment, best first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from packaging import tags as packaging_tags
from packaging.tags import Tag

from auditor.model.selection import Environment
from auditor.selection.environments import tags_of
from auditor.selection.uv_names import UvTags

__all__ = ["UvSupport", "uv_support_of"]

_CPYTHON = re.compile(r"cp3(\d{1,2})(t?)")
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_")
_FIRST_YEARLY_MACOS = 11

MAX_REMEMBERED_TAGS = 10_000


class UvSupport:
    """An environment as uv sees it, with everything that was ever looked up for it.

    Attributes:
        full_version: the interpreter's.
        worst_rank: below every wheel.
    """

    def __init__(self, environment: Environment) -> None:
        self.full_version = environment.python_full_version
        self._ranks: dict[str, int | None] = {}
        self._by_interpreter: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        rank = -1
        for rank, tag in enumerate(_uv_tags(environment)):
            self._by_interpreter[(tag.interpreter, tag.abi)][tag.platform] = rank
        self.worst_rank = rank + 1

    def rank(self, tags: UvTags) -> int | None:
        """Return the rank of the best tag of a wheel, 0 being the best; None if none fits."""
        try:
            return self._ranks[tags.text]
        except KeyError:
            if len(self._ranks) > MAX_REMEMBERED_TAGS:
                self._ranks.clear()
            return self._ranks.setdefault(tags.text, self._best(tags))

    def _best(self, tags: UvTags) -> int | None:
        """Intersect without multiplying out: a hostile name can stand for billions of tags."""
        best: int | None = None
        for (python, abi), platforms in self._by_interpreter.items():
            if python in tags.pythons and abi in tags.abis:
                fitting = [platforms[name] for name in tags.platforms if name in platforms]
                best = min(fitting if best is None else [best, *fitting], default=best)
        return best


@lru_cache(maxsize=256)
def uv_support_of(environment: Environment) -> UvSupport:
    """Return what an environment takes; each environment is expanded once."""
    return UvSupport(environment)


def _uv_tags(environment: Environment) -> Iterator[Tag]:
    """Yield the tags in uv's order (uv 0.13, `Tags::from_env`)."""
    platforms = _uv_platforms(environment)
    match = _CPYTHON.fullmatch(environment.interpreter)
    if match is None or not platforms:
        yield from tags_of(environment)
        return
    version = (3, int(match[1]))
    abis = [environment.interpreter]
    yield from packaging_tags.cpython_tags(version, abis=abis, platforms=platforms)
    yield from packaging_tags.compatible_tags(
        version, interpreter=environment.interpreter.removesuffix("t"), platforms=platforms
    )


def _uv_platforms(environment: Environment) -> list[str]:
    """Return what such a machine reports to uv: `linux_…` last, of macOS 11 and up only `_0`."""
    found = dict.fromkeys(t.platform for t in tags_of(environment) if t.platform != "any")
    names = [name for name in found if not _is_minor_macos(name)]
    return sorted(names, key=lambda name: name.startswith("linux_"))


def _is_minor_macos(platform: str) -> bool:
    match = _MACOS.match(platform)
    return match is not None and int(match[1]) >= _FIRST_YEARLY_MACOS and match[2] != "0"
