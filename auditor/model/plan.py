"""The resolved configuration of an audit: everything the judge needs beside the observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from auditor.model.incident import Incident
from auditor.model.location import Location, Role, Vantage
from auditor.model.observation import HeldState, View
from auditor.model.selection import Environment
from auditor.model.verdict import Status

__all__ = ["DEFAULT_FAIL_ON", "KindFacts", "Plan", "RemedyTemplate", "Waiver"]

DEFAULT_FAIL_ON = (Status.TAMPERED, Status.EXPOSED, Status.PINNED, Status.BEHIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyTemplate:
    """A command that rolls a location of one kind forward.

    Attributes:
        command: with `{url}`, `{page}` (the project's, with a slash at its end), `{path}`,
            `{cache_path}`, `{project}`, `{fixed}`, `{broken}`, `{file}` to fill in, and
            `{endpoint_option}`: how `aws` is told the place's server, or nothing.
        effect, caution: what it achieves and what it would break.
        statuses: for which verdicts it is offered.
        forms: lock formats (`Pin.form`) for which it is offered; empty: for whatever is there.
        traits: of a place (`Observation.traits`) for which it is offered, and for one of which
            none is known that a remedy of its kind names; empty: for every one.
        states: of broken bytes for which it is offered; empty: wherever they are.
    """

    command: str
    effect: str
    caution: str = ""
    statuses: tuple[Status, ...]
    forms: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    states: tuple[HeldState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """What the judge knows of a kind; declared by the kind, carried with the observations.

    Attributes:
        name: of the kind.
        role: default role of its locations.
        syncs: whether anything ever copies from an upstream by itself. False: lag is `never`,
            and nothing done at the source changes anything here.
        hosts_files_elsewhere_itself: whether its file host is part of it (PyPI), so that files on
            another host do not mean `not-held`.
        views: the views that each of its places must be asked in; empty: not declared.
        expected_lag_s: usual seconds behind its upstream; None if there is no usual one.
        expected_lag_source: where that number comes from.
        remedies: commands to print.
    """

    name: str
    role: Role
    syncs: bool = True
    hosts_files_elsewhere_itself: bool = False
    views: tuple[View, ...] = ()
    expected_lag_s: float | None = None
    expected_lag_source: str = ""
    remedies: tuple[RemedyTemplate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Silences a failure until a day; stays visible.

    Attributes:
        location: name of the location.
        incident: id of the incident; None for every one.
        until: the last day on which it holds (UTC).
        reason: why.
    """

    location: str
    incident: str | None
    until: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked, where, from where, and how the answer is to be judged. Holds no secret.

    Attributes:
        incidents, locations: what and where.
        vantage: from where.
        environments: the matrix for incidents that name no environments of their own.
        kinds: what the judge must know of each kind in use.
        waivers: silenced failures.
        fail_on: statuses that make the audit fail.
        grace: whether a row that is within its lag does not fail.
        concurrency: places looked at at once.
        concurrency_per_host: requests in flight at once per host.
        inert: forbid even re-reading an index page.
        allow_store: allow caches to store an artifact that is not broken.
        contact: goes into the User-Agent; "" for none.
        tool_version: of the auditor that made it.
        tool_versions: of what it relies on, such as Python, pip and packaging.
        created_at: UTC.
        notes: what a reader must know, such as places that were not looked at.
    """

    incidents: tuple[Incident, ...]
    locations: tuple[Location, ...]
    vantage: Vantage
    environments: tuple[Environment, ...] = ()
    kinds: Mapping[str, KindFacts] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    fail_on: tuple[Status, ...] = DEFAULT_FAIL_ON
    grace: bool = False
    concurrency: int = 64
    concurrency_per_host: int = 4
    inert: bool = False
    allow_store: bool = False
    contact: str = ""
    tool_version: str
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime
    notes: tuple[str, ...] = ()
