"""Delivers what waits in the outbox, oldest first; what fails waits for the next run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from auditor.errors import AuditorError
from auditor.history.notices import Waiting, give_up, is_delivered, waiting_for
from auditor.history.store import History
from auditor.notify.channel import Channel
from auditor.notify.message import Message

__all__ = ["Send", "deliver", "sender_for"]

# A channel that was down for long gets what it missed bit by bit, and no run waits for it forever.
MAX_AT_ONCE = 20
# Older news would be told as if they were new.
GIVE_UP_AFTER = timedelta(days=3)

Send = Callable[[Channel, Message], None]


def deliver(
    history: History,
    channels: Sequence[Channel],
    *,
    now: datetime | None = None,
    send: Send | None = None,
) -> tuple[str, ...]:
    """Deliver what waits.

    Args:
        history: with the outbox.
        channels: through which.
        now: the clock, UTC; None: it is asked.
        send: delivers one message, or raises; None: as the channel's kind does.

    Returns:
        What went wrong, in a sentence each, without any secret.

    Raises:
        HistoryError: it cannot be noted what was sent.
    """
    at = now or datetime.now(UTC)
    problems: list[str] = []
    for channel in channels:
        waiting = waiting_for(history.connection, channel.name, MAX_AT_ONCE)
        for each in waiting:
            problem = _deliver_one(history, channel, each, at, send or sender_for(channel))
            if problem is not None:
                # The next message would meet the same, and they must arrive in order.
                problems.append(problem)
                break
    return tuple(problems)


def _deliver_one(
    history: History, channel: Channel, waiting: Waiting, at: datetime, send: Send
) -> str | None:
    try:
        send(channel, Message.decode(waiting.body))
    except (AuditorError, OSError, ValueError, msgspec.MsgspecError) as error:
        is_damaged = isinstance(error, msgspec.MsgspecError)
        is_over = is_damaged or at - waiting.made_at > GIVE_UP_AFTER
        with history.writing() as connection:
            give_up(connection, waiting.number, at if is_over else None)
        cause = channel.without_secrets(str(error) or type(error).__name__)
        then = "nobody will try again" if is_over else "the next run tries again"
        return f"notify {channel.name!r}: not delivered: {cause}; {then}"
    with history.writing() as connection:
        is_delivered(connection, waiting.number, at)
    return None


def sender_for(channel: Channel) -> Send:
    """Return what delivers through a channel of this kind; each loads what it needs."""
    match channel.settings.kind:
        case "webhook":
            from auditor.notify.webhook import send_webhook

            return send_webhook
        case "slack":
            from auditor.notify.slack import send_slack

            return send_slack
        case "email":
            from auditor.notify.mail import send_mail

            return send_mail
        case _:
            from auditor.notify.services import send_through_apprise

            return send_through_apprise
