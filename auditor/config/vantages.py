"""From where each location is looked at: most from everywhere, some only from inside."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.config.graph import Named
from auditor.config.problems import Problems
from auditor.contracts import Credentials
from auditor.model import Location

__all__ = ["check_vantages", "seen_from"]

Located = tuple[tuple[Location, Credentials], ...]


def check_vantages(named: Sequence[Named], problems: Problems) -> None:
    """Check that whoever looks at a copy can look at what it copies from.

    Otherwise nobody there would know whether the fix is out, and a cache that is asked too early
    keeps the old page.
    """
    tables = {name: each.table for name, each in named}
    for name, each in named:
        above = tables.get(each.table.upstream or "")
        if above is None or not above.vantages or not each.path:
            continue
        ours = each.table.vantages
        if not ours or set(ours) - set(above.vantages):
            wanted = ", ".join(above.vantages)
            problems.add(
                (*each.path, "vantages"),
                f"{name!r} copies from {each.table.upstream!r}, which is looked at from {wanted} "
                "only; limit this one to these, or let the other be looked at from everywhere",
            )


def seen_from(
    located: Located, vantages: Sequence[str], problems: Problems
) -> tuple[Located, tuple[str, ...]]:
    """Leave out what none of these vantages looks at, and say so.

    Returns:
        The locations that are left, and a note if there were others. It names none: a report that
        is made fit for the public cannot know that their names are private.
    """
    seen = tuple(
        (place, login)
        for place, login in located
        if not place.vantages or set(place.vantages) & set(vantages)
    )
    if located and not seen:
        known = sorted({name for place, _ in located for name in place.vantages})
        problems.add_from(
            "--vantage",
            f"no location is looked at from {', '.join(vantages)}; known: {', '.join(known)}",
        )
    left_out = len(located) - len(seen)
    if not left_out:
        return seen, ()
    places = "1 place" if left_out == 1 else f"{left_out} places"
    return seen, (f"Not looked at from {', '.join(vantages)}: {places} of the configuration.",)
