"""Predicted beside seen, cell by cell: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from auditor.lab.experiment.asking import BY_HASH, BY_URL, OFFLINE, PINNED, UNPINNED
from auditor.model import Counterfactual, Gets, HeldState, When
from auditor.verdict.behaviour import Deed

__all__ = ["Cell", "Mark", "Prediction", "Seen", "compare", "contradictions"]

HELD, NOT_HELD, UNKNOWN = "held", "not-held", "unknown"
_OR = " or "
_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)


class Mark(StrEnum):
    """How a prediction turned out."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"  # nothing was predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What was written down before anything was played.

    Attributes:
        deed: at the source.
        now: what was true then.
        after: what will be true in the end, and when.
    """

    deed: Deed
    now: Counterfactual
    after: Counterfactual

    def at(self, moment: datetime) -> Counterfactual:
        """What it says of one moment: until the time it names, nothing has changed."""
        when = self.after.when
        return self.now if isinstance(when, datetime) and moment < when else self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What clients got, and what was on disk.

    Attributes:
        gets: by way of asking.
        held: whether the broken bytes are there; None: nobody can look.
        began_at, ended_at: of the asking, UTC.
    """

    gets: Mapping[str, Gets]
    held: bool | None
    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One statement of a prediction.

    Attributes:
        subject: a way of asking, or `bytes`.
        predicted, seen: in words.
        mark: how it turned out.
    """

    subject: str
    predicted: str
    seen: str
    mark: Mark


def compare(prediction: Prediction, seen: Seen) -> tuple[Cell, ...]:
    """Hold what was seen against what was predicted for the time of looking."""
    one, other = prediction.at(seen.began_at), prediction.at(seen.ended_at)
    if prediction.after.when is When.UNKNOWN:
        one = prediction.now
    if prediction.now.held is HeldState.UNKNOWN:
        # Who cannot know what is held now cannot foretell what will be.
        seen = replace(seen, held=None)
    cells = tuple(_cells(prediction.deed, one, other, seen))
    timeless = prediction.after.when is When.UNKNOWN
    return tuple(map(_undated, cells)) if timeless else cells


def _undated(cell: Cell) -> Cell:
    """Without a time, one of two answers is no prediction; a third one is still wrong."""
    open_ended = cell.mark is Mark.RIGHT and _OR in cell.predicted
    return replace(cell, mark=Mark.UNKNOWN) if open_ended else cell


def contradictions(deed: Deed, said: Counterfactual, seen: Seen) -> tuple[Cell, ...]:
    """Return where an audit of that moment and what was seen differ."""
    if deed is Deed.REPLACED:
        # Of other bytes under the same name an audit says that they are the broken release still,
        # and tampered with: that the very bytes are gone contradicts nothing, that they are here
        # does.
        seen = replace(seen, gets={}, held=seen.held or None)
    cells = _cells(deed, said, said, seen)
    return tuple(cell for cell in cells if cell.mark is Mark.WRONG)


def _cells(deed: Deed, one: Counterfactual, other: Counterfactual, seen: Seen) -> Iterator[Cell]:
    for how, got in seen.gets.items():
        # While the change may have arrived between two clients, both answers are right.
        said = dict.fromkeys((_said(one, how, deed).value, _said(other, how, deed).value))
        yield _cell(how, tuple(said), got.value)
    if seen.held is not None:
        said = dict.fromkeys((_held(one), _held(other)))
        yield _cell("bytes", tuple(said), HELD if seen.held else NOT_HELD)


def _cell(subject: str, said: tuple[str, ...], seen: str) -> Cell:
    mark = Mark.UNKNOWN if UNKNOWN in said else Mark.RIGHT if seen in said else Mark.WRONG
    return Cell(subject=subject, predicted=_OR.join(said), seen=seen, mark=mark)


def _held(foreseen: Counterfactual) -> str:
    if foreseen.held is HeldState.UNKNOWN:
        return UNKNOWN
    return HELD if foreseen.held in _HERE else NOT_HELD


def _said(foreseen: Counterfactual, how: str, deed: Deed) -> Gets:
    ways = {
        UNPINNED: foreseen.unpinned_gets,
        PINNED: foreseen.pinned_gets,
        BY_URL: foreseen.hash_locked_gets,
        OFFLINE: foreseen.offline_gets,
        BY_HASH: _by_hash(foreseen, deed),
    }
    return ways[how]


def _by_hash(foreseen: Counterfactual, deed: Deed) -> Gets:
    """Who has a hash and no URL asks the page, as who pinned does; other bytes are refused."""
    replaced = deed is Deed.REPLACED and foreseen.pinned_gets is Gets.FIX
    return Gets.ERROR if replaced and foreseen.when is not When.NEVER else foreseen.pinned_gets
