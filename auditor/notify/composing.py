"""Decides what is worth telling, by what was told before. Pure but for the two ends."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auditor.config.channels import ChannelSettings
from auditor.history.notices import (
    Told,
    last_message_at,
    put_into_outbox,
    rows_seen_since,
    told_to,
    write_told,
)
from auditor.history.state import Change, State
from auditor.history.store import Recorded
from auditor.model import Run
from auditor.model.run_id import run_id
from auditor.notify.channel import Channel
from auditor.notify.message import Event, EventKind, Message

__all__ = ["compose", "decide", "remind"]

Row = tuple[str, str]
Reasons = Mapping[Row, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to tell of one row, and what its channel believes afterwards."""

    event: Event | None
    told: Told


def compose(
    connection: sqlite3.Connection, channels: Iterable[Channel], run: Run, recorded: Recorded
) -> int:
    """Put into the outbox what each channel is to be told of a run, in the caller's transaction.

    Returns:
        How many messages there are.
    """
    if not recorded.is_new:
        return 0
    reasons = {
        (v.location.name, v.vantage): v.reasons[0].text if v.reasons else "" for v in run.verdicts
    }
    made = 0
    for channel in channels:
        settings, incident = channel.settings, recorded.incident
        told = told_to(connection, channel.name, incident)
        events, news = decide(told, recorded.rows, settings, run.finished_at, reasons)
        write_told(connection, channel.name, incident, news)
        if not events and settings.remind_every_s is not None:
            last = last_message_at(connection, channel.name, incident)
            # A place that was taken out of the configuration is nobody's business any more.
            since = run.finished_at - timedelta(seconds=settings.remind_every_s)
            looked_at = rows_seen_since(connection, incident, since)
            believed = {row: each for row, each in (told | news).items() if row in looked_at}
            events = remind(believed, last, run.finished_at, settings, reasons)
        if events:
            message = _message(run, channel, events)
            put_into_outbox(
                connection,
                channel.name,
                incident,
                delivery=message.id,
                body=message.encode(),
                made_at=run.finished_at,
            )
            made += 1
    return made


def decide(
    told: Mapping[Row, Told],
    rows: Sequence[Change],
    settings: ChannelSettings,
    at: datetime,
    reasons: Reasons,
) -> tuple[tuple[Event, ...], dict[Row, Told]]:
    """Return what to tell, and what is believed afterwards where that is something new."""
    events: list[Event] = []
    news: dict[Row, Told] = {}
    for row in rows:
        key = row.location, row.vantage
        known = told.get(key)
        if known is not None and _is_as_told(row.after, known):
            continue
        decision = _decide_row(known, row, settings, at, reasons.get(key, ""))
        if decision.told != known:
            news[key] = decision.told
        if decision.event is not None:
            events.append(decision.event)
    return tuple(events), news


def remind(
    told: Mapping[Row, Told],
    last: datetime | None,
    at: datetime,
    settings: ChannelSettings,
    reasons: Reasons,
) -> tuple[Event, ...]:
    """Return what still fails, if it is time to say so again."""
    if settings.remind_every_s is None:
        return ()
    if last is not None and at - last < timedelta(seconds=settings.remind_every_s):
        return ()
    return tuple(
        Event(
            kind=EventKind.REMINDER,
            location=location,
            vantage=vantage,
            before=each.status,
            after=each.status,
            reason=reasons.get((location, vantage), ""),
        )
        for (location, vantage), each in sorted(told.items())
        if each.failing
    )


def _decide_row(
    known: Told | None, row: Change, settings: ChannelSettings, at: datetime, reason: str
) -> Decision:
    after = row.after
    failing = _is_trouble(after, known)
    if known is None and _is_no_news(row):
        return Decision(event=None, told=Told(status=after.status, failing=False, at=at))
    base = known or Told(status="", failing=False, at=at)
    if (after.status, failing) == (base.status, base.failing):
        return Decision(
            event=None, told=replace(base, next_status=None, next_failing=None, times=0)
        )
    is_same = (after.status, failing) == (base.next_status, base.next_failing)
    times = base.times + 1 if is_same else 1
    if times < settings.threshold:
        waiting = replace(base, next_status=after.status, next_failing=failing, times=times)
        return Decision(event=None, told=waiting)
    return Decision(
        event=_event(base, row, failing, settings, reason),
        told=Told(status=after.status, failing=failing, at=at),
    )


def _is_as_told(after: State, known: Told) -> bool:
    """Whether there is nothing to decide: by far the most frequent case."""
    return (
        known.next_status is None
        and after.status == known.status
        and after.failing == known.failing
    )


def _is_trouble(after: State, known: Told | None) -> bool:
    """Whether a row fails, or failed when it was last known how it stands.

    A place that failed and then falls silent is not thereby healed.
    """
    if after.failing:
        return True
    return known is not None and known.failing and not after.is_ok and not after.waived


def _is_no_news(row: Change) -> bool:
    """Whether nobody needs to hear of a row that is seen for the first time."""
    is_optional = not row.required and not row.after.failing
    return row.after.is_ok or row.after.waived or is_optional


def _event(
    base: Told, row: Change, failing: bool, settings: ChannelSettings, reason: str
) -> Event | None:
    kind = EventKind.CHANGE
    if failing and not base.failing:
        kind = EventKind.FAILING
    elif base.failing and row.after.is_ok:
        kind = EventKind.RESOLVED
    if "change" not in settings.on and kind.value not in settings.on:
        return None
    return Event(
        kind=kind,
        location=row.location,
        vantage=row.vantage,
        before=base.status or None,
        after=row.after.status,
        reason=reason,
    )


def _message(run: Run, channel: Channel, events: tuple[Event, ...]) -> Message:
    name = run_id(run)
    digest = hashlib.sha256(f"{name}\0{channel.name}".encode("utf-8", "surrogatepass"))
    return Message(
        id=digest.hexdigest()[:32],
        incident=run.incident.id,
        project=run.incident.project,
        status=run.summary.status.value,
        exit_code=run.summary.exit_code,
        sentence=run.summary.sentence,
        run=name,
        at=run.finished_at,
        events=events,
    )
