"""What is true of a place whether or not what happens at its source ever reaches it.

Where nobody measured what runs at a place, it still shows one of a few pages: the one that it has,
the same one changed as the source's is, or one of those above it. What a client gets from each of
them alike is known; where they differ, both are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from auditor.model import Candidates, Counterfactual, Gets, HeldState
from auditor.verdict.behaviour import Deed
from auditor.verdict.gets import clients_of, gets_of_page, gets_offline
from auditor.verdict.page_changes import changed_by
from auditor.verdict.row import Row

__all__ = ["either_way", "in_step"]

# After these a page is one of those above. Of an upstream that fails, or has no such project any
# more, a server may make anything.
_REMOVES = (Deed.DELETED_FILE_SERVED, Deed.DELETED_FILE_GONE)
_REMOVES_NOTHING = (Deed.YANKED, Deed.FIXED_THEN_YANKED, Deed.ROLLED_FORWARD)

_WORDS = {
    Gets.FIX: "the fix",
    Gets.BROKEN: "the broken release",
    Gets.OLDER: "an older release",
    Gets.NOTHING: "nothing",
    Gets.ERROR: "an error",
    Gets.UNKNOWN: "what is not known",
}


def either_way(
    row: Row, deed: Deed, rows: Mapping[str, Row], now: Counterfactual, because: str
) -> Counterfactual:
    """Keep what does not depend on whether a deed reaches a place.

    Args:
        row: the place.
        deed: at its source.
        rows: by name of the location, along which its declared chain is followed.
        now: what is true of the place.
        because: why it is not known which of the two it is.
    """
    # Somebody without a network gets nothing from a server, whatever it shows.
    known = Counterfactual(because=because)
    if row.location.url is not None:
        known = replace(known, offline_gets=gets_offline(row))
    above = _above(row, rows)
    read = all(each.all_pages_read for each in (row, *above))
    if not read or not (above or in_step(row)) or deed not in (*_REMOVES, *_REMOVES_NOTHING):
        return known
    clients = clients_of(row)
    # Places and views share their pages: each is asked about once.
    pages = list({id(page): page for page in _pages_after(row, above, deed)}.values())
    context = row.context

    def of_all(current: Gets, *, pinned: bool) -> list[Gets]:
        after = (gets_of_page(page, context, clients, pinned=pinned) for page in pages)
        return list(dict.fromkeys([current, *after]))

    unpinned = of_all(now.unpinned_gets, pinned=False)
    listed = {now.listed, *(bool(context.broken_files(page)) for page in pages)}
    keeps_url = deed in _REMOVES_NOTHING
    return replace(
        known,
        listed=now.listed if len(listed) == 1 else None,
        # What was never here is not fetched once its source has it no more.
        held=HeldState.NOT_HELD if now.held is HeldState.NOT_HELD else HeldState.UNKNOWN,
        unpinned_gets=_agreed(unpinned),
        pinned_gets=_agreed(of_all(now.pinned_gets, pinned=True)),
        hash_locked_gets=now.hash_locked_gets if keeps_url else Gets.UNKNOWN,
        because=f"{because}; {_told(unpinned)}",
    )


def in_step(row: Row) -> bool:
    """Whether a place shows what its upstream does, but for what it leaves out on purpose."""
    context = row.context
    if context.source_lists_fix():
        return row.everywhere_lists_fix
    lists = any(context.is_broken_file(c) for c in context.source_files.values())
    return not lists or row.broken.listed is True


def _above(row: Row, rows: Mapping[str, Row]) -> list[Row]:
    """What a place copies from, as far as that is declared, and the source."""
    found: dict[str, Row] = {}
    hop = rows.get(row.location.upstream or "")
    while hop is not None and hop.location.name not in found:
        found[hop.location.name] = hop
        hop = rows.get(hop.location.upstream or "")
    source = row.context.source
    if source is not None and source.name in rows:
        found[source.name] = rows[source.name]
    found.pop(row.location.name, None)
    return list(found.values())


def _pages_after(row: Row, above: list[Row], deed: Deed) -> Iterator[Candidates]:
    """The pages that a place may show: its own ones changed, and those of all that is above it.

    What is not in step shows what is above it once it follows, and never its old page changed.
    """
    if in_step(row):
        yield from (changed_by(deed, page.candidates, row.context) for page in row.usable_pages)
    for hop in above:
        for page in hop.usable_pages:
            # What passes the fix on may pass nothing else on.
            yield page.candidates
            yield changed_by(deed, page.candidates, row.context)


def _agreed(gets: list[Gets]) -> Gets:
    return gets[0] if len(gets) == 1 else Gets.UNKNOWN


def _told(unpinned: list[Gets]) -> str:
    current, *then = (_WORDS[each] for each in unpinned)
    if not then:
        return f"{current} whether it follows or not"
    return f"{current} until it follows, then {' or '.join(then)}"
