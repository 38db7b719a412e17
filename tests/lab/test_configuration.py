"""The ordinary configuration loader reads what the world writes."""

from __future__ import annotations

from auditor.config import Resolved, parse_document, resolve
from auditor.contracts import Assignment, ProbeKind
from auditor.lab.world import World
from auditor.model import Observation, Role


async def observe_nothing(assignment: Assignment) -> Observation:
    raise AssertionError("a configuration is resolved, and nothing is looked at")


KINDS = {
    name: ProbeKind(name=name, summary=name, role=Role.INDEX, observe=observe_nothing)
    for name in ("pypi", "simple", "wheelhouse")
}


def resolved(world: World) -> Resolved:
    document = parse_document(world.config_toml(), name="world.toml", directory=world.directory)
    return resolve(document, KINDS, environ={}, now=world.now)


async def test_every_location_is_resolved_without_a_warning(world: World) -> None:
    result = resolved(world)
    assert [p.name for p in world.placements] == [place.name for place in result.plan.locations]
    assert result.warnings == ()


async def test_lags_samples_and_upstreams_arrive(world: World) -> None:
    places = {place.name: place for place in resolved(world).plan.locations}
    assert places["late-mirror"].expected_lag_s == 6 * 3600
    assert places["stuck-mirror"].expected_lag_s == 3600
    assert places["flapping-mirror"].samples == 4
    assert places["source"].upstream is None
    for name, place in places.items():
        assert place.upstream == ("source" if place.kind == "simple" else None), name


async def test_the_incident_arrives(world: World) -> None:
    (incident,) = resolved(world).plan.incidents
    assert (incident.project, incident.broken, incident.fixed) == (
        "brokenpkg",
        ("1.2.3",),
        ("1.2.4",),
    )
