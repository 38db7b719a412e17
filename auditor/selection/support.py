"""What one environment takes: wheels by their tags, files by their `requires-python`."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from auditor.model.selection import Environment
from auditor.model.tag_triple import TagTriple
from auditor.selection.environments import tag_rows
from auditor.selection.tag_ranks import TagRanks

__all__ = ["Support", "allows_python", "support_of"]

# Real ones stay under 100 characters. A longer one is an attack on the parser, and is *not known*
# rather than ignored: ignoring it could turn a file into the chosen one.
MAX_SPECIFIER_CHARS = 1000


class Support:
    """An environment, with everything that was ever looked up for it.

    Attributes:
        full_version: what `requires-python` is compared with.
        py_version: major and minor version, as in a `-py3.9` suffix.
        worst_rank: the rank of a source distribution, below every wheel.
        masks: what `pip_policy` found out about files of certain conditions.
    """

    def __init__(self, environment: Environment) -> None:
        self.full_version = environment.python_full_version
        self.py_version = ".".join(self.full_version.split(".")[:2])
        self.masks: dict[Hashable, int] = {}
        self._ranks = TagRanks(tag_rows(environment))
        self.worst_rank = self._ranks.count

    def rank(self, tags: TagTriple) -> int | None:
        """Return the rank of the best tag of a wheel, 0 being the best; None if none fits."""
        return self._ranks.of(tags)


@lru_cache(maxsize=256)
def support_of(environment: Environment) -> Support:
    """Return what an environment takes; each environment is expanded once."""
    return Support(environment)


@lru_cache(maxsize=16384)
def allows_python(requires_python: str, full_version: str) -> bool | None:
    """Say whether `requires-python` admits that Python; None if it cannot be said.

    pip ignores what is not a specifier (package_finder.py, `_check_link_requires_python`).
    """
    if not requires_python:
        return True
    if len(requires_python) > MAX_SPECIFIER_CHARS:
        return None
    try:
        return SpecifierSet(requires_python).contains(full_version)
    except InvalidSpecifier:
        return True
