"""pip's rules for many environments at once: what one page is asked for every cell of it.

A bit stands for each environment. What a tag set, a specifier or a file's conditions mean is
found out once for all of them, and the releases are walked once. Where a fact is missing that an
environment's choice may depend on, this gives up on it, and `pip_policy.decide` is asked instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from auditor.model.observation import Yank
from auditor.model.selection import Environment
from auditor.model.tag_triple import TagTriple
from auditor.selection.listing import Listing
from auditor.selection.pip_policy import Decision, preference
from auditor.selection.releases import Conditions, ConditionsKey, Entry, Release
from auditor.selection.support import Support, allows_python, support_of

__all__ = ["Crowd", "crowd_of", "decide_together"]

# A large project has a few thousand distinct conditions.
MAX_REMEMBERED = 20_000

# Most environments find their file among so many releases.
_FEW_RELEASES = 4


@dataclass(frozen=True, slots=True)
class _Bits:
    """In which environments files of certain conditions are what; a bit for each.

    Attributes:
        taken: such a file counts.
        yanked: it counts, and is yanked.
        doubtful: it may be more than one of these, or not count: a fact is missing.
    """

    taken: int
    yanked: int
    doubtful: int


class Crowd:
    """Some environments, with everything that was ever looked up for them.

    Attributes:
        supports: of each, in order; the first has the lowest bit.
        everyone: the bits of all.
    """

    def __init__(self, supports: Sequence[Support]) -> None:
        self.supports = supports
        self.everyone = (1 << len(supports)) - 1
        self._known: dict[ConditionsKey, _Bits] = {}
        self._fitting: dict[str, int] = {}
        self._by_python: dict[str, int] = {}
        for bit, support in self._each(self.everyone):
            version = support.full_version
            self._by_python[version] = self._by_python.get(version, 0) | bit

    def bits(self, conditions: Conditions) -> _Bits:
        """Say what files of these conditions are to each environment."""
        found = self._known.get(conditions.key)
        if found is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            found = self._known[conditions.key] = self._bits(conditions)
        return found

    def _each(self, bits: int) -> Iterator[tuple[int, Support]]:
        for index, support in enumerate(self.supports):
            if bits >> index & 1:
                yield 1 << index, support

    def _bits(self, conditions: Conditions) -> _Bits:
        fitting = self.everyone if conditions.tags is None else self._fit(conditions.tags)
        if conditions.py_version is not None:
            fitting &= self._of_python(conditions.py_version)
        allowed, unsaid = self._allowed(conditions.requires_python)
        counting, doubtful = fitting & allowed, fitting & unsaid
        if not conditions.certain or conditions.yanked is Yank.UNKNOWN:
            counting, doubtful = 0, counting | doubtful
        if conditions.yanked is Yank.YES:
            return _Bits(taken=0, yanked=counting, doubtful=doubtful)
        return _Bits(taken=counting, yanked=0, doubtful=doubtful)

    def _fit(self, tags: TagTriple) -> int:
        fitting = self._fitting.get(tags.text)
        if fitting is None:
            if len(self._fitting) >= MAX_REMEMBERED:
                self._fitting.clear()
            ranked = (bit for bit, s in self._each(self.everyone) if s.rank(tags) is not None)
            fitting = self._fitting[tags.text] = sum(ranked)
        return fitting

    def _of_python(self, py_version: str) -> int:
        return sum(bit for bit, s in self._each(self.everyone) if s.py_version == py_version)

    def _allowed(self, requires_python: str | None) -> tuple[int, int]:
        """Return where `requires-python` admits the interpreter, and where nobody can say."""
        if requires_python is None:
            return 0, self.everyone
        allowed = unsaid = 0
        for version, bits in self._by_python.items():
            allows = allows_python(requires_python, version)
            allowed |= bits if allows else 0
            unsaid |= bits if allows is None else 0
        return allowed, unsaid


@lru_cache(maxsize=16)
def crowd_of(environments: tuple[Environment, ...]) -> Crowd:
    """Return some environments as one crowd."""
    return Crowd([support_of(environment) for environment in environments])


def decide_together(listing: Listing, crowd: Crowd) -> list[Decision | None]:
    """Apply pip's rules to a page, unpinned, for every environment.

    Returns:
        What `decide` returns of each; None if a fact is missing that it may depend on.
    """
    finals = _Walk(listing, crowd, crowd.everyone)
    finals.walk(listing.finals())
    # No final release can be chosen; it takes a yanked one to hide the pre-releases.
    rest = _Walk(listing, crowd, finals.open & ~finals.yanked)
    rest.walk(listing.prereleases() if rest.open else ())
    decisions: list[Decision | None] = []
    for index in range(len(crowd.supports)):
        bit = 1 << index
        if (finals.doubtful | rest.doubtful) & bit:
            decisions.append(None)
        elif index in finals.won:
            decisions.append(Decision((finals.won[index],), nothing=False, final_certain=True))
        elif index in rest.won:
            decisions.append(Decision((rest.won[index],), nothing=False, final_certain=False))
        else:
            decisions.append(Decision((), nothing=True, final_certain=bool(finals.yanked & bit)))
    return decisions


class _Walk:
    """One walk over releases, until each environment has found its file.

    Attributes:
        open: environments that have found none so far.
        doubtful: those that met a file of which a fact is missing, before they found one.
        yanked: those to which a file counted that is yanked.
        won: by position of the environment, the file that it takes.
    """

    def __init__(self, listing: Listing, crowd: Crowd, environments: int) -> None:
        self.open = environments
        self.doubtful = 0
        self.yanked = 0
        self.won: dict[int, Entry] = {}
        self._listing = listing
        self._crowd = crowd
        self._bits: list[_Bits] = []

    def walk(self, releases: Iterable[Release]) -> None:
        for count, release in enumerate(releases):
            if count == 0:
                _ = release.entries  # here most find theirs, and the conditions follow from them
            elif count == _FEW_RELEASES:
                self.open &= self._hopeful()
            taken = doubtful = 0
            for bits in self._of(release):
                taken |= bits.taken
                doubtful |= bits.doubtful
                self.yanked |= bits.yanked
            self.doubtful |= doubtful & self.open
            self.open &= ~doubtful
            if taken & self.open:
                self._settle(release, taken & self.open)
                self.open &= ~taken
            if not self.open:
                return

    def _hopeful(self) -> int:
        """Return the environments that some file on the page may be for.

        Those of an interpreter that the project does not support would walk to its very end.
        """
        if not self._listing.sort_conditions():
            return self.open
        hopeful = 0
        for bits in map(self._crowd.bits, self._listing.conditions):
            hopeful |= bits.taken | bits.yanked | bits.doubtful
        return hopeful

    def _of(self, release: Release) -> Iterator[_Bits]:
        indices = release.conditions  # reading them can add to those of the listing
        known = len(self._bits)
        self._bits += map(self._crowd.bits, self._listing.conditions[known:])
        return map(self._bits.__getitem__, indices)

    def _settle(self, release: Release, winners: int) -> None:
        """Let each of the environments take the file of a release that it prefers."""
        entries = [(self._bits[entry.conditions].taken, entry) for entry in release.entries]
        for index, support in enumerate(self._crowd.supports):
            bit = 1 << index
            if winners & bit:
                fitting = [entry for taken, entry in entries if taken & bit]
                if len(fitting) > 1:
                    fitting.sort(key=lambda entry: preference(entry, support))
                self.won[index] = fitting[-1]
