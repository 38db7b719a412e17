"""Texts that people send to each other about an incident, ready to be edited and pasted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Notice", "NoticeKind"]


class NoticeKind(StrEnum):
    """What a text is for."""

    YANK_REASON = "yank-reason"
    RELEASE_NOTE = "release-note"
    ADVISORY = "advisory"
    OPERATOR = "operator"  # to whoever runs one place
    MIGRATION = "migration"  # to whoever pinned or cached the broken release


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One text. Never sent by the auditor.

    Attributes:
        kind: what it is for.
        title: one line.
        text: Markdown of several lines; for a yank reason, the reason alone.
        location: name of the place that it is about; None: the whole incident.
    """

    kind: NoticeKind
    title: str
    text: str
    location: str | None = None
