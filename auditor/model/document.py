"""A run as a document: the JSON that every stored run, report and consumer agrees on.

The keys are a contract: within one `schema_version` keys are added, never renamed. Reading a
document back gives an equal run, with four exceptions that no report shows: rejections of files
that are neither broken nor fixed become numbers (`rejected_others`), the other rejections come
back sorted, a missing counterfactual comes back as *unknown*, and lone surrogates (file names
that are no text) are written as `\\udc80`. Writing what was read gives the same document again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import msgspec

from auditor.model.incident import Incident
from auditor.model.observation import RequestRecord
from auditor.model.rejections import compact_rejections
from auditor.model.run import SCHEMA_VERSION, DeletionSummary, Run, Summary
from auditor.model.selection import RejectionCode, Selection
from auditor.model.verdict import Action, Counterfactual, Verdict

__all__ = ["TOOL_NAME", "Document", "JsonValue", "run_to_document"]

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Document: TypeAlias = dict[str, JsonValue]

TOOL_NAME = "propagation-auditor"

# A lone surrogate has no UTF-8 form (RFC 3629 section 3), so no JSON text may hold one
# (RFC 8259 section 8.1). Python makes them of file names that are not valid UTF-8 (PEP 383).
_SURROGATE = re.compile("[\ud800-\udfff]")


def run_to_document(run: Run) -> Document:
    """Write a run down as plain JSON values, keys and rows sorted."""
    verdicts = sorted(run.verdicts, key=lambda v: (v.location.name, v.vantage))
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": TOOL_NAME,
            "version": _text(run.tool_version),
            "versions": _plain(run.tool_versions),
        },
        "started_at": _plain(run.started_at),
        "finished_at": _plain(run.finished_at),
        "interrupted": run.interrupted,
        "vantages": _plain(sorted(run.vantages, key=lambda v: v.id)),
        "incident": _incident(run),
        "summary": _summary(run.summary),
        "locations": _locations(verdicts, run.incident),
        "deletion": _deletion(run.deletion),
        "notices": _plain(run.notices),
        "requests": [_request(record) for record in run.requests],
    }


def _incident(run: Run) -> JsonValue:
    incident = run.incident
    digests = {
        f"{algorithm}:{digest}"
        for print_ in incident.fingerprints
        for algorithm, digest in (
            ("sha256", print_.sha256),
            ("md5", print_.md5),
            ("crc32", print_.crc32),
        )
        if digest
    }
    return {
        "id": _text(incident.id),
        "project": _text(incident.project),
        "broken": _plain(incident.broken),
        "fixed": _plain(incident.fixed),
        "broken_hashes": _plain(sorted(digests)),
        "fingerprints": _plain(incident.fingerprints),
        "environments": _plain(incident.environments),
        "published_at": _plain(incident.published_at),
        "opened_at": _plain(incident.opened_at),
        "findings": _plain(run.findings),
    }


def _request(record: RequestRecord) -> JsonValue:
    document = _plain(record)
    if record.made_for is None and isinstance(document, dict):
        del document["made_for"]  # which most runs have none of
    return document


def _summary(summary: Summary) -> JsonValue:
    return _plain(summary)


def _deletion(deletion: DeletionSummary) -> JsonValue:
    return _plain(deletion)


class _Choices(NamedTuple):
    """What the cells of a place are written as."""

    selection: JsonValue
    rejected: JsonValue
    others: Mapping[RejectionCode, int]


def _locations(verdicts: Sequence[Verdict], incident: Incident) -> JsonValue:
    # Places that serve the same pages share their cells, of which each has two hundred.
    shared: dict[tuple[int, ...], _Choices] = {}
    written: list[JsonValue] = []
    for verdict in verdicts:
        cells = tuple(map(id, verdict.selections))
        if cells not in shared:
            shared[cells] = _choices(verdict.selections, incident)
        written.append(_location(verdict, shared[cells]))
    return written


def _choices(selections: Sequence[Selection], incident: Incident) -> _Choices:
    entries, counts = compact_rejections(selections, incident)
    return _Choices([_cell(selection) for selection in selections], _plain(entries), counts)


def _location(verdict: Verdict, choices: _Choices) -> JsonValue:
    location = verdict.location
    document: Document = {
        "name": _text(location.name),
        "kind": _text(location.kind),
        "role": location.role.value,
        "group": _plain(location.group),
        "locator": _text(location.locator),
        "url": _plain(location.url),
        "path": _plain(location.path),
        "upstream": _plain(location.upstream),
        "expected_lag_s": location.expected_lag_s,
        "required": location.required,
        "samples": location.samples,
        "rebuilds": location.rebuilds,
        "timeout_s": location.timeout_s,
        "settings": _plain(location.settings),
        "declared_at": _plain(location.declared_at),
    }
    document.update(_judged(verdict))
    document.update(_selected(verdict, choices))
    for action in Action:
        document[action.value] = _counterfactual(verdict.counterfactuals, action)
    return dict(sorted(document.items()))


def _judged(verdict: Verdict) -> Document:
    return {
        "vantage": _text(verdict.vantage),
        "is_source": verdict.is_source,
        "outcome": verdict.outcome.value,
        "detail": _text(verdict.detail),
        "status": verdict.status.value,
        "waived": _plain(verdict.waived),
        "failing": verdict.failing,
        "proxy": _plain(verdict.proxy),
        "notes": _plain(verdict.notes),
        "broken": _plain(verdict.broken),
        "fix": _plain(verdict.fix),
        "freshness": _plain(verdict.freshness),
        "lag": _plain(verdict.lag),
        "reasons": _plain(verdict.reasons),
        "remedies": _plain(verdict.remedies),
        "evidence": _plain(verdict.evidence),
        "surfaces": _plain(verdict.surfaces),
        "pins": _plain(verdict.pins),
    }


def _selected(verdict: Verdict, choices: _Choices) -> Document:
    others = {code.value: count for code, count in verdict.other_rejections.items()}
    for code, count in choices.others.items():
        others[code.value] = max(count, others.get(code.value, 0))
    return {
        "selection": choices.selection,
        "rejected": choices.rejected,
        "rejected_others": _plain(others),
    }


def _cell(selection: Selection) -> JsonValue:
    return {
        "applicable": selection.applicable,
        "choice": selection.choice.value,
        "chosen": _plain(selection.version),
        "client": _text(selection.client),
        "counts": selection.counts,
        "environment": _text(selection.environment),
        "file": _plain(selection.filename),
        "is_broken": selection.is_broken,
        "is_fix": selection.is_fix,
        "reason": _text(selection.reason),
        "sample": selection.sample,
        "seen": selection.seen,
        "view": selection.view.value,
    }


def _counterfactual(actions: Mapping[Action, Counterfactual], action: Action) -> JsonValue:
    return _plain(actions.get(action, Counterfactual()))


def _plain(value: object) -> JsonValue:
    """Any value of the model as JSON values: lists, sorted keys, words, UTC times with Z."""
    return _sorted(msgspec.to_builtins(value, str_keys=True, builtin_types=(datetime,)))


def _sorted(value: object) -> JsonValue:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> JsonValue:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers (RFC 8259 section 6)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a run document")


def _text(text: str) -> str:
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
