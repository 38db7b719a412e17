"""What deleting at the source would do to each copy: at once, later, never, or nobody can say.

The judge has the numbers (`deletion` in the run's JSON); here the places are named that make them
up, from what the run says of each. Where the two disagree, the numbers stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from auditor.model import (
    Action,
    Counterfactual,
    DeletionSummary,
    Gets,
    HeldState,
    Role,
    Run,
    Status,
    Verdict,
    When,
)
from reports.foreseen import GROUP
from reports.words import Tone, plural

__all__ = [
    "Doubt",
    "Fate",
    "FateGroup",
    "Step",
    "doubts",
    "fate_groups",
    "fate_of",
    "steps",
    "unseen_cost",
]

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)
_NOTHING = (Gets.ERROR, Gets.NOTHING)


class Fate(StrEnum):
    """What becomes of one copy."""

    REMAIN = "remain"
    LATER = "later"
    AT_ONCE = "at-once"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class FateGroup:
    """The places with one fate.

    Attributes:
        count: of rows.
        word, meaning: of this fate.
        sign, tone: always beside the word.
        verdicts: the rows; empty if the run does not tell which.
        breaks: who would stop working there, in words.
    """

    count: int
    word: str
    meaning: str
    sign: str
    tone: Tone
    verdicts: tuple[Verdict, ...]
    breaks: tuple[str, ...]


_WORDS = (
    (Fate.REMAIN, "Never by itself", "it is still there after a deletion", "✖", Tone.BAD),
    (Fate.LATER, "Later", "it goes once the delay of what copies is over", "…", Tone.WARN),
    (Fate.AT_ONCE, "At once", "it goes with the deletion", "✔", Tone.GOOD),
    (Fate.UNDETERMINED, "Not determined", "nothing promises that it goes; below is why",
     "?", Tone.UNKNOWN),
)  # fmt: skip  # a line for each would be a page


def fate_of(verdict: Verdict) -> Fate | None:
    """What deleting at the source makes of this copy; None: there is none to begin with."""
    broken, after = verdict.broken, verdict.counterfactuals.get(Action.DELETED)
    if verdict.location.kind == GROUP:
        return None  # it is no place: its members are counted
    known = bool(broken.listed) or broken.held in _HERE or verdict.status is Status.PINNED
    if not known:
        return Fate.UNDETERMINED if _in_doubt(verdict) else None
    if after is None:
        return Fate.UNDETERMINED
    if after.listed or after.held in _HERE:
        return Fate.REMAIN
    gone = after.listed is not None or verdict.location.role is not Role.INDEX
    if not gone or after.held is not HeldState.NOT_HELD:
        return Fate.UNDETERMINED
    if after.when is When.AT_ONCE:
        return Fate.AT_ONCE
    return Fate.LATER if isinstance(after.when, datetime) else Fate.UNDETERMINED


def _in_doubt(verdict: Verdict) -> bool:
    if verdict.status in (Status.ABSENT, Status.CLEAN):
        return False
    if verdict.location.role is Role.PIN:
        return verdict.status is Status.UNKNOWN
    lists = verdict.location.role is Role.INDEX and verdict.broken.listed is None
    return lists or verdict.broken.held is HeldState.UNKNOWN


def fate_groups(run: Run) -> tuple[FateGroup, ...]:
    """Never, later, at once, not determined: with the judge's numbers, and who breaks where."""
    return tuple(
        _group(run.deletion, fate, words, [v for v in run.verdicts if fate_of(v) is fate])
        for fate, *words in _WORDS
    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why nobody can say what becomes of some copies, and what would tell."""

    why: str
    verdicts: tuple[Verdict, ...]


def doubts(run: Run) -> tuple[Doubt, ...]:
    """Every reason for which a fate is not determined, that of most copies first."""
    found: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if fate_of(verdict) is Fate.UNDETERMINED:
            found.setdefault(_why(verdict), []).append(verdict)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(Doubt(f"{why[:1].upper()}{why[1:]}.", tuple(rows)) for why, rows in ordered)


def _why(verdict: Verdict) -> str:
    after = verdict.counterfactuals.get(Action.DELETED, Counterfactual())
    if _in_doubt(verdict) and any(pin.is_of_unknown_code for pin in verdict.pins):
        return "the code there is not what its metadata says, and may be any"
    if _in_doubt(verdict) and verdict.broken.listed is None:
        return "it could not be read, so that it is not even known whether it has it"
    if verdict.location.role is Role.INDEX and after.listed is None:
        return after.because.partition("; ")[0] or "nothing says what it would do"
    if after.held is HeldState.UNKNOWN and verdict.is_source:
        return "the page loses it at once; whether the file host goes on serving it is not known"
    if after.held is HeldState.UNKNOWN:
        return "its page would lose it, but nobody sees from here whether it keeps the bytes"
    return after.because.rpartition("; ")[2].removeprefix("but ") or "nothing says when"


def _group(
    deletion: DeletionSummary, fate: Fate, words: Sequence[str | Tone], rows: Sequence[Verdict]
) -> FateGroup:
    word, meaning, sign, tone = words
    count = {
        Fate.REMAIN: deletion.would_remain,
        Fate.LATER: deletion.would_remove_later,
        Fate.AT_ONCE: deletion.would_remove_at_once,
        Fate.UNDETERMINED: deletion.undetermined,
    }[fate]
    named = tuple(rows) if len(rows) == count else ()
    return FateGroup(
        count=count,
        word=word,
        meaning=meaning,
        sign=sign,
        tone=Tone(tone),
        verdicts=named,
        breaks=tuple(_breaks(named)),
    )


def _breaks(verdicts: Sequence[Verdict]) -> list[str]:
    """Who gets nothing any more at these places, who did before."""
    pins = sum(v.location.role is Role.PIN for v in verdicts)
    index = [v for v in verdicts if v.location.role is Role.INDEX]
    after = [v.counterfactuals.get(Action.DELETED, Counterfactual()) for v in index]
    found = []
    if pins:
        found.append(f"{plural(pins, 'pin')} that {'forces' if pins == 1 else 'force'} it")
    for who, gets in (
        ("whoever pinned it", [each.pinned_gets for each in after]),
        ("whoever locked its hash", [each.hash_locked_gets for each in after]),
    ):
        broken = sum(each in _NOTHING for each in gets)
        if broken:
            found.append(f"{who}, at {broken} of {len(index)}")
    return found


def unseen_cost(run: Run) -> str:
    """The cost nobody sees, in one sentence with this audit's numbers; "" if it has none.

    Bytes that stay somewhere after the source has forgotten them are bytes that nobody can compare,
    withdraw or explain any more.
    """
    kept = sum(map(_keeps_bytes, run.verdicts))
    fates = [fate_of(v) for v in run.verdicts if not v.is_source]
    doubt = sum(fate in (Fate.REMAIN, Fate.UNDETERMINED) for fate in fates) - kept
    if Fate.REMAIN not in fates:
        return ""
    who = plural(kept, "place") if kept else f"perhaps {plural(doubt, 'place')}"
    maybe = f", and perhaps {doubt} more," if doubt and kept else ""
    verb = "keeps" if (kept or doubt) == 1 else "keep"
    after = "It is deleted:" if run.deletion.already else "Once it is deleted,"
    return (
        f"{after} {who}{maybe} {verb} bytes without a source. No page of the source names them any "
        "more, no yank can reach them, and nobody can look up what their digest was, or what is "
        "wrong with them."
    )


def _is_copy(verdict: Verdict) -> bool:
    return not verdict.is_source and verdict.location.kind != GROUP


def _keeps_bytes(verdict: Verdict) -> bool:
    after = verdict.counterfactuals.get(Action.DELETED, Counterfactual())
    copy = not verdict.is_source and fate_of(verdict) is Fate.REMAIN
    return copy and after.held in _HERE


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way forward, and whether it is taken."""

    sign: str
    word: str
    tone: Tone
    text: str


def steps(run: Run) -> tuple[Step, ...]:
    """The way forward without a deletion, ticked off as far as this audit has seen it."""
    fixed, broken = ", ".join(run.incident.fixed), ", ".join(run.incident.broken)
    source = [v for v in run.verdicts if v.is_source]
    index = [v for v in run.verdicts if v.location.role is Role.INDEX and _is_copy(v)]
    pins = [v for v in run.verdicts if v.location.role is Role.PIN]
    published = [v.fix.listed for v in source]
    if not source and any(v.fix.listed for v in index):
        published = [True]
    return (
        _seen(
            _step(
                published,
                f"Revert or fix it in a new commit, and publish that as {fixed}, a higher release.",
                everywhere=False,
            ),
            [v for v in source or index if v.fix.listed],
        ),
        _seen(_yank(source, broken), source),
        _counted([_gets_fix(v) for v in index], "Let every copy offer it", f"give {fixed} to all"),
        _counted([_unpinned(v) for v in pins], f"Lift what pins {broken}", "audited pins are free"),
        _seen(_kept(run, source, broken), source),
    )


_DONE, _OPEN = ("✔", "done", Tone.GOOD), ("✖", "open", Tone.BAD)
_DOUBT, _NONE = ("?", "not known", Tone.UNKNOWN), ("–", "not audited", Tone.PLAIN)


def _seen(step: Step, where: Sequence[Verdict]) -> Step:
    """Name the place whose page shows that a step is done."""
    if step.tone is not Tone.GOOD or not where:
        return step
    return replace(step, word=f"{step.word}, as {where[0].location.name} shows")


def _step(answers: Sequence[bool | None], text: str, *, everywhere: bool) -> Step:
    if not answers:
        return Step(*_NONE, text)
    if all(answers) if everywhere else any(answers):
        return Step(*_DONE, text)
    return Step(*(_DOUBT if False not in answers else _OPEN), text)


def _counted(answers: Sequence[bool | None], text: str, done: str) -> Step:
    if not answers:
        return Step(*_NONE, f"{text}.")
    count = f"{sum(each is True for each in answers)} of {len(answers)}"
    return _step(answers, f"{text}: {count} {done}.", everywhere=True)


def _yank(source: Sequence[Verdict], broken: str) -> Step:
    text = f"Yank {broken}, with a reason that names the fix."
    if any(v.broken.listed is False for v in source):
        return Step("–", "too late", Tone.PLAIN, f"{text} The source does not list it any more.")
    yanked = [v.broken.yanked for v in source]
    if any(each is not None and each.value == "yes" for each in yanked):
        return Step("◑", "half done", Tone.WARN, f"{text} It is yanked, but without a reason.")
    known = [None if each is None else each.value == "reason" for each in yanked]
    return _step(known, text, everywhere=True)


def _kept(run: Run, source: Sequence[Verdict], broken: str) -> Step:
    text = f"Leave {broken} where it is: its page tells everybody why to move on."
    if run.deletion.already:
        return Step("✖", "deleted", Tone.BAD, text)
    return _step([v.broken.listed for v in source], text, everywhere=False)


def _gets_fix(verdict: Verdict) -> bool | None:
    chosen = verdict.fix.chosen
    if chosen is None or chosen.value == "unknown":
        return None
    return chosen.value == "all"


def _unpinned(verdict: Verdict) -> bool | None:
    if verdict.status is Status.UNKNOWN:
        return None
    return verdict.status not in (Status.PINNED, Status.BEHIND)
