"""Whether a broken artifact is still at a place, as far as anybody knows."""

from __future__ import annotations

from auditor.model import HeldState, Role, Status, Verdict
from auditor.verdict.grouping import is_group

__all__ = ["HERE", "persists", "undetermined"]

HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)


def persists(verdict: Verdict) -> bool:
    """Whether a broken artifact is known to be listed, held or pinned here."""
    if is_group(verdict.location):
        return False  # it is no place: its members are counted
    return (
        verdict.broken.listed is True
        or verdict.broken.held in HERE
        or verdict.status is Status.PINNED
    )


def undetermined(verdict: Verdict) -> bool:
    """Whether it is not known if a broken artifact persists here."""
    if is_group(verdict.location):
        return False
    if persists(verdict) or verdict.status in (Status.ABSENT, Status.CLEAN):
        return False
    if verdict.location.role is Role.PIN:
        return verdict.status is Status.UNKNOWN
    lists = verdict.location.role is Role.INDEX and verdict.broken.listed is None
    return lists or verdict.broken.held is HeldState.UNKNOWN
