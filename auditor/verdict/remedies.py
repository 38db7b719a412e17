"""Commands that roll a location forward, with its own names filled in. Printed, never run."""

from __future__ import annotations

import shlex

from auditor.model import LagState, Remedy, RemedyTemplate, Status
from auditor.model.filename import version_in
from auditor.verdict.lag import lag_of
from auditor.verdict.row import Row
from auditor.verdict.rules_bundles import remove_suspects
from auditor.verdict.rules_settings import settings_remedies

__all__ = ["remedies_of"]


def remedies_of(row: Row, status: Status) -> tuple[Remedy, ...]:
    """The remedies that this location's kind declares for its verdict.

    A place that is late within its normal lag needs no operator, only time; and nobody can change
    there what those who install from it have set themselves.
    """
    own = tuple(settings_remedies(row)) if status in (Status.BEHIND, Status.EXPOSED) else ()
    if own and row.is_kept_back_by_settings:
        return own
    declared = tuple(
        _fill(template, row)
        for template in row.kind.remedies
        if status in template.statuses and _applies(template, row)
    )
    lag = lag_of(row)
    if lag.state is LagState.WITHIN_LAG and lag.latest_by is not None:
        wait = Remedy(
            command=f"# wait until {lag.latest_by:%Y-%m-%d %H:%M} UTC, then audit again",
            effect="this delay is normal here; if the fix is still missing then, do as follows",
        )
        return (wait, *own, *declared)
    return (*remove_suspects(row), *own, *declared)


def _project_page(row: Row) -> str:
    """The address of the project's page, with a slash at its end; empty where there is none."""
    url = row.location.url
    return f"{url.rstrip('/')}/{row.context.incident.project}/" if url else ""


def _applies(template: RemedyTemplate, row: Row) -> bool:
    """A command that names a file, a directory or a URL needs one.

    The file must be one that is broken by its name, not the fix under another's bytes.
    """
    forms = {pin.form for pin in row.observation.pins}
    if template.forms and not forms & set(template.forms):
        return False
    if not _fits(template, row):
        return False
    location = row.location
    named = {
        "{file}": _file(row),
        "{path}": location.path,
        "{cache_path}": location.settings.get("cache_path"),
        "{url}": location.url,
        "{page}": location.url,
    }
    return all(named[key] for key in named if key in template.command)


def _fits(template: RemedyTemplate, row: Row) -> bool:
    """Whether it is for what runs here, and for bytes that lie as they do here."""
    named = {trait for each in row.kind.remedies for trait in each.traits}
    known = named & set(row.observation.traits)
    if template.traits and known and not known & set(template.traits):
        return False
    held = {h.state for h in row.observation.holdings if h.filename in row.broken.files}
    return not template.states or bool(held & set(template.states))


def _file(row: Row) -> str | None:
    """The broken file that a command may name: broken by its name, not only by its bytes."""
    project = row.context.incident.project
    for name in (*row.broken.files, *(c.filename for c in row.broken_candidates)):
        if row.context.line.is_broken(version_in(name, project)):
            return name
    return None


def _fill(template: RemedyTemplate, row: Row) -> Remedy:
    line = row.context.line
    fixed = str(line.fixed[0]) if line.fixed else line.fixed_text
    values = {
        "url": row.location.url or "",
        "page": _project_page(row),
        "path": row.location.path or "",
        "cache_path": str(row.location.settings.get("cache_path") or ""),
        "project": row.context.incident.project,
        "fixed": fixed,
        "broken": str(line.broken[0]) if line.broken else line.broken_text,
        "file": _file(row) or "",
    }
    endpoint = str(row.location.settings.get("endpoint_url") or "")
    option = f"--endpoint-url {shlex.quote(endpoint)} " if endpoint else ""
    command = template.command.replace("{endpoint_option}", option)
    for key, value in values.items():
        # File names come from mirrors: what a reader will paste into a shell is quoted.
        command = command.replace(f"{{{key}}}", shlex.quote(value) if value else "…")
    return Remedy(command=command, effect=template.effect, caution=template.caution)
