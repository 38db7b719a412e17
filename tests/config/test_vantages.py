"""Locations that are looked at from some vantages only."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from auditor.config import Options, resolve
from auditor.config.document import Document
from auditor.errors import ConfigError
from auditor.model import Plan
from auditor.registry import load_kinds

INCIDENT = {"project": "brokenpkg", "broken": ["1.2.3"], "fixed": ["1.2.4"]}


def place(name: str, **more: object) -> Mapping[str, object]:
    url = f"https://{name}.example/simple/"
    return {"name": name, "kind": "simple", "url": url, **more}


def plan_from(options: Options, *places: Mapping[str, object]) -> Plan:
    document = Document(data={"incidents": [INCIDENT], "locations": list(places)})
    return resolve(document, load_kinds(), options, environ={}).plan


INSIDE = place("inside", upstream="source", vantages=["paris", "lyon"])


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (Options(vantage="paris"), {"source", "inside"}),
        (Options(vantage="tokyo"), {"source"}),
        (Options(), {"source"}),
        (Options(vantages=("tokyo", "lyon")), {"source", "inside"}),
    ],
)
def test_a_place_is_looked_at_from_its_vantages_only(options: Options, seen: set[str]) -> None:
    plan = plan_from(options, place("source"), INSIDE)
    assert seen == {each.name for each in plan.locations}
    told = [note for note in plan.notes if ": 1 place of the configuration." in note]
    assert bool(told) is ("inside" not in seen)


def test_a_vantage_that_sees_nothing_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no location is looked at from tokyo; known: lyon, par"):
        plan_from(Options(vantage="tokyo"), place("inside", vantages=["paris", "lyon"]))


@pytest.mark.parametrize("vantages", [[], ["tokyo"], ["paris", "tokyo"]])
def test_who_looks_at_a_copy_must_see_what_it_copies_from(vantages: list[str]) -> None:
    with pytest.raises(ConfigError, match="looked at from paris only"):
        plan_from(
            Options(vantage="paris"),
            place("source", vantages=["paris"]),
            place("copy", upstream="source", vantages=vantages),
        )


def test_workers_must_have_names() -> None:
    with pytest.raises(ConfigError, match="--celery"):
        plan_from(Options(vantages=("a\nb",)), place("source"))
