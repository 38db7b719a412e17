"""Places that are alike but for their own address, name and serial, told once for all of them.

A fleet of mirrors has five hundred rows and a dozen stories. From `ALIKE_FROM` rows on a page tells
each story once and lists the places it is true of; below that, each place has its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urlsplit

from auditor.model import Reason, Remedy
from reports.rows import RowView

__all__ = ["ALIKE_FROM", "PlaceGroup", "place_groups"]

ALIKE_FROM = 40
# What stands in a story for what each place has of its own.
ADDRESS, PAGE_HOST, NAME, SERIAL = "‹address›", "‹host›", "‹name›", "‹serial›"

_Key: TypeAlias = "tuple[object, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceGroup:
    """Places with one story.

    Attributes:
        story: their common row, what is their own replaced by a word in ‹›; of a single place, its
            own row.
        rows: the places, as they are.
    """

    story: RowView
    rows: tuple[RowView, ...]

    @property
    def single(self) -> bool:
        """Whether it is one place."""
        return len(self.rows) == 1


def place_groups(rows: Sequence[RowView]) -> tuple[PlaceGroup, ...]:
    """Put places that are alike together, where there are many; each group where its first is."""
    if len(rows) < ALIKE_FROM:
        return tuple(PlaceGroup(story=row, rows=(row,)) for row in rows)
    stories: dict[_Key, RowView] = {}
    members: dict[_Key, list[RowView]] = defaultdict(list)
    for row in rows:
        story = _story(row)
        key = _key(story, row)
        stories.setdefault(key, story)
        members[key].append(row)
    return tuple(
        PlaceGroup(story=found[0] if len(found) == 1 else stories[key], rows=tuple(found))
        for key, found in members.items()
    )


def _key(story: RowView, row: RowView) -> _Key:
    """All that is shown of the group as a whole."""
    verdict, location = story.verdict, story.verdict.location
    facts = (row.status, row.listed, row.yanked, row.held, row.fix_listed, row.fix_chosen)
    lag = (row.lag.word, verdict.lag.basis)
    told = (story.why, verdict.detail, verdict.waived, verdict.is_source, verdict.surfaces)
    blocks = (story.reasons, story.remedies, story.foreseen, row.pins)
    # Of the row itself: these are costly, and the same in its story.
    chosen = (row.cells, row.rejected_others)
    rejected = tuple((e.code, e.text, e.files, len(e.environments), e.views) for e in row.rejected)
    files = (verdict.broken.files, verdict.fix.missing_files, verdict.notes, verdict.proxy)
    place = (location.kind, location.role, location.required, location.upstream, location.group)
    return (*facts, *lag, *told, *blocks, *chosen, rejected, *files, *place)


def _story(row: RowView) -> RowView:
    own = _replacer(row)
    verdict = row.verdict
    return replace(
        row,
        why=own(row.why),
        foreseen=tuple(replace(each, because=own(each.because)) for each in row.foreseen),
        verdict=replace(
            verdict,
            detail=own(verdict.detail),
            notes=tuple(map(own, verdict.notes)),
            reasons=tuple(_reason(reason, own) for reason in row.reasons),
            remedies=tuple(_remedy(remedy, own) for remedy in row.remedies),
            lag=replace(verdict.lag, basis=own(verdict.lag.basis)),
        ),
    )


def _reason(reason: Reason, own: Callable[[str], str]) -> Reason:
    return Reason(
        code=reason.code,
        text=own(reason.text),
        expected=own(reason.expected),
        observed=own(reason.observed),
        evidence=reason.evidence,
    )


def _remedy(remedy: Remedy, own: Callable[[str], str]) -> Remedy:
    return Remedy(
        command=own(remedy.command), effect=own(remedy.effect), caution=own(remedy.caution)
    )


def _replacer(row: RowView) -> Callable[[str], str]:
    """Replace what only this place has, the longest first."""
    location, serial = row.verdict.location, row.verdict.freshness.serial
    words = {
        location.locator.rstrip("/"): ADDRESS,
        _host(location.url): PAGE_HOST,
        location.name: NAME,
        "" if serial is None else str(serial): SERIAL,
    }
    # A name of a letter or two is a word that stands in every sentence.
    found = sorted((word for word in words if len(word) > 2), key=len, reverse=True)

    def replaced(text: str) -> str:
        if not any(word in text for word in found):
            return text
        pattern = rf"(?<![\w-])(?:{'|'.join(map(re.escape, found))})(?![\w-])"
        return re.sub(pattern, lambda match: words[match.group()], text)

    return replaced


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").netloc
    except ValueError:
        return ""
