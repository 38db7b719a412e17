"""The library: an audit as a coroutine, with the same one way through as the command's.

Nothing here prints, exits or touches signals. Warnings that the command would print go to the
logger `auditor`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from auditor.config import Document, Options, apply_environment, read_document, resolve
from auditor.config.command_line import location_element
from auditor.config.lines import KeyPath
from auditor.contracts import Credentials, ProbeKind
from auditor.engine import Audit, Event
from auditor.errors import ConfigError, HistoryError
from auditor.model import Observation, Plan, Run
from auditor.registry import load_format, load_kinds
from auditor.verdict import judge

if TYPE_CHECKING:
    from auditor.config import Resolved

__all__ = ["audit", "audit_config", "render"]

T = TypeVar("T")
Element = Mapping[str, object]
Login = Credentials | Mapping[str, str | bool]

logger = logging.getLogger("auditor")
logger.addHandler(logging.NullHandler())


async def audit(
    project: str,
    *,
    broken: str | Sequence[str],
    fixed: str | Sequence[str],
    locations: Sequence[str | Element] = (),
    credentials: Mapping[str, Login] | None = None,
    incident: Element | None = None,
    options: Element | None = None,
    vantage: str | None = None,
    grace: bool = False,
    inert: bool = False,
    allow_store: bool = False,
    environ: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Run:
    """Look at every location, judge what is there, and return the run.

    Cancelling the task that awaits this cancels every probe and waits until all have ended.

    Args:
        project: whose release is broken.
        broken, fixed: a version or specifier, or several.
        locations: each as on the command line (`"office:simple=https://mirror.example/simple/"`)
            or as a table of the configuration (`{"kind": "simple", "url": …}`). None at all: what
            pip is configured to ask here, and this user's caches.
        credentials: by location name, in place of what the location says of them. The fields of
            `auditor.Credentials`, or one.
        incident: further keys of `[[incidents]]`: `id`, `broken_hashes`, `broken_files`,
            `published_at`, `environments`.
        options: keys of `[audit]`: `timeout_s`, `concurrency`, `concurrency_per_host`, `contact`,
            `fail_on`.
        vantage: from where we look; None: the host's name.
        grace: whether a place within its normal lag does not fail.
        inert: forbid even re-reading an index page.
        allow_store: let a cache fetch and keep a file that is not broken.
        environ: for `AUDITOR_…` values and for secrets such as `{"env": "NAME"}`; None: the
            process's own.
        on_event: is told when a place is begun and finished, in the event loop's thread. What it
            raises ends the audit.

    Raises:
        UsageError: no location knows the project.
        ConfigError: something of the above is wrong; carries every problem at once.
        RegistryError: an installed probe cannot be used.
    """
    document = _with_incident(Document(), project, broken, fixed, incident or {})
    for key, value in (options or {}).items():
        plain = list(value) if isinstance(value, tuple | set | frozenset) else value
        document = document.with_value("audit", key, plain, f"options[{key!r}]")
    document = _with_locations(document, locations)
    chosen = Options(vantage=vantage, grace=grace, inert=inert, allow_store=allow_store)
    (run,) = await _audit(document, chosen, credentials or {}, environ, on_event)
    return run


async def audit_config(
    path: str | os.PathLike[str],
    *,
    incidents: Sequence[str] = (),
    credentials: Mapping[str, Login] | None = None,
    vantage: str | None = None,
    grace: bool = False,
    inert: bool = False,
    allow_store: bool = False,
    environ: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> tuple[Run, ...]:
    """Audit what a configuration file says; return one run per incident, in its order.

    Args:
        path: of the TOML file.
        incidents: ids to which the audit is limited; none: all.

    The other arguments, what cancelling does and what is raised are those of `audit`.
    """
    document = await _in_thread(lambda: read_document(Path(path)))
    chosen = Options(
        incidents=tuple(incidents),
        vantage=vantage,
        grace=grace,
        inert=inert,
        allow_store=allow_store,
    )
    return await _audit(document, chosen, credentials or {}, environ, on_event)


def render(run: Run, report_format: str, **options: str | int | bool) -> str:
    """Write a run as `auditor audit --report FORMAT=…` does.

    Args:
        run: what an audit returned, or `auditor.runs.load_run` read.
        report_format: such as `html`, `json` or `terminal`.
        options: of the format; `terminal` knows `width` and `colour`.

    Raises:
        RegistryError: there is no such format.
    """
    return load_format(report_format).render(run, options)


async def _audit(
    document: Document,
    options: Options,
    credentials: Mapping[str, Login],
    environ: Mapping[str, str] | None,
    on_event: Callable[[Event], None] | None,
) -> tuple[Run, ...]:
    """Resolve, look, judge: what is not waiting for others is done beside the event loop."""
    variables = os.environ if environ is None else environ
    given = {name: _login(name, login) for name, login in credentials.items()}

    def prepare() -> tuple[Mapping[str, ProbeKind], Resolved]:
        kinds = load_kinds()
        settled = apply_environment(document, variables)
        return kinds, resolve(settled, kinds, options, environ=variables, credentials=given)

    kinds, resolved = await _in_thread(prepare)
    for warning in resolved.warnings:
        logger.warning("%s", warning)
    plan = await _in_thread(lambda: _recalled(resolved))
    seen = await Audit(plan, resolved.credentials, kinds, on_event=on_event).run()
    return await _in_thread(lambda: _judged_and_kept(plan, seen, resolved.history))


def _recalled(resolved: Resolved) -> Plan:
    """Add what the history knows, where the configuration names one."""
    if resolved.history is None:
        return resolved.plan
    from auditor.history import recall

    try:
        return recall(resolved.plan, resolved.history)
    except HistoryError as error:
        logger.warning("%s", error)
        return resolved.plan


def _judged_and_kept(
    plan: Plan, seen: Sequence[Observation], history: Path | None
) -> tuple[Run, ...]:
    """Judge, and record the runs; whatever is wrong with the history costs nobody a run."""
    if history is None:
        return judge(plan, seen)
    from auditor.history import History, with_first_sight
    from auditor.history.store import record_run

    plan = with_first_sight(plan, seen)
    runs = judge(plan, seen)
    try:
        with History(history) as file, file.writing() as connection:
            for run in runs:
                record_run(connection, run, seen, plan)
    except HistoryError as error:
        logger.warning("%s", error)
    return runs


async def _in_thread(work: Callable[[], T]) -> T:
    """Run work in a thread; when cancelled, wait for its end, so that nothing is left running."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # is seen, and matters no more
        raise


def _with_incident(
    document: Document,
    project: str,
    broken: str | Sequence[str],
    fixed: str | Sequence[str],
    more: Element,
) -> Document:
    element = {**more, "project": project, "broken": _several(broken), "fixed": _several(fixed)}
    origins: dict[KeyPath, str] = {(key,): key for key in ("project", "broken", "fixed")}
    plain = {key: _as_toml(value) for key, value in element.items()}
    return document.with_element("incidents", plain, "incident", origins)


def _with_locations(document: Document, locations: Sequence[str | Element]) -> Document:
    if isinstance(locations, str):
        raise ConfigError([f"locations: must be a list; write [{locations!r}]"])
    problems: list[str] = []
    for number, each in enumerate(locations):
        origin = f"locations[{number}]"
        try:
            element = location_element(each) if isinstance(each, str) else each
        except ValueError as error:
            problems.append(f"{origin}: {error}")
            continue
        plain = {str(key): _as_toml(value) for key, value in element.items()}
        document = document.with_element("locations", plain, origin)
    if problems:
        raise ConfigError(problems)
    return document


def _several(texts: str | Sequence[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _as_toml(value: object) -> object:
    """Give a value the type that a TOML file would have given it; the schema judges the result."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if isinstance(value, datetime) or not isinstance(value, Mapping):
        return value
    return {str(key): _as_toml(item) for key, item in value.items()}


def _login(name: str, login: Login) -> Credentials:
    if isinstance(login, Credentials):
        return login
    known = Credentials.__slots__
    unknown = [key for key in login if key not in known]
    if unknown:
        problem = f"unknown key {unknown[0]!r}; known: {', '.join(known)}"
        raise ConfigError([f"credentials[{name!r}]: {problem}"])
    return Credentials(**login)  # type: ignore[arg-type]  # a wrong type shows where it is used
