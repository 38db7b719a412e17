"""What a whole run comes to, in one word: every report and every list of runs says the same."""

from __future__ import annotations

from enum import StrEnum

from auditor.model.location import Role
from auditor.model.run import Run
from auditor.model.verdict import FixChosen, Severity, Status

__all__ = ["Conclusion", "conclusion_of"]


class Conclusion(StrEnum):
    """The exit code tells what to do; this also tells what must not pass for good."""

    GOOD = "all good"
    TOLERATED = "tolerated"  # something fails, and is waived, excused or left out of --fail-on
    BAD = "not rolled forward"
    UNKNOWN = "not determined"
    FAILED = "audit failed"


def conclusion_of(run: Run) -> Conclusion:
    """Sum up a run; exit code 0 alone does not say that anything was seen to be good."""
    match run.summary.exit_code:
        case 0:
            return _without_failure(run)
        case 1:
            return Conclusion.BAD
        case 3:
            return Conclusion.UNKNOWN
        case _:
            return Conclusion.FAILED


def _without_failure(run: Run) -> Conclusion:
    verdicts = run.verdicts
    if any(v.status.severity is Severity.FAIL for v in verdicts):
        return Conclusion.TOLERATED
    if any(v.fix.chosen is FixChosen.ALL for v in verdicts):
        return Conclusion.GOOD
    # Nobody asked what installers get: caches and locks have an answer of their own.
    has_index = any(v.location.role is Role.INDEX for v in verdicts)
    if has_index or any(v.status is Status.UNKNOWN for v in verdicts):
        return Conclusion.UNKNOWN
    return Conclusion.GOOD
