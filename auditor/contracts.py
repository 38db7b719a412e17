"""What a probe, a renderer and a notifier are, and what a probe is handed.

A *kind* of location is one module with one `ProbeKind` object, named by one entry point in the
group `propagation_auditor.probes.v1`. A *format* is one `ReportFormat` object in
`propagation_auditor.renderers.v1`. The built-in ones register in the same way as anybody's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from auditor.in_common import Ledger, Shared
from auditor.model import (
    Incident,
    KindFacts,
    Location,
    Observation,
    RemedyTemplate,
    Role,
    Run,
    Touch,
    Vantage,
    View,
)

__all__ = [
    "API_REVISION",
    "Assignment",
    "Credentials",
    "GuardPolicy",
    "Hop",
    "HostLimits",
    "Ledger",
    "Met",
    "Observe",
    "ProbeKind",
    "Recognise",
    "ReportFormat",
    "Setting",
    "Shared",
    "SourceFacts",
    "TouchNote",
]

# Raised when a probe or renderer written for the old revision could no longer work.
API_REVISION = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of `[[locations]]` that a kind reads.

    Attributes:
        key: as written in the configuration.
        required: whether the kind cannot do without it.
        meaning: one line for `auditor plugins`.
    """

    key: str
    required: bool = False
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchNote:
    """What one request of a kind may do, and how that is known.

    Attributes:
        request: such as `GET index page`.
        touch: its declared touch.
        proof: the measurement or document it rests on.
    """

    request: str
    touch: Touch
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What is already known of the source when other locations are probed.

    Attributes:
        name: of the source.
        lists_fix: whether its pages list a fixed version; None if not known.
        gone: file names that the source's file host answered 404 or 410 for.
    """

    name: str
    lists_fix: bool | None
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One place that another one copies from, as it was seen in this very audit.

    Attributes:
        name, kind: of the location.
        gone: names of broken files for which it was asked, safely, and answered 404 or 410.
    """

    name: str
    kind: str
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """What this audit may do to the world.

    Attributes:
        inert: forbid even re-reading an index page.
        allow_store: allow a cache to store an artifact; never a broken one.
    """

    inert: bool = False
    allow_store: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """How to get into one location. Its repr never shows a secret.

    Attributes:
        username, password: for Basic authentication; None if there are none.
        token: for Bearer authentication; None if there is none.
        ca_file, client_cert, client_key: paths; None: the system's trust store.
        insecure: whether certificates are not verified.
        proxy_username, proxy_password: for the forward proxy that the location names (`via`).
    """

    username: str | None = None
    password: str | None = None
    token: str | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    proxy_username: str | None = None
    proxy_password: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be written anywhere."""
        return tuple(s for s in (self.password, self.token, self.proxy_password) if s)


class HostLimits(Protocol):
    """Bounds on what one host is asked at once, shared by every probe of a run."""

    def slot(self, host: str) -> AbstractAsyncContextManager[None]:
        """Wait for a place on that host (`name:port`) and hold it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a probe is handed: what to look for, where, and within which bounds.

    Attributes:
        incident: the question.
        location: where to look.
        vantage: from where.
        source: what is known of the source; None for the source itself, or if there is none.
        upstreams: what is known of each place further up, nearest first and the source last; empty
            if the chain is not declared up to the source, or if nothing is gone from there.
        policy: what requests may do.
        credentials: how to get in.
        limits: per-host bounds.
        ledger: where the guard records each request.
        shared: what all probes of this audit have in common; None: nothing.
        project_shared: what those have in common that look for this project, forgotten after the
            last of its incidents; None: there is one incident about it only.
        user_agent_suffix: appended to every User-Agent: the program and its contact.
        now: the clock, UTC.
    """

    incident: Incident
    location: Location
    vantage: Vantage
    source: SourceFacts | None = None
    upstreams: tuple[Hop, ...] = ()
    policy: GuardPolicy = field(default_factory=GuardPolicy)
    credentials: Credentials = field(default_factory=Credentials)
    limits: HostLimits
    ledger: Ledger
    shared: Shared | None = None
    project_shared: Shared | None = None
    user_agent_suffix: str
    now: Callable[[], datetime]


Observe = Callable[[Assignment], Awaitable[Observation]]


@dataclass(frozen=True, slots=True)
class Met:
    """What a scan met on disk.

    Attributes:
        path: of a directory or a regular file.
        names: of what lies in the directory; None for a file.
    """

    path: Path
    names: frozenset[str] | None = None


Recognise = Callable[[Met], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeKind:
    """A kind of location: what it declares, and the one function that looks.

    Attributes:
        name: what `kind = "…"` says.
        summary: one line for `auditor plugins`.
        role: default role of its locations.
        settings: the keys it reads beside those that every location has.
        observe: looks and returns facts. Raises `ProbeError` or returns an observation; anything
            else that it raises becomes an observation with outcome `malformed`.
        expected_lag_s: usual seconds behind its upstream; None if there is no usual one.
        expected_lag_source: where that number comes from.
        syncs: whether anything ever copies from an upstream by itself. False: lag is `never`,
            and nothing done at the source changes anything here.
        touches: what each of its requests may do.
        remedies: commands to print.
        hosts_files_elsewhere_itself: whether its file host is part of it, as with PyPI.
        views: the views that its places must be asked in. A view without an answer makes a place
            `unknown`, so that a probe which forgets one turns nothing green. Empty: not checked.
        defaults_to_pip_index: whether a location without URL means the index that pip uses.
        prepare: imports and loads what observing such a place will need, before anything is timed;
            None: there is nothing to prepare. What it raises does not matter.
        verified: program and version it was tested with; "" for *unverified*.
        unverified: what it relies on that no test of this version has seen on the real thing.
        recognises: whether something on disk is a place of this kind, from its names and, of a
            file, its first bytes; None: it is never found by a scan.
        doubts: of a file that no kind recognises: why it could be a place of this kind all the
            same, in words that follow its path; "": it is none. A scan tells them, and is
            inconclusive. None: it has no doubts.
        owns_subtree: whether nothing else is looked for below such a place.
        owns: whether nothing else is looked for below a directory, recognised or not; None: as
            `owns_subtree` says of each that is recognised.
        revision: of this interface, `API_REVISION`.
    """

    name: str
    summary: str
    role: Role
    settings: tuple[Setting, ...] = ()
    observe: Observe
    expected_lag_s: float | None = None
    expected_lag_source: str = ""
    syncs: bool = True
    touches: tuple[TouchNote, ...] = ()
    remedies: tuple[RemedyTemplate, ...] = ()
    hosts_files_elsewhere_itself: bool = False
    views: tuple[View, ...] = ()
    defaults_to_pip_index: bool = False
    prepare: Callable[[Location, Credentials], None] | None = None
    verified: str = ""
    unverified: tuple[str, ...] = ()
    recognises: Recognise | None = None
    doubts: Callable[[Met], str] | None = None
    owns_subtree: bool = True
    owns: Recognise | None = None
    revision: int = API_REVISION

    def facts(self) -> KindFacts:
        """What the judge needs to know of this kind."""
        return KindFacts(
            name=self.name,
            role=self.role,
            syncs=self.syncs,
            hosts_files_elsewhere_itself=self.hosts_files_elsewhere_itself,
            views=self.views,
            expected_lag_s=self.expected_lag_s,
            expected_lag_source=self.expected_lag_source,
            remedies=self.remedies,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """A format: a pure function from runs to text.

    Attributes:
        name: what `--report NAME=FILE` says.
        summary: one line for `auditor plugins`.
        suffix: usual ending of a file name, such as `.html`.
        render: one run to the whole text. Options are `width` and `colour` for terminals.
        schema: text of the JSON Schema of its output; None if it has none.
        revision: of this interface, `API_REVISION`.
    """

    name: str
    summary: str
    suffix: str
    render: Callable[[Run, Mapping[str, str | int | bool]], str]
    schema: Callable[[], str] | None = None
    revision: int = API_REVISION
