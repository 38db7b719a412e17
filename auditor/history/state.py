"""What of a verdict is significant: two looks that agree in it are one entry of the history.

Ages, times and evidence are left out: they differ from run to run while nothing has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from auditor.errors import HistoryError
from auditor.model import FixChosen, Severity, Status, Verdict

__all__ = ["Change", "State", "from_ms", "state_of", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAMAGED = "is damaged; move it away, and the next run begins a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How one location stood, seen from one vantage.

    Attributes:
        status, outcome: of the verdict.
        failing, waived: what that did to the audit.
        listed, yanked, held: of the broken release; None as in `BrokenFacts`.
        fix_listed, fix_chosen: of the fix; None as in `FixFacts`.
        lag: late or stuck.
        reasons: codes, sorted.
        chosen: versions that the counting cells get, sorted; "" stands for none at all.
    """

    status: str
    outcome: str
    failing: bool = False
    waived: bool = False
    listed: bool | None = None
    yanked: str | None = None
    held: str = "unknown"
    fix_listed: bool | None = None
    fix_chosen: str | None = None
    lag: str = "unknown"
    reasons: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong and nothing unknown; a failure that is waived is not ok."""
        return Status(self.status).severity is Severity.OK and not self.failing

    @property
    def has_fix(self) -> bool | None:
        """Whether every counting cell gets the fix; None: not known, or not a place that decides.

        `some` is no: there are people who still get something else.
        """
        if self.fix_chosen in (None, FixChosen.UNKNOWN.value):
            return None
        return self.fix_chosen == FixChosen.ALL.value

    def encode(self) -> str:
        """Return the text under which it is kept; equal states have equal texts."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> State:
        """Read such a text. Raises HistoryError."""
        try:
            return msgspec.json.decode(text.encode(), type=cls)
        except (msgspec.MsgspecError, AttributeError, UnicodeError) as error:
            raise HistoryError(f"a state in it {_DAMAGED}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One location became another.

    Attributes:
        location, vantage: which row.
        role: `index`, `store` or `pin`.
        required: whether it matters that it is absent or unknown.
        at: when it was first seen so, UTC.
        before: how it was until then; None: it had never been seen.
        until: when it was last seen as before, UTC; None if it had never been seen.
        after: how it is.
    """

    location: str
    vantage: str
    role: str
    required: bool
    at: datetime
    before: State | None
    until: datetime | None
    after: State


def state_of(verdict: Verdict) -> State:
    """Reduce a verdict to what is significant."""
    broken, fix = verdict.broken, verdict.fix
    counting = {s.version or "" for s in verdict.selections if s.counts}
    return State(
        status=verdict.status.value,
        outcome=verdict.outcome.value,
        failing=verdict.failing,
        waived=verdict.waived is not None,
        listed=broken.listed,
        yanked=broken.yanked.value if broken.yanked else None,
        held=broken.held.value,
        fix_listed=fix.listed,
        fix_chosen=fix.chosen.value if fix.chosen else None,
        lag=verdict.lag.state.value,
        reasons=tuple(sorted({reason.code for reason in verdict.reasons})),
        chosen=tuple(sorted(counting)),
    )


def to_ms(at: datetime) -> int:
    """Return milliseconds since 1970: as exact as a network answer, and short in the file."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return the time (UTC) of such a number. Raises HistoryError: a file may say anything."""
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except (OverflowError, TypeError) as error:
        raise HistoryError(f"a time in it {_DAMAGED}") from error
