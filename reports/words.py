"""The words and signs of every closed set, and times as people say them.

A fact is always a sign *and* a word; colour only repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite

from auditor.model import (
    Action,
    FixChosen,
    Gets,
    HeldState,
    Lag,
    LagState,
    Role,
    Status,
    Touch,
    View,
    When,
    YankState,
)

__all__ = [
    "ACTIONS",
    "GETS",
    "HELD",
    "NOT_ASKED",
    "STATUSES",
    "TOUCHES",
    "VIEWS",
    "Fact",
    "Tone",
    "clock",
    "distance",
    "fix_chosen_fact",
    "fix_listed_fact",
    "lag_fact",
    "listed_fact",
    "plural",
    "short_span",
    "span",
    "when_words",
    "yanked_fact",
]


class Tone(StrEnum):
    """What a fact means for the reader; renderers choose a colour by it."""

    BAD = "bad"
    WARN = "warn"
    UNKNOWN = "unknown"
    GOOD = "good"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """One cell of a table.

    Attributes:
        sign: one character that differs per tone, so that colour is never needed.
        word: short.
        tone: for colour.
        detail: one sentence more; "" if there is none.
    """

    sign: str
    word: str
    tone: Tone
    detail: str = ""


NOT_ASKED = Fact("–", "n/a", Tone.PLAIN, "The question does not arise here.")
_UNKNOWN = Fact("?", "unknown", Tone.UNKNOWN)

STATUSES = {
    Status.TAMPERED: Fact(
        "‼", "tampered", Tone.BAD, "A file here has a known name but other bytes."
    ),
    Status.EXPOSED: Fact(
        "✖", "exposed", Tone.BAD, "An unpinned install here can get the broken release."
    ),
    Status.PINNED: Fact(
        "■", "pinned", Tone.BAD, "Something here forces or already contains the broken release."
    ),
    Status.BEHIND: Fact(
        "▼", "behind", Tone.BAD, "Nobody gets the broken release, but not everybody gets the fix."
    ),
    Status.UNKNOWN: Fact("?", "unknown", Tone.UNKNOWN, "This could not be determined."),
    Status.LATENT: Fact(
        "◆", "latent", Tone.WARN, "The broken bytes lie here; only a pin or a hash gets them."
    ),
    Status.ROLLED_FORWARD: Fact(
        "✔", "rolled-forward", Tone.GOOD, "Every environment that counts gets the fix."
    ),
    Status.ABSENT: Fact("–", "absent", Tone.PLAIN, "The project is not carried here."),
    Status.CLEAN: Fact("✔", "clean", Tone.GOOD, "No trace of the broken release is here."),
}

HELD = {
    HeldState.HELD: Fact("●", "held", Tone.WARN, "The broken bytes are here."),
    HeldState.SHADOWED: Fact("◐", "shadowed", Tone.WARN, "The broken bytes are here, hidden."),
    HeldState.STORED_ONCE: Fact("◌", "stored once", Tone.WARN, "They were here once."),
    HeldState.UNKNOWN: Fact("?", "unknown", Tone.UNKNOWN, "No safe request could tell."),
    HeldState.NOT_HELD: Fact("✔", "not held", Tone.GOOD, "The broken bytes are not here."),
}

GETS = {
    Gets.FIX: Fact("✔", "the fix", Tone.GOOD),
    Gets.BROKEN: Fact("✖", "the broken release", Tone.BAD),
    Gets.OLDER: Fact("▼", "an older release", Tone.WARN),
    Gets.NOTHING: Fact("○", "nothing", Tone.WARN),
    Gets.ERROR: Fact("!", "an error", Tone.WARN),
    Gets.UNKNOWN: Fact("?", "unknown", Tone.UNKNOWN),
}

ACTIONS = {
    Action.DELETED: "Delete it",
    Action.YANKED: "Yank it",
    Action.REUPLOADED: "Upload it again",
    Action.ROLLED_FORWARD: "Roll forward",
}

VIEWS = {View.PIP: "pip", View.PIP_HTML: "pip before 22.2", View.UV: "uv", View.POETRY: "Poetry"}

TOUCHES = {
    Touch.INERT: "changes nothing anywhere",
    Touch.REFRESHES_INDEX: "may make a cache read an index page again",
    Touch.MAY_STORE_ARTIFACT: "may make a cache store a file",
    Touch.MUTATES: "changes the place",
}

_YANKED = {
    YankState.NO: Fact("✖", "no", Tone.BAD, "No broken file is marked as yanked."),
    YankState.YES: Fact("✔", "yes", Tone.GOOD, "Yanked, without a reason."),
    YankState.REASON: Fact("✔", "with reason", Tone.GOOD, "Yanked, and the reason is given."),
    YankState.MIXED: Fact("◑", "mixed", Tone.BAD, "Files or views differ."),
}

_CHOSEN = {
    FixChosen.ALL: Fact("✔", "by all", Tone.GOOD, "Every environment that counts gets the fix."),
    FixChosen.SOME: Fact("◑", "by some", Tone.BAD, "Some environments do not get the fix."),
    FixChosen.NONE: Fact("✖", "by none", Tone.BAD, "No environment gets the fix."),
    FixChosen.UNKNOWN: Fact("?", "unknown", Tone.UNKNOWN, "What installers choose is not known."),
}

_LAGS = {
    LagState.CURRENT: Fact("✔", "current", Tone.GOOD, "The fix has arrived."),
    LagState.WITHIN_LAG: Fact("…", "on its way", Tone.WARN, "This delay is normal here."),
    LagState.STUCK: Fact("✖", "stuck", Tone.BAD, "It is later than is normal here."),
    LagState.NEVER: Fact("■", "never syncs", Tone.WARN, "Nothing ever syncs this place by itself."),
    LagState.UNKNOWN: Fact("?", "unknown", Tone.UNKNOWN, "Whether it is late is not known."),
}


def listed_fact(listed: bool | None, role: Role) -> Fact:
    """Whether the broken release is on a page."""
    if listed is None:
        return _UNKNOWN if role is Role.INDEX else NOT_ASKED
    if listed:
        return Fact("●", "listed", Tone.WARN, "A page here lists a broken file.")
    return Fact("✔", "not listed", Tone.GOOD, "No page here lists a broken file.")


def yanked_fact(yanked: YankState | None, listed: bool | None, role: Role) -> Fact:
    """How the broken release is marked; what is not listed cannot be yanked."""
    if yanked is not None:
        return _YANKED[yanked]
    return NOT_ASKED if listed is False or role is not Role.INDEX else _UNKNOWN


def fix_listed_fact(listed: bool | None, role: Role) -> Fact:
    """Whether the fix is on a page."""
    if listed is None:
        return _UNKNOWN if role is Role.INDEX else NOT_ASKED
    if listed:
        return Fact("✔", "listed", Tone.GOOD, "A page here lists a file of the fix.")
    return Fact("✖", "missing", Tone.BAD, "No page here lists a file of the fix.")


def fix_chosen_fact(chosen: FixChosen | None) -> Fact:
    """Whether installers get the fix."""
    return NOT_ASKED if chosen is None else _CHOSEN[chosen]


def lag_fact(lag: Lag, role: Role, now: datetime) -> Fact:
    """Whether this place is late, and until when that is normal."""
    if role is not Role.INDEX:
        return NOT_ASKED
    fact = _LAGS[lag.state]
    if lag.latest_by is None or lag.state is LagState.CURRENT:
        return fact
    due = f"Due by {clock(lag.latest_by)} ({distance(lag.latest_by, now)})."
    return Fact(fact.sign, fact.word, fact.tone, f"{fact.detail} {due}")


def when_words(when: When | datetime, now: datetime) -> str:
    """When an action at the source would take effect."""
    match when:
        case datetime():
            return f"by {clock(when)} ({distance(when, now)})"
        case When.ALREADY:
            return "as it is now"
        case When.AT_ONCE:
            return "at once"
        case When.NEVER:
            return "changes nothing here"
        case When.UNKNOWN:
            return "not known when"


def clock(time: datetime) -> str:
    """`2026-11-20 13:00 UTC`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def distance(time: datetime, now: datetime) -> str:
    """`in 3 hours`, `2 days ago`, `now`."""
    seconds = (time - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def span(seconds: float) -> str:
    """A length of time in the unit that a person would use."""
    if not isfinite(seconds):
        return "an unknown time"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        number = round(seconds / size)
        if seconds >= 1.75 * size or (number == 1 and 0 <= seconds - size < size / 20):
            return plural(number, unit)
    return plural(round(seconds), "second")


def short_span(seconds: float) -> str:
    """The same, for a label in a picture: `3 h`, `2 d`."""
    short = {"day": "d", "hour": "h", "minute": "min", "second": "s"}
    number, _, unit = span(seconds).partition(" ")
    return f"{number} {short.get(unit.rstrip('s'), unit)}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """`1 place`, `2 places`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
