"""What the server of a place says and no page shows: it explains a row.

It decides nothing here; what is not delivered is weighed by `rules_index.undelivered`.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, ruling

__all__ = ["HINT_CODES", "hinted"]

# What a probe may explain by a hint. Whatever else it says belongs into its notes.
HINT_CODES = frozenset(
    {
        "fix-hidden-by-local-files",
        "kept-refusal",
        "listed-but-missing",
        "misspelt-page",
        "no-safe-probe",
        "replica-behind",
        "serial-fake",
        "stale-variant",
        "stored-bytes-differ",
    }
)


def hinted(row: Row) -> Iterator[Ruling]:
    """The server itself says what explains this row; it decides nothing."""
    for hint in row.observation.hints:
        if hint.code in HINT_CODES:
            yield ruling(
                hint.code,
                hint.text,
                expected=hint.expected,
                observed=hint.observed,
                evidence=hint.evidence,
            )
