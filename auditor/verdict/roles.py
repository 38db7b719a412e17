"""Places whose kind is a store or an index, by what was seen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.model import Location, Observation, Plan, Role

__all__ = ["with_seen_roles"]


def with_seen_roles(plan: Plan, observations: Sequence[Observation]) -> Plan:
    """Judge a place as an index where its role was left open and it shows pages of the project.

    An installer that is pointed at them gets what they list, so that what is stored beside them is
    not all that counts. Whoever knows better says `role = "store"`.
    """
    paged = {o.location for o in observations if o.pages}
    return replace(plan, locations=tuple(_as_seen(each, paged) for each in plan.locations))


def _as_seen(location: Location, paged: set[str]) -> Location:
    required = location.settings.get("role_open")
    if required is None or location.name not in paged:
        return location
    return replace(location, role=Role.INDEX, required=location.required or required is True)
