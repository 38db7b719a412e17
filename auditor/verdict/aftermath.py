"""What one place shows, holds and serves once something has happened at the source.

The source's own pages are changed as the deed changes them. From there it goes down the declared
chain: each hop does with what its upstream then shows what its software was measured to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auditor.model import (
    Counterfactual,
    Gets,
    HeldState,
    LagState,
    When,
)
from auditor.verdict.behaviour import Behaviour, Bytes, ByUrl, Deed, HopLag, Listing, behaviour_of
from auditor.verdict.context import Context
from auditor.verdict.either_way import either_way, in_step
from auditor.verdict.gets import (
    HERE,
    clients_of,
    gets_by_url,
    gets_of_page,
    gets_offline,
    worst,
)
from auditor.verdict.lag import hop_lag, lag_of
from auditor.verdict.page_changes import Candidates, changed_by, with_fix
from auditor.verdict.row import Row

__all__ = ["Aftermath", "World", "aftermath_of", "foreseen_of"]

Traits = Mapping[str, Sequence[str]]

# PyPI's path of a file is made of its digest, so that other bytes have another path.
_HASHED_PATH = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{40,}/|/\+f/[0-9a-f]{3}/")
_LIFETIME_SEEN = "lifetime-seen"
_HIDDEN = (
    "but {} may be set to keep pages for longer than their headers say, which nobody sees from "
    "afar: give this location its cache_path or its expected_lag"
)
# How a note begins that names what was recognised, and the kind that would ask it more.
_LOOKS_LIKE = "this looks like "
_UNMEASURED = {
    "simple": "it is not known what software runs here: to know, give this location its kind "
    "(devpi, bandersnatch, http-cache, …) and its path or cache_path, and audit again",
    "http-cache": "it is not known which cache this is: give its cache_path, or reach it without "
    "what hides its name, and audit again",
    "devpi": "it is not known whether this is a mirror or a stage, or what the stage lets through: "
    "give the URL of the index itself, or its path, and audit again",
    "pypiserver": "it is not known whether it has files of its own: give its path, and audit again",
}
_NEVER_MEASURED = "what software of this kind does when its source changes was never measured"
_GONE_URL = (Deed.DELETED_FILE_GONE, Deed.PROJECT_DELETED, Deed.REPLACED, Deed.UPSTREAM_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The rows of an incident, and what is known of their settings beside what they say.

    Attributes:
        rows: by name of the location.
        traits: more of them by name of the location, such as an operator knows.
    """

    rows: Mapping[str, Row]
    traits: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The steady state of one place.

    Attributes:
        pages: what each of its pages lists; None: not known.
        has_page: whether clients get a page at all.
        held: the broken bytes.
        by_url: what the URL of the broken file at this place gives.
        seconds: after which it is so, from the deed on; None: nothing of it ever arrives here.
        because: why.
        doubt: why nobody can tell when it is so; "" where `seconds` tells.
        fails: whether places that copy this one get no answer, rather than the word that there is
            no such project.
    """

    pages: tuple[Candidates, ...] | None
    has_page: bool = True
    held: HeldState = HeldState.UNKNOWN
    by_url: Gets = Gets.UNKNOWN
    seconds: float | None = 0.0
    because: str = ""
    doubt: str = ""
    fails: bool = False


def foreseen_of(row: Row, deed: Deed, world: World, now: Counterfactual) -> Counterfactual:
    """Say what everybody gets here after a deed, and when; `now` is what is true before it."""
    after = aftermath_of(row, deed, world)
    if after.seconds is None:
        return replace(now, when=When.NEVER, because=after.because)
    if after.pages is None:
        return either_way(row, deed, world.rows, now, after.because)
    gone = not after.has_page
    return Counterfactual(
        listed=None if gone and after.fails else _lists_broken(after, row.context),
        held=after.held,
        unpinned_gets=Gets.NOTHING if gone else _gets(row, after, deed, pinned=False),
        pinned_gets=Gets.ERROR if gone else _gets(row, after, deed, pinned=True),
        hash_locked_gets=after.by_url,
        offline_gets=gets_offline(row),
        when=_when(row, after.seconds, after.doubt),
        because="; ".join(filter(None, (after.because, after.doubt))),
    )


def _when(row: Row, seconds: float, doubt: str) -> datetime | When:
    if doubt:
        return When.UNKNOWN
    return (
        row.context.seen_at(row.observation) + timedelta(seconds=seconds)
        if seconds
        else (When.AT_ONCE)
    )


def aftermath_of(
    row: Row, deed: Deed, world: World, seen: frozenset[str] = frozenset()
) -> Aftermath:
    """Follow a deed from the source down to one place."""
    if row.is_source:
        return _at_source(row, deed)
    traits = (*row.observation.traits, *world.traits.get(row.location.name, ()))
    behaviour = behaviour_of(row.location.kind, traits)
    if behaviour is None:
        return _unmeasured(row)
    because = f"{behaviour.because} ({behaviour.source})"
    if behaviour.lag is HopLag.NEVER:
        return Aftermath(pages=None, seconds=None, because=because)
    above = world.rows.get(row.location.upstream or "")
    if above is None or above.location.name in seen:
        return Aftermath(pages=None, because="it is not declared what this place copies from")
    upstream = aftermath_of(above, deed, world, seen | {row.location.name})
    after = _behind(row, deed, behaviour, upstream, because)
    hidden = behaviour.hides_lifetime and _LIFETIME_SEEN not in traits
    if not hidden or row.location.expected_lag_s is not None:
        return replace(after, doubt=upstream.doubt)
    return replace(after, doubt=_HIDDEN.format(behaviour.program))


def _behind(
    row: Row, deed: Deed, behaviour: Behaviour, upstream: Aftermath, because: str
) -> Aftermath:
    if upstream.seconds is None or upstream.pages is None:
        return replace(upstream, because=f"its upstream decides: {upstream.because}")
    if not row.all_pages_read:
        return Aftermath(pages=None, because="not every page here could be read")
    seconds, doubt = _seconds(row, behaviour)
    if seconds is None:
        return Aftermath(pages=None, because=doubt)
    pages, has_page = _pages(row, deed, behaviour, upstream)
    listed = has_page and _any_broken(pages or (), row.context)
    held = _held(row, behaviour.keeps_bytes(deed))
    return Aftermath(
        pages=pages,
        has_page=has_page,
        held=held,
        by_url=_by_url(behaviour, deed, held, upstream, listed=listed),
        seconds=upstream.seconds + seconds,
        because=because,
        fails=not has_page and _listing(behaviour, deed, upstream) is Listing.ERROR,
    )


def _seconds(row: Row, behaviour: Behaviour) -> tuple[float | None, str]:
    """How long this hop takes; None with the reason if nothing can be promised."""
    if behaviour.lag is HopLag.NONE:
        return 0.0, ""
    if lag_of(row).state is LagState.STUCK:
        return None, "it is overdue with what it should have copied long ago"
    seconds, basis = hop_lag(row.location, row.context)
    if seconds is None:
        return None, basis
    # What its headers say may be less than what its operator made of it.
    configured = row.location.expected_lag_s or 0.0
    return max(seconds, configured) + behaviour.extra_lag_s, ""


def _listing(behaviour: Behaviour, deed: Deed, upstream: Aftermath) -> Listing:
    """What its page does, given that its upstream may have none."""
    if upstream.has_page:
        # An upstream that kept its page hides from this place what happened above it.
        calm = deed in (Deed.UPSTREAM_DOWN, Deed.PROJECT_DELETED)
        return Listing.FOLLOWS if calm else behaviour.listing_after(deed)
    as_if = Deed.UPSTREAM_DOWN if upstream.fails else Deed.PROJECT_DELETED
    return behaviour.listing_after(as_if)


def _pages(
    row: Row, deed: Deed, behaviour: Behaviour, upstream: Aftermath
) -> tuple[tuple[Candidates, ...] | None, bool]:
    """What its pages list, and whether there are any; None: not known."""
    own = _own(row)
    listing = _listing(behaviour, deed, upstream)
    if listing is Listing.ERROR or (listing is Listing.FOLLOWS and not upstream.has_page):
        return (), False
    if listing is Listing.KEEPS:
        if deed is Deed.ROLLED_FORWARD or behaviour.listing_after(Deed.ROLLED_FORWARD) is listing:
            return own, True
        fixed = deed is Deed.FIXED_THEN_YANKED
        return (tuple(with_fix(p, row.context) for p in own) if fixed else own), True
    if not in_step(row):
        return upstream.pages, True
    changed = tuple(changed_by(deed, candidates, row.context) for candidates in own)
    if listing is Listing.BY_PATH and row.broken.held is not HeldState.NOT_HELD:
        return _at_their_paths(row, changed), True
    return changed, True


def _at_their_paths(row: Row, changed: tuple[Candidates, ...]) -> tuple[Candidates, ...] | None:
    """New bytes are seen where they have a new path; under the old one, the kept bytes are."""
    context = row.context
    files = (c for c in context.source_files.values() if context.is_broken_file(c))
    urls = [c.url or "" for c in files]
    return changed if urls and all(map(_HASHED_PATH.search, urls)) else None


def _held(row: Row, fate: Bytes) -> HeldState:
    held = row.broken.held
    if fate is Bytes.NONE:
        return HeldState.NOT_HELD
    return HeldState.SHADOWED if fate is Bytes.ORPHANS and held is HeldState.HELD else held


def _by_url(
    behaviour: Behaviour, deed: Deed, held: HeldState, upstream: Aftermath, *, listed: bool
) -> Gets:
    """What the file's URL at this place gives: the kept bytes, the upstream's, or an error."""
    if behaviour.by_url is ByUrl.UPSTREAM:
        return upstream.by_url
    # What is looked up by its name on the page is the new file, of which a lock has no hash.
    if behaviour.by_url is ByUrl.LISTED and (deed is Deed.REPLACED or not listed):
        return Gets.ERROR
    if held in HERE:
        return Gets.BROKEN
    if behaviour.by_url is ByUrl.HELD:
        return Gets.ERROR if held is HeldState.NOT_HELD else Gets.UNKNOWN
    if held is HeldState.NOT_HELD or upstream.by_url is Gets.BROKEN:
        return upstream.by_url
    return Gets.UNKNOWN


def _unmeasured(row: Row) -> Aftermath:
    """A place of software that nobody measured: unknown, unless nothing ever copies to it."""
    # What states a lag follows something, whatever its kind does as a rule.
    follows = row.kind.syncs or row.observation.stated_lag is not None
    if follows or row.location.expected_lag_s is not None:
        return Aftermath(pages=None, because=_why_unmeasured(row))
    return Aftermath(
        pages=None,
        seconds=None,
        because="nothing that happens at the source reaches a place of kind "
        f"{row.kind.name} by itself",
    )


def _why_unmeasured(row: Row) -> str:
    """Why it is not known whether a place follows, and what would tell."""
    if row.is_index and not row.all_pages_read:
        return "its page could not be read to its end, so that there is nothing to start from"
    recognised = next((n for n in row.observation.notes if n.startswith(_LOOKS_LIKE)), None)
    if recognised is not None:
        return f"what it would do is not known, but {recognised}"
    return _UNMEASURED.get(row.kind.name, _NEVER_MEASURED)


# --- the source --------------------------------------------------------------------------------


def _at_source(row: Row, deed: Deed) -> Aftermath:
    context = row.context
    if not row.all_pages_read:
        return Aftermath(pages=None, because="not every page of the source could be read")
    served = Gets.ERROR if deed in _GONE_URL else gets_by_url(row)
    has_page = deed not in (Deed.PROJECT_DELETED, Deed.UPSTREAM_DOWN)
    removed = deed in (Deed.DELETED_FILE_GONE, Deed.PROJECT_DELETED)
    return Aftermath(
        pages=tuple(changed_by(deed, p, context) for p in _own(row)) if has_page else (),
        has_page=has_page,
        held=HeldState.NOT_HELD if removed else row.broken.held,
        by_url=served,
        because=_AT_SOURCE[deed],
        fails=deed is Deed.UPSTREAM_DOWN,
    )


_OFF_THE_PAGE = (
    "the source's own page without the broken files; whether its file host keeps serving them is "
    "another matter"
)
_AT_SOURCE = {
    Deed.ROLLED_FORWARD: "the source's own page with a fix for whatever the broken release is for",
    Deed.YANKED: "the source's own page with the broken files marked as yanked",
    Deed.FIXED_THEN_YANKED: "the source's own page with the fix, and the broken files yanked",
    Deed.DELETED_FILE_SERVED: _OFF_THE_PAGE,
    Deed.DELETED_FILE_GONE: _OFF_THE_PAGE,
    Deed.PROJECT_DELETED: "the source then has no such project",
    Deed.REPLACED: "the source's own page with other bytes under the broken files' names",
    Deed.UPSTREAM_DOWN: "the source then answers nothing",
}


def _own(row: Row) -> tuple[Candidates, ...]:
    return tuple({id(p.candidates): p.candidates for p in row.usable_pages if p.complete}.values())


# --- what clients get --------------------------------------------------------------------------


def _gets(row: Row, after: Aftermath, deed: Deed, *, pinned: bool) -> Gets:
    pages = after.pages or ()
    clients = clients_of(row)
    gets = worst(gets_of_page(page, row.context, clients, pinned=pinned) for page in pages)
    if row.is_source or deed not in (Deed.PROJECT_DELETED, Deed.UPSTREAM_DOWN):
        return gets
    # The page is an old one, and the files behind it are no longer to be had above.
    if gets is Gets.BROKEN:
        failed = after.by_url is Gets.ERROR and not pinned
        return Gets.NOTHING if failed else after.by_url
    return gets if gets in (Gets.NOTHING, Gets.ERROR) else Gets.UNKNOWN


def _lists_broken(after: Aftermath, context: Context) -> bool:
    return after.has_page and _any_broken(after.pages or (), context)


def _any_broken(pages: Iterable[Candidates], context: Context) -> bool:
    return any(context.is_broken_file(c) for page in pages for c in page)
