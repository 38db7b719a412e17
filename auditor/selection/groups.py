"""What a machine with several indexes gets: their pages as one client puts them together.

pip (26.3, `find_all_candidates`) puts the files of every `--find-links` first, then those of every
index in the order given, and lets the best version win wherever it comes from; of equal files the
one listed last does. uv (0.13) goes by its index strategy: with `first-index`, the default, it
takes the first index that carries the project at all and looks at no other; with
`unsafe-best-match` the best version of all of them wins, of equal versions that of the first. The
files of `--find-links` join in either case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import structs

from auditor.model.observation import Candidate, Page, PageOutcome, View
from auditor.selection.policies import UV, client_of

__all__ = ["BEST_MATCH", "FIRST_INDEX", "Member", "merge_pages"]

FIRST_INDEX = "first-index"
BEST_MATCH = "unsafe-best-match"


@dataclass(frozen=True, slots=True)
class Member:
    """One place of a group, as one client sees it.

    Attributes:
        name: of the place.
        page: what it answers; None: it was not asked, or not in this view.
        is_flat: whether it is given by `--find-links` rather than as an index.
    """

    name: str
    page: Page | None
    is_flat: bool = False


def merge_pages(members: Sequence[Member], view: View, strategy: str, name: str) -> Page:
    """Put the pages of a group together as one client does.

    Args:
        members: in the order in which the client is given them.
        view: the client class whose pages these are.
        strategy: of uv.
        name: of the group.
    """
    flat = [member for member in members if member.is_flat]
    indexes = [member for member in members if not member.is_flat]
    if client_of(view) == UV and strategy == FIRST_INDEX:
        indexes = _up_to_first_that_has_it(indexes)
    used = [*flat, *indexes]
    pages = [member.page for member in used if member.page is not None]
    unread = [member.name for member in used if not _is_settled(member.page)]
    seen = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
    outcome = PageOutcome.OBSERVED if seen or unread else _without_files(pages)
    return Page(
        view=view,
        outcome=outcome,
        detail=f"{', '.join(unread)} could not be read to the end" if unread else "",
        url=name,
        complete=outcome is PageOutcome.OBSERVED and not unread,
        candidates=_told_apart([page.candidates for page in seen]),
        evidence=(),
    )


def _up_to_first_that_has_it(indexes: Sequence[Member]) -> list[Member]:
    """Return the index that uv stops at, with those before it that could not be read."""
    used: list[Member] = []
    for member in indexes:
        page = member.page
        used.append(member)
        if page is not None and page.outcome is PageOutcome.OBSERVED:
            break
    return used


def _is_settled(page: Page | None) -> bool:
    if page is None:
        return False
    return page.complete or page.outcome in (PageOutcome.ABSENT, PageOutcome.REFUSED)


def _without_files(pages: Sequence[Page]) -> PageOutcome:
    refused = bool(pages) and all(page.outcome is PageOutcome.REFUSED for page in pages)
    return PageOutcome.REFUSED if refused else PageOutcome.ABSENT


def _told_apart(columns: Sequence[Sequence[Candidate]]) -> tuple[Candidate, ...]:
    """Join the files; one that two places list at the same address counts twice, as in pip."""
    if len(columns) == 1:
        return tuple(columns[0])
    met: set[str] = set()
    joined: list[Candidate] = []
    for number, candidates in enumerate(columns):
        names = {candidate.filename for candidate in candidates}
        again = names & met
        met |= names
        for candidate in candidates:
            if candidate.filename in again and candidate.url is not None:
                # pip drops what is listed twice on one page, and does not compare pages.
                candidate = structs.replace(candidate, url=f"{candidate.url}#{number}")
            joined.append(candidate)
    return tuple(joined)
