"""What is told: one message for everything that changed in one run of one incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["Event", "EventKind", "Message", "text_of", "title_of"]

# What a chat or a mail can show; the webhook gets everything.
MAX_SHOWN = 20


class EventKind(StrEnum):
    """What happened to a row."""

    FAILING = "failing"  # it begins to make the audit fail
    RESOLVED = "resolved"  # it failed, and nothing is wrong there any more
    CHANGE = "change"  # its status is another
    REMINDER = "reminder"  # it still fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to one row.

    Attributes:
        kind: of the event.
        location, vantage: which row.
        before: status that was told last; None: nothing was.
        after: status now.
        reason: the first one, in a sentence; "" if there is none.
    """

    kind: EventKind
    location: str
    vantage: str
    before: str | None
    after: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        id: the same however often it is sent, so that a receiver can drop a repetition.
        incident, project: what it is about.
        status, exit_code, sentence: of the run.
        run: its id.
        at: when the run ended, UTC.
        events: what happened, by location.
        version: of this shape.
    """

    id: str
    incident: str
    project: str
    status: str
    exit_code: int
    sentence: str
    run: str
    at: datetime
    events: tuple[Event, ...]
    version: int = 1

    def encode(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Message:
        """Read it from JSON. Raises msgspec.MsgspecError."""
        return msgspec.json.decode(text.encode(), type=cls)


def title_of(message: Message) -> str:
    """One line: what happened where."""
    if len(message.events) == 1:
        (event,) = message.events
        return f"{message.incident}: {event.location} {_verb(event)} {event.after}"
    counts = {kind: sum(e.kind is kind for e in message.events) for kind in EventKind}
    words = {
        EventKind.FAILING: "failing",
        EventKind.RESOLVED: "resolved",
        EventKind.CHANGE: "changed",
        EventKind.REMINDER: "still failing",
    }
    told = ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count)
    return f"{message.incident}: {told}"


def _verb(event: Event) -> str:
    return "is still" if event.kind is EventKind.REMINDER else "is"


def text_of(message: Message) -> str:
    """The message for people, without any markup."""
    lines = [message.sentence, ""]
    lines += [_line(event) for event in message.events[:MAX_SHOWN]]
    if len(message.events) > MAX_SHOWN:
        lines.append(f"and {len(message.events) - MAX_SHOWN} more places")
    lines += ["", f"Run {message.run}, {message.at:%Y-%m-%d %H:%M} UTC."]
    return "\n".join(lines)


def _line(event: Event) -> str:
    was = f" (was {event.before})" if event.before and event.before != event.after else ""
    return f"- {event.location}: {_verb(event)} {event.after}{was}. {event.reason}".rstrip()
