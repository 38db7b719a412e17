"""The fan-out: for each incident the source first, then every place at once, each in its time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import replace
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
from auditor.events import Event, Sight
from auditor.lanes import Lane, Look, Unfinished, Window, by_project, from_the_top, host_of
from auditor.limits import Limits
from auditor.model import Incident, Location, Observation, Outcome, Plan
from auditor.model.source import find_source
from auditor.patience import RETRY_S, Patience
from auditor.sealing import failed, fingerprints_at, sealed, with_doubts
from auditor.upstreams import Upstreams, source_facts

__all__ = ["Audit", "Event", "Limits", "Sight"]

# Between the beginnings of a place's workers: what one has begun sends its requests before the
# next ones prepare theirs.
HEAD_START_S = 0.01

INTERRUPTED = "interrupted before this place was seen"
NOT_ASKED = (
    "not asked about this incident: the last looks at this place got no answer, and it is tried "
    "again once in {seconds:g} s; the last one: {detail}"
)


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
        # Copies: what an incident remembers of versions goes when it is forgotten.
        self._incidents = {incident.id: replace(incident) for incident in plan.incidents}
        self._shared = Shared()
        self._total = len(plan.incidents) * len(plan.locations)
        self._done = 0
        self._looks_left = Counter({loc.name: len(plan.incidents) for loc in plan.locations})
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._facts: dict[str, SourceFacts] = {}
        self._patience = Patience()
        self._window = Window()
        self._prepare()

    async def run(self) -> tuple[Observation, ...]:
        """Look at every location and return one observation for each, in the plan's order."""
        async with aclosing(self.stream()) as sights:
            return self._in_plan_order([o async for sight in sights for o in sight.observations])

    async def stream(self) -> AsyncGenerator[Sight]:
        """Look at every location, and yield each incident when every place was seen for it.

        What an incident has seen is not kept after it was yielded, and no more than a few are under
        way beyond the one that is waited for. Incidents about one project follow each other; apart
        from that they come in the plan's order. Close the generator if you leave it early.
        """
        self._begin()
        try:
            for incident in self._order:
                unfinished = self._unfinished[incident.id]
                await unfinished.complete.wait()
                if self._failure is not None:
                    raise self._failure
                unseen = self._unseen(incident, unfinished.seen)
                yield Sight(incident.id, (*unfinished.seen, *unseen))
                await self._forget(incident, unfinished)
        finally:
            for task in self._tasks:
                task.cancel()
            # Workers end by themselves when they are cancelled, and say what they have not seen.
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for shared in (*self._projects.values(), self._shared):
                await shared.close()

    def stop(self) -> None:
        """Finish early: what has not been seen yet becomes `skipped`, saying so."""
        self.interrupted = True
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        plan = self._plan
        self._limits = Limits(plan.concurrency, plan.concurrency_per_host)
        self._source = find_source(plan.locations)
        self._upstreams = Upstreams(plan.locations, self._source)
        self._copies = from_the_top(
            loc for loc in plan.locations if self._source is None or loc.name != self._source.name
        )
        self._order = by_project(plan.incidents)
        self._unfinished = {i.id: Unfinished(len(plan.locations)) for i in self._order}
        about = Counter(incident.project for incident in self._order)
        self._projects = {project: Shared() for project, n in about.items() if n > 1}
        self._of_project = about
        places = Counter(map(host_of, plan.locations))
        self._lanes = {
            host: Lane(number, plan.concurrency_per_host, len(self._order))
            for host, number in places.items()
        }
        self._to_hand_out = len(self._order)
        self._running = 0
        self._start(self._admit())
        for lane in self._lanes.values():
            for worker in range(lane.workers):
                self._start(self._work(lane, worker // lane.places * HEAD_START_S))
        if self.interrupted:
            self.stop()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._running += 1
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """When all have ended, nothing more will be seen; when one has failed, all must end."""
        self._running -= 1
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            self._upstreams.give_up()
            for other in self._tasks:
                other.cancel()
        if not self._running:
            for unfinished in self._unfinished.values():
                unfinished.complete.set()

    async def _admit(self) -> None:
        """Begin one incident after another, while those under way leave room for it."""
        if not self._plan.locations:
            return
        for incident in self._order:
            await self._window.enter()
            if self._source is None:
                self._hand_out(incident)
            else:
                self._lanes[host_of(self._source)].add(Look(self._source, incident))

    def _hand_out(self, incident: Incident) -> None:
        """Let the copies be looked at: the source was, or there is none."""
        for location in self._copies:
            self._lanes[host_of(location)].add(Look(location, incident))
        self._to_hand_out -= 1
        if not self._to_hand_out:
            for lane in self._lanes.values():
                lane.close()

    async def _work(self, lane: Lane, wait_s: float) -> None:
        """Take one look after another, beginning after a while."""
        if wait_s:
            await asyncio.sleep(wait_s)
        while not self.interrupted and (look := await lane.next()) is not None:
            if not await self._visit(look.location, look.incident):
                break

    async def _visit(self, location: Location, incident: Incident) -> bool:
        """Look, and take what was seen; return whether to go on."""
        upstreams, cancelled = await self._upstreams.above(location, incident), False
        async with self._limits.place(location.name):
            self._tell(location, incident, "started", None)
            silent = self._patience.spared(location.name)
            if silent is not None:
                observation = self._spared(location, incident, silent)
            else:
                source = self._facts.get(incident.id)
                observation, cancelled = await self._look(location, incident, source, upstreams)
                self._patience.saw(location.name, observation)
        self._upstreams.saw(location, incident, observation)
        self._window.holds(self._unfinished[incident.id].take(observation))
        if self._source is not None and location.name == self._source.name:
            self._learn(incident, observation)
        self._done += 1
        self._tell(location, incident, "finished", observation)
        self._looks_left[location.name] -= 1
        if not self._looks_left[location.name]:  # while others are still waited for
            await self._shared.leave(location.name)
        return not cancelled

    def _learn(self, incident: Incident, observation: Observation) -> None:
        """Tell the copies what was seen at the source, and let them be looked at."""
        self._facts[incident.id] = source_facts(observation, incident)
        known = (*incident.fingerprints, *fingerprints_at(observation, incident))
        self._incidents[incident.id] = replace(incident, fingerprints=known)
        self._hand_out(incident)

    async def _forget(self, incident: Incident, unfinished: Unfinished) -> None:
        """Drop all that is known of an incident, and of its project if it was the last one."""
        del self._unfinished[incident.id]
        self._facts.pop(incident.id, None)
        self._incidents[incident.id] = incident
        self._upstreams.forget(incident)
        self._window.leave(unfinished.files)
        self._of_project[incident.project] -= 1
        if not self._of_project[incident.project] and incident.project in self._projects:
            await self._projects.pop(incident.project).close()

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
        ledger = Ledger()
        blank = self._blank(location, incident, datetime.now(UTC))
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
        # A third-party probe may raise anything; what it calls may even end the program.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is becomes a row
            observation = failed(blank, error, location, assignment.credentials)
        observation = sealed(observation, blank, ledger)
        return with_doubts(observation, location, assignment.credentials), cancelled

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
            project_shared=self._projects.get(incident.project),
            user_agent_suffix=f"propagation-auditor/{plan.tool_version}{contact}",
            now=lambda: datetime.now(UTC),
        )

    def _unseen(self, incident: Incident, seen: Sequence[Observation]) -> Iterator[Observation]:
        have = {o.location for o in seen}
        now = datetime.now(UTC)
        for location in self._plan.locations:
            if location.name not in have:
                yield replace(self._blank(location, incident, now), detail=INTERRUPTED)

    def _blank(self, location: Location, incident: Incident, at: datetime) -> Observation:
        return Observation(
            location=location.name,
            vantage=self._plan.vantage.id,
            incident=incident.id,
            outcome=Outcome.SKIPPED,
            started_at=at,
            finished_at=at,
        )

    def _spared(self, location: Location, incident: Incident, silent: Observation) -> Observation:
        return replace(
            self._blank(location, incident, datetime.now(UTC)),
            outcome=Outcome.UNREACHABLE,
            connected=silent.connected,
            detail=NOT_ASKED.format(seconds=RETRY_S, detail=silent.detail),
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
