"""The run as SARIF 2.1.0, for code scanning: each row that is not fine, at its line of the config.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, sections named below.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from auditor.contracts import ReportFormat
from auditor.model import Finding, Reason, Run, Status
from auditor.model.document import TOOL_NAME, Document
from auditor.model.run_id import run_id
from reports.declared import declared
from reports.safe_text import json_text, one_line
from reports.sarif_help import status_help
from reports.troubles import Trouble, TroubleLevel, troubles
from reports.view import RunView, view_of
from reports.words import STATUSES

__all__ = ["FINGERPRINT", "FORMAT", "SCHEMA_URI", "render"]

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
# The version is part of the name (section 3.27.17): a new way of counting gets a new name.
FINGERPRINT = "propagationAudit/v1"
# GitHub shows no more of a message, and takes at most 25,000 results of a file.
MAX_MESSAGE_CHARS = 1_000
MAX_RESULTS = 5_000
MOST_REASONS = 20
MOST_REMEDIES = 5
_LEVELS = {Status.UNKNOWN: "warning"}


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the log: one run, one rule for each status and finding that occurs."""
    del options
    document: Document = {
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [_run(view_of(run))],
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    return json_text(text) + "\n"


def _run(view: RunView) -> Document:
    run = view.run
    found = troubles(view)
    results = [_finding(each, run) for each in view.findings]
    results += [_result(each, run) for each in found[:MAX_RESULTS]]
    return {
        "tool": {"driver": _driver(view, found)},
        # A run of its own for each incident, so that one never closes the alerts of another.
        "automationDetails": {"id": f"propagation-audit/{one_line(run.incident.id)}/{run_id(run)}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(run)],
        "properties": {"sentence": one_line(view.sentence), "notes": [*map(one_line, view.notes)]},
        "results": list(results),
    }


def _driver(view: RunView, found: Sequence[Trouble]) -> Document:
    seen: dict[Status, list[Trouble]] = defaultdict(list)
    for trouble in found:
        seen[trouble.row.verdict.status].append(trouble)
    rules = {one_line(finding.code): _finding_rule(finding) for finding in view.findings}
    rules |= {status.value: _rule(status, seen[status]) for status in Status if status in seen}
    return {
        "name": TOOL_NAME,
        "version": one_line(view.run.tool_version),
        "rules": list(rules.values()),
    }


def _rule(status: Status, seen: Sequence[Trouble]) -> Document:
    """A status with the reasons that this run has for it (section 3.49)."""
    reasons: dict[str, Reason] = {}
    for trouble in seen:
        for reason in trouble.row.reasons:
            reasons.setdefault(reason.code, reason)
    remedies = {each.command: each for trouble in seen for each in trouble.row.remedies[:1]}
    meaning = STATUSES[status].detail
    return {
        "id": status.value,
        "name": "".join(part.capitalize() for part in status.split("-")),
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": meaning},
        "help": status_help(
            status,
            list(reasons.values())[:MOST_REASONS],
            list(remedies.values())[:MOST_REMEDIES],
        ),
        "defaultConfiguration": {"level": _LEVELS.get(status, "error")},
        "properties": {"tags": ["propagation", status.value]},
    }


def _finding_rule(finding: Finding) -> Document:
    code = one_line(finding.code)
    return {
        "id": code,
        "shortDescription": {"text": f"Something is wrong with {finding.about}."},
        "help": {
            "text": f"Expected {one_line(finding.expected)}. "
            f"`auditor explain {code}` says what to do."
        },
        "defaultConfiguration": {"level": "error" if finding.failing else "warning"},
        "properties": {"tags": ["propagation", "incident"]},
    }


def _result(trouble: Trouble, run: Run) -> Document:
    verdict = trouble.row.verdict
    name = f"{trouble.row.name} (seen from {verdict.vantage})"
    result: Document = {
        "ruleId": verdict.status.value,
        "level": trouble.level.value,
        "message": {"text": one_line(f"{name}: {trouble.text}", MAX_MESSAGE_CHARS)},
        "locations": [_location(trouble)],
        "partialFingerprints": _fingerprint(
            run.incident.id, verdict.location.name, verdict.vantage, verdict.status
        ),
        "properties": {
            "kind": one_line(verdict.location.kind),
            "lag": verdict.lag.state.value,
            "reasons": [one_line(reason.code) for reason in trouble.row.reasons[:MOST_REASONS]],
        },
    }
    if verdict.waived is not None:
        waiver = {"kind": "external", "status": "accepted", "justification": verdict.waived}
        result["suppressions"] = [{key: one_line(value) for key, value in waiver.items()}]
    return result


def _finding(finding: Finding, run: Run) -> Document:
    text = f"{finding.text} Expected {finding.expected}; observed {finding.observed}."
    return {
        "ruleId": one_line(finding.code),
        "level": (TroubleLevel.ERROR if finding.failing else TroubleLevel.WARNING).value,
        "message": {"text": one_line(text, MAX_MESSAGE_CHARS)},
        "locations": [{"logicalLocations": [_named(run.incident.id, "incident")]}],
        "partialFingerprints": _fingerprint(run.incident.id, finding.code),
    }


def _location(trouble: Trouble) -> Document:
    location = trouble.row.verdict.location
    found: Document = {"logicalLocations": [_named(location.name, location.kind)]}
    where = declared(location)
    if where is not None:
        found["physicalLocation"] = {
            "artifactLocation": {"uri": where.uri},
            "region": {"startLine": where.line},
        }
    return found


def _named(name: str, kind: str) -> Document:
    return {"name": one_line(name), "kind": one_line(kind), "fullyQualifiedName": one_line(name)}


def _fingerprint(*parts: str) -> Document:
    """What an alert is recognised by tomorrow: never a time, an address or a wording."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass"))
    return {FINGERPRINT: digest.hexdigest()}


def _invocation(run: Run) -> Document:
    return {
        "executionSuccessful": not run.interrupted,
        "exitCode": run.summary.exit_code,
        "startTimeUtc": _time(run.started_at),
        "endTimeUtc": _time(run.finished_at),
    }


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


FORMAT = ReportFormat(
    name="sarif",
    summary="SARIF 2.1.0 for code scanning, at the lines of the configuration",
    suffix=".sarif",
    render=render,
)
