"""What a serial that cannot be says of a place: that something else is wrong there."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.verdict.context import FAKE_SERIALS
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, evidence_of, names, ruling

__all__ = ["serial_ahead"]


def serial_ahead(row: Row) -> Iterator[Ruling]:
    """The serial is above the source's, and the source is not known to be the one that is behind.

    A place that was moved to another upstream keeps the higher serial of the old one; devpi then
    refuses every newer page of the new one until it is refreshed (devpi issues 817 and 972).
    """
    context = row.context
    wanted = context.source_serial
    if wanted is None or row.is_source or not row.is_index or not context.source_lists_fix():
        return
    ahead = [p for p in row.usable_pages if _is_above(p.freshness.serial, wanted)]
    if ahead:
        seen = names(str(p.freshness.serial) for p in ahead)
        yield ruling(
            "serial-ahead",
            f"The page here is from serial {seen}, which the source has not reached.",
            expected=f"serial {wanted} at most",
            observed=f"serial {seen}",
            evidence=evidence_of(ahead),
        )


def _is_above(serial: int | None, wanted: int) -> bool:
    return serial is not None and serial > wanted and serial not in FAKE_SERIALS
