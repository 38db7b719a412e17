"""Rules that decide the status of a place that only holds bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.model import Choice, HeldState, Outcome, Page, Role, Selection, Status
from auditor.verdict.row import Row
from auditor.verdict.rules_index import outcome_code
from auditor.verdict.ruling import Ruling, evidence_of, names, ruling, tell_cells

__all__ = ["clean", "doubtful", "exposed", "latent", "unread"]

# What a location says of its trouble is a path and a cause; a sentence is no longer.
_MAX_CAUSE_CHARS = 300


def exposed(row: Row) -> Iterator[Ruling]:
    """A client's cached page is still trusted, and makes that client choose the broken release.

    pip from 26.2 on and uv use a cached page until it expires, without asking anybody.
    """
    if row.location.role is not Role.STORE:
        return
    cells = row.trusted_cells
    broken = [c for c in cells if c.choice is Choice.CHOSEN and c.is_broken]
    pages = _pages(row, broken)
    until = [p.freshness.expires_at for p in pages if p.freshness.expires_at]
    if until:
        yield ruling(
            "exposed",
            "This client trusts a cached page until it expires, and gets the broken release.",
            status=Status.EXPOSED,
            expected=f"{row.context.line.fixed_text}, or a later version that contains it",
            observed=f"{tell_cells(broken, cells)}, until {max(until):%Y-%m-%d %H:%M:%S} UTC",
            evidence=evidence_of(pages),
        )


def doubtful(row: Row) -> Iterator[Ruling]:
    """A cached page may be trusted, and it is not known what it makes its client choose."""
    if row.location.role is not Role.STORE:
        return
    pages = _pages(row, row.trusted_cells)
    unread = [c for c in row.trusted_cells if c.choice is Choice.UNKNOWN]
    timeless = [p for p in pages if p.freshness.expires_at is None]
    broken = [c for c in row.trusted_cells if c.is_broken]
    doubts = [*_pages(row, unread), *(p for p in timeless if p in _pages(row, broken))]
    if doubts:
        yield ruling(
            "undecided",
            "This client may trust a cached page of which it is not known what it leads to.",
            status=Status.UNKNOWN,
            expected="cached pages that can be read, and until when each is trusted",
            observed=names([c.reason for c in unread] or ["no time of expiry"]),
            evidence=evidence_of(doubts),
        )


def unread(row: Row) -> Iterator[Ruling]:
    """The store could not be read to its end, so that something may be missed."""
    if row.location.role is not Role.STORE or row.observation.outcome is Outcome.ABSENT:
        return
    looked = row.observation.outcome is Outcome.OBSERVED
    if looked and row.observation.holdings_complete:
        return
    code = "unreadable" if looked else outcome_code(row.observation.outcome, local=True)
    cause = row.observation.detail or names(row.observation.notes) or "a part of it"
    how = "could not be read to its end" if looked else "could not be read"
    yield ruling(
        code,
        f"This store {how}: {cause[:_MAX_CAUSE_CHARS]}.",
        status=Status.UNKNOWN,
        expected="every file of the project",
        observed=cause,
        evidence=(e.id for e in row.observation.evidence),
    )


def latent(row: Row) -> Iterator[Ruling]:
    """A store holds the broken bytes; only a pinned request or a hash gets them."""
    if row.location.role is Role.STORE and _broken_here(row):
        yield ruling(
            "latent",
            f"The broken bytes lie here: {names(row.broken.files)}.",
            status=Status.LATENT,
            expected="no broken artifact",
            observed=f"{row.broken.held.value}: {names(row.broken.files)}",
            evidence=(e for h in row.observation.holdings for e in h.evidence),
        )


def clean(row: Row) -> Iterator[Ruling]:
    """A store that was fully read and holds nothing broken."""
    if row.location.role is not Role.STORE or row.observation.outcome is not Outcome.OBSERVED:
        return
    if row.observation.holdings_complete and row.broken.held is HeldState.NOT_HELD:
        yield ruling(
            "clean",
            "This store was read to its end and holds nothing broken.",
            status=Status.CLEAN,
            expected="no broken artifact",
            observed=f"files of the project: {len(row.observation.holdings)}, none of them broken",
        )


def _broken_here(row: Row) -> bool:
    return row.broken.held in (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)


def _pages(row: Row, cells: Sequence[Selection]) -> list[Page]:
    asked = {(c.view, c.sample) for c in cells}
    return [p for p in row.usable_pages if (p.view, p.sample) in asked]
