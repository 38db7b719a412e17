"""The question as others ask it: from these files, in this environment, what does uv install?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from packaging.version import Version

from auditor.model.observation import Candidate
from auditor.model.selection import Choice, Environment, Rejection
from auditor.model.version import parse_version
from auditor.selection.uv_explaining import UvExplainer
from auditor.selection.uv_listing import UvListing
from auditor.selection.uv_policy import (
    UvDecision,
    decide_uv,
    decide_uv_together,
    fits,
    uv_crowd_of,
)
from auditor.selection.uv_specifiers import uv_admits
from auditor.selection.uv_tags import UvSupport, uv_support_of

__all__ = ["UvChosen", "applicable_to_uv", "choose_uv", "choose_uv_all"]


@dataclass(frozen=True, kw_only=True)
class UvChosen:
    """What uv would install from one page in one environment; reads like `Chosen`.

    Attributes:
        choice: `chosen`, `nothing` or `unknown`.
        candidate: the chosen file; None unless one was chosen.
        seen: number of files on the page.
    """

    choice: Choice
    candidate: Candidate | None
    seen: int
    _explainer: UvExplainer = field(repr=False, compare=False)
    _support: UvSupport = field(repr=False, compare=False)
    _decision: UvDecision = field(repr=False, compare=False)

    @cached_property
    def undecided(self) -> tuple[str, ...]:
        """Names of the files whose missing facts leave the choice open."""
        if self.choice is not Choice.UNKNOWN:
            return ()
        return self._explainer.undecided(self._support, self._decision)

    @cached_property
    def applicable(self) -> int:
        """Number of files that uv could install there if asked for them by version."""
        return self._explainer.applicable(self._support)

    @cached_property
    def reason(self) -> str:
        """One sentence on why the choice is what it is."""
        return self._explainer.reason(self._support, self._decision, self.choice)

    @cached_property
    def rejected(self) -> tuple[Rejection, ...]:
        """Every file that certainly lost, newest version first."""
        return self._explainer.rejected(self._support, self._decision, self.choice)


def choose_uv(
    candidates: Sequence[Candidate],
    environment: Environment,
    project: str,
    *,
    pin: str | None = None,
) -> UvChosen:
    """Say what `uv pip install -U PROJECT` takes from these files, or `PROJECT==PIN` with a pin.

    Args:
        candidates: in page order.
        environment: interpreter and platform.
        project: its name, in any spelling.
        pin: the version that is asked for; None: any.

    Raises:
        ValueError: the pin is no version, or the environment is not known.
    """
    return choose_uv_all(candidates, (environment,), project, pin=pin)[environment.id]


def choose_uv_all(
    candidates: Sequence[Candidate],
    environments: Sequence[Environment],
    project: str,
    *,
    pin: str | None = None,
) -> dict[str, UvChosen]:
    """Choose in every environment; by its id. Arguments and errors as `choose_uv`."""
    version = _pin_of(pin)
    listing = UvListing(candidates, project)
    explainer = UvExplainer(listing, version)
    if version is None:
        decisions = decide_uv_together(listing, uv_crowd_of(tuple(environments)))
    else:
        decisions = [decide_uv(listing, uv_support_of(each), version) for each in environments]
    return {
        environment.id: _chosen(explainer, uv_support_of(environment), decision)
        for environment, decision in zip(environments, decisions, strict=True)
    }


def _chosen(explainer: UvExplainer, support: UvSupport, decision: UvDecision) -> UvChosen:
    candidates = explainer.listing.candidates
    names = {entry.filename for entry in decision.contenders}
    choice = Choice.CHOSEN
    if not names:
        choice = Choice.NOTHING
    elif decision.nothing or len(names) > 1:
        choice = Choice.UNKNOWN
    position = decision.contenders[-1].position if choice is Choice.CHOSEN else None
    return UvChosen(
        choice=choice,
        candidate=None if position is None else candidates[position],
        seen=len(candidates),
        _explainer=explainer,
        _support=support,
        _decision=decision,
    )


def _pin_of(pin: str | None) -> Version | None:
    version = None if pin is None else parse_version(pin)
    if pin is not None and version is None:
        raise ValueError(f"{pin!r} is not a version; pin to one such as '1.2.3'")
    return version


def applicable_to_uv(
    candidates: Sequence[Candidate], environment: Environment, project: str
) -> frozenset[str]:
    """Return the names of the files that uv could install there if asked for them by version.

    Yanked files are among them, and files of which a missing fact leaves that open.
    """
    listing, support = UvListing(candidates, project), uv_support_of(environment)
    return frozenset(
        entry.filename
        for order in listing.all_orders()
        for entry in listing.entries(order)
        if fits(entry.conditions, support)
        and uv_admits(entry.conditions.requires_python or "", support.full_version) is not False
    )
