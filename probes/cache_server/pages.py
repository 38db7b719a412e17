"""What the pages' own headers say of the caches in the way, put beside each page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from auditor.model import Page, PageOutcome, StatedLag, View
from probes.cache_server.directory import DirectoryReading, page_expiry
from probes.cache_server.lifetime import lifetime_s, page_life
from probes.cache_server.signs import Program, Signs, gather, signs_of
from probes.kit.answer import Answer

__all__ = ["SeenPages", "see_pages"]

_MAX_HOPS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPages:
    """The pages with what is known of their hops and of their lives.

    Attributes:
        pages: each with its hops, the nearest first, and until when it lives.
        signs: of each answer that was a page.
        stated_lag: for how long the pages may be kept, by their own word; None: they do not say.
        traits: that its directory shows for how long it really keeps a page, if it does.
        notes: what was recognised, and why a time is not known.
        program: the one that caches here; None if there are several, or none that is known.
    """

    pages: tuple[Page, ...]
    signs: tuple[Signs, ...]
    stated_lag: StatedLag | None
    traits: tuple[str, ...]
    notes: tuple[str, ...]
    program: Program | None = None


def see_pages(
    pages: Sequence[Page],
    answers: Sequence[tuple[View, Answer]],
    disk: DirectoryReading | None,
) -> SeenPages:
    """Read the headers of every page.

    Args:
        pages: as they were read.
        answers: that they were read from.
        disk: what the cache's own directory says; None: it was not read.
    """
    by_time = {(view, answer.fetched_at): answer for view, answer in answers}
    signs = tuple(signs_of(answer.headers) for answer in by_time.values())
    program = _program(gather(signs), disk)
    seen: list[Page] = []
    notes: list[str] = []
    for page in pages:
        fetched_at = page.freshness.fetched_at
        answer = by_time.get((page.view, fetched_at)) if fetched_at else None
        if answer is None or page.outcome is not PageOutcome.OBSERVED:
            seen.append(page)
            continue
        told = signs_of(answer.headers)
        life = page_life(answer.headers, told, answer.fetched_at, program)
        kept_until = page_expiry(disk, page) if disk is not None else None
        if kept_until is None and life.expires_at is None:
            notes.append(f"until when a page lives is not known: {life.basis}")
        seen.append(_with_hops(page, told, kept_until or life.expires_at))
    read = [answer for answer in by_time.values() if answer.status == 200]
    return SeenPages(
        pages=tuple(seen),
        signs=signs,
        stated_lag=_stated_lag(read, disk),
        traits=(LIFETIME_SEEN,) if disk is not None and _kept_for_s(disk) else (),
        notes=(*_recognised(signs, program), *dict.fromkeys(notes)),
        program=program,
    )


# A setting may overrule the headers that clients are shown; the directory tells the truth.
LIFETIME_SEEN = "lifetime-seen"


def _with_hops(page: Page, told: Signs, expires_at: datetime | None) -> Page:
    hops = tuple(str(hop) for hop in told.hops)
    more = (raw for raw in page.freshness.cache_status if not any(raw in hop for hop in hops))
    freshness = replace(
        page.freshness, expires_at=expires_at, cache_status=(*hops, *more)[:_MAX_HOPS]
    )
    return replace(page, freshness=freshness)


def _program(programs: frozenset[Program], disk: DirectoryReading | None) -> Program | None:
    """Return the one program that it is; None if there are several, or none that is known."""
    known = {*programs, *(disk.findings.programs if disk else ())}
    # squid and Varnish pass on the `Server` of what is behind them.
    speaking = known - {Program.NGINX} if known & {Program.SQUID, Program.VARNISH} else known
    return next(iter(speaking)) if len(speaking) == 1 else None


def _recognised(signs: Sequence[Signs], program: Program | None) -> list[str]:
    programs = gather(signs)
    if not signs:
        return []
    if program is not None:
        hops = max(one.intermediaries for one in signs)
        through = f", through {hops} proxies by Via" if hops > 1 else ""
        return [f"recognised as {program.value}{through}"]
    if not programs:
        return [
            "no header shows which program caches here, nor whether anything does: Apache shows "
            "itself on hits alone, and others never do"
        ]
    return [f"several programs left a mark: {', '.join(sorted(p.value for p in programs))}"]


def _stated_lag(answers: Sequence[Answer], disk: DirectoryReading | None) -> StatedLag | None:
    """For how long a page may be kept here: the longest, since each variant ages apart."""
    kept = _kept_for_s(disk) if disk is not None else 0
    lifetimes = [s for a in answers if (s := lifetime_s(a.headers)) is not None]
    stated = max(lifetimes, default=None)
    if kept > (stated or 0):
        return StatedLag(seconds=kept, basis=f"its directory keeps the page for {kept} s at a time")
    if stated is None:
        return None
    basis = f"its pages say that they may be kept for {stated} s before the upstream is asked again"
    return StatedLag(seconds=stated, basis=basis)


def _kept_for_s(disk: DirectoryReading) -> int:
    """The longest time that any variant of the page is kept, by what is written beside it."""
    times = [
        (kept.answer.expires_at - kept.answer.stored_at).total_seconds()
        for kept in disk.findings.pages
        if kept.answer.expires_at is not None and kept.answer.stored_at is not None
    ]
    return int(max(times, default=0))
