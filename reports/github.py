"""The run as annotations of a GitHub workflow: a line of the log each, shown at the config's line.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.contracts import ReportFormat
from auditor.model import Finding, Run
from reports.declared import declared
from reports.safe_text import workflow_message, workflow_property
from reports.troubles import Trouble, TroubleLevel, troubles
from reports.view import RunView, view_of
from reports.words import plural

__all__ = ["FORMAT", "render"]

# A step shows ten annotations of each level, and the rest only in its log.
MOST_ANNOTATIONS = 50
# The log cuts lines that are longer.
MAX_MESSAGE_CHARS = 1_000
MAX_TITLE_CHARS = 200
_COMMANDS = {
    TroubleLevel.ERROR: "error",
    TroubleLevel.WARNING: "warning",
    TroubleLevel.NOTE: "notice",
}


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write one workflow command per line, the worst first and the answer last."""
    del options
    return "\n".join((*_lines(view_of(run)), ""))


def _lines(view: RunView) -> Iterator[str]:
    for finding in view.findings:
        yield _finding(finding)
    found = troubles(view)
    yield from (_trouble(each, view) for each in found[:MOST_ANNOTATIONS])
    more = len(found) - MOST_ANNOTATIONS
    if more > 0:
        yield _command("notice", {}, f"and {plural(more, 'more place')}: see another report")
    yield _command("notice", {"title": f"{view.run.incident.project}: {view.verdict.word}"},
                   view.sentence)  # fmt: skip  # a line for each would be a page


def _finding(finding: Finding) -> str:
    level = "error" if finding.failing else "warning"
    text = f"{finding.text} Expected {finding.expected}; observed {finding.observed}."
    return _command(level, {"title": f"{finding.about}: {finding.code}"}, text)


def _trouble(trouble: Trouble, view: RunView) -> str:
    row = trouble.row
    where = declared(row.verdict.location)
    place = {} if where is None else {"file": where.file, "line": str(where.line)}
    vantage = f" (from {row.verdict.vantage})" if view.several_vantages else ""
    title = f"{row.status.word}: {row.name}{vantage}"
    return _command(_COMMANDS[trouble.level], {**place, "title": title}, trouble.text)


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    listed = ",".join(
        f"{name}={workflow_property(value, MAX_TITLE_CHARS)}" for name, value in properties.items()
    )
    return (
        f"::{level}{' ' if listed else ''}{listed}::{workflow_message(message, MAX_MESSAGE_CHARS)}"
    )


FORMAT = ReportFormat(
    name="github",
    summary="annotations of a GitHub workflow, at the lines of the configuration",
    suffix=".txt",
    render=render,
)
