"""Turns `[[notify]]` into channels, whose secrets nobody has fetched yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.config.problems import Problems
from auditor.config.schema import NotifyTable
from auditor.config.tables import Placed
from auditor.config.values import SecretReference

__all__ = ["ChannelSettings", "channels_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """Whom to tell what. Holds references to secrets, and no secret but a literal one.

    Attributes:
        name: unique; the history keeps under it what was told.
        kind: `webhook`, `slack`, `email` or `apprise`.
        url, secret: where to, and with what to sign; None: unsigned.
        on: `change`, `failing`, `resolved`.
        threshold: runs in a row that must see something before it is told.
        remind_every_s: seconds; None: never.
        to, sender: of an e-mail.
        index: of its table.
    """

    name: str
    kind: str
    url: SecretReference
    secret: SecretReference | None
    on: tuple[str, ...]
    threshold: int
    remind_every_s: float | None
    to: tuple[str, ...]
    sender: str | None
    index: int


def channels_of(
    placed: Sequence[Placed[NotifyTable]], problems: Problems, *, has_history: bool
) -> tuple[ChannelSettings, ...]:
    """Return the channels; what is wrong goes to `problems`."""
    taken: set[str] = {each.table.name for each in placed if each.table.name}
    seen: set[str] = set()
    channels: list[ChannelSettings] = []
    for each in placed:
        if not has_history:
            problems.add(
                each.path,
                "needs a history, which knows what was told already; set history in [audit]",
            )
        name, table = each.table.name or _free_name(each.table.kind, taken), each.table
        if name in seen:
            problems.add(
                (*each.path, "name"), f"{name!r} is used twice; give each channel its own name"
            )
        seen.add(name)
        for key, text in _mistakes(table):
            problems.add((*each.path, key), text)
        channels.append(
            ChannelSettings(
                name=name,
                kind=table.kind,
                url=table.url,
                secret=table.secret,
                on=table.on,
                threshold=table.threshold,
                remind_every_s=table.remind_every,
                to=table.to,
                sender=table.sender,
                index=int(each.path[-1]),
            )
        )
    return tuple(channels)


def _free_name(kind: str, taken: set[str]) -> str:
    name, number = kind, 1
    while name in taken:
        number += 1
        name = f"{kind}-{number}"
    taken.add(name)
    return name


def _mistakes(table: NotifyTable) -> Iterator[tuple[str, str]]:
    if table.kind == "email":
        for key in ("to", "sender"):
            if not getattr(table, key):
                yield key, "is missing; an e-mail needs to and sender"
    else:
        for key in ("to", "sender"):
            if getattr(table, key):
                yield key, f"kind {table.kind!r} does not read this; remove it"
    if table.secret is not None and table.kind != "webhook":
        yield "secret", f"kind {table.kind!r} signs nothing; remove it, or choose kind 'webhook'"
    if table.remind_every is not None and table.remind_every < 1:
        yield "remind_every", 'is no time to wait; write one such as "24h"'
