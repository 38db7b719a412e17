"""The question as others ask it: from these files, in this environment, what does pip install?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from packaging.version import Version

from auditor.model.observation import Candidate
from auditor.model.selection import Choice, Environment, Rejection
from auditor.model.version import parse_version
from auditor.selection.explaining import Explainer
from auditor.selection.listing import Listing, listing_of
from auditor.selection.pip_policy import Decision, View, decide
from auditor.selection.releases import Entry
from auditor.selection.support import support_of
from auditor.selection.together import crowd_of, decide_together

__all__ = ["Chosen", "applicable", "choose", "choose_all"]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What pip would install from one page in one environment.

    Attributes:
        choice: `chosen`, `nothing` or `unknown`.
        candidate: the chosen file; None unless one was chosen.
        seen: number of files on the page.
        undecided: names of the files whose missing facts leave the choice open; empty unless the
            choice is `unknown`.
    """

    choice: Choice
    candidate: Candidate | None
    seen: int
    undecided: tuple[str, ...] = ()
    _explainer: Explainer = field(repr=False, compare=False)
    _view: View = field(repr=False, compare=False)
    _decision: Decision = field(repr=False, compare=False)

    @cached_property
    def applicable(self) -> int:
        """Number of files that pip could install there if asked for them by version."""
        return self._view.applicable()

    @cached_property
    def reason(self) -> str:
        """One sentence on why the choice is what it is."""
        return self._explainer.reason(self._view, self._decision, self.choice, self.undecided)

    @cached_property
    def rejected(self) -> tuple[Rejection, ...]:
        """Every file that certainly lost, in page order; after a pin, those of its version.

        Environments in which the same files lose for the same reasons share one tuple.
        """
        lost = self._explainer.rejected(self._view, self._decision, self.choice)
        if not self.undecided:
            return lost
        # A file may have lost by the facts that are known, and win by those that are not.
        return tuple(each for each in lost if each.filename not in self.undecided)


def choose(
    candidates: Sequence[Candidate],
    environment: Environment,
    project: str,
    *,
    pin: str | None = None,
) -> Chosen:
    """Say what `pip install -U PROJECT` takes from these files, or `PROJECT==PIN` with a pin.

    To ask what would be chosen if files were missing or yanked, pass candidates changed that way.

    Args:
        candidates: in page order; pass the same tuple again and it is sorted only once.
        environment: interpreter and platform.
        project: its name, in any spelling.
        pin: the version that is asked for; None: any.

    Raises:
        ValueError: the pin is no version, or the environment is not known.
    """
    return choose_all(candidates, (environment,), project, pin=pin)[environment.id]


def choose_all(
    candidates: Sequence[Candidate],
    environments: Sequence[Environment],
    project: str,
    *,
    pin: str | None = None,
) -> dict[str, Chosen]:
    """Choose in every environment; by id of the environment. Arguments and errors as `choose`."""
    version = _pin_of(pin)
    listing = listing_of(candidates, project)
    explainer = Explainer(listing)
    decisions: list[Decision | None] = [None] * len(environments)
    if version is None:
        decisions = decide_together(listing, crowd_of(tuple(environments)))
    return {
        environment.id: _chosen(listing, environment, version, explainer, decision)
        for environment, decision in zip(environments, decisions, strict=True)
    }


def applicable(
    candidates: Sequence[Candidate], environment: Environment, project: str
) -> frozenset[str]:
    """Return the names of the files that pip could install there if asked for them by version.

    Yanked files are among them, and files of which a missing fact leaves that open.
    """
    view = View(listing_of(candidates, project), support_of(environment))
    return frozenset(
        candidates[entry.position].filename
        for release in view.listing.releases
        for entry in release.entries
        if entry.conditions in view.possible
    )


def _pin_of(pin: str | None) -> Version | None:
    if pin is None:
        return None
    version = parse_version(pin)
    if version is None:
        raise ValueError(f"{pin!r} is not a version; pin to one such as '1.2.3'")
    return version


def _chosen(
    listing: Listing,
    environment: Environment,
    pin: Version | None,
    explainer: Explainer,
    decision: Decision | None,
) -> Chosen:
    view = View(listing, support_of(environment))
    if decision is None:
        decision = decide(view, pin)
    choice = _choice(listing, decision)
    position = decision.contenders[-1].position if choice is Choice.CHOSEN else None
    return Chosen(
        choice=choice,
        candidate=None if position is None else listing.candidates[position],
        seen=len(listing.candidates),
        undecided=_undecided(view, decision) if choice is Choice.UNKNOWN else (),
        _explainer=explainer,
        _view=view,
        _decision=decision,
    )


def _choice(listing: Listing, decision: Decision) -> Choice:
    if not decision.contenders:
        return Choice.NOTHING
    names = {listing.candidates[entry.position].filename for entry in decision.contenders}
    return Choice.UNKNOWN if decision.nothing or len(names) > 1 else Choice.CHOSEN


def _undecided(view: View, decision: Decision) -> tuple[str, ...]:
    """Name the files with missing facts, down to the version that would be taken for certain."""
    listing = view.listing
    last = decision.contenders[-1]
    floor = None if decision.nothing else parse_version(last.named.version)
    releases = listing.releases if decision.pinned is None else decision.pinned
    unsure = (
        entry
        for release in releases
        if floor is None or release.version >= floor or not decision.final_certain
        for entry in release.entries
        if _is_unsure(view, entry)
    )
    names = (listing.candidates[entry.position].filename for entry in unsure)
    return tuple(dict.fromkeys(names))


def _is_unsure(view: View, entry: Entry) -> bool:
    """Say whether more than one bit is set."""
    mask = view.mask(entry)
    return mask & (mask - 1) != 0
