"""The run as JSON lines, for log pipelines: a line that names the run, then one for each row.

Every line has `type`, `run` (the run's id) and `incident_id`. The first one has `"type": "run"` and
holds the incident, the vantages, the summary, the deletion and the tool, as in the JSON report.
Every other line has `"type": "location"` and the keys of one entry of `locations`, without those
that `without` names in the first line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from auditor.contracts import ReportFormat
from auditor.model import Run
from auditor.model.document import Document, run_to_document
from auditor.model.run_id import run_id
from reports.safe_text import json_text

__all__ = ["FORMAT", "WITHOUT", "render"]

# Nine tenths of a run, and more than a log line should hold; the JSON report has them.
WITHOUT = ("evidence", "rejected", "rejected_others", "selection")
_TOP = ("schema_version", "tool", "started_at", "finished_at", "interrupted", "vantages",
        "incident", "summary", "deletion")  # fmt: skip  # a line for each would be a page


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write one JSON object per line, keys sorted, rows by name and vantage."""
    del options
    return "".join(
        json_text(
            json.dumps(each, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                       sort_keys=True)
        )
        + "\n"
        for each in _objects(run)
    )  # fmt: skip  # a line for each would be a page


def _objects(run: Run) -> Iterator[Document]:
    document = run_to_document(run)
    ids: Document = {"run": run_id(run), "incident_id": run.incident.id}
    top = {key: document[key] for key in _TOP}
    yield {**top, "type": "run", **ids, "without": list(WITHOUT)}
    rows = document["locations"]
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            kept = {key: value for key, value in row.items() if key not in WITHOUT}
            yield {**kept, "type": "location", **ids}


FORMAT = ReportFormat(
    name="jsonl",
    summary="JSON lines for log pipelines: the run first, then one line per place and vantage",
    suffix=".jsonl",
    render=render,
)
