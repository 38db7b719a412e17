"""What each action at the source would change, with this audit's own numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.model import (
    Action,
    Counterfactual,
    DeletionSummary,
    Gets,
    Role,
    Run,
    Verdict,
    When,
)
from reports.words import ACTIONS, GETS, HELD, Fact, Tone, listed_fact, plural, when_words

__all__ = [
    "ASKERS",
    "GROUP",
    "DeletionView",
    "ForeseenView",
    "Share",
    "deletion_view",
    "foreseen_views",
]

# The kind of a row that stands for places which one client uses together.
GROUP = "group"
ASKERS = ("unpinned", "pinned", "hash-locked", "offline")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeseenView:
    """One action at the source, seen at one place.

    Attributes:
        action: in words.
        key: such as `if_deleted`.
        listed, held: of the broken release, afterwards.
        gets: who asks in which way, and what they get.
        when: in words.
        because: why this follows; "" if nobody said.
        known: whether anything about it is known.
        is_timed: whether it is known when.
    """

    action: str
    key: str
    listed: Fact
    held: Fact
    gets: tuple[tuple[str, Fact], ...]
    when: str
    because: str
    known: bool
    is_timed: bool

    @property
    def told(self) -> str:
        """Its last clause: what it comes to; "" where `when` says all."""
        if self.is_timed and self.unpinned.tone is not Tone.UNKNOWN:
            return ""
        return self.because.rpartition("; ")[2]

    @property
    def unpinned(self) -> Fact:
        """What an install without a pin gets."""
        return self.gets[0][1]

    @property
    def pinned(self) -> Fact:
        """What an install pinned to the broken release gets."""
        return self.gets[1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of the places that hold the broken release, or may."""

    count: int
    word: str
    meaning: str
    tone: Tone
    sign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionView:
    """Why deleting does or does not help.

    Attributes:
        asked: the first word of the question.
        answer: yes or no in one line, from the numbers alone.
        sentence: the argument.
        shares: what deleting would do, as numbers that add up to `total`.
        total: places that hold the broken release, or may.
        would_break_pins: audited pins that would stop installing.
        pins: number of audited pins.
        pinned_fail: of the index places that list the broken release, those at which somebody who
            pinned it would get an error or nothing.
        listing_places: number of index places that list it.
        remaining: names of the places where it would remain.
    """

    asked: str
    answer: str
    sentence: str
    shares: tuple[Share, ...]
    total: int
    would_break_pins: int
    pins: int
    pinned_fail: int
    listing_places: int
    remaining: tuple[str, ...]

    @property
    def label(self) -> str:
        """The shares in words."""
        return ", ".join(f"{share.count} {share.word}" for share in self.shares)


def deletion_view(run: Run) -> DeletionView:
    """Sum up what deleting the broken release at the source would achieve now."""
    deletion = run.deletion
    shares = _shares(deletion)
    index = [v for v in run.verdicts if v.location.role is Role.INDEX]
    listing = [v for v in index if v.broken.listed]
    after = [v.counterfactuals.get(Action.DELETED, Counterfactual()) for v in listing]
    return DeletionView(
        asked="Did" if deletion.already else "Would",
        answer=_answer(run),
        sentence=deletion.sentence,
        shares=shares,
        total=sum(share.count for share in shares),
        would_break_pins=deletion.would_break_pins,
        pins=sum(v.location.role is Role.PIN for v in run.verdicts),
        pinned_fail=sum(f.pinned_gets in (Gets.ERROR, Gets.NOTHING) for f in after),
        listing_places=len(listing),
        remaining=deletion.locations,
    )


def foreseen_views(verdict: Verdict, now: datetime) -> tuple[ForeseenView, ...]:
    """Every action, in the order delete, yank, upload again, roll forward."""
    return tuple(
        _foreseen(action, verdict.counterfactuals.get(action, Counterfactual()), verdict, now)
        for action in Action
    )


def _foreseen(
    action: Action, foreseen: Counterfactual, verdict: Verdict, now: datetime
) -> ForeseenView:
    gets = (
        (ASKERS[0], GETS[foreseen.unpinned_gets]),
        (ASKERS[1], GETS[foreseen.pinned_gets]),
        (ASKERS[2], GETS[foreseen.hash_locked_gets]),
        (ASKERS[3], GETS[foreseen.offline_gets]),
    )
    held = HELD[foreseen.held]
    return ForeseenView(
        action=ACTIONS[action],
        key=action.value,
        listed=listed_fact(foreseen.listed, verdict.location.role),
        held=held,
        gets=gets,
        when=when_words(foreseen.when, now),
        because=foreseen.because,
        known=_any_known((held, *(fact for _, fact in gets))) or foreseen.listed is not None,
        is_timed=foreseen.when is not When.UNKNOWN,
    )


def _answer(run: Run) -> str:
    deletion, persists = run.deletion, run.summary.broken_persists
    later, at_once = deletion.would_remove_later, deletion.would_remove_at_once
    total = later + at_once + deletion.would_remain + deletion.undetermined
    known = plural(total, "place")
    if deletion.already and persists:
        places = sum(v.location.kind != GROUP for v in run.verdicts)
        return f"No. It is deleted, and {persists} of {plural(places, 'place')} still have it."
    if deletion.would_remain:
        return f"No. The broken release would stay in {deletion.would_remain} of {known}."
    if deletion.undetermined:
        return f"Not shown. What would happen in {deletion.undetermined} of {known} is not known."
    if later:
        return f"Not now. {plural(later, 'place')} would lose it only after a delay."
    if at_once:
        return f"It would go from {plural(at_once, 'place')}, at once."
    if persists:
        return "Not shown. This audit has no numbers for it."
    return "There is nothing to delete: no place here is known to have it."


def _any_known(facts: Sequence[Fact]) -> bool:
    return any(fact.tone is not Tone.UNKNOWN for fact in facts)


def _shares(deletion: DeletionSummary) -> tuple[Share, ...]:
    keep = "keep it" if deletion.already else "would keep it"
    rows = (
        (deletion.would_remain, keep, "still there after a deletion", Tone.BAD),
        (deletion.would_remove_later, "would lose it later", "once the delay is over", Tone.WARN),
        (deletion.would_remove_at_once, "would lose it at once", "with the deletion", Tone.GOOD),
        (deletion.undetermined, "not determined", "this audit cannot say", Tone.UNKNOWN),
    )
    return tuple(
        Share(count=count, word=word, meaning=meaning, tone=tone)
        for count, word, meaning, tone in rows
    )
