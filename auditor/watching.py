"""Watches until the fix is chosen everywhere: when to look again, whom to ask, and when to end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from auditor.history.recall import with_first_sight
from auditor.history.watches import WatchEntry
from auditor.model import Incident, LagState, Observation, Outcome, Plan, Run, Status, Verdict
from auditor.model.source import find_source
from auditor.upstreams import source_facts
from auditor.verdict import exit_code, judge

__all__ = [
    "Look",
    "Looked",
    "Pass",
    "Watch",
    "WatchOutcome",
    "keeps_waiting",
    "outcome_of",
    "question_of",
    "wait_s",
]

# Between looks: at least this, or what the user says; each look without news waits half as long
# again, so that a budget of 30 minutes is some fifteen looks, not two hundred.
INTERVAL_S = 10.0
BACK_OFF = 1.5
MAX_WAIT_S = 300.0
# A page that has just expired is re-read by the first who asks; one second later it is there.
AFTER_EXPIRY_S = 1.0
# Less than this before the end of the budget, nobody is asked once more.
ALMOST_S = 0.05


class WatchOutcome(StrEnum):
    """What one look, or a whole watch, came to."""

    EVERYWHERE = "everywhere"  # nothing fails, and nothing that counts is unknown
    TAMPERED = "tampered"  # a file has other bytes: no waiting helps
    UNPUBLISHED = "unpublished"  # the source itself does not list the fix yet
    WITHIN_LAG = "within-lag"  # what fails is within its normal lag
    STUCK = "stuck"  # something fails that time alone will not heal
    UNREACHABLE = "unreachable"  # nothing fails, and something that counts is not known

    @property
    def is_final(self) -> bool:
        """Whether a watch ends once enough looks agree on it."""
        return self in (WatchOutcome.EVERYWHERE, WatchOutcome.TAMPERED)

    @property
    def exit_code(self) -> int:
        """Design section 5: out of budget is 1, or 3 if nothing fails."""
        if self is WatchOutcome.EVERYWHERE:
            return 0
        return 3 if self is WatchOutcome.UNREACHABLE else 1


def outcome_of(runs: Sequence[Run]) -> WatchOutcome:
    """Say what one look came to, over all incidents: the worst."""
    code = exit_code(runs)
    if code == 0:
        return WatchOutcome.EVERYWHERE
    failing = [v for run in runs for v in run.verdicts if v.failing]
    if any(v.status is Status.TAMPERED for v in failing):
        return WatchOutcome.TAMPERED
    if any(v.is_source and v.fix.listed is False for v in failing):
        return WatchOutcome.UNPUBLISHED
    if not failing and not any(f.failing for run in runs for f in run.findings):
        return WatchOutcome.UNREACHABLE
    late = bool(failing) and all(v.lag.state is LagState.WITHIN_LAG for v in failing)
    return WatchOutcome.WITHIN_LAG if late else WatchOutcome.STUCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What looking at a plan gave."""

    observations: tuple[Observation, ...]
    interrupted: bool = False


Look = Callable[[Plan], Looked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One look of a watch.

    Attributes:
        number: of the look, from 1 on.
        runs: as judged from all that is known by now.
        observations: that the runs rest on.
        plan: that they were judged by.
        outcome: of the look.
        agreeing: how many looks in a row had that outcome.
        is_last: whether the watch ends with it.
        is_confirmed: whether it ends because enough looks agree.
        wait_s: until the next one; 0 after the last one.
        interrupted: whether somebody stopped it.
    """

    number: int
    runs: tuple[Run, ...]
    observations: tuple[Observation, ...]
    plan: Plan
    outcome: WatchOutcome
    agreeing: int
    is_last: bool
    is_confirmed: bool
    wait_s: float
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """Of a watch that ends with this look."""
        if self.outcome is WatchOutcome.EVERYWHERE and not self.is_confirmed:
            return 3 if self.interrupted else 1
        code = self.outcome.exit_code
        return 3 if self.interrupted and code == 0 else code


class Watch:
    """A watch, one look at a time.

    Args:
        plan: what is watched. That a place is within its lag excuses nothing here: it is waited
            for.
        look: looks at a plan.
        entry: how far it has come; of a watch that begins, nothing yet.
        passes: how many looks in a row must agree.
        interval_s: between two looks, at least.
        now: the clock, UTC.
        running_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        plan: Plan,
        look: Look,
        entry: WatchEntry,
        *,
        passes: int = 3,
        interval_s: float = INTERVAL_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        running_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.entry = entry
        self._running_s = running_s
        self._ends_s = running_s() + (entry.deadline - now()).total_seconds()
        self._plan = replace(plan, grace=False)
        self._look = look
        self._passes = passes
        self._interval_s = interval_s
        self._now = now
        self._source = find_source(plan.locations)
        self._published: set[str] = set()
        self._known: dict[tuple[str, str, str], Observation] = {}
        self._unchanged = 0
        self._signature: object = None

    def next_pass(self) -> Pass:
        """Look once, judge, and say whether and when to look again."""
        interrupted = self._look_once()
        observations = tuple(self._known.values())
        # Where nobody says when the fix was published, its clock starts at the look that saw it.
        self._plan = plan = with_first_sight(self._plan, observations)
        runs = judge(plan, observations, interrupted=interrupted, must_be_known=False)
        outcome, now = outcome_of(runs), self._now()
        agreeing = self.entry.agreeing + 1 if outcome.value == self.entry.outcome else 1
        confirmed = outcome.is_final and agreeing >= self._passes and not interrupted
        # Whoever sets the clock back must not make the watch longer.
        left_s = min((self.entry.deadline - now).total_seconds(), self._ends_s - self._running_s())
        last = confirmed or interrupted or left_s < ALMOST_S
        self._count_unchanged(runs)
        self.entry = replace(
            self.entry,
            outcome=outcome.value,
            agreeing=agreeing,
            looks=self.entry.looks + 1,
            updated_at=now,
        )
        return Pass(
            number=self.entry.looks,
            runs=runs,
            observations=observations,
            plan=plan,
            outcome=outcome,
            agreeing=agreeing,
            is_last=last,
            is_confirmed=confirmed,
            wait_s=0.0 if last else min(left_s, self._wait_s(runs, outcome)),
            interrupted=interrupted,
        )

    def _look_once(self) -> bool:
        """Ask the source; the copies only of incidents whose fix it lists.

        A cache that is asked for a page before the fix is published keeps the old one, or that
        there is none, for as long as it likes: nobody would be earlier for it, and some later.
        """
        waiting = [i for i in self._plan.incidents if self._source and i.id not in self._published]
        if waiting and self._source is not None:
            seen = self._look(
                replace(self._plan, incidents=tuple(waiting), locations=(self._source,))
            )
            self._take(seen)
            self._published |= {i.id for i in waiting if _is_published(i, seen.observations)}
            if seen.interrupted:
                return True
        open_ones = tuple(
            i for i in self._plan.incidents if not self._source or i.id in self._published
        )
        if not open_ones:
            return False
        seen = self._look(replace(self._plan, incidents=open_ones))
        self._take(seen)
        return seen.interrupted

    def _take(self, seen: Looked) -> None:
        """Keep the newest observation of each place; being stopped is no news of any."""
        for observation in seen.observations:
            key = observation.incident, observation.location, observation.vantage
            if seen.interrupted and observation.outcome is Outcome.SKIPPED and key in self._known:
                continue
            self._known[key] = observation

    def _count_unchanged(self, runs: Sequence[Run]) -> None:
        signature = [
            (v.location.name, v.vantage, v.status, v.fix.chosen, v.outcome)
            for run in runs
            for v in run.verdicts
        ]
        self._unchanged = self._unchanged + 1 if signature == self._signature else 0
        self._signature = signature

    def _wait_s(self, runs: Sequence[Run], outcome: WatchOutcome) -> float:
        if outcome.is_final:
            return self._interval_s
        blocking = {
            (run.incident.id, v.location.name, v.vantage): v
            for run in runs
            for v in run.verdicts
            if keeps_waiting(v)
        }
        seen = [(v, self._known[key]) for key, v in blocking.items() if key in self._known]
        return wait_s(seen, self._now(), unchanged=self._unchanged, interval_s=self._interval_s)


def _is_published(incident: Incident, observations: Sequence[Observation]) -> bool:
    """Whether the source lists the fix to every vantage that could read it.

    Where one of them sees the old page yet, so may the caches that are near it.
    """
    told = [source_facts(o, incident).lists_fix for o in observations if o.incident == incident.id]
    return True in told and False not in told


def keeps_waiting(verdict: Verdict) -> bool:
    """Whether a watch waits for this row."""
    unknown = verdict.status is Status.UNKNOWN and verdict.location.required
    return verdict.failing or unknown


def wait_s(
    blocking: Sequence[tuple[Verdict, Observation]],
    now: datetime,
    *,
    unchanged: int,
    interval_s: float = INTERVAL_S,
) -> float:
    """Seconds until the next look.

    They grow while nothing changes. A page out of a cache cannot change before it expires, so
    nobody is asked before the first of them does; nor earlier than a server asks for.
    """
    longest = max(MAX_WAIT_S, interval_s)
    seconds = interval_s * min(BACK_OFF ** min(unchanged, 50), longest / interval_s)
    expiries = [_expiry(verdict, observation, now) for verdict, observation in blocking]
    known = [at for at in expiries if at is not None]
    if known and len(known) == len(expiries):
        seconds = (min(known) - now).total_seconds() + AFTER_EXPIRY_S
    asked = [_retry_after_s(observation, now) for _, observation in blocking]
    return min(longest, max(interval_s, seconds, *asked, 0.0))


def _expiry(verdict: Verdict, observation: Observation, now: datetime) -> datetime | None:
    """When the first page of a place expires that came out of a cache; None: it may change now."""
    if verdict.is_source:
        return None
    pages = [p.freshness for p in observation.pages]
    if not pages or not all(p.age_s is not None or p.cache_status for p in pages):
        return None
    times = [p.expires_at for p in pages if p.expires_at is not None and p.expires_at > now]
    return min(times) if len(times) == len(pages) else None


def _retry_after_s(observation: Observation, now: datetime) -> float:
    """The longest wait that a server of this place asks for (RFC 9110, section 10.2.3)."""
    texts = (
        value
        for evidence in observation.evidence
        for name, value in evidence.response.items()
        if name.lower() == "retry-after"
    )
    return max(
        (_seconds(text.strip(), observation.finished_at, now) for text in texts), default=0.0
    )


def _seconds(text: str, answered_at: datetime, now: datetime) -> float:
    if text.isascii() and text.isdigit() and len(text) < 8:
        return (answered_at + timedelta(seconds=int(text)) - now).total_seconds()
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()


def question_of(plan: Plan, passes: int, vantages: Sequence[str] = ()) -> str:
    """Digest of what is watched: a watch that was cut off goes on only if it asks the same.

    Args:
        plan: what is watched.
        passes: how many looks in a row must agree.
        vantages: whose workers look; none: this process does.
    """
    parts: Iterable[object] = (
        passes,
        sorted(vantages) or plan.vantage.id,
        [(i.id, i.project, i.broken, i.fixed, i.environments) for i in plan.incidents],
        [(p.name, p.kind, p.locator, p.upstream, p.required) for p in plan.locations],
        [status.value for status in plan.fail_on],
    )
    return hashlib.sha256(repr(list(parts)).encode("utf-8", "surrogatepass")).hexdigest()
