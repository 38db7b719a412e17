"""What a devpi server tells that decides how an index of it goes on."""

from __future__ import annotations

import pytest

from auditor.verdict.behaviour import behaviour_of
from probes.devpi_server.reading import traits_of
from probes.devpi_server.topology import IndexConfig, Topology

MIRROR = IndexConfig(name="root/mir", type="mirror", upstream="https://x.example/", evidence="e1")
EXTERNAL = IndexConfig(name="root/mir", type="mirror", external=True, evidence="e1")
STAGE = IndexConfig(name="root/stage", type="stage", bases=("root/mir",), evidence="e2")
ALONE = IndexConfig(name="root/stage", type="stage", evidence="e2")


def topology(*indexes: IndexConfig, recognised: bool = True) -> Topology:
    return Topology(own=indexes[0].name, indexes=indexes, recognised=recognised)


@pytest.mark.parametrize(
    ("found", "blocking", "copying", "traits"),
    [
        (topology(MIRROR), None, None, ("mirror",)),
        (topology(STAGE, MIRROR), None, None, ("mirror",)),
        (topology(EXTERNAL), None, None, ("mirror", "external-urls")),
        (topology(STAGE, MIRROR), STAGE, STAGE, ("closed",)),
        (topology(STAGE, MIRROR), None, STAGE, ("local-copy",)),
        (topology(ALONE), None, None, ("closed",)),
        (topology(STAGE), None, None, ()),
        (topology(MIRROR, recognised=False), None, None, ()),
    ],
)
def test_its_settings_decide_which_measurement_speaks_for_it(
    found: Topology,
    blocking: IndexConfig | None,
    copying: IndexConfig | None,
    traits: tuple[str, ...],
) -> None:
    assert traits_of(found, blocking, copying) == traits
    behaviour = behaviour_of("devpi", traits)
    assert (behaviour is not None) is bool(traits)
    if behaviour is not None:
        assert behaviour.needs <= set(traits)
