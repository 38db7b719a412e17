"""The built-in kinds on the embedded world: what they see, and that they leave no trace."""

from __future__ import annotations

from pathlib import Path

from auditor.lab.world import World
from auditor.model import FileHosting, HeldState, Observation, Outcome, PageOutcome, View
from probes import pypi, simple, wheelhouse
from tests.probes.conftest import MakeAssignment

KINDS = {"pypi": pypi.KIND, "simple": simple.KIND, "wheelhouse": wheelhouse.KIND}


async def observe_all(world: World, assign: MakeAssignment) -> dict[str, Observation]:
    observations = {}
    for placement in world.placements:
        kind = KINDS.get(placement.kind)
        if kind is None:
            continue
        assignment = assign(
            placement.url,
            path=str(placement.path) if placement.path else None,
            kind=placement.kind,
            samples=placement.samples or 1,
        )
        observations[placement.name] = await kind.observe(assignment)
    return observations


def versions(observation: Observation, view: View = View.PIP) -> set[str | None]:
    pages = [page for page in observation.pages if page.view is view]
    return {candidate.version for page in pages for candidate in page.candidates}


async def test_the_world_is_seen_as_it_is(tmp_path: Path, assign: MakeAssignment) -> None:
    async with World(tmp_path) as world:
        seen = await observe_all(world, assign)
        # Law 1: no artifact was asked for, and what was asked for is what we say.
        assert world.file_requests() == []
        for name, server in world.servers.items():
            said = seen[name].requests if name in seen else ()
            assert sorted(r.url for r in said) == sorted(server.url + e.path for e in server.log)

    assert versions(seen["source"]) >= {"1.2.3", "1.2.4"}
    assert seen["source"].file_hosting is FileHosting.ELSEWHERE
    assert {h.state for h in seen["source"].holdings} == {HeldState.UNKNOWN}
    assert seen["fresh-mirror"].file_hosting is FileHosting.HERE
    assert "1.2.3" not in versions(seen["clean-mirror"])
    assert "1.2.4" not in versions(seen["behind-mirror"])
    split = seen["split-mirror"]
    assert versions(split, View.PIP) != versions(split, View.PIP_HTML)
    flapping = [p for p in seen["flapping-mirror"].pages if p.view is View.PIP]
    assert len({p.body_sha256 for p in flapping}) == 2
    assert not any(p.complete for p in seen["broken-page"].pages)
    assert seen["broken-page"].outcome is Outcome.OBSERVED
    assert (seen["down"].outcome, seen["down"].connected) == (Outcome.UNREACHABLE, False)
    house = seen["wheelhouse"]
    assert versions(house) == {"1.2.2", "1.2.3"}
    assert {h.state for h in house.holdings} == {HeldState.HELD}
    healthy = [name for name in seen if name not in ("down", "broken-page", "wheelhouse")]
    for name in healthy:
        assert {p.outcome for p in seen[name].pages} == {PageOutcome.OBSERVED}, name
