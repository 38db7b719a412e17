"""Where a copy came from: which places list or hold these bytes, and which one a client used.

Pure. A trace does not judge: it orders what was observed by how well it explains the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditor.model import (
    Candidate,
    HeldState,
    Holding,
    Location,
    Observation,
    Outcome,
    Pin,
    Role,
    parse_version,
)
from auditor.traces import Bytes, Copy, Place, Trace, as_document

__all__ = ["Bytes", "Copy", "Place", "Trace", "as_document", "best_of", "by_bytes_alone", "trace"]

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)
_UNNAMED = "no digest was given to compare: name the file, or sha256:HEX"
_CLIENT_CACHES = frozenset({"pip-cache", "uv-cache", "poetry-cache", "pdm-cache"})

# They keep wheels unpacked, which have no digest: only a project's name finds them.
_UNPACKING = frozenset({"uv-cache", "pdm-cache"})


def trace(
    copy: Copy,
    locations: Sequence[Location],
    observations: Iterable[Observation],
    source: Location | None,
) -> Trace:
    """Order the places by how well each explains the copy.

    Args:
        copy: what is traced.
        locations: in the order in which a client asks them.
        observations: of these places.
        source: where everything comes from; None if there is none.
    """
    seen = {observation.location: observation for observation in observations}
    places = [
        _place(copy, location, seen[location.name])
        for location in locations
        if location.name in seen
    ]
    ranked = _ranked(copy, places)
    by_rank = sorted(ranked, key=lambda place: (place.rank is None, place.rank or 0))
    at_source = next((p for p in ranked if source and p.location.name == source.name), None)
    return Trace(
        copy=copy,
        places=tuple(by_rank),
        sentence=_sentence(copy, by_rank),
        at_source=_told_of_source(at_source),
    )


def by_bytes_alone(location: Location) -> str:
    """Why a place cannot be searched for bytes without a project's name; "" if it can.

    Stores are read as a whole; so is a directory of files. Everything else is asked for a project.
    """
    if location.role is Role.STORE or (location.kind == "wheelhouse" and location.path):
        return ""
    return "it can only be searched by a project's name; say --project NAME"


def best_of(traces: Sequence[Trace]) -> Trace:
    """Of traces of the same bytes, one per project, return that which explains them.

    If none does, the one in which most is not known.
    """
    explained = (t for t in traces if any(place.rank for place in t.places))
    unread = max(traces, key=lambda t: sum(map(_is_unread, t.places)))
    return next(explained, unread)


def _place(copy: Copy, location: Location, seen: Observation) -> Place:
    offered = [c for page in seen.pages for c in page.candidates if _is_offered(c, copy)]
    held = [h for h in seen.holdings if _is_held(h, copy)]
    readable = seen.outcome is Outcome.OBSERVED and all(
        page.complete or not page.candidates for page in seen.pages
    )
    return Place(
        location=location,
        outcome=seen.outcome,
        detail=seen.detail,
        lists=_lists(copy, offered, location, seen, readable=readable),
        holds=_holds(copy, held, location, seen),
        state=min(
            (h.state for h in held),
            key=list(HeldState).index,
            default=HeldState.NOT_HELD if _is_empty(location, seen) else HeldState.UNKNOWN,
        ),
        urls=tuple(dict.fromkeys(c.url for c in offered if c.url)),
        forced_by=tuple(pin.where for pin in seen.pins if _is_forced(pin, copy)),
    )


def _is_empty(location: Location, seen: Observation) -> bool:
    """Whether nothing can lie here besides what was found."""
    # An index that carries no such project may serve a file of it all the same.
    gone = seen.outcome is Outcome.ABSENT and location.role is not Role.INDEX
    return gone or seen.holdings_complete is True


def _is_offered(candidate: Candidate, copy: Copy) -> bool:
    if copy.sha256 and candidate.hashes.get("sha256") == copy.sha256:
        return True
    if copy.filename:
        return candidate.filename == copy.filename
    return _same_version(candidate.version, copy.version)


def _is_held(holding: Holding, copy: Copy) -> bool:
    if copy.sha256 and holding.sha256 == copy.sha256:
        return True
    if copy.filename and holding.sha256:
        return holding.filename == copy.filename
    return _same_version(holding.version, copy.version)


def _is_forced(pin: Pin, copy: Copy) -> bool:
    if copy.sha256 and any(file.hashes.get("sha256") == copy.sha256 for file in pin.files):
        return True
    return _same_version(pin.code or pin.version, copy.version)


def _same_version(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    parsed, wanted = parse_version(one), parse_version(other)
    return parsed is not None and parsed == wanted


def _lists(
    copy: Copy,
    offered: Sequence[Candidate],
    location: Location,
    seen: Observation,
    *,
    readable: bool,
) -> Bytes:
    if not offered:
        if location.role is not Role.INDEX or seen.outcome is Outcome.ABSENT:
            return Bytes.NONE
        return Bytes.NONE if readable else Bytes.UNKNOWN
    return _compared([c.hashes.get("sha256") for c in offered], copy)


def _holds(copy: Copy, held: Sequence[Holding], location: Location, seen: Observation) -> Bytes:
    here = [h for h in held if h.state in _HERE]
    if here:
        return _compared([h.sha256 for h in here], copy)
    if held:
        states = {h.state for h in held}
        return Bytes.NONE if states == {HeldState.NOT_HELD} else Bytes.UNKNOWN
    if copy.project is None and location.kind in _UNPACKING:
        return Bytes.UNKNOWN
    if any(pin.is_of_unknown_code for pin in seen.pins):
        return Bytes.UNKNOWN
    return Bytes.NONE if _is_empty(location, seen) else Bytes.UNKNOWN


def _compared(digests: Sequence[str | None], copy: Copy) -> Bytes:
    if copy.sha256 is None or None in digests:
        same = copy.sha256 is not None and copy.sha256 in digests
        return Bytes.SAME if same else Bytes.UNCOMPARED
    return Bytes.SAME if copy.sha256 in digests else Bytes.OTHER


def _ranked(copy: Copy, places: Sequence[Place]) -> list[Place]:
    """Give the places that explain the copy their order, each with its reason."""
    scored = [
        (score, n) for n, place in enumerate(places) if (score := _score(copy, place)) is not None
    ]
    order = {n: rank for rank, (_, n) in enumerate(sorted(scored), start=1)}
    alone = sum(p.lists is Bytes.SAME or p.holds is Bytes.SAME for p in places) == 1
    return [
        replace(place, rank=order.get(n), why=_why(copy, place, alone=alone))
        for n, place in enumerate(places)
    ]


def _score(copy: Copy, place: Place) -> int | None:
    """Lower is likelier; equal scores keep the order in which a client asks."""
    if place.location.role is Role.PIN:
        return None  # nothing fetches a file from a lock, an environment or an image
    kind = place.location.kind
    is_cache = kind in _CLIENT_CACHES
    if is_cache and place.holds is Bytes.SAME:
        return 1
    if place.lists is Bytes.SAME:
        return 2
    if place.holds is Bytes.SAME and place.state in _HERE:
        return 3
    # With a digest at hand, what cannot be compared with it explains nothing.
    if copy.sha256 is None and Bytes.UNCOMPARED in _both(place):
        return 4 if is_cache and place.holds is Bytes.UNCOMPARED else 5
    return None


def _why(copy: Copy, place: Place, *, alone: bool) -> str:
    if place.outcome not in (Outcome.OBSERVED, Outcome.ABSENT):
        return place.detail or place.outcome.value
    only = "only this place has these bytes; " if alone and Bytes.SAME in _both(place) else ""
    if place.location.kind in _CLIENT_CACHES and place.holds is Bytes.SAME:
        return f"{only}the client's own cache holds these bytes, and may have asked nobody"
    if place.location.role is Role.PIN and _came_through(place):
        by = f", named by {', '.join(place.forced_by[:3])}" if place.forced_by else ""
        return f"it came through here{by}; nothing is fetched from such a place"
    if place.lists is Bytes.SAME:
        where = "and has them itself" if place.holds is Bytes.SAME else "its page links to them"
        return f"{only}it lists these very bytes, {where}"
    if place.holds is Bytes.SAME:
        return f"{only}the bytes lie here ({place.state.value}), though no page lists them"
    return _why_not(copy, place)


def _why_not(copy: Copy, place: Place) -> str:
    if place.lists is Bytes.OTHER:
        return "it lists other bytes under that name: not from here"
    if Bytes.UNCOMPARED in _both(place):
        named = "states no digest to compare"
        return f"it has that version, and {named if copy.sha256 else _UNNAMED}"
    if place.holds is Bytes.OTHER:
        return "it holds other bytes of that version: not from here"
    if place.lists is Bytes.UNKNOWN:
        return "what it lists could not be read to its end"
    if copy.project is None and place.location.kind in _UNPACKING:
        return "what is unpacked here can only be searched by a project's name; say --project NAME"
    if place.holds is Bytes.UNKNOWN:
        return "not listed; what lies here is not known"
    return "it has none of it"


def _came_through(place: Place) -> bool:
    """Whether a lock, an environment or an image has it, or demands it."""
    return bool(place.forced_by) or place.holds in (Bytes.SAME, Bytes.UNCOMPARED)


def _both(place: Place) -> tuple[Bytes, Bytes]:
    return place.lists, place.holds


def _sentence(copy: Copy, places: Sequence[Place]) -> str:
    found = [place for place in places if place.rank is not None]
    fault = f"The given file {copy.fault}. " if copy.fault else ""
    return fault + _origin(copy, places, found)


def _origin(copy: Copy, places: Sequence[Place], found: Sequence[Place]) -> str:
    if not found:
        unread = [p.location.name for p in places if _is_unread(p)]
        but = f"; not known of {', '.join(unread[:4])}" if unread else ""
        through = [
            p.location.name for p in places if p.location.role is Role.PIN and _came_through(p)
        ]
        but += f"; it came through {', '.join(through[:4])}" if through else ""
        none = f"None of {len(places)} places is" if len(places) > 1 else "This place is not"
        return f"{none} known to list or hold {copy.label}{but}."
    best = found[0]
    others = len(found) - 1
    more = f"; {others} more could have served it" if others else ""
    return f"Most likely from {best.location.name}: {best.why}{more}."


def _is_unread(place: Place) -> bool:
    """Whether it may have given the copy, for all that is known."""
    if place.outcome not in (Outcome.OBSERVED, Outcome.ABSENT):
        return True
    if place.location.role is Role.PIN and _came_through(place):
        return False
    if place.location.role is Role.INDEX:
        return place.lists in (Bytes.UNKNOWN, Bytes.UNCOMPARED)
    return place.holds in (Bytes.UNKNOWN, Bytes.UNCOMPARED)


def _told_of_source(place: Place | None) -> str:
    if place is None:
        return "no source was looked at"
    name = place.location.name
    if place.outcome is not Outcome.OBSERVED and place.outcome is not Outcome.ABSENT:
        return f"{name} could not be read: {place.detail or place.outcome.value}"
    listed = place.lists in (Bytes.SAME, Bytes.UNCOMPARED)
    served = place.holds in (Bytes.SAME, Bytes.UNCOMPARED)
    if listed:
        return f"{name} still lists it"
    if place.lists is Bytes.OTHER:
        return f"{name} lists other bytes under that name"
    if served:
        return f"{name} does not list it, and still serves the file"
    if place.lists is Bytes.UNKNOWN:
        return f"it is not known whether {name} lists it"
    if place.holds is Bytes.UNKNOWN:
        return f"{name} does not list it; whether it still serves the file is not known"
    return f"{name} no longer has it: where it came from can be told by copies only"
