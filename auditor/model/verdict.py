"""What the facts about one location mean. Closed sets here are FIXED contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from auditor.model.location import Location
from auditor.model.observation import Evidence, Freshness, HeldState, Outcome
from auditor.model.pin import Pin
from auditor.model.selection import RejectionCode, Selection
from auditor.model.surface import Surface

__all__ = [
    "Action",
    "BrokenFacts",
    "Counterfactual",
    "FixChosen",
    "FixFacts",
    "Gets",
    "Lag",
    "LagState",
    "Reason",
    "Remedy",
    "Severity",
    "Status",
    "Verdict",
    "When",
    "YankState",
]


class Severity(StrEnum):
    """What a status does to the exit code."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    OK = "ok"


class Status(StrEnum):
    """The verdict on a location, the worst first: the order of this class is the order of rank."""

    TAMPERED = "tampered"
    EXPOSED = "exposed"
    PINNED = "pinned"
    BEHIND = "behind"
    UNKNOWN = "unknown"
    LATENT = "latent"
    ROLLED_FORWARD = "rolled-forward"
    ABSENT = "absent"
    CLEAN = "clean"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANK[self]

    @property
    def severity(self) -> Severity:
        """The default severity (design section 4)."""
        return _SEVERITY[self]


_RANK = {status: rank for rank, status in enumerate(Status)}
_FAILING = {Status.TAMPERED, Status.EXPOSED, Status.PINNED, Status.BEHIND}
_SEVERITY = {
    status: Severity.FAIL
    if status in _FAILING
    else Severity.INCONCLUSIVE
    if status is Status.UNKNOWN
    else Severity.OK
    for status in Status
}


class YankState(StrEnum):
    """How the broken files are marked where they are listed."""

    NO = "no"
    YES = "yes"
    REASON = "reason"  # all are yanked, and any of them says why
    MIXED = "mixed"  # files or views differ


class FixChosen(StrEnum):
    """Whether installers get the fix."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    UNKNOWN = "unknown"


class LagState(StrEnum):
    """Whether a location that lacks the fix is late or stuck."""

    CURRENT = "current"
    WITHIN_LAG = "within-lag"
    STUCK = "stuck"
    NEVER = "never"  # nothing ever syncs this place
    UNKNOWN = "unknown"


class Gets(StrEnum):
    """What somebody gets who asks in a certain way."""

    FIX = "fix"
    BROKEN = "broken"
    OLDER = "older"
    NOTHING = "nothing"
    ERROR = "error"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What a maintainer can do at the source."""

    DELETED = "if_deleted"
    YANKED = "if_yanked"
    REUPLOADED = "if_reuploaded"
    ROLLED_FORWARD = "if_rolled_forward"


class When(StrEnum):
    """When an action at the source would take effect here, where that is not a time."""

    ALREADY = "already"
    AT_ONCE = "at-once"
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFacts:
    """What is known of the broken release here.

    Attributes:
        listed: whether any view lists a broken file; None if that is not known, and for stores.
        yanked: how it is marked; None if it is not listed or that is not known.
        held: the strongest of what is known of its bytes.
        files: names of the broken files seen here.
    """

    listed: bool | None
    yanked: YankState | None
    held: HeldState
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixFacts:
    """What is known of the fix here.

    Attributes:
        listed: whether any view lists a file of a fixed version; None as in `BrokenFacts`.
        chosen: over all counting cells; None for stores and pins.
        missing_files: files of the fix that the source lists and this place does not.
    """

    listed: bool | None
    chosen: FixChosen | None
    missing_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Whether this place is late, and until when that would be normal.

    Attributes:
        state: late or stuck.
        latest_by: when the fix should be here at the latest, UTC; None if that cannot be said.
        last_client_by: until when a client may still get the broken release from a page that it
            keeps itself, UTC; None if that cannot be said.
        basis: where the expected lag comes from, in words.
    """

    state: LagState
    latest_by: datetime | None = None
    last_client_by: datetime | None = None
    basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """What would be true here in the steady state after one action at the source.

    Attributes:
        listed: whether the broken release would be listed; None if not known, and for stores.
        held: whether its bytes would be here.
        unpinned_gets, pinned_gets, hash_locked_gets, offline_gets: the worst counting cell.
        when: a time (UTC) or a word.
        because: the facts and rules this follows from.
    """

    listed: bool | None = None
    held: HeldState = HeldState.UNKNOWN
    unpinned_gets: Gets = Gets.UNKNOWN
    pinned_gets: Gets = Gets.UNKNOWN
    hash_locked_gets: Gets = Gets.UNKNOWN
    offline_gets: Gets = Gets.UNKNOWN
    when: When | datetime = When.UNKNOWN
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule that had something to say.

    Attributes:
        code: what `auditor explain` knows.
        text: one sentence for a reader in a hurry.
        expected, observed: the rule's two sides.
        evidence: ids into the verdict's evidence.
    """

    code: str
    text: str
    expected: str = ""
    observed: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A command that rolls this location forward. It is printed, never run.

    Attributes:
        command: ready to paste, with this location's names filled in.
        effect: what it achieves.
        caution: what it would break; "" if nothing.
    """

    command: str
    effect: str
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of the result: one location, seen from one vantage.

    Attributes:
        location: what was looked at.
        vantage: id of the place from which it was seen.
        is_source: whether it is the source of the incident.
        outcome, detail: how looking ended.
        status: the worst that applies.
        failing: whether this row makes the audit fail, after waivers, `fail_on` and `grace`.
        waived: reason of the waiver that silences a failure; None if there is none.
        broken, fix: the facts the status rests on.
        selections: one per cell, counting or not.
        freshness: of the worst view.
        lag: for index rows; `unknown` otherwise.
        counterfactuals: one per action.
        reasons: worst first.
        remedies: cheapest first.
        evidence: what the ids stand for.
        other_rejections: numbers of files that lost and that a stored run no longer lists one by
            one, by the rule that rejected them. Empty for a run that was just judged.
        surfaces: what else the server of this place says.
        pins: entries about the project in a lock file, an image or an environment.
    """

    location: Location
    vantage: str
    is_source: bool
    outcome: Outcome
    detail: str
    status: Status
    waived: str | None = None
    failing: bool = False
    broken: BrokenFacts
    fix: FixFacts
    selections: tuple[Selection, ...] = ()
    freshness: Freshness = field(default_factory=Freshness)
    lag: Lag = field(default_factory=lambda: Lag(state=LagState.UNKNOWN))
    counterfactuals: Mapping[Action, Counterfactual] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    proxy: str | None = None
    notes: tuple[str, ...] = ()
    other_rejections: Mapping[RejectionCode, int] = field(default_factory=dict)
    surfaces: tuple[Surface, ...] = ()
    pins: tuple[Pin, ...] = ()
