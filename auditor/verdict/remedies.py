"""Commands that roll a location forward, with its own names filled in. Printed, never run."""

from __future__ import annotations

import shlex

from auditor.model import LagState, Remedy, RemedyTemplate, Status
from auditor.verdict.lag import lag_of
from auditor.verdict.row import Row

__all__ = ["remedies_of"]


def remedies_of(row: Row, status: Status) -> tuple[Remedy, ...]:
    """The remedies that this location's kind declares for its verdict.

    A place that is late within its normal lag needs no operator, only time.
    """
    declared = tuple(_fill(t, row) for t in row.kind.remedies if status in t.statuses)
    lag = lag_of(row)
    if lag.state is LagState.WITHIN_LAG and lag.latest_by is not None:
        wait = Remedy(
            command=f"# wait until {lag.latest_by:%Y-%m-%d %H:%M} UTC, then audit again",
            effect="this delay is normal here; if the fix is still missing then, do as follows",
        )
        return (wait, *declared)
    return declared


def _fill(template: RemedyTemplate, row: Row) -> Remedy:
    line = row.context.line
    fixed = str(line.fixed[0]) if line.fixed else line.fixed_text
    values = {
        "url": row.location.url or "",
        "path": row.location.path or "",
        "project": row.context.incident.project,
        "fixed": fixed,
        "broken": str(line.broken[0]) if line.broken else line.broken_text,
        "file": row.broken.files[0] if row.broken.files else "",
    }
    command = template.command
    for key, value in values.items():
        # File names come from mirrors: what a reader will paste into a shell is quoted.
        command = command.replace(f"{{{key}}}", shlex.quote(value) if value else "…")
    return Remedy(command=command, effect=template.effect, caution=template.caution)
