"""The rows that formats for machines report one by one: what fails, is not known, or is excused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditor.model import Severity
from reports.view import RowView, RunView

__all__ = ["Trouble", "TroubleLevel", "excuse", "level_of", "troubles"]


class TroubleLevel(StrEnum):
    """How loud a row is. The words are those of SARIF 2.1.0 section 3.27.10."""

    ERROR = "error"  # makes the audit fail
    WARNING = "warning"  # required, and not known
    NOTE = "note"  # waived, tolerated, or not known where nobody requires it


@dataclass(frozen=True, slots=True)
class Trouble:
    """A row that is not fine.

    Attributes:
        row: what it is about.
        level: how loud.
    """

    row: RowView
    level: TroubleLevel

    @property
    def text(self) -> str:
        """Why, and what to do first."""
        excused = excuse(self.row)
        steps = [f"To do: {remedy.command.removeprefix('# ')}" for remedy in self.row.remedies[:1]]
        return " ".join(part for part in (self.row.why, excused, *steps) if part)


def level_of(row: RowView) -> TroubleLevel | None:
    """How loud a row is; None if it is fine."""
    if row.failing:
        return TroubleLevel.ERROR
    match row.verdict.status.severity:
        case Severity.FAIL:
            return TroubleLevel.NOTE
        case Severity.INCONCLUSIVE:
            counts = row.verdict.location.required and row.verdict.waived is None
            return TroubleLevel.WARNING if counts else TroubleLevel.NOTE
        case Severity.OK:
            return None


def excuse(row: RowView) -> str:
    """Why a row that looks bad does not count; "" if it does, or if it is fine."""
    if row.failing or row.verdict.status.severity is Severity.OK:
        return ""
    if row.verdict.waived is not None:
        return f"Waived: {row.verdict.waived}."
    if row.verdict.status.severity is Severity.FAIL:
        return "Tolerated: it is within its normal delay, or this status does not fail."
    return "" if row.verdict.location.required else "Not required."


def troubles(view: RunView) -> tuple[Trouble, ...]:
    """Return the rows that are not fine, the loudest first and then the worst."""
    found = [Trouble(row, level) for row in view.rows if (level := level_of(row)) is not None]
    order = list(TroubleLevel)
    return tuple(sorted(found, key=lambda each: order.index(each.level)))
