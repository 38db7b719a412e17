"""One row per location and vantage, as flat columns: what tables and time series have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

from auditor.model import Action, Counterfactual, Verdict
from auditor.model.run_id import run_id
from reports.view import RowView, RunView

__all__ = ["COLUMNS", "CellValue", "columns"]

CellValue: TypeAlias = "str | int | float | bool | None"

# Column names are a contract, as the keys of the JSON report are.
COLUMNS = (
    "run",
    "finished_at",
    "incident",
    "project",
    "location",
    "vantage",
    "kind",
    "role",
    "group",
    "locator",
    "upstream",
    "required",
    "outcome",
    "status",
    "failing",
    "waived",
    "broken_listed",
    "broken_yanked",
    "broken_held",
    "broken_files",
    "fix_listed",
    "fix_chosen",
    "fix_missing_files",
    "lag",
    "latest_by",
    "age_s",
    "serial",
    "if_deleted_unpinned_gets",
    "if_deleted_pinned_gets",
    "if_deleted_held",
    "if_deleted_when",
    "pins",
    "reasons",
    "why",
    "remedy",
    "declared_at",
)


def columns(row: RowView, view: RunView) -> dict[str, CellValue]:
    """Return the cells of one row by name, in the order of `COLUMNS`; None is not known."""
    run, verdict = view.run, row.verdict
    found: dict[str, CellValue] = {
        "run": run_id(run),
        "finished_at": _time(run.finished_at),
        "incident": run.incident.id,
        "project": run.incident.project,
        **_place(verdict),
        **_judged(verdict),
        **_deleted(verdict),
        "pins": "; ".join(f"{pin.where}: {pin.said}" for pin in row.pins),
        "reasons": " ".join(dict.fromkeys(reason.code for reason in verdict.reasons)),
        "why": row.why,
        "remedy": verdict.remedies[0].command if verdict.remedies else None,
    }
    return {name: found[name] for name in COLUMNS}


def _place(verdict: Verdict) -> dict[str, CellValue]:
    location = verdict.location
    return {
        "location": location.name,
        "vantage": verdict.vantage,
        "kind": location.kind,
        "role": location.role.value,
        "group": location.group,
        "locator": location.locator,
        "upstream": location.upstream,
        "required": location.required,
        "declared_at": location.declared_at,
    }


def _judged(verdict: Verdict) -> dict[str, CellValue]:
    broken, fix, lag = verdict.broken, verdict.fix, verdict.lag
    return {
        "outcome": verdict.outcome.value,
        "status": verdict.status.value,
        "failing": verdict.failing,
        "waived": verdict.waived,
        "broken_listed": broken.listed,
        "broken_yanked": broken.yanked.value if broken.yanked else None,
        "broken_held": broken.held.value,
        "broken_files": " ".join(broken.files),
        "fix_listed": fix.listed,
        "fix_chosen": fix.chosen.value if fix.chosen else None,
        "fix_missing_files": " ".join(fix.missing_files),
        "lag": lag.state.value,
        "latest_by": _time(lag.latest_by) if lag.latest_by else None,
        "age_s": verdict.freshness.age_s,
        "serial": verdict.freshness.serial,
    }


def _deleted(verdict: Verdict) -> dict[str, CellValue]:
    after = verdict.counterfactuals.get(Action.DELETED, Counterfactual())
    when = after.when
    return {
        "if_deleted_unpinned_gets": after.unpinned_gets.value,
        "if_deleted_pinned_gets": after.pinned_gets.value,
        "if_deleted_held": after.held.value,
        "if_deleted_when": _time(when) if isinstance(when, datetime) else when.value,
    }


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
