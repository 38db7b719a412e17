"""What an audit tells while it is under way."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model import Observation

__all__ = ["Event", "Sight"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a progress display wants to know.

    Attributes:
        location, incident: what it is about.
        phase: `started` or `finished`.
        observation: the result; None when started.
        done, total: how many places are finished, and of how many.
    """

    location: str
    incident: str
    phase: str
    observation: Observation | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Sight:
    """One incident, as it was seen at every place.

    Attributes:
        incident: its id.
        observations: one for each location of the plan, in no order.
    """

    incident: str
    observations: tuple[Observation, ...]
