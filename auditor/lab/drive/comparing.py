"""What the audit said beside what a real client got and what the disk shows: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditor.lab.drive.pip_client import Download
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import Inventory
from auditor.model import Choice, HeldState, Outcome, Status, Verdict, View, YankState
from auditor.model.filename import version_in

__all__ = ["NOTHING", "UNKNOWN", "Said", "Seen", "StepRecord", "compare", "said_of", "seen_of"]

NOTHING, UNKNOWN = "nothing", "unknown"

_HERE = (HeldState.HELD, HeldState.SHADOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the audit said of a place.

    Attributes:
        status, outcome: of its row.
        chosen: versions that pip would choose, over all counting cells.
        listed, yanked, held: of the broken release.
    """

    status: Status
    outcome: Outcome
    chosen: frozenset[str]
    listed: bool | None
    yanked: YankState | None
    held: HeldState


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client got there and what the disk shows.

    Attributes:
        chosen: version that an unpinned request chose, or `NOTHING`.
        listed: whether a pinned request found the broken release on the page; None: it failed in
            a way that does not tell.
        yanked: whether pip warned of a yank; None if it did not get that far.
        held: names of broken files on disk; None if the disk is not that of this place.
    """

    chosen: str
    listed: bool | None
    yanked: bool | None
    held: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One place after one step.

    Attributes:
        step, place: which.
        said, seen: the two sides.
        disagreements: in words; empty if all is well.
    """

    step: Step
    place: str
    said: Said
    seen: Seen
    disagreements: tuple[str, ...]


def said_of(verdict: Verdict) -> Said:
    """Gather what a row says of pip and of the broken release."""
    cells = [c for c in verdict.selections if c.counts and c.view is View.PIP]
    versions = {UNKNOWN if c.choice is Choice.UNKNOWN else c.version or NOTHING for c in cells}
    return Said(
        status=verdict.status,
        outcome=verdict.outcome,
        chosen=frozenset(versions or {UNKNOWN}),
        listed=verdict.broken.listed,
        yanked=verdict.broken.yanked,
        held=verdict.broken.held,
    )


def seen_of(
    unpinned: Download, pinned: Download, inventory: Inventory | None, project: str, broken: str
) -> Seen:
    """Gather what pip got and what the disk shows."""
    found = pinned.version == broken
    return Seen(
        chosen=unpinned.version or NOTHING,
        listed=True if found else False if pinned.not_listed else None,
        yanked=pinned.yanked if found else None,
        held=None if inventory is None else _named(inventory, project, broken),
    )


def _named(inventory: Mapping[str, object], project: str, version: str) -> frozenset[str]:
    return frozenset(name for name in inventory if version_in(name, project) == version)


def compare(said: Said, seen: Seen, *, demands_held: bool) -> tuple[str, ...]:
    """Name every statement of the audit that client or disk contradict, or that is missing.

    Args:
        said, seen: the two sides.
        demands_held: whether it is a fault that `held` is unknown.
    """
    found = (*_chosen(said, seen), *_listed(said, seen), *_yanked(said, seen))
    return (*found, *_held(said, seen, demands_held))


def _chosen(said: Said, seen: Seen) -> Iterator[str]:
    if said.chosen == {seen.chosen}:
        return
    # Where no page can be had, a client cannot install either: that is what both say.
    nobody = seen.chosen == NOTHING and said.outcome in (Outcome.UNREACHABLE, Outcome.ABSENT)
    if not nobody:
        yield f"chosen: said {', '.join(sorted(said.chosen))}, pip got {seen.chosen}"


def _listed(said: Said, seen: Seen) -> Iterator[str]:
    # pip says of a page that it cannot have what it says of one that lists nothing.
    nobody = not seen.listed and said.listed is None and said.outcome is Outcome.UNREACHABLE
    if seen.listed is not None and said.listed is not seen.listed and not nobody:
        yield f"listed: said {said.listed}, pip found it: {seen.listed}"


def _yanked(said: Said, seen: Seen) -> Iterator[str]:
    marked = said.yanked in (YankState.YES, YankState.REASON, YankState.MIXED)
    if seen.yanked is not None and marked is not seen.yanked:
        yield f"yanked: said {said.yanked}, pip warned: {seen.yanked}"


def _held(said: Said, seen: Seen, demanded: bool) -> Iterator[str]:
    if said.held is HeldState.UNKNOWN:
        if demanded:
            yield "held: said unknown, though it can be determined here"
        return
    if seen.held is None:
        return
    on_disk = ", ".join(sorted(seen.held)) or NOTHING
    if said.held in _HERE and not seen.held:
        yield f"held: said {said.held.value}, on disk: {on_disk}"
    if said.held is HeldState.NOT_HELD and seen.held:
        yield f"held: said not-held, on disk: {on_disk}"
