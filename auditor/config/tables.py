"""Applies the schema to a document, table by table, so that one bad table hides no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from auditor.config.checking import TableError, check, keys_of
from auditor.config.document import Document
from auditor.config.lines import KeyPath
from auditor.config.problems import Problems
from auditor.config.schema import (
    TABLES,
    AuditTable,
    BrokenFileTable,
    IncidentTable,
    LocationTable,
    NotifyTable,
    Table,
    WaiverTable,
)
from auditor.config.suggest import did_you_mean
from auditor.contracts import ProbeKind
from auditor.model import SettingValue

__all__ = ["Placed", "Tables", "apply_schema", "raw_elements"]

T = TypeVar("T", bound=Table)


@dataclass(frozen=True, kw_only=True)
class Placed(Generic[T]):
    """One valid table and where it stands.

    Attributes:
        path: of the table in the document.
        table: its values.
        extra: keys that only its kind declares.
    """

    path: KeyPath
    table: T
    extra: Mapping[str, SettingValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Every table that the schema accepts; the others are among the problems."""

    audit: AuditTable
    incidents: tuple[Placed[IncidentTable], ...]
    locations: tuple[Placed[LocationTable], ...]
    waivers: tuple[Placed[WaiverTable], ...]
    notify: tuple[Placed[NotifyTable], ...]


def apply_schema(document: Document, kinds: Mapping[str, ProbeKind], problems: Problems) -> Tables:
    """Check every table; what is wrong goes to `problems`."""
    for name in document.data:
        if name not in TABLES:
            hint = did_you_mean(name, TABLES) or f"remove it; known: {', '.join(TABLES)}"
            problems.add((name,), f"unknown table; {hint.rstrip()}")
    return Tables(
        audit=_audit(document, problems),
        incidents=tuple(_elements(document, "incidents", IncidentTable, problems)),
        locations=tuple(_locations(document, kinds, problems)),
        waivers=tuple(_elements(document, "waivers", WaiverTable, problems)),
        notify=tuple(_elements(document, "notify", NotifyTable, problems)),
    )


def raw_elements(document: Document, name: str) -> list[object]:
    """Return the tables of an array as they stand, [] if it is no array."""
    value = document.data.get(name, [])
    return value if isinstance(value, list) else []


def _audit(document: Document, problems: Problems) -> AuditTable:
    found = _validate(("audit",), AuditTable, document.data.get("audit", {}), problems)
    return found or AuditTable()


def _elements(
    document: Document, name: str, model: type[T], problems: Problems
) -> Iterator[Placed[T]]:
    if not isinstance(document.data.get(name, []), list):
        problems.add((name,), f"must be an array of tables; write [[{name}]]")
    for index, value in enumerate(raw_elements(document, name)):
        table = _validate((name, index), model, value, problems)
        if table is not None:
            yield Placed(path=(name, index), table=table)


def _locations(
    document: Document, kinds: Mapping[str, ProbeKind], problems: Problems
) -> Iterator[Placed[LocationTable]]:
    """Check the locations; keys that an installed kind declares are allowed beside the schema's."""
    if not isinstance(document.data.get("locations", []), list):
        problems.add(("locations",), "must be an array of tables; write [[locations]]")
    for index, value in enumerate(raw_elements(document, "locations")):
        path: KeyPath = ("locations", index)
        declared = _declared_keys(value, kinds)
        plain, extra = _split(value, declared)
        table = _validate(path, LocationTable, plain, problems, declared)
        bad = [key for key, item in extra.items() if not isinstance(item, SettingValue)]
        for key in bad:
            problems.add((*path, key), "must be a text, a number, true or false; write one of them")
        if table is not None and not bad:
            settings = {k: v for k, v in extra.items() if isinstance(v, SettingValue)}
            yield Placed(path=path, table=table, extra=settings)


def _declared_keys(value: object, kinds: Mapping[str, ProbeKind]) -> frozenset[str]:
    kind = kinds.get(str(value.get("kind"))) if isinstance(value, dict) else None
    keys = frozenset(setting.key for setting in kind.settings) if kind else frozenset()
    return keys - keys_of(LocationTable).keys()


def _split(value: object, keys: frozenset[str]) -> tuple[object, Mapping[str, object]]:
    if not isinstance(value, dict):
        return value, {}
    plain = {key: item for key, item in value.items() if key not in keys}
    return plain, {key: item for key, item in value.items() if key in keys}


def _validate(
    path: KeyPath,
    model: type[T],
    value: object,
    problems: Problems,
    declared: frozenset[str] = frozenset(),
) -> T | None:
    try:
        return check(model, value)
    except TableError as error:
        known = {
            str(path[0]): (*keys_of(model), *sorted(declared)),
            "broken_files": tuple(keys_of(BrokenFileTable)),
        }
        problems.add_invalid(path, error, known)
        return error.readable if isinstance(error.readable, model) else None
