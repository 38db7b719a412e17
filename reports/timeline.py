"""What happened when, as far as the run says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from auditor.model import FixChosen, LagState, Role, Run
from reports.words import STATUSES, Tone, clock, distance, plural

__all__ = ["Event", "timeline"]


# What a page shows of a long history; the history itself has all.
MOST_CHANGES = 60
_SIGNS = {
    Tone.BAD: "✖",
    Tone.WARN: "◆",
    Tone.UNKNOWN: "?",
    Tone.GOOD: "✔",
    Tone.PLAIN: "●",
}
_TONES = {status.value: fact.tone for status, fact in STATUSES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A moment.

    Attributes:
        time: UTC.
        clock, distance: in words; the distance is from the end of the audit.
        text: what happened, or is due.
        names: places concerned; empty if it concerns all.
        ahead: whether it lies after the audit.
    """

    time: datetime
    clock: str
    distance: str
    text: str
    tone: Tone
    names: tuple[str, ...]
    ahead: bool

    @property
    def sign(self) -> str:
        """What sort of event: a sign beside the colour."""
        return "○" if self.ahead else _SIGNS[self.tone]

    @property
    def iso(self) -> str:
        """For machines."""
        return self.time.isoformat()


def timeline(run: Run) -> tuple[Event, ...]:
    """Return the known moments in order."""
    incident = run.incident
    moments = [(run.finished_at, _seen(run), Tone.PLAIN, ())]
    if incident.opened_at:
        moments.append((incident.opened_at, "The incident was recorded.", Tone.PLAIN, ()))
    if incident.published_at:
        fixed = ", ".join(incident.fixed)
        moments.append((incident.published_at, f"The fix {fixed} was published.", Tone.GOOD, ()))
    if run.timeline and run.timeline.fix_seen_at:
        moments.append(
            (run.timeline.fix_seen_at, "The fix was first seen on a page.", Tone.GOOD, ())
        )
    return tuple(
        _event(time, text, tone, names, run.finished_at)
        for time, text, tone, names in sorted(
            moments + _deadlines(run) + _history(run), key=lambda m: m[:2]
        )
    )


_Moment = tuple[datetime, str, Tone, tuple[str, ...]]


def _seen(run: Run) -> str:
    index = [v for v in run.verdicts if v.location.role is Role.INDEX]
    arrived = sum(v.fix.chosen is FixChosen.ALL for v in index)
    return (
        f"This audit ended: installers get the fix at {arrived} of "
        f"{plural(len(index), 'index place')}."
    )


def _deadlines(run: Run) -> list[_Moment]:
    due: dict[tuple[datetime, LagState], list[str]] = defaultdict(list)
    for verdict in run.verdicts:
        lag = verdict.lag
        if lag.latest_by and lag.state in (LagState.WITHIN_LAG, LagState.STUCK):
            due[(lag.latest_by, lag.state)].append(verdict.location.name)
    moments: list[_Moment] = []
    for (time, state), names in due.items():
        stuck = state is LagState.STUCK
        text = "The fix should have been here by now: stuck." if stuck else "The fix is due here."
        moments.append((time, text, Tone.BAD if stuck else Tone.WARN, tuple(sorted(set(names)))))
    return moments


def _history(run: Run) -> list[_Moment]:
    """What earlier runs saw: rows that became another, those of one moment together."""
    if run.timeline is None:
        return []
    changes: dict[tuple[datetime, str, str], list[str]] = defaultdict(list)
    for each in run.timeline.moments:
        changes[(each.at, each.before or "", each.after)].append(each.location)
    newest = sorted(changes.items(), key=lambda change: change[0])[-MOST_CHANGES:]
    moments: list[_Moment] = []
    for (time, before, after), names in newest:
        text = f"Now {after}, before: {before}." if before else f"First seen: {after}."
        moments.append((time, text, _TONES.get(after, Tone.PLAIN), tuple(sorted(set(names)))))
    return moments


def _event(time: datetime, text: str, tone: Tone, names: tuple[str, ...], now: datetime) -> Event:
    return Event(
        time=time,
        clock=clock(time),
        distance=distance(time, now),
        text=text,
        tone=tone,
        names=names,
        ahead=time > now,
    )
