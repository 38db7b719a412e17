"""The run as JUnit XML: one test case per location and vantage, for CI systems that show tests.

The dialect is what CI systems agree on: `testsuites`, `testsuite`, `testcase` with at most one of
`failure`, `error` or `skipped`, and `system-out`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from auditor.contracts import ReportFormat
from auditor.model import Finding, Run
from reports.declared import declared
from reports.safe_text import one_line
from reports.troubles import TroubleLevel, excuse, level_of
from reports.view import RowView, RunView, view_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["FORMAT", "render"]

SUITES = "propagation audit"
_OUTCOMES = {
    TroubleLevel.ERROR: "failure",
    TroubleLevel.WARNING: "error",
    TroubleLevel.NOTE: "skipped",
}


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the document: rows that are fine pass, waived ones are skipped, unknown ones err."""
    del options
    from xml.etree.ElementTree import Element, indent, tostring

    view = view_of(run)
    suite = Element("testsuite", _suite(view))
    suite.extend(_finding(finding) for finding in view.findings)
    suite.extend(_case(row, view) for row in view.rows)
    counts = {
        "tests": str(len(suite)),
        "failures": str(len(suite.findall("./testcase/failure"))),
        "errors": str(len(suite.findall("./testcase/error"))),
        "skipped": str(len(suite.findall("./testcase/skipped"))),
    }
    suite.attrib.update(counts)
    whole = Element("testsuites", {"name": SUITES, "time": suite.attrib["time"], **counts})
    whole.append(suite)
    indent(whole)
    text = tostring(whole, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _suite(view: RunView) -> dict[str, str]:
    run = view.run
    duration_s = (run.finished_at - run.started_at).total_seconds()
    return {
        "name": one_line(run.incident.id),
        "timestamp": f"{run.finished_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        "time": f"{duration_s:.3f}",
    }


def _case(row: RowView, view: RunView) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    verdict = row.verdict
    name = f"{row.name} @{verdict.vantage}" if view.several_vantages else row.name
    where = declared(verdict.location)
    place = {} if where is None else {"file": one_line(where.file), "line": str(where.line)}
    group = f"{one_line(view.run.incident.id)}.{one_line(verdict.location.kind)}"
    case = Element("testcase", {"classname": group, "name": one_line(name), **place})
    level = level_of(row)
    if level is not None:
        message = " ".join(text for text in (excuse(row), row.why) if text)
        outcome = {"message": one_line(message)}
        if level is not TroubleLevel.NOTE:  # `skipped` has no type
            outcome["type"] = row.status.word
        found = SubElement(case, _OUTCOMES[level], outcome)
        found.text = "\n".join(_details(row))
    else:
        SubElement(case, "system-out").text = "\n".join(_details(row))
    return case


def _details(row: RowView) -> Iterator[str]:
    yield f"{row.status.word}: {one_line(row.verdict.location.locator)}"
    for reason in row.reasons:
        yield one_line(f"{reason.code}: {reason.text}")
        yield one_line(f"  expected {reason.expected or '–'}; observed {reason.observed or '–'}")
    for remedy in row.remedies:
        yield one_line(f"to do: {remedy.command.removeprefix('# ')} ({remedy.effect})")


def _finding(finding: Finding) -> Element:
    from xml.etree.ElementTree import Element, SubElement

    case = Element("testcase", {"classname": "incident", "name": one_line(finding.code)})
    text = one_line(f"expected {finding.expected}; observed {finding.observed}")
    if finding.failing:
        failure = {"message": one_line(finding.text), "type": one_line(finding.code)}
        SubElement(case, "failure", failure).text = text
    else:
        SubElement(case, "system-out").text = f"{one_line(finding.text)} {text}"
    return case


FORMAT = ReportFormat(
    name="junit",
    summary="JUnit XML: one test case per place and vantage",
    suffix=".xml",
    render=render,
)
