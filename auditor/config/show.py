"""Prints a resolved configuration as TOML, each value with where it came from. Never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from auditor.config.checking import check
from auditor.config.document import DEFAULT_ORIGIN
from auditor.config.incidents import default_id
from auditor.config.install_settings import DERIVED
from auditor.config.lines import KeyPath
from auditor.config.resolve import Resolved
from auditor.config.schema import AuditTable
from auditor.config.tables import raw_elements
from auditor.config.values import SecretReference, parse_secret
from auditor.model import Fingerprint, Incident, Location, normalise_project

__all__ = ["show"]

_SECRET_KEYS = ("username", "password", "token")
_COMMENT_COLUMN = 48


def show(resolved: Resolved) -> str:
    """Return the configuration that an audit would use, as text that is valid TOML again."""
    lines = ["[audit]", *_audit(resolved)]
    for incident in resolved.plan.incidents:
        place = _index_of_incident(resolved, incident)
        lines += ["", "[[incidents]]", *_table(resolved, place, _incident(incident))]
    for index, location in enumerate(resolved.plan.locations):
        path: KeyPath = ("locations", index)
        lines += ["", "[[locations]]", *_table(resolved, path, _location(resolved, path, location))]
    for index, waiver in enumerate(resolved.plan.waivers):
        values = {
            "location": waiver.location,
            "incident": waiver.incident,
            "until": waiver.until,
            "reason": waiver.reason,
        }
        lines += ["", "[[waivers]]", *_table(resolved, ("waivers", index), values)]
    return "\n".join([*lines, ""])


def _audit(resolved: Resolved) -> Iterator[str]:
    plan = resolved.plan
    first = raw_audit(resolved).get("timeout_s")
    table = check(AuditTable, {} if first is None else {"timeout_s": first})
    values: Mapping[str, object] = {
        "timeout_s": table.timeout_s,
        "concurrency": plan.concurrency,
        "concurrency_per_host": plan.concurrency_per_host,
        "contact": plan.contact,
        "history": str(resolved.history) if resolved.history else None,
        "fail_on": [status.value for status in plan.fail_on],
        "public_mirrors_file": raw_audit(resolved).get("public_mirrors_file"),
        "exclude_newer": raw_audit(resolved).get("exclude_newer"),
    }
    yield from _table(resolved, ("audit",), values)


def raw_audit(resolved: Resolved) -> Mapping[str, object]:
    """Return `[audit]` as it stands in the document."""
    value = resolved.document.data.get("audit")
    return value if isinstance(value, Mapping) else {}


def _index_of_incident(resolved: Resolved, incident: Incident) -> KeyPath:
    """Find an incident's table: `--incident` may have left others out of the plan."""
    for index, table in enumerate(raw_elements(resolved.document, "incidents")):
        if isinstance(table, dict) and _is_table_of(table, incident):
            return ("incidents", index)
    return ("incidents",)


def _is_table_of(table: Mapping[str, object], incident: Incident) -> bool:
    if "id" in table:
        return table["id"] == incident.id
    broken = table.get("broken")
    return (
        isinstance(broken, list)
        and incident.id == default_id(incident.project, broken[0])
        and (normalise_project(str(table.get("project"))) == incident.project)
    )


def _file(known: Fingerprint) -> Mapping[str, object]:
    keys = ("filename", "sha256", "md5", "crc32", "size", "url")
    return {key: value for key in keys if (value := getattr(known, key)) is not None}


def _incident(incident: Incident) -> Mapping[str, object]:
    known = incident.fingerprints
    return {
        "id": incident.id,
        "project": incident.project,
        "broken": list(incident.broken),
        "fixed": list(incident.fixed),
        "broken_hashes": [f"sha256:{f.sha256}" for f in known if not f.filename] or None,
        "broken_files": [_file(f) for f in known if f.filename] or None,
        "published_at": incident.published_at,
        "environments": list(incident.environments) or None,
    }


def _location(resolved: Resolved, path: KeyPath, location: Location) -> Mapping[str, object]:
    # What is seen there decides on a role that was left open, and with it on `required`.
    is_open = location.settings.get("role_open")
    values: dict[str, object] = {
        "name": location.name,
        "kind": location.kind,
        "role": location.role.value if is_open is None else None,
        "url": location.url,
        "path": location.path,
        "upstream": location.upstream,
        "expected_lag": location.expected_lag_s,
        "required": None if is_open else location.required,
        "group": location.group,
        "samples": location.samples,
        "rebuilds": location.rebuilds or None,
        "timeout_s": location.timeout_s,
        **{key: v for key, v in location.settings.items() if key not in DERIVED},
    }
    raw = raw_elements(resolved.document, "locations")[int(path[-1])]
    if isinstance(raw, dict):
        values.update({key: parse_secret(raw[key]) for key in _SECRET_KEYS if key in raw})
        plain = ("netrc", "keyring", "ca_file", "client_cert", "client_key", "insecure")
        values.update({key: raw[key] for key in plain if key in raw})
    return values


def _table(resolved: Resolved, path: KeyPath, values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        if value is None:
            continue
        text = f"{key} = {_toml(value)}"
        yield f"{text:<{_COMMENT_COLUMN}}  # {_origin(resolved, (*path, key))}"


def _origin(resolved: Resolved, path: KeyPath) -> str:
    document = resolved.document
    if path in document.origins:
        return document.origins[path]
    table: object = document.data.get(str(path[0]))
    for part in path[1:-1]:
        table = table[part] if isinstance(table, list) and isinstance(part, int) else table
    is_written = isinstance(table, Mapping) and path[-1] in table
    return document.origin(path) if is_written else DEFAULT_ORIGIN


def _toml(value: object) -> str:
    match value:
        case SecretReference(source="literal"):
            return '"(hidden)"'
        case SecretReference(source=source, value=name):
            return f"{{{source} = {json.dumps(name)}}}"
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict():
            return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
    # A JSON string is a TOML basic string: https://toml.io/en/v1.0.0#string
    return json.dumps(str(value), ensure_ascii=False)
