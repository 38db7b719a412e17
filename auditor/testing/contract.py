"""The contract of a probe as a play in six acts; every break of it is reported."""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from auditor.config import Document, Options, resolve
from auditor.contracts import Assignment, Credentials, Ledger, ProbeKind
from auditor.engine import Limits
from auditor.errors import ProbeError
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Observation, Outcome
from auditor.testing.clauses import declaration_problems, ledger_problems, observation_problems
from auditor.testing.hostile import HOSTILE_ANSWERS, echo, spoil, take_away
from auditor.testing.stage import PASSWORD, USERNAME, Playing, Stage, dead_stage, live_stage

__all__ = ["ACTS", "ContractBroken", "Place", "check_kind"]

TIMEOUT_S = 2.0
# What a busy machine may take to notice that time is up.
SLACK_S = 1.0

Place = Callable[[Stage], Mapping[str, object]]


class ContractBroken(AssertionError):
    """A kind breaks the contract.

    Attributes:
        problems: each as `ACT: what is wrong`.
    """

    def __init__(self, kind: str, problems: tuple[str, ...]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"kind {kind!r} breaks the contract of probes:\n{lines}")
        self.problems = problems


async def check_kind(
    kind: ProbeKind,
    place: Place,
    *,
    directory: Path | None = None,
    skip: Collection[str] = (),
) -> None:
    """Run a kind against a healthy, a dead, a silent and hostile places, and cancel it.

    Args:
        kind: under test.
        place: is handed a `Stage` and returns a table of `[[locations]]` without kind and name,
            such as `{"url": stage.simple_url}` or `{"path": stage.directory}`.
        directory: to work in; None: a temporary one.
        skip: names of `ACTS` that are left out, such as `healthy` for a kind whose server speaks
            an interface that the stage does not.

    Raises:
        ContractBroken: with every clause that does not hold.
        ConfigError: the table is wrong, or holds a key that the kind does not declare.
    """
    with tempfile.TemporaryDirectory(dir=directory, prefix="contract-") as work:
        problems = [f"declared: {text}" for text in declaration_problems(kind)]
        for name, act in ACTS.items():
            if name in skip:
                continue
            scene = Scene(kind=kind, place=place, directory=Path(work, name.replace(" ", "-")))
            before = asyncio.all_tasks()
            await act(scene)
            if await _left_running(before):
                scene.problems.append("tasks are still running afterwards")
            problems += [f"{name}: {text}" for text in scene.problems]
    if problems:
        raise ContractBroken(kind.name, tuple(dict.fromkeys(problems)))


@dataclass(kw_only=True)
class Scene:
    """One act in the making: who plays, where, and what went wrong."""

    kind: ProbeKind
    place: Place
    directory: Path
    problems: list[str] = field(default_factory=list)

    def assignment(self, stage: Stage) -> Assignment:
        """Resolve the author's location as a configuration would be."""
        incident = {"project": PROJECT, "broken": [BROKEN], "fixed": [FIXED]}
        table = {
            "timeout_s": TIMEOUT_S,
            **{key: _plain(value) for key, value in self.place(stage).items()},
            "name": "place",
            "kind": self.kind.name,
        }
        document = Document().with_element("incidents", incident, "incident")
        resolved = resolve(
            document.with_element("locations", table, "place(stage)"),
            {self.kind.name: self.kind},
            Options(vantage="contract"),
            environ={},
            credentials={"place": Credentials(username=USERNAME, password=PASSWORD)},
        )
        plan = resolved.plan
        return Assignment(
            incident=plan.incidents[0],
            location=plan.locations[0],
            vantage=plan.vantage,
            credentials=resolved.credentials["place"],
            limits=Limits(plan.concurrency, plan.concurrency_per_host),
            ledger=Ledger(),
            user_agent_suffix="propagation-auditor/contract",
            now=lambda: datetime.now(UTC),
        )

    async def observe(self, work: Assignment) -> Observation | None:
        """Let it look as the engine does; None if it gave up in an orderly way."""
        loop = asyncio.get_running_loop()
        limit_s = work.location.timeout_s
        started_s = loop.time()
        found: object = None
        try:
            async with asyncio.timeout(limit_s):
                found = await self.kind.observe(work)
        except (ProbeError, TimeoutError):
            pass
        except Exception as error:  # noqa: BLE001 (that is what is being tested)
            self.problems.append(f"raised {type(error).__name__}, which is no ProbeError: {error}")
        if loop.time() - started_s > limit_s + SLACK_S:
            self.problems.append(f"took {loop.time() - started_s:.1f} s of {limit_s:g} s")
        if isinstance(found, Observation):
            self.problems += observation_problems(found, work, tuple(_secrets()))
            return found
        if found is not None:
            self.problems.append(f"returned {type(found).__name__}, which is no Observation")
        return None

    def own_path(self, work: Assignment) -> Path | None:
        """What lies on disk and may be spoilt, since the author made it here."""
        path = Path(work.location.path) if work.location.path else None
        return path if path is not None and path.is_relative_to(self.directory) else None

    @asynccontextmanager
    async def live(self) -> AsyncIterator[tuple[Playing, Assignment]]:
        """Start the stage; when its server has stopped, compare its log with the ledger."""
        async with live_stage(self.directory) as playing:
            work = await asyncio.to_thread(self.assignment, playing.stage)
            yield playing, work
        self.problems += ledger_problems(self.kind, work.ledger.records(), playing.server)


async def _healthy(scene: Scene) -> None:
    async with scene.live() as (_, work):
        found = await scene.observe(work)
        if found is None or found.outcome is not Outcome.OBSERVED:
            outcome = f"{found.outcome.value} ({found.detail})" if found else "no observation"
            scene.problems.append(f"a healthy place must be observed, not: {outcome}")


async def _dead(scene: Scene) -> None:
    async with dead_stage(scene.directory) as stage:
        work = await asyncio.to_thread(scene.assignment, stage)
        path = scene.own_path(work)
        if path is not None:
            await asyncio.to_thread(take_away, path)
        found = await scene.observe(work)
        # A cache that was never made is an empty one; a server that is down is not.
        wrong = (Outcome.OBSERVED,) if path else (Outcome.OBSERVED, Outcome.ABSENT)
        if found is not None and found.outcome in wrong:
            scene.problems.append(f"nothing is there, and yet it is {found.outcome.value!r}")


async def _silent(scene: Scene) -> None:
    async with scene.live() as (playing, work):
        playing.hang()
        found = await scene.observe(work)
        if playing.asked.is_set() and found is not None and found.outcome is Outcome.ABSENT:
            scene.problems.append("a server that says nothing does not say `absent`")


async def _cancelled(scene: Scene) -> None:
    async with scene.live() as (playing, work):
        playing.hang()
        looking = asyncio.ensure_future(scene.kind.observe(work))
        asked = asyncio.ensure_future(playing.asked.wait())
        await asyncio.wait({looking, asked}, return_when="FIRST_COMPLETED", timeout=TIMEOUT_S)
        asked.cancel()
        was_busy = not looking.done()
        looking.cancel()
        _, late = await asyncio.wait({looking}, timeout=SLACK_S)
        if late:
            scene.problems.append(f"goes on for more than {SLACK_S:g} s after it was cancelled")
        elif was_busy and not looking.cancelled():
            scene.problems.append("swallows its cancellation; let CancelledError pass")
        if not looking.cancelled() and looking.done():
            looking.exception()  # what it raises is told by the other acts


async def _hostile(scene: Scene) -> None:
    async with scene.live() as (playing, work):
        path = scene.own_path(work)
        if path is not None:
            await asyncio.to_thread(spoil, path)
        for name, answer in HOSTILE_ANSWERS.items():
            playing.answer(answer)
            had = len(scene.problems)
            await scene.observe(work)
            scene.problems[had:] = [f"{name}: {text}" for text in scene.problems[had:]]
            if not playing.asked.is_set():
                break  # it asks no server: the files were all there is


async def _echoing(scene: Scene) -> None:
    async with scene.live() as (playing, work):
        playing.answer(echo)
        await scene.observe(work)


Act = Callable[[Scene], Awaitable[None]]
ACTS: Mapping[str, Act] = {
    "healthy": _healthy,
    "dead": _dead,
    "silent": _silent,
    "cancelled": _cancelled,
    "hostile": _hostile,
    "echoing credentials": _echoing,
}


async def _left_running(before: set[asyncio.Task[object]]) -> bool:
    """Say whether tasks have come and stayed, those aside that are just about to end."""
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=SLACK_S / 4)
    return bool(left)


def _secrets() -> Iterator[str]:
    yield PASSWORD
    yield base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


def _plain(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
