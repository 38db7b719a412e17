"""The way back: a run from its document. What is stored is as hostile as any other file."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import TypeVar

import msgspec

from auditor.errors import ObservationsError
from auditor.model.document import Document, JsonValue
from auditor.model.incident import Finding, Fingerprint, Incident
from auditor.model.location import Location, Vantage
from auditor.model.notice import Notice
from auditor.model.observation import Evidence, Freshness, HeldState, Outcome, RequestRecord
from auditor.model.pin import Pin
from auditor.model.rejections import CompactRejection, cell_of, expand_rejections
from auditor.model.run import SCHEMA_VERSION, DeletionSummary, Run, Summary
from auditor.model.selection import RejectionCode, Selection
from auditor.model.stored_times import find_bad_time
from auditor.model.surface import Surface
from auditor.model.verdict import (
    Action,
    BrokenFacts,
    Counterfactual,
    FixFacts,
    Gets,
    Lag,
    Reason,
    Remedy,
    Status,
    Verdict,
    When,
)
from auditor.model.version import VersionRule

__all__ = ["document_to_run"]

_DAMAGED = "the stored run is damaged, take a good copy or audit again"

T = TypeVar("T")

_LOCATION_KEYS = tuple(spec.name for spec in fields(Location))


def document_to_run(document: JsonValue) -> Run:
    """Build the run that a document describes.

    Raises:
        ObservationsError: the document is of another schema version, or damaged; the text names
            the key.
    """
    top = _object(document, "the document")
    _check_version(top)
    tool = _object(top.get("tool"), "tool")
    incident = _object(top.get("incident"), "incident")
    return Run(
        incident=_incident(incident),
        findings=_read(incident.get("findings"), tuple[Finding, ...], "incident.findings"),
        vantages=_read(top.get("vantages"), tuple[Vantage, ...], "vantages"),
        verdicts=_verdicts(top.get("locations")),
        summary=_read(top.get("summary"), Summary, "summary"),
        deletion=_read(top.get("deletion"), DeletionSummary, "deletion"),
        requests=_read(top.get("requests"), tuple[RequestRecord, ...], "requests"),
        notices=_read(top.get("notices", []), tuple[Notice, ...], "notices"),
        tool_version=_read(tool.get("version"), str, "tool.version"),
        tool_versions=_read(tool.get("versions", {}), dict[str, str], "tool.versions"),
        started_at=_time(top.get("started_at"), "started_at"),
        finished_at=_time(top.get("finished_at"), "finished_at"),
        interrupted=_read(top.get("interrupted", False), bool, "interrupted"),
    )


def _check_version(top: Document) -> None:
    found = top.get("schema_version")
    if found != SCHEMA_VERSION or isinstance(found, bool):
        raise ObservationsError(
            f"schema_version: {found!r} found, {SCHEMA_VERSION} expected; "
            "render it with the version of the auditor that wrote it, or audit again"
        )


def _incident(stored: Document) -> Incident:
    names = ("id", "project", "broken", "fixed", "environments", "published_at", "opened_at")
    values: Document = {name: stored[name] for name in names if name in stored}
    incident = _read(values, Incident, "incident")
    for text in incident.broken + incident.fixed:
        _checked_rule(text)
    prints = _read(stored.get("fingerprints", []), tuple[Fingerprint, ...], "incident.fingerprints")
    return replace(incident, fingerprints=prints)


def _checked_rule(text: str) -> None:
    try:
        VersionRule(text)
    except ValueError as error:
        raise ObservationsError(_damaged("incident.broken or incident.fixed", error)) from error


def _verdicts(stored: JsonValue) -> tuple[Verdict, ...]:
    if not isinstance(stored, list):
        raise ObservationsError(_damaged("locations", "a list is expected"))
    return tuple(
        _verdict(_object(row, f"locations[{n}]"), f"locations[{n}]") for n, row in enumerate(stored)
    )


def _verdict(row: Document, where: str) -> Verdict:
    def part(key: str, kind: type[T]) -> T:
        return _read(row.get(key), kind, f"{where}.{key}")

    return Verdict(
        location=_read({key: row[key] for key in _LOCATION_KEYS if key in row}, Location, where),
        vantage=part("vantage", str),
        is_source=_read(row.get("is_source", False), bool, f"{where}.is_source"),
        outcome=part("outcome", Outcome),
        detail=_read(row.get("detail", ""), str, f"{where}.detail"),
        status=part("status", Status),
        waived=_optional_text(row.get("waived"), f"{where}.waived"),
        failing=_read(row.get("failing", False), bool, f"{where}.failing"),
        proxy=_optional_text(row.get("proxy"), f"{where}.proxy"),
        notes=_read(row.get("notes", []), tuple[str, ...], f"{where}.notes"),
        broken=part("broken", BrokenFacts),
        fix=part("fix", FixFacts),
        selections=_selections(row, where),
        freshness=part("freshness", Freshness),
        lag=part("lag", Lag),
        counterfactuals={
            action: _counterfactual(row.get(action.value), f"{where}.{action.value}")
            for action in Action
        },
        reasons=part("reasons", tuple[Reason, ...]),
        remedies=part("remedies", tuple[Remedy, ...]),
        evidence=part("evidence", tuple[Evidence, ...]),
        other_rejections=_read(
            row.get("rejected_others", {}), dict[RejectionCode, int], f"{where}.rejected_others"
        ),
        surfaces=_read(row.get("surfaces", []), tuple[Surface, ...], f"{where}.surfaces"),
        pins=_read(row.get("pins", []), tuple[Pin, ...], f"{where}.pins"),
    )


def _selections(row: Document, where: str) -> tuple[Selection, ...]:
    lost = expand_rejections(
        _read(row.get("rejected", []), tuple[CompactRejection, ...], f"{where}.rejected")
    )
    cells = row.get("selection")
    if not isinstance(cells, list):
        raise ObservationsError(_damaged(f"{where}.selection", "a list is expected"))
    selections = []
    for n, cell in enumerate(cells):
        stored = dict(_object(cell, f"{where}.selection[{n}]"))
        stored["filename"] = stored.pop("file", None)
        stored["version"] = stored.pop("chosen", None)
        bare = _read(stored, Selection, f"{where}.selection[{n}]")
        selections.append(replace(bare, rejected=lost.get(cell_of(bare), ())))
    return tuple(selections)


def _counterfactual(stored: JsonValue, where: str) -> Counterfactual:
    values = _object(stored, where)

    def gets(key: str) -> Gets:
        return _read(values.get(key), Gets, f"{where}.{key}")

    listed = values.get("listed")
    return Counterfactual(
        listed=None if listed is None else _read(listed, bool, f"{where}.listed"),
        held=_read(values.get("held"), HeldState, f"{where}.held"),
        unpinned_gets=gets("unpinned_gets"),
        pinned_gets=gets("pinned_gets"),
        hash_locked_gets=gets("hash_locked_gets"),
        offline_gets=gets("offline_gets"),
        when=_when(values.get("when"), f"{where}.when"),
        because=_read(values.get("because", ""), str, f"{where}.because"),
    )


def _when(stored: JsonValue, where: str) -> When | datetime:
    word = next((word for word in When if word == stored), None)
    return word or _time(stored, where)


def _time(stored: JsonValue, where: str) -> datetime:
    return _read(stored, datetime, where)


def _optional_text(stored: JsonValue, where: str) -> str | None:
    return None if stored is None else _read(stored, str, where)


def _object(stored: JsonValue, where: str) -> Document:
    if not isinstance(stored, dict):
        raise ObservationsError(_damaged(where, "an object is expected"))
    return stored


def _read(stored: JsonValue, kind: type[T], where: str) -> T:
    """Convert plain JSON values to a type of the model, times with their zone."""
    try:
        value = msgspec.convert(stored, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ObservationsError(_damaged(where, error)) from error
    if fault := find_bad_time(value, where):
        raise ObservationsError(f"{fault}; {_DAMAGED}")
    return value


def _damaged(where: str, cause: object) -> str:
    return f"{where}: {cause}; {_DAMAGED}"
