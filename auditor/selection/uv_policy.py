"""What uv takes from one page: the rules of uv 0.13, with facts that may be missing.

The rules (crates `uv-client`, `uv-resolver` and `uv-distribution-types`):

1. Of each version uv picks one file: the wheel with the best tag, then the highest build number,
   then the first by name; without a wheel that fits the first source distribution by name. Yanked
   files are no candidates unless that very version is pinned, and files whose `requires-python`
   cannot be read do not exist.
2. Only that one file is asked for `requires-python`, and only for its lower end. If it says no,
   the whole version is out, even if another file of it would do.
3. The highest final version that is left wins; only if none is, the highest pre-release.

A missing fact leaves several worlds open, as in `pip_policy`: the answer is certain if every world
has the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from packaging.version import Version

from auditor.model.observation import Yank
from auditor.model.selection import Environment
from auditor.model.version import version_order
from auditor.selection.uv_listing import UvConditions, UvEntry, UvListing
from auditor.selection.uv_specifiers import lower_end, uv_admits
from auditor.selection.uv_tags import UvSupport, uv_support_of

__all__ = ["UvCrowd", "UvDecision", "decide_uv", "decide_uv_together", "fits", "uv_crowd_of"]

MAX_REMEMBERED = 20_000
# Most environments find their file among so many releases.
_FEW_RELEASES = 4


@dataclass(frozen=True, slots=True)
class UvDecision:
    """Everything that uv may do, over all values that the missing facts can have.

    Attributes:
        contenders: files that would be chosen in some world; the last one if no other were.
        nothing: whether in some world nothing is chosen.
    """

    contenders: tuple[UvEntry, ...]
    nothing: bool


class _Bits(NamedTuple):
    """In which environments files of certain conditions are what; a bit for each.

    Attributes:
        usable: such a file is a candidate.
        admitted: its `requires-python` admits the interpreter.
        doubtful: one of these cannot be said.
    """

    usable: int
    admitted: int
    doubtful: int


class UvCrowd:
    """Some environments, with everything that was ever looked up for them.

    Attributes:
        supports: of each, in order; the first has the lowest bit.
        everyone: the bits of all.
    """

    def __init__(self, supports: Sequence[UvSupport]) -> None:
        self.supports = supports
        self.everyone = (1 << len(supports)) - 1
        self._known: dict[UvConditions, _Bits] = {}

    def bits(self, conditions: UvConditions) -> _Bits:
        """Say what files of these conditions are to each environment."""
        found = self._known.get(conditions)
        if found is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            found = self._known[conditions] = self._bits(conditions)
        return found

    def _bits(self, conditions: UvConditions) -> _Bits:
        usable = self._where(lambda support: fits(conditions, support))
        requires_python = conditions.requires_python
        if not conditions.certain or conditions.yanked is Yank.UNKNOWN or requires_python is None:
            return _Bits(usable=0, admitted=0, doubtful=usable)
        if conditions.yanked is Yank.YES:
            return _Bits(usable=0, admitted=0, doubtful=0)
        answers = [uv_admits(requires_python, support.full_version) for support in self.supports]
        admitted = sum(1 << at for at, answer in enumerate(answers) if answer)
        unsaid = sum(1 << at for at, answer in enumerate(answers) if answer is None)
        return _Bits(usable=usable, admitted=admitted, doubtful=usable & unsaid)

    def _where(self, holds: Callable[[UvSupport], bool]) -> int:
        return sum(1 << at for at, support in enumerate(self.supports) if holds(support))


@lru_cache(maxsize=16)
def uv_crowd_of(environments: tuple[Environment, ...]) -> UvCrowd:
    """Return some environments as one crowd."""
    return UvCrowd([uv_support_of(environment) for environment in environments])


def fits(conditions: UvConditions, support: UvSupport) -> bool:
    """Say whether a file is one that uv may pick there, yanks and `requires-python` apart."""
    if conditions.tags is not None and support.rank(conditions.tags) is None:
        return False
    # One that cannot be read is as good as not listed.
    return conditions.requires_python is None or lower_end(conditions.requires_python) is not None


def decide_uv_together(listing: UvListing, crowd: UvCrowd) -> list[UvDecision]:
    """Apply uv's rules to a page, unpinned, for every environment."""
    finals = _Walk(listing, crowd, crowd.everyone)
    finals.walk(listing.finals())
    rest = _Walk(listing, crowd, finals.open)
    rest.walk(listing.prereleases() if rest.open else ())
    won = {**finals.won, **rest.won}
    doubtful = finals.doubtful | rest.doubtful
    return [
        decide_uv(listing, support)
        if doubtful >> index & 1
        else UvDecision((won[index],), nothing=False)
        if index in won
        else UvDecision((), nothing=True)
        for index, support in enumerate(crowd.supports)
    ]


class _Walk:
    """One walk over releases, until each environment has found its file.

    Attributes:
        open: environments that have found none so far.
        doubtful: those that met a file of which a fact is missing, before they found one.
        won: by position of the environment, the file that it takes.
    """

    def __init__(self, listing: UvListing, crowd: UvCrowd, environments: int) -> None:
        self.open = environments
        self.doubtful = 0
        self.won: dict[int, UvEntry] = {}
        self._listing = listing
        self._crowd = crowd

    def walk(self, orders: Iterable[str]) -> None:
        for count, order in enumerate(orders):
            if not self.open:
                return
            if count == _FEW_RELEASES:
                self.open &= self._hopeful()
            self._try(order)

    def _try(self, order: str) -> None:
        entries = self._listing.entries(order)
        bits = [self._crowd.bits(entry.conditions) for entry in entries]
        usable = admitted = doubtful = 0
        for each in bits:
            usable |= each.usable
            admitted |= each.usable & each.admitted
            doubtful |= each.doubtful
        self.doubtful |= doubtful & self.open
        self.open &= ~doubtful
        if admitted & self.open:
            self._settle(entries, bits, admitted & self.open)

    def _settle(self, entries: Sequence[UvEntry], bits: Sequence[_Bits], hopeful: int) -> None:
        """Let each of the environments take the file of a release that it picks, if it may."""
        for index, support in enumerate(self._crowd.supports):
            bit = 1 << index
            if not hopeful & bit:
                continue
            picked = min(
                (at for at, each in enumerate(bits) if each.usable & bit),
                key=lambda at: preference(entries[at], support),
            )
            if bits[picked].admitted & bit:
                self.won[index] = entries[picked]
                self.open &= ~bit

    def _hopeful(self) -> int:
        """Return the environments that some file on the page may be for."""
        hopeful = 0
        for conditions in self._listing.conditions:
            bits = self._crowd.bits(conditions)
            hopeful |= bits.usable & bits.admitted | bits.doubtful
        return hopeful


def preference(entry: UvEntry, support: UvSupport) -> tuple[int, int, tuple[int, ...], str, int]:
    """Return what is lower the more an environment prefers a file of a release."""
    tags, build = entry.named.tags, entry.named.build
    rank = support.worst_rank if tags is None else support.rank(tags)
    if rank is None:
        rank = support.worst_rank
    number = -build[0] if build else 1
    # Of equal numbers the longer rest wins, compared letter by letter.
    rest = tuple(-ord(letter) for letter in build[1]) if build else ()
    return (rank, number, (*rest, 1), entry.filename, entry.position)


def decide_uv(listing: UvListing, support: UvSupport, pin: Version | None = None) -> UvDecision:
    """Apply uv's rules to a page in one environment, unpinned or with `==pin`."""
    contenders: list[UvEntry] = []
    for order in _in_order(listing, pin):
        # Only the version as it is pinned may be yanked, not a build of it with a local label.
        allows_yanked = pin is not None and order[:-1] == version_order(pin)
        found, may_lose = _outcomes(listing.entries(order), support, allows_yanked=allows_yanked)
        contenders += found
        if not may_lose:
            return UvDecision(tuple(contenders), nothing=False)
    return UvDecision(tuple(contenders), nothing=True)


def _in_order(listing: UvListing, pin: Version | None) -> Iterator[str]:
    if pin is None:
        yield from listing.finals()
        yield from listing.prereleases()
    else:
        yield from listing.pinned(pin)


def _outcomes(
    entries: Iterable[UvEntry], support: UvSupport, *, allows_yanked: bool
) -> tuple[list[UvEntry], bool]:
    """Return the files of a release that may be chosen, and whether none of them may be."""
    found: list[UvEntry] = []
    may_lose = False
    fitting = [entry for entry in entries if fits(entry.conditions, support)]
    for entry in sorted(fitting, key=lambda entry: preference(entry, support)):
        conditions = entry.conditions
        yanked = Yank.NO if allows_yanked else conditions.yanked
        if yanked is Yank.YES:
            continue
        requires_python = conditions.requires_python
        admits = None
        if requires_python is not None:
            admits = uv_admits(requires_python, support.full_version)
        if admits is not False:
            found.append(entry)
        may_lose = may_lose or admits is not True
        # A specifier that nobody knows may be one that uv cannot read.
        if yanked is Yank.NO and conditions.certain and requires_python is not None:
            return found, may_lose
    return found, True
