"""Resolves a document into a plan and, apart from it, the credentials."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from auditor import __version__
from auditor.config.addresses import absolute_path
from auditor.config.channels import ChannelSettings, channels_of
from auditor.config.defaults import add_default_locations
from auditor.config.document import Document
from auditor.config.graph import check_links, name_all
from auditor.config.incidents import build_incidents, chosen_incidents
from auditor.config.install_settings import with_caps
from auditor.config.kinds import facts_of
from auditor.config.locations import LocationBuilder
from auditor.config.pip_settings import PipIndex
from auditor.config.problems import Problems
from auditor.config.public_mirrors import (
    add_public_mirrors,
    read_public_mirrors,
    retired_notes,
)
from auditor.config.schema import WaiverTable
from auditor.config.suggest import did_you_mean
from auditor.config.tables import Placed, Tables, apply_schema, raw_elements
from auditor.config.trust import lay_over, trust_notes
from auditor.config.values import parse_name
from auditor.config.vantages import check_vantages, seen_from
from auditor.contracts import Credentials, ProbeKind
from auditor.model import Incident, Location, Plan, Vantage, Waiver
from auditor.selection.environments import default_matrix

__all__ = ["Options", "Resolved", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What only the command line says.

    Attributes:
        incidents: ids to which the audit is limited; empty: all.
        vantage: from where we look; None: the host's name.
        grace, inert, allow_store: as in `Plan`.
        vantages: from which workers look, in place of this process; empty: this process does.
        public_mirrors: whether the public mirrors are looked at as well.
        needs_incident: whether a document without an incident is an error.
    """

    incidents: tuple[str, ...] = ()
    vantage: str | None = None
    grace: bool = False
    inert: bool = False
    allow_store: bool = False
    vantages: tuple[str, ...] = ()
    public_mirrors: bool = False
    needs_incident: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """All that an audit needs.

    Attributes:
        plan: without secrets.
        credentials: by location name.
        document: what the plan was made of, defaults included.
        history: file of past runs; None: none is kept.
        channels: whom to tell; their secrets are fetched when something is to be told.
        warnings: what a user should change although it works.
    """

    plan: Plan
    credentials: Mapping[str, Credentials]
    document: Document
    history: Path | None = None
    channels: tuple[ChannelSettings, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def resolve(
    document: Document,
    kinds: Mapping[str, ProbeKind],
    options: Options | None = None,
    *,
    environ: Mapping[str, str],
    pip_index: PipIndex | None = None,
    credentials: Mapping[str, Credentials] | None = None,
    now: datetime | None = None,
) -> Resolved:
    """Check a document and turn it into a plan.

    Args:
        document: of a file, of the command line, or of both.
        kinds: the installed ones.
        options: what only the command line says.
        environ: for `AUDITOR_…` values and secrets.
        pip_index: what pip is configured to ask; read when needed if None.
        credentials: by location name, in place of those that the document refers to.
        now: UTC; None: the clock.

    Raises:
        ConfigError: with every problem at once.
        UsageError: pip's own configuration cannot be read.
    """
    options = options or Options()
    pip_index = pip_index or PipIndex()
    notes: tuple[str, ...] = ()
    if not raw_elements(document, "locations") and "locations" not in document.data:
        document, notes = add_default_locations(document, pip_index.settings, kinds, environ)
    mirrors_file = _file(document, "public_mirrors_file")
    if options.public_mirrors:
        today = (now or datetime.now(UTC)).date()
        document, more = add_public_mirrors(document, read_public_mirrors(mirrors_file), today)
        notes = (*notes, *more)
    problems = Problems(document)
    tables = apply_schema(document, kinds, problems)
    incidents = _incidents(document, tables, options, problems)
    builder = LocationBuilder(
        document=document,
        kinds=kinds,
        environ=environ,
        pip_index=pip_index,
        timeout_s=tables.audit.timeout_s,
        exclude_newer=tables.audit.exclude_newer,
        problems=problems,
        warnings=[],
    )
    located = _locations(document, tables, builder, problems)
    located = lay_over(located, credentials or {}, problems)
    waivers = _waivers(document, tables, problems)
    _check_vantage(options, problems)
    located, far = seen_from(located, options.vantages or (_vantage(options),), problems)
    history = _file(document, "history")
    channels = channels_of(tables.notify, problems, has_history=history is not None)
    problems.raise_all()
    located = with_caps(located, incidents)
    locations = tuple(location for location, _ in located)
    plan = _plan(tables, options, kinds, locations)
    ended = retired_notes(mirrors_file, ((each.name, each.url) for each in locations))
    return Resolved(
        plan=replace(
            plan,
            incidents=incidents,
            waivers=waivers,
            created_at=now or plan.created_at,
            notes=(*notes, *plan.notes, *trust_notes(located), *far, *ended),
        ),
        credentials={location.name: credentials for location, credentials in located},
        document=document,
        history=history,
        channels=channels,
        warnings=(*builder.warnings, *ended),
    )


def _plan(
    tables: Tables,
    options: Options,
    kinds: Mapping[str, ProbeKind],
    locations: tuple[Location, ...],
) -> Plan:
    """The plan as far as `[audit]`, the options and the locations make it."""
    return Plan(
        incidents=(),
        locations=locations,
        vantage=Vantage(id=_vantage(options)),
        environments=default_matrix(),
        kinds={location.kind: facts_of(location.kind, kinds) for location in locations},
        fail_on=tables.audit.fail_on,
        grace=options.grace,
        concurrency=tables.audit.concurrency,
        concurrency_per_host=tables.audit.concurrency_per_host,
        inert=options.inert,
        allow_store=options.allow_store,
        contact=tables.audit.contact,
        tool_version=__version__,
        created_at=datetime.now(UTC),
        notes=_notes(locations, kinds),
    )


def _vantage(options: Options) -> str:
    return options.vantage or next(iter(options.vantages), None) or socket.gethostname()


def _check_vantage(options: Options, problems: Problems) -> None:
    given = [("--celery", name) for name in options.vantages]
    if options.vantage is not None:
        given.append(("--vantage", options.vantage))
    for option, name in given:
        try:
            parse_name(name)
        except ValueError as error:
            problems.add_from(option, str(error))


def _incidents(
    document: Document, tables: Tables, options: Options, problems: Problems
) -> tuple[Incident, ...]:
    if options.needs_incident and not raw_elements(document, "incidents"):
        problems.add_from(
            document.name or "incident",
            "there is no incident to look for; add [[incidents]], or say PROJECT --broken X "
            "--fixed Y",
        )
    built = build_incidents(tables.incidents, problems)
    return chosen_incidents([incident for _, incident in built], options.incidents, problems)


def _locations(
    document: Document, tables: Tables, builder: LocationBuilder, problems: Problems
) -> tuple[tuple[Location, Credentials], ...]:
    named = name_all(tables.locations, problems)
    check_links(named, _names_as_written(document), problems)
    check_vantages(named, problems)
    built = (builder.build(each) for each in named)
    return tuple(each for each in built if each is not None)


def _names_as_written(document: Document) -> frozenset[str]:
    """Names of all locations, those included that have problems."""
    tables = (each for each in raw_elements(document, "locations") if isinstance(each, dict))
    return frozenset(str(table["name"]) for table in tables if "name" in table)


def _waivers(document: Document, tables: Tables, problems: Problems) -> tuple[Waiver, ...]:
    named = name_all(tables.locations, Problems(document))
    names = {name for name, _ in named} | _names_as_written(document)
    ids = {i.id for _, i in build_incidents(tables.incidents, Problems(document))}
    for placed in tables.waivers:
        _check_waiver(placed, names, ids, problems)
    return tuple(
        Waiver(
            location=placed.table.location,
            incident=placed.table.incident,
            until=placed.table.until,
            reason=placed.table.reason,
        )
        for placed in tables.waivers
    )


def _check_waiver(
    placed: Placed[WaiverTable], names: set[str], ids: set[str], problems: Problems
) -> None:
    for key, word, known in (
        ("location", placed.table.location, names),
        ("incident", placed.table.incident, ids),
    ):
        if word is not None and word not in known:
            hint = did_you_mean(word, known) or f"known: {', '.join(sorted(known)) or 'none'}"
            problems.add((*placed.path, key), f"there is no {key} {word!r}; {hint.rstrip()}")


def _notes(locations: tuple[Location, ...], kinds: Mapping[str, ProbeKind]) -> tuple[str, ...]:
    return tuple(
        f"{location.name}: this version has no probe of kind {location.kind}"
        for location in locations
        if location.kind not in kinds
    )


def _file(document: Document, key: str) -> Path | None:
    """The file that a key of `[audit]` names, if it is a text at all; the schema judges that."""
    table = document.data.get("audit")
    name = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(name, str) or not name:
        return None
    is_from_file = document.origin(("audit", key)).startswith(f"{document.name}:")
    return Path(absolute_path(name, document.directory if is_from_file else None))
