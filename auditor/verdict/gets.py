"""What somebody gets from a place, by the way of asking: unpinned, pinned, by URL, offline."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model import Candidates, Choice, Counterfactual, Gets, HeldState, Selection
from auditor.selection.policies import PIP, Picked, choose_as, client_of
from auditor.verdict.behaviour import ByUrl, behaviour_of
from auditor.verdict.context import Context
from auditor.verdict.row import Row

__all__ = [
    "HERE",
    "NEW_BYTES",
    "as_observed",
    "clients_of",
    "from_bytes",
    "gets_by_url",
    "gets_of_page",
    "gets_offline",
    "worst",
]

HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)

# Stands for the digest of bytes that do not exist yet. No digest has this form.
NEW_BYTES = "new bytes"

# The worst cell speaks for the place.
_WORST = (Gets.BROKEN, Gets.ERROR, Gets.NOTHING, Gets.OLDER, Gets.UNKNOWN, Gets.FIX)


def as_observed(row: Row) -> Counterfactual:
    """Say what is true here now."""
    return Counterfactual(
        listed=row.broken.listed,
        held=row.broken.held,
        unpinned_gets=_unpinned(row),
        pinned_gets=_pinned(row),
        hash_locked_gets=gets_by_url(row),
        offline_gets=gets_offline(row),
    )


def clients_of(row: Row) -> tuple[str, ...]:
    """Name the installers whose pages were read at a place; pip where none was."""
    return tuple(sorted({client_of(page.view) for page in row.usable_pages})) or (PIP,)


def gets_of_page(
    candidates: Candidates, context: Context, clients: tuple[str, ...], *, pinned: bool = False
) -> Gets:
    """Say what the worst counting cell of a page gets. Places share their pages: done once.

    Args:
        candidates: files of the page.
        context: of the judgement.
        clients: whose rules choose; the worst of them counts.
        pinned: whether the broken release is asked for by version.
    """
    known, by_id = context.page_gets, (id(candidates), clients, pinned)
    if by_id not in known:
        by_content = (_Page(candidates), clients, pinned)
        if by_content not in known:
            gets = worst(_gets(candidates, context, client, pinned) for client in clients)
            known[by_content] = (candidates, gets)
        # The candidates are kept too, so that no others get their id.
        known[by_id] = (candidates, known[by_content][1])
    return known[by_id][1]


def _gets(candidates: Candidates, context: Context, client: str, pinned: bool) -> Gets:
    if not pinned:
        return _chosen_from(candidates, context, client)
    gets = worst(_chosen_from(candidates, context, client, pin=str(v)) for v in context.line.broken)
    return Gets.ERROR if gets is Gets.NOTHING else gets


def gets_offline(row: Row) -> Gets:
    """Say what a machine without network gets from here: only a local place gives anything."""
    if row.location.url is not None:
        return Gets.ERROR
    if row.is_index:
        return worst(_of_cell(cell) for cell in row.counting)
    return from_bytes(row)


def from_bytes(row: Row) -> Gets:
    """Say what a store gives to somebody who asks for the broken release."""
    if row.broken.held is HeldState.UNKNOWN:
        return Gets.UNKNOWN
    return Gets.BROKEN if row.broken.held in HERE else Gets.NOTHING


def worst(gets: Iterable[Gets]) -> Gets:
    """Return the worst; unknown if there is none."""
    return min(gets, key=_WORST.index, default=Gets.UNKNOWN)


class _Page:
    """Candidates as a dictionary key, so that equal pages are chosen from once."""

    __slots__ = ("key",)

    def __init__(self, candidates: Candidates) -> None:
        self.key = tuple(
            (c.filename, c.yanked, c.requires_python, c.hashes.get("sha256")) for c in candidates
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Page) and self.key == other.key


def _unpinned(row: Row) -> Gets:
    """What an unpinned install gets in the worst cell.

    A store gives nothing to anybody who does not ask for a version, unless its client trusts a
    page that it keeps.
    """
    if row.is_index:
        return worst(_of_cell(cell) for cell in row.counting)
    trusted = row.trusted_cells
    return worst(_of_cell(cell) for cell in trusted) if trusted else Gets.NOTHING


def _pinned(row: Row) -> Gets:
    """What `PROJECT==BROKEN` gets in the worst cell."""
    if not row.is_index:
        return from_bytes(row)
    if not row.all_pages_read:
        return Gets.UNKNOWN
    pages = {id(p.candidates): p.candidates for p in row.usable_pages if p.complete}
    clients = clients_of(row)
    return worst(gets_of_page(p, row.context, clients, pinned=True) for p in pages.values())


def gets_by_url(row: Row) -> Gets:
    """Say what a lock with file name, URL and hash gets from here."""
    if row.broken.listed:
        return Gets.BROKEN
    behaviour = behaviour_of(row.location.kind, row.observation.traits)
    if behaviour is not None and behaviour.by_url is ByUrl.LISTED:
        # The bytes may be on its disk: it serves no file that its page does not list.
        return Gets.ERROR if row.broken.listed is False else Gets.UNKNOWN
    if behaviour is not None and behaviour.by_url is ByUrl.UPSTREAM:
        return Gets.UNKNOWN  # the URL is its upstream's
    if row.broken.held in HERE:
        return Gets.BROKEN
    if behaviour is not None and behaviour.by_url is ByUrl.HELD_ELSE_UPSTREAM:
        return Gets.UNKNOWN  # what it has not, it asks for: the source may still serve the file
    return Gets.ERROR if row.broken.held is HeldState.NOT_HELD else Gets.UNKNOWN


def _of_cell(cell: Selection) -> Gets:
    if cell.choice is Choice.UNKNOWN:
        return Gets.UNKNOWN
    if cell.choice is not Choice.CHOSEN:
        return Gets.NOTHING
    if cell.is_broken:
        return Gets.BROKEN
    return Gets.FIX if cell.is_fix else Gets.OLDER


def _chosen_from(
    candidates: Candidates, context: Context, client: str, pin: str | None = None
) -> Gets:
    project = context.incident.project
    choices = choose_as(client, candidates, context.environments, project, pin=pin)
    return worst(
        _of_choice(choice, context)
        for environment, choice in choices.items()
        if context.counts(client, environment)
    )


def _of_choice(chosen: Picked, context: Context) -> Gets:
    if chosen.choice is Choice.UNKNOWN:
        return Gets.UNKNOWN
    if chosen.candidate is None:
        return Gets.NOTHING
    if chosen.candidate.hashes.get("sha256") == NEW_BYTES:
        return Gets.FIX
    if context.is_broken_file(chosen.candidate):
        return Gets.BROKEN
    return Gets.FIX if context.line.is_fix(chosen.candidate.version) else Gets.OLDER
