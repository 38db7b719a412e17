"""The run as the one line of a monitoring plugin, with its performance data."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.contracts import ReportFormat
from auditor.model import Run
from auditor.model.monitoring import monitoring_line
from reports.safe_text import one_line

__all__ = ["FORMAT", "render"]

# Nagios Core reads no more than this of a plugin's output, in bytes, and cuts the numbers off.
# https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/pluginapi.html
MAX_TEXT_CHARS = 1_000


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the line; the exit code that goes with it is `--exit-style nagios`."""
    del options
    return monitoring_line((run,), run.summary.exit_code, _shortened) + "\n"


def _shortened(text: str) -> str:
    return one_line(text, MAX_TEXT_CHARS)


FORMAT = ReportFormat(
    name="nagios",
    summary="one line with performance data, as monitoring plugins print it",
    suffix=".txt",
    render=render,
)
