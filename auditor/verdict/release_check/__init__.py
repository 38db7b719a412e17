"""Is the fix a good one? Judged before or after it is published; pure."""

from auditor.verdict.release_check.checking import check_release
from auditor.verdict.release_check.document import as_document
from auditor.verdict.release_check.finding import (
    Level,
    Proposed,
    ReleaseCheck,
    ReleaseFinding,
    Wanted,
)

__all__ = [
    "Level",
    "Proposed",
    "ReleaseCheck",
    "ReleaseFinding",
    "Wanted",
    "as_document",
    "check_release",
]
