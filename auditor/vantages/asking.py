"""The coordinator: the audit of one machine, whose probes are questions to workers elsewhere."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from auditor.contracts import Assignment, ProbeKind
from auditor.engine import Audit, Event
from auditor.errors import ObservationsError, UsageError
from auditor.model import Location, Observation, Outcome, Plan, Vantage
from auditor.vantages.broker import (
    BROKER_VARIABLE,
    CONNECT_WITHIN_S,
    HARD_LIMIT_AFTER_S,
    TASK,
    Application,
    close_application,
)
from auditor.vantages.messages import (
    FORMAT,
    Question,
    describe,
    pack_question,
    queue_of,
    unpack_answer,
)

__all__ = ["Asking", "plan_of"]

# Between two looks whether answers have come.
POLL_FIRST_S, POLL_LONGEST_S = 0.05, 1.0
# A broker that is started anew is waited for; one that is gone is not, for as long as it takes.
FAILURES_TO_GIVE_UP = 5
_DONE, _FAILED = "SUCCESS", ("FAILURE", "REVOKED")

T = TypeVar("T")


class Asking:
    """Asks the workers of several vantages once, and puts what they saw side by side.

    Args:
        application: of `broker.open_application`; closed in the end.
        plan: what is asked; what a location may be seen from is in the location.
        kinds: the installed ones.
        vantages: ids of those that are to look.
        wait_s: for each answer at most, a worker's death and its successor's look included.
        on_event: is told when a place is begun and finished.
    """

    def __init__(
        self,
        application: Application,
        plan: Plan,
        kinds: Mapping[str, ProbeKind],
        vantages: Sequence[str],
        *,
        wait_s: float,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._application = application
        self._wait_s = wait_s
        self._run = uuid.uuid4().hex
        self._plan = plan
        self._on_event = on_event
        self._awaited: dict[str, asyncio.Future[Mapping[str, object]]] = {}
        # As the workers wrote them, with their own requests and their own clock.
        self._seen: dict[tuple[str, str, str], Observation] = {}
        # Neither Celery's connections nor their results may be used by several threads at once.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="broker")
        # Celery would subscribe to each answer and be sent it twice: here it is fetched once.
        application.backend.on_task_call = lambda producer, task_id: {}
        self._done: dict[str, int] = {}
        # Why nobody can be asked any more; "" while somebody can.
        self._lost = ""
        self._audits = {
            vantage: Audit(
                self._patient(plan_of(plan, vantage)),
                {},
                {name: self._remote(kind) for name, kind in kinds.items()},
                on_event=partial(self._tell, vantage),
            )
            for vantage in vantages
        }

    @property
    def interrupted(self) -> bool:
        """Whether `stop` was called before everything was seen."""
        return any(audit.interrupted for audit in self._audits.values())

    def stop(self) -> None:
        """Finish early: what has not been seen yet becomes `skipped`, saying so."""
        for audit in self._audits.values():
            audit.stop()

    async def run(self) -> tuple[Observation, ...]:
        """Ask everybody, and return one observation per location, incident and vantage.

        Raises:
            UsageError: the broker cannot be used.
        """
        fetching = asyncio.create_task(self._fetch())
        try:
            await self._with_broker(self._connect)
            found = await asyncio.gather(*(audit.run() for audit in self._audits.values()))
        finally:
            fetching.cancel()
            with suppress(asyncio.CancelledError):
                await fetching
            # Questions that were taken back are on their way; nobody waits long for that.
            with suppress(UsageError, TimeoutError):
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    await self._with_broker(partial(close_application, self._application))
            self._thread.shutdown(wait=False, cancel_futures=True)
        return tuple(
            self._seen.get((o.vantage, o.incident, o.location), o) for each in found for o in each
        )

    def _patient(self, plan: Plan) -> Plan:
        """The plan, in which a place may take as long as its worker may need to come back."""
        seconds = self._wait_s + HARD_LIMIT_AFTER_S
        waiting = (replace(location, timeout_s=seconds) for location in plan.locations)
        return replace(plan, locations=tuple(waiting))

    def _remote(self, kind: ProbeKind) -> ProbeKind:
        return replace(kind, observe=self._observe, prepare=None)

    async def _observe(self, assignment: Assignment) -> Observation:
        """Ask the vantage, wait, and keep what it answers."""
        question = self._question(assignment)
        try:
            answer = unpack_answer(await self._answered(question), question)
        except (ObservationsError, UsageError, _Unanswered) as error:
            return _skipped(assignment, f"not looked at from {question.vantage}: {error}")
        if answer.observation is None:
            return _skipped(assignment, f"not looked at from {question.vantage}: {answer.refused}")
        observation = answer.observation
        for record in observation.requests:
            assignment.ledger.write(record)
        key = observation.vantage, observation.incident, observation.location
        self._seen[key] = observation
        return observation

    def _question(self, assignment: Assignment) -> Question:
        location = assignment.location
        return Question(
            format=FORMAT,
            run=self._run,
            vantage=assignment.vantage.id,
            location=location.name,
            kind=location.kind,
            locator=describe(location),
            incident=assignment.incident,
            source=assignment.source,
            upstreams=assignment.upstreams,
            policy=assignment.policy,
            timeout_s=self._timeouts[location.name],
            user_agent_suffix=assignment.user_agent_suffix,
        )

    @property
    def _timeouts(self) -> Mapping[str, float]:
        return {location.name: location.timeout_s for location in self._plan.locations}

    async def _answered(self, question: Question) -> Mapping[str, object]:
        if self._lost:
            raise _Unanswered(self._lost)
        packed, name = pack_question(question), question.id
        answer: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
        self._awaited[name] = answer
        try:
            await self._with_broker(lambda: self._send(name, packed, question))
            async with asyncio.timeout(self._wait_s):
                return await answer
        except TimeoutError as error:
            raise _Unanswered(
                f"no worker there has answered within {self._wait_s:g} s; see that one reads the "
                f"queue {queue_of(question.vantage)}"
            ) from error
        except asyncio.CancelledError:
            self._thread.submit(self._take_back, name)
            raise
        finally:
            del self._awaited[name]

    async def _fetch(self) -> None:
        """Hand out the answers as they come, asking more rarely while none do."""
        wait_s, failures = POLL_FIRST_S, 0
        while True:
            await asyncio.sleep(wait_s)
            names = list(self._awaited)
            try:
                found = await self._with_broker(partial(self._fetched, names))
            except UsageError as error:
                failures += 1
                wait_s = POLL_LONGEST_S
                if failures >= FAILURES_TO_GIVE_UP:
                    self._give_up(str(error))
                continue
            failures, self._lost = 0, ""
            wait_s = POLL_FIRST_S if found else min(POLL_LONGEST_S, wait_s * 1.5)
            for name, message in found.items():
                waiting = self._awaited.get(name)
                if waiting is not None and not waiting.done():
                    _settle(waiting, message)

    def _give_up(self, cause: str) -> None:
        self._lost = cause
        for waiting in self._awaited.values():
            if not waiting.done():
                waiting.set_exception(_Unanswered(cause))

    # What follows runs in the broker's thread.

    def _connect(self) -> None:
        with self._application.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=HARD_LIMIT_AFTER_S)

    def _send(self, name: str, packed: str, question: Question) -> None:
        self._application.send_task(
            TASK,
            args=[packed],
            task_id=name,
            queue=queue_of(question.vantage),
            # What nobody waits for any more is not looked at later, all at once.
            expires=self._wait_s,
            time_limit=question.timeout_s + HARD_LIMIT_AFTER_S,
        )

    def _fetched(self, names: Sequence[str]) -> dict[str, Mapping[str, object]]:
        found: dict[str, Mapping[str, object]] = {}
        for name in names:
            message = self._application.backend.get_task_meta(name, cache=False)
            if message.get("status") in (_DONE, *_FAILED):
                found[name] = message
                self._application.backend.forget(name)
        return found

    def _take_back(self, name: str) -> None:
        with suppress(Exception):  # it expires in any case
            self._application.control.revoke(name)

    async def _with_broker(self, work: Callable[[], T]) -> T:
        """Do work in the broker's thread; no text of its errors is shown: they may quote the URL.

        Raises:
            UsageError: the broker cannot be used.
        """
        loop = asyncio.get_running_loop()
        waiting: Awaitable[T] = loop.run_in_executor(self._thread, work)
        try:
            return await waiting
        except Exception as error:  # noqa: BLE001 - of Celery, kombu, or what they talk through
            raise UsageError(
                f"the broker that {BROKER_VARIABLE} names cannot be used "
                f"({type(error).__name__}); see that it runs and lets this machine in"
            ) from None

    def _tell(self, vantage: str, event: Event) -> None:
        """Tell of all vantages together how many places are finished."""
        self._done[vantage] = event.done
        several = len(self._audits) > 1
        self._on_event(
            replace(
                event,
                location=f"{vantage}: {event.location}" if several else event.location,
                done=sum(self._done.values()),
                total=sum(
                    len(plan_of(self._plan, each).locations) * len(self._plan.incidents)
                    for each in self._audits
                ),
            )
        )


class _Unanswered(Exception):
    """A worker did not look; the text says why."""


def plan_of(plan: Plan, vantage: str) -> Plan:
    """The part of a plan that is looked at from one vantage."""
    seen = (each for each in plan.locations if _is_seen_from(each, vantage))
    return replace(plan, vantage=Vantage(id=vantage), locations=tuple(seen))


def _is_seen_from(location: Location, vantage: str) -> bool:
    return not location.vantages or vantage in location.vantages


def _settle(waiting: asyncio.Future[Mapping[str, object]], message: Mapping[str, object]) -> None:
    if message.get("status") == _DONE:
        result = message.get("result")
        waiting.set_result(result if isinstance(result, dict) else {})
        return
    cause = type(message.get("result")).__name__
    waiting.set_exception(
        _Unanswered(
            f"its worker gave up ({cause}); if it says TaskRevokedError, the look began too late, "
            "or the clocks of both machines differ by more than the wait"
        )
    )


def _skipped(assignment: Assignment, detail: str) -> Observation:
    now = assignment.now()
    return Observation(
        location=assignment.location.name,
        vantage=assignment.vantage.id,
        incident=assignment.incident.id,
        outcome=Outcome.SKIPPED,
        detail=detail,
        started_at=now,
        finished_at=now,
    )
