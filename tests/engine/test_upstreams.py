"""Chains of copies after a deletion: who waits for whom, and who does not."""

from __future__ import annotations

import asyncio

import pytest

from auditor.contracts import Assignment, Hop
from auditor.engine import Event
from auditor.model import HeldState, Holding, Observation
from tests.engine.test_engine import Behaviour, audit, incident, place, seen

WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
PLACES = (
    place("leaf", "copy", upstream="mid"),
    place("mid", "copy", upstream="source"),
    place("source", "source"),
    place("stray", "copy"),
)


def gone() -> Holding:
    return Holding(filename=WHEEL, state=HeldState.NOT_HELD, how="", answered=404)


class World:
    """Remembers in which order places were looked at, and what each was told."""

    def __init__(self, *at_source: Holding) -> None:
        self.at_source = at_source
        self.order: list[str] = []
        self.told: dict[str, tuple[Hop, ...]] = {}

    async def source(self, assignment: Assignment) -> Observation:
        return seen(assignment, holdings=self.at_source)

    async def copy(self, assignment: Assignment) -> Observation:
        name = assignment.location.name
        self.told[name] = assignment.upstreams
        if name == "mid":
            await asyncio.sleep(0.02)
        self.order.append(name)
        return seen(assignment, holdings=(gone(),))

    @property
    def behaviours(self) -> dict[str, Behaviour]:
        return {"source": self.source, "copy": self.copy}


@pytest.mark.parametrize("concurrency", [1, 64])
async def test_a_copy_of_a_copy_waits_until_that_was_looked_at(concurrency: int) -> None:
    world = World(gone())
    incidents = (incident(), incident("otherpkg"))
    async with asyncio.timeout(5):
        await audit(
            *PLACES,
            behaviours=world.behaviours,
            concurrency=concurrency,
            incidents=incidents,
        ).run()
    assert world.order.index("mid") < world.order.index("leaf")
    everything = frozenset({WHEEL})
    source = Hop(name="source", kind="source", gone=everything)
    assert world.told["mid"] == (source,)
    assert world.told["leaf"] == (Hop(name="mid", kind="copy", gone=everything), source)
    assert world.told["stray"] == ()


async def test_nobody_waits_while_the_source_still_has_the_file() -> None:
    world = World()
    async with asyncio.timeout(5):
        await audit(*PLACES, behaviours=world.behaviours).run()
    assert world.order.index("leaf") < world.order.index("mid")
    assert set(world.told.values()) == {()}


async def test_a_failing_listener_leaves_nobody_waiting() -> None:
    def fail(event: Event) -> None:
        if (event.location, event.phase) == ("mid", "started"):
            raise RuntimeError("the progress display broke")

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="display broke"):
            await audit(*PLACES, behaviours=World(gone()).behaviours, on_event=fail).run()
