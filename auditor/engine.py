"""The fan-out: the source first, then every place at once, each within its own deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from auditor.contracts import (
    Assignment,
    Credentials,
    GuardPolicy,
    Hop,
    Ledger,
    ProbeKind,
    Shared,
    SourceFacts,
)
from auditor.errors import Denied, GuardRefused, Malformed, ProbeError, Unreachable
from auditor.limits import Limits
from auditor.model import Fingerprint, Incident, Location, Observation, Outcome, Plan
from auditor.model.file_table import listed_with
from auditor.model.source import find_source
from auditor.upstreams import Upstreams, source_facts

__all__ = ["Audit", "Event", "Limits"]

# Between the beginnings of a place's workers: what one has begun sends its requests before the
# next ones prepare theirs.
HEAD_START_S = 0.01

INTERRUPTED = "interrupted before this place was seen"
UNVERIFIED = "certificates were not verified here (insecure = true): anybody may have answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a progress display wants to know.

    Attributes:
        location, incident: what it is about.
        phase: `started` or `finished`.
        observation: the result; None when started.
        done, total: how many places are finished, and of how many.
    """

    location: str
    incident: str
    phase: str
    observation: Observation | None
    done: int
    total: int


class Audit:
    """One look at every location of a plan.

    Attributes:
        interrupted: whether `stop` was called before everything was seen.
    """

    def __init__(
        self,
        plan: Plan,
        credentials: Mapping[str, Credentials],
        kinds: Mapping[str, ProbeKind],
        *,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.interrupted = False
        self._plan = plan
        self._credentials = credentials
        self._kinds = kinds
        self._on_event = on_event or (lambda event: None)
        self._incidents = {incident.id: incident for incident in plan.incidents}
        self._shared = Shared()
        self._total = len(plan.incidents) * len(plan.locations)
        self._done = 0
        self._tasks: set[asyncio.Task[None]] = set()

        self._prepare()

    async def run(self) -> tuple[Observation, ...]:
        """Look at every location and return one observation for each, in the plan's order."""
        try:
            return await self._run()
        finally:
            await self._shared.close()

    async def _run(self) -> tuple[Observation, ...]:
        self._limits = Limits(self._plan.concurrency, self._plan.concurrency_per_host)
        source = find_source(self._plan.locations)
        self._upstreams = Upstreams(self._plan.locations, source)
        rest = [loc for loc in self._plan.locations if source is None or loc.name != source.name]
        found: list[Observation] = []
        if source is not None:
            found.extend(await self._fan_out([source], {}))
        facts = {o.incident: source_facts(o, self._incidents[o.incident]) for o in found}
        for observation in found:
            incident = self._incidents[observation.incident]
            known = (*incident.fingerprints, *_fingerprints(observation, incident))
            self._incidents[incident.id] = replace(incident, fingerprints=known)
        found.extend(await self._fan_out(rest, facts))
        return self._in_plan_order(found)

    def stop(self) -> None:
        """Finish early: what has not been seen yet becomes `skipped`, saying so."""
        self.interrupted = True
        for task in self._tasks:
            task.cancel()

    async def _fan_out(
        self, locations: Sequence[Location], facts: Mapping[str, SourceFacts]
    ) -> list[Observation]:
        """Look at all of these at once; a location's own incidents share a few workers."""
        seen: list[Observation] = []
        self._tasks = {
            asyncio.create_task(self._visit(location, queue, facts, seen, worker * HEAD_START_S))
            for location in locations
            for queue in [iter(self._plan.incidents)]
            for worker in range(min(self._plan.concurrency_per_host, len(self._plan.incidents)))
        }
        for task in self._tasks:
            task.add_done_callback(self._ended)
        if self.interrupted:
            self.stop()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            # A worker that was stopped before it began has nothing to say; a bug has.
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        return [*seen, *self._unseen(locations, seen)]

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._upstreams.give_up()

    async def _visit(
        self,
        location: Location,
        incidents: Iterator[Incident],
        facts: Mapping[str, SourceFacts],
        seen: list[Observation],
        wait_s: float,
    ) -> None:
        """Work through the incidents that are left for one location, after a while."""
        if wait_s:
            await asyncio.sleep(wait_s)
        for incident in incidents:
            if self.interrupted:
                break
            upstreams = await self._upstreams.above(location, incident)
            async with self._limits.place(location.name):
                self._tell(location, incident, "started", None)
                source = facts.get(incident.id)
                observation, cancelled = await self._look(location, incident, source, upstreams)
            self._upstreams.saw(location, incident, observation)
            seen.append(observation)
            self._done += 1
            self._tell(location, incident, "finished", observation)
            if cancelled:
                break

    async def _look(
        self,
        location: Location,
        incident: Incident,
        source: SourceFacts | None,
        upstreams: tuple[Hop, ...],
    ) -> tuple[Observation, bool]:
        """Let the probe look, within the location's deadline; whatever happens is an observation.

        Returns:
            The observation, and whether the task was cancelled.
        """
        ledger, started_at = Ledger(), datetime.now(UTC)
        blank = Observation(
            location=location.name,
            vantage=self._plan.vantage.id,
            incident=incident.id,
            outcome=Outcome.SKIPPED,
            started_at=started_at,
            finished_at=started_at,
        )
        kind = self._kinds.get(location.kind)
        if kind is None:
            detail = f"this version has no probe for places of kind {location.kind}"
            return replace(blank, detail=detail), False
        cancelled = False
        assignment = self._assignment(location, incident, source, upstreams, ledger)
        try:
            async with asyncio.timeout(location.timeout_s):
                observation = await kind.observe(assignment)
        except asyncio.CancelledError:
            observation, cancelled = replace(blank, detail=INTERRUPTED), True
        except Exception as error:  # noqa: BLE001 - a third-party probe may raise anything
            observation = _failed(blank, error, location, assignment.credentials)
        sealed = _sealed(observation, blank, ledger)
        return _with_doubts(sealed, location, assignment.credentials), cancelled

    def _assignment(
        self,
        location: Location,
        incident: Incident,
        source: SourceFacts | None,
        upstreams: tuple[Hop, ...],
        ledger: Ledger,
    ) -> Assignment:
        plan = self._plan
        contact = f" (+{plan.contact})" if plan.contact else ""
        return Assignment(
            incident=self._incidents[incident.id],
            location=location,
            vantage=plan.vantage,
            source=source,
            upstreams=upstreams,
            policy=GuardPolicy(inert=plan.inert, allow_store=plan.allow_store),
            credentials=self._credentials.get(location.name, Credentials()),
            limits=self._limits,
            ledger=ledger,
            shared=self._shared,
            user_agent_suffix=f"propagation-auditor/{plan.tool_version}{contact}",
            now=lambda: datetime.now(UTC),
        )

    def _unseen(
        self, locations: Sequence[Location], seen: Sequence[Observation]
    ) -> Iterator[Observation]:
        have = {(o.location, o.incident) for o in seen}
        now = datetime.now(UTC)
        for location in locations:
            for incident in self._plan.incidents:
                if (location.name, incident.id) not in have:
                    yield Observation(
                        location=location.name,
                        vantage=self._plan.vantage.id,
                        incident=incident.id,
                        outcome=Outcome.SKIPPED,
                        detail=INTERRUPTED,
                        started_at=now,
                        finished_at=now,
                    )

    def _tell(
        self, location: Location, incident: Incident, phase: str, observation: Observation | None
    ) -> None:
        self._on_event(
            Event(
                location=location.name,
                incident=incident.id,
                phase=phase,
                observation=observation,
                done=self._done,
                total=self._total,
            )
        )

    def _in_plan_order(self, found: Iterable[Observation]) -> tuple[Observation, ...]:
        incidents = {incident.id: n for n, incident in enumerate(self._plan.incidents)}
        places = {location.name: n for n, location in enumerate(self._plan.locations)}
        return tuple(sorted(found, key=lambda o: (incidents[o.incident], places[o.location])))

    def _prepare(self) -> None:
        """Import what the probes will need: within the event loop everything would wait for it."""
        for location in self._plan.locations:
            kind = self._kinds.get(location.kind)
            if kind is not None and kind.prepare is not None:
                # Whatever is wrong is met again, and told, when the place is looked at.
                with suppress(Exception):
                    kind.prepare(location, self._credentials.get(location.name, Credentials()))


def _fingerprints(observation: Observation, incident: Incident) -> tuple[Fingerprint, ...]:
    """The broken artifacts as the source lists them: stores are searched for their bytes."""
    listed = {
        c.filename: c
        for page in observation.pages
        for c in listed_with(page.candidates, incident.is_broken)
    }
    return tuple(
        Fingerprint(
            filename=c.filename,
            version=c.version,
            size=c.size,
            sha256=c.hashes.get("sha256"),
            md5=c.hashes.get("md5"),
            url=c.url,
        )
        for c in listed.values()
    )


def _failed(
    blank: Observation, error: Exception, location: Location, credentials: Credentials
) -> Observation:
    """Turn what a probe raised into an observation; no secret survives in its text."""
    connected: bool | None = None
    text = str(error)
    match error:
        case TimeoutError():
            outcome, text = Outcome.UNREACHABLE, f"no complete answer in {location.timeout_s:g} s"
        case Unreachable():
            outcome, connected = Outcome.UNREACHABLE, error.connected
        case Denied():
            outcome = Outcome.DENIED
        case GuardRefused():
            outcome = Outcome.SKIPPED
        case Malformed() | ProbeError():
            outcome = Outcome.MALFORMED
        case _:
            outcome = Outcome.MALFORMED
            text = f"the probe of kind {location.kind} failed: {type(error).__name__}: {error}"
    for secret in credentials.secrets():
        text = text.replace(secret, "…")
    return replace(blank, outcome=outcome, detail=text, connected=connected)


def _sealed(observation: Observation, blank: Observation, ledger: Ledger) -> Observation:
    """Complete an observation with what the engine knows better than any probe."""
    requests = ledger.records()
    connected = observation.connected
    if connected is None and requests:
        connected = any(r.status is not None for r in requests)
    return replace(
        observation,
        location=blank.location,
        vantage=blank.vantage,
        incident=blank.incident,
        requests=requests,
        connected=connected,
        started_at=blank.started_at,
        finished_at=datetime.now(UTC),
    )


def _with_doubts(
    observation: Observation, location: Location, credentials: Credentials
) -> Observation:
    """Note where nobody checked who answered: no report may hide that."""
    origin = (location.url or "").rstrip("/").lower()
    asked = any(r.url.lower().startswith(origin) for r in observation.requests)
    if not (credentials.insecure and origin.startswith("https:") and asked):
        return observation
    return replace(observation, notes=(*observation.notes, UNVERIFIED))
