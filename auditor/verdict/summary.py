"""The whole: one status, one sentence, one exit code, and what deleting would achieve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from auditor.model import (
    Action,
    DeletionSummary,
    Finding,
    FixChosen,
    Gets,
    HeldState,
    LagState,
    Plan,
    Role,
    Severity,
    Status,
    Summary,
    Verdict,
    When,
)
from auditor.verdict.context import Context
from auditor.verdict.grouping import is_group
from auditor.verdict.persisting import HERE, persists, undetermined
from auditor.verdict.sentence import places_in_words, sentence_of
from auditor.verdict.source_state import SourceState
from auditor.verdict.whose import whose_of

__all__ = ["exit_code_of", "fails", "summarise", "summarise_deletion"]


def fails(verdict: Verdict, plan: Plan) -> bool:
    """Whether this row makes the audit fail."""
    if verdict.waived is not None or verdict.status not in plan.fail_on:
        return False
    if not verdict.location.required and verdict.status in (Status.UNKNOWN, Status.ABSENT):
        return False
    # Being late explains an older page; it never explains other bytes.
    excused = verdict.status in (Status.EXPOSED, Status.BEHIND)
    return not (plan.grace and excused and verdict.lag.state is LagState.WITHIN_LAG)


def exit_code_of(
    verdicts: Sequence[Verdict], findings: Sequence[Finding], *, interrupted: bool
) -> int:
    """The exit code of one incident (design section 5): 1 failing, 3 inconclusive, else 0."""
    if any(v.failing for v in verdicts) or any(f.failing for f in findings):
        return 1
    unknown = any(v.status is Status.UNKNOWN and v.location.required for v in verdicts)
    return 3 if unknown or interrupted else 0


def summarise(
    context: Context,
    verdicts: Sequence[Verdict],
    findings: Sequence[Finding],
    *,
    interrupted: bool,
    notes: Sequence[str],
) -> Summary:
    """Sum up every row of one incident."""
    said = list(notes)
    if context.offline:
        said.insert(0, "No place answered at all: this machine seems to be offline.")
    if interrupted:
        said.insert(0, "The audit was interrupted; places not yet seen are unknown.")
    told = _told(verdicts)
    whose, whose_text = whose_of(context, told, findings)
    return Summary(
        status=_overall(verdicts),
        exit_code=exit_code_of(verdicts, findings, interrupted=interrupted),
        sentence=sentence_of(context, told, findings),
        locations=len(verdicts),
        by_status=dict(sorted(Counter(v.status for v in verdicts).items(), key=_by_rank)),
        fix_chosen=sum(v.fix.chosen is FixChosen.ALL for v in verdicts),
        broken_persists=sum(map(persists, verdicts)),
        unknown=sum(map(undetermined, verdicts)),
        notes=tuple(dict.fromkeys(said)),
        whose=whose,
        whose_text=whose_text,
    )


def _told(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """Leave the groups out of what is said of places, unless they alone fail."""
    places = [v for v in verdicts if not is_group(v.location)]
    failing = [v for v in verdicts if v.status.severity is Severity.FAIL]
    return verdicts if failing and all(is_group(v.location) for v in failing) else places


def summarise_deletion(context: Context, verdicts: Sequence[Verdict]) -> DeletionSummary:
    """What deleting at the source, and only there, would achieve."""
    fates = {
        (v.location.name, v.vantage): _fate(v) for v in verdicts if persists(v) or undetermined(v)
    }
    count = Counter(fates.values())
    remain = tuple(sorted({name for (name, _), fate in fates.items() if fate == "remain"}))
    breaks = sum(v.location.role is Role.PIN and v.status is Status.PINNED for v in verdicts)
    return DeletionSummary(
        sentence=_deletion_sentence(context, _told(verdicts), count),
        would_remove_at_once=count["at-once"],
        would_remove_later=count["later"],
        would_remain=count["remain"],
        undetermined=count["undetermined"],
        would_break_pins=breaks,
        locations=remain,
        already=context.source_state.gone,
    )


def _fate(verdict: Verdict) -> str:
    """What deletion at the source makes of the copy at one row."""
    after = verdict.counterfactuals.get(Action.DELETED)
    if after is None or undetermined(verdict):
        return "undetermined"
    # What persists where nothing arrives stays, be it bytes or a pin.
    if after.listed or after.held in HERE or after.when is When.NEVER:
        return "remain"
    gone = after.listed is not None or verdict.location.role is not Role.INDEX
    if gone and after.held is HeldState.NOT_HELD:
        return _fate_by_time(after.when)
    return "undetermined"


def _fate_by_time(when: When | datetime) -> str:
    if when is When.AT_ONCE:
        return "at-once"
    return "later" if isinstance(when, datetime) else "undetermined"


def _by_rank(item: tuple[Status, int]) -> int:
    return item[0].rank


def _overall(verdicts: Sequence[Verdict]) -> Status:
    """The worst row; waived failures, and what is not required, do not speak for the whole."""
    counting = [
        v
        for v in verdicts
        if v.waived is None
        and (v.location.required or v.status not in (Status.UNKNOWN, Status.ABSENT))
    ]
    statuses = (v.status for v in counting or verdicts)
    # Where no place was looked at, nothing is known: a scan may recognise none.
    return min(statuses, key=lambda s: s.rank, default=Status.UNKNOWN)


def _deletion_sentence(context: Context, verdicts: Sequence[Verdict], count: Counter[str]) -> str:
    """The argument, from this audit's own numbers."""
    holding = [v for v in verdicts if persists(v)]
    if context.source_state.gone:
        return _deleted_sentence(context, verdicts, holding)
    if not holding:
        return "No audited place is known to list or hold the broken release."
    broken, source = context.line.broken_text, context.source
    others = [v for v in holding if not v.is_source]
    still = sum(
        v.counterfactuals[Action.DELETED].unpinned_gets is Gets.BROKEN
        for v in others
        if Action.DELETED in v.counterfactuals
    )
    where = f"at {source.name}" if source else "at the source"
    text = f"Deleting {broken} {where} acts on one place; "
    if others:
        text += f"{_elsewhere(len(others), len(holding))}."
    else:
        text += "no other audited place is known to list or hold it."
    told = []
    if count["remain"]:
        told.append(f"{count['remain']} would certainly keep it")
    if still:
        told.append(f"{still} would go on giving it to unpinned installs")
    if count["later"]:
        told.append(f"{count['later']} would lose it only after a delay")
    if count["undetermined"]:
        told.append(f"for {count['undetermined']} nothing promises that it would ever go away")
    return f"{text} {_and(told)}." if told else text


def _elsewhere(others: int, holding: int) -> str:
    """How many of the places that list or hold it are not the source."""
    if holding == 1:
        return "the one place that lists or holds it is elsewhere"
    if others == holding:
        return f"all {holding} places that list or hold it are elsewhere"
    are = "is" if others == 1 else "are"
    return f"{others} of the {holding} places that list or hold it {are} elsewhere"


def _and(parts: Sequence[str]) -> str:
    """Join parts of a sentence, and begin it."""
    *first, last = parts
    text = f"{', '.join(first)}, and {last}" if first else last
    return text[:1].upper() + text[1:]


def _deleted_sentence(
    context: Context, verdicts: Sequence[Verdict], holding: Sequence[Verdict]
) -> str:
    """What it achieved to take the broken release off the source."""
    broken, source = context.line.broken_text, context.source
    where = source.name if source else "the source"
    done = {
        SourceState.PROJECT_GONE: f"The whole project was deleted at {where}",
        SourceState.QUARANTINED: f"{where} has the project in quarantine",
    }.get(context.source_state, f"You deleted {broken} at {where}")
    text = f"{done}; {len(holding)} of {places_in_words(len(verdicts))} still have {broken}"
    if any(v.is_source for v in holding):
        text += f", {where} itself among them, which still serves the file"
    unknown = sum(map(undetermined, verdicts))
    if unknown:
        text += f", and of {unknown} it is not known"
    orphaned = sum(map(_has_bytes_alone, holding))
    if orphaned:
        text += f"; {orphaned} can no longer say where it came from"
    return text + "."


def _has_bytes_alone(verdict: Verdict) -> bool:
    """Whether it has the bytes, and nothing that names their source: no listing, no lock."""
    role, broken = verdict.location.role, verdict.broken
    if role is Role.PIN or verdict.is_source:
        return False
    return broken.held in HERE and broken.listed is not True
