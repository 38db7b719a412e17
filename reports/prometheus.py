"""The run as metrics for node_exporter's textfile collector.

The text is valid in Prometheus' format 0.0.4 and in OpenMetrics 1.0 alike: only gauges, no
timestamps, and the `# EOF` that one demands and the other takes for a comment. What is not known
has no sample: a metric is never 0 because nobody looked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite

from auditor.contracts import ReportFormat
from auditor.model import FixChosen, HeldState, Run, Status, Verdict
from reports.safe_text import label_value
from reports.view import RunView, view_of

__all__ = ["FORMAT", "METRICS", "render"]

# Names are a contract: dashboards and alerts rest on them.
METRICS = {
    "propagation_audit_info": "Version of the auditor; always 1.",
    "propagation_audit_finished_timestamp_seconds": "When the audit ended, in Unix time.",
    "propagation_audit_duration_seconds": "How long the audit took.",
    "propagation_audit_exit_code": "Exit code: 0 ok, 1 a place fails, 3 something is not known.",
    "propagation_audit_interrupted": "1 if the audit was stopped before every place was seen.",
    "propagation_audit_finding": "Something wrong with the incident itself; 1 if it fails.",
    "propagation_audit_locations": "Rows by status.",
    "propagation_audit_fix_chosen_locations": "Rows where everybody gets the fix.",
    "propagation_audit_broken_persists_locations": "Rows that still list or hold a broken file.",
    "propagation_audit_undetermined_locations": "Rows of which that is not known.",
    "propagation_audit_location_status": "The status of a row as a label; always 1.",
    "propagation_audit_location_failing": "1 if the row makes the audit fail.",
    "propagation_audit_location_waived": "1 if a waiver silences the row.",
    "propagation_audit_location_broken_listed": "1 if a page lists a broken file.",
    "propagation_audit_location_broken_held": "1 if broken bytes are here, seen or hidden.",
    "propagation_audit_location_fix_chosen": "1 if every installer that counts gets the fix.",
    "propagation_audit_location_page_age_seconds": "How old the page was, by its own headers.",
    "propagation_audit_location_serial": "The serial that the page states.",
    "propagation_audit_location_latest_by_timestamp_seconds": "When the fix is due, in Unix time.",
    "propagation_audit_location_requests": "Requests that the audit made for a place.",
}
# A label longer than this is no name, and only fills the memory of a time series database.
MAX_LABEL_CHARS = 200
_HELD = {HeldState.HELD: True, HeldState.SHADOWED: True, HeldState.NOT_HELD: False}

_Labels = dict[str, str]
_Sample = tuple[str, _Labels, float]


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the metrics, each with its help and type, in the order of `METRICS`."""
    del options
    by_name: dict[str, dict[str, float]] = {name: {} for name in METRICS}
    for name, labels, value in _samples(view_of(run)):
        # Labels that were cut may become equal, and two equal series make the whole file invalid.
        by_name[name].setdefault(_labels(labels), value)
    lines: list[str] = []
    for name, samples in by_name.items():
        if samples:
            lines += [f"# HELP {name} {METRICS[name]}", f"# TYPE {name} gauge"]
            lines += [f"{name}{{{labels}}} {_number(value)}" for labels, value in samples.items()]
    return "\n".join((*lines, "# EOF", ""))


def _samples(view: RunView) -> Iterator[_Sample]:
    run = view.run
    base = {"incident": run.incident.id, "project": run.incident.project}
    yield from ((f"propagation_audit_{name}", labels, value) for name, labels, value in _whole(run))
    for row in view.rows:
        location = row.verdict.location
        labels = {
            **base,
            "location": location.name,
            "vantage": row.verdict.vantage,
            "kind": location.kind,
            "role": location.role.value,
        }
        known = {**_facts(row.verdict), **_numbers(row.verdict)}
        yield (
            "propagation_audit_location_status",
            {**labels, "status": row.verdict.status.value},
            1.0,
        )
        for name, value in known.items():
            if value is not None and isfinite(value):
                yield f"propagation_audit_location_{name}", labels, float(value)
    for name, count in Counter(request.location for request in run.requests).items():
        yield "propagation_audit_location_requests", {**base, "location": name}, float(count)


def _whole(run: Run) -> Iterator[_Sample]:
    base = {"incident": run.incident.id, "project": run.incident.project}
    summary = run.summary
    numbers = {
        "finished_timestamp_seconds": run.finished_at.timestamp(),
        "duration_seconds": (run.finished_at - run.started_at).total_seconds(),
        "exit_code": summary.exit_code,
        "interrupted": run.interrupted,
        "fix_chosen_locations": summary.fix_chosen,
        "broken_persists_locations": summary.broken_persists,
        "undetermined_locations": summary.unknown,
    }
    yield "info", {**base, "version": run.tool_version}, 1.0
    yield from ((name, base, float(value)) for name, value in numbers.items())
    for status in Status:
        yield "locations", {**base, "status": status}, float(summary.by_status.get(status, 0))
    for finding in run.findings:
        yield "finding", {**base, "code": finding.code}, float(finding.failing)


def _facts(verdict: Verdict) -> dict[str, bool | None]:
    chosen = verdict.fix.chosen
    return {
        "failing": verdict.failing,
        "waived": verdict.waived is not None,
        "broken_listed": verdict.broken.listed,
        "broken_held": _HELD.get(verdict.broken.held),
        "fix_chosen": None if chosen in (None, FixChosen.UNKNOWN) else chosen is FixChosen.ALL,
    }


def _numbers(verdict: Verdict) -> dict[str, float | None]:
    latest_by, serial = verdict.lag.latest_by, verdict.freshness.serial
    return {
        "page_age_seconds": verdict.freshness.age_s,
        "serial": None if serial is None else float(serial),
        "latest_by_timestamp_seconds": None if latest_by is None else latest_by.timestamp(),
    }


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _labels(labels: _Labels) -> str:
    return ",".join(
        f'{name}="{label_value(value, MAX_LABEL_CHARS)}"' for name, value in labels.items()
    )


FORMAT = ReportFormat(
    name="prometheus",
    summary="metrics for node_exporter's textfile collector, also valid as OpenMetrics",
    suffix=".prom",
    render=render,
)
