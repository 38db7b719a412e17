"""The run as a table: one row per location and vantage, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.contracts import ReportFormat
from auditor.model import Run
from reports.columns import COLUMNS, CellValue, columns
from reports.safe_text import csv_cell
from reports.view import view_of

__all__ = ["FORMAT", "render"]


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write comma-separated values (RFC 4180) with one line of headings; empty is not known."""
    del options
    import pandas as pd

    view = view_of(run)
    rows = [{k: _safe(v) for k, v in columns(row, view).items()} for row in view.rows]
    # As objects: a column with numbers and gaps would turn its integers into floats.
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def _safe(value: CellValue) -> CellValue:
    """Booleans as the words of JSON, text without a formula; numbers stay numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return csv_cell(value) if isinstance(value, str) else value


FORMAT = ReportFormat(
    name="csv",
    summary="a table for spreadsheets and data frames: one row per place and vantage",
    suffix=".csv",
    render=render,
)
