"""Deleting a fact from what was seen never makes anything look better (design section 4).

The order: a status that fails and `unknown` promise nothing; `latent`, `rolled-forward`, `absent`
and `clean` promise more and more, in the order of the table of statuses. From a place of which a
fact is gone, no promise may grow. What another place says may be the reference that accused this
one; the place that lost it must then itself be unknown, so that no run becomes good by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.world import World
from auditor.model import (
    Bundle,
    FileHosting,
    Freshness,
    HeldState,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Pin,
    PinnedFile,
    PinState,
    Plan,
    Severity,
    Status,
    View,
    Yank,
)
from auditor.observations import encode, read, write
from auditor.registry import load_kinds
from auditor.verdict.judge import rows_of
from auditor.verdict.rules import RULES, apply_rules
from tests.verdict.deletions import deletions_everywhere, deletions_of
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    FIX_AT,
    GOOD,
    NOW,
    OLD,
    YANKED,
    digest,
    held,
    location,
    observe,
    page,
    plan,
    source,
)

Scene = tuple[Plan, tuple[Observation, ...]]

# One environment decides as many do, and an audit of 49 would take as many times longer.
ENVIRONMENT = "cp312-manylinux_2_28_x86_64"


def promise(status: Status) -> int:
    return status.rank if status.severity is Severity.OK else 0


def statuses(the_plan: Plan, seen: Sequence[Observation]) -> dict[str, Status]:
    return {
        row.location.name: apply_rules(row, RULES.values()).status
        for row in rows_of(the_plan, seen)
    }


_BEFORE: dict[int, dict[str, Status]] = {}


def _before(key: int, scene: Scene) -> dict[str, Status]:
    if key not in _BEFORE:  # scenes live as long as this module
        _BEFORE[key] = statuses(*scene)
    return _BEFORE[key]


def improvements(scene: Scene, lacking: Observation) -> Iterator[str]:
    """Tell what looks better with this observation in place of the whole one."""
    the_plan, whole = scene
    left = tuple(lacking if o.location == lacking.location else o for o in whole)
    before, after = _before(id(scene), scene), statuses(the_plan, left)
    is_good = all(map(promise, after.values()))
    for name, status in after.items():
        if promise(status) > promise(before[name]) and (name == lacking.location or is_good):
            yield f"{name}: {before[name].value} becomes {status.value}"


def one_environment(the_plan: Plan, *names: str) -> Plan:
    environments = tuple(e for e in the_plan.environments if e.id == ENVIRONMENT)
    locations = tuple(loc for loc in the_plan.locations if loc.name in names)
    return replace(the_plan, environments=environments, locations=locations)


# --- what is stored


@lru_cache(maxsize=1)
def world() -> dict[str, Scene]:
    """Each place of the embedded world beside its source, as probes saw it and a file kept it."""

    async def look(directory: Path) -> Scene:
        kinds = load_kinds()
        async with World(directory) as the_world:
            document = parse_document(the_world.config_toml(), name="world", directory=directory)
            resolved = resolve(document, kinds, environ={})
            seen = await Audit(resolved.plan, resolved.credentials, kinds).run()
        write(directory / "seen.jsonl", resolved.plan, seen)
        the_plan, stored, _ = read([directory / "seen.jsonl"])
        return the_plan, stored

    with TemporaryDirectory() as directory:
        the_plan, stored = asyncio.run(look(Path(directory)))
    by_name = {o.location: o for o in stored}
    origin = by_name.pop("source")
    return {
        name: (one_environment(the_plan, "source", name), (origin, seen))
        for name, seen in by_name.items()
    }


WORLD = (
    *("fresh-mirror", "clean-mirror", "late-mirror", "stuck-mirror", "behind-mirror"),
    *("split-mirror", "flapping-mirror", "yank-lost-mirror", "tampered-mirror"),
    *("fake-serial-mirror", "broken-page", "wheelhouse", "pip-cache", "down"),
)


def staged(seen: Observation, kind: str = "simple", *listed: Page, **facts: object) -> Scene:
    place = replace(location(seen.location, kind), **facts)
    return one_environment(plan(place), "source", seen.location), (source(*listed), seen)


def pin(version: str | None, **facts: object) -> Pin:
    known = Pin(where="uv.lock:7", state=PinState.FORCED, version=version)
    return replace(known, **facts)


_OTHER = structs.replace(YANKED, hashes={"sha256": digest("other bytes")})
_BY_HASH = PinnedFile(filename=BROKEN.filename, hashes=BROKEN.hashes, size=1000)
_KEPT = page(OLD, freshness=Freshness(expires_at=NOW.replace(year=2027)))
_GONE = page((GOOD, FIX))
_OBSCURE = pin(None, state=PinState.RANGE, specifier="<1.2.4", marker="python_version > '3'")
_SAME = held(HeldState.HELD, sha256=BROKEN.hashes["sha256"], size=1000)
_BUNDLE = Bundle(name="deps", created_at=FIX_AT)

SCENES: dict[str, Scene] = {
    "clean index": staged(observe("m", _GONE, file_hosting=FileHosting.ELSEWHERE)),
    "listed index": staged(observe("m", page())),
    "two views": staged(observe("m", page(), page(OLD, View.UV))),
    "two samples": staged(
        observe("m", page(), page(OLD, sample=2), samples_asked=2), "simple", samples=1
    ),
    "other bytes listed": staged(observe("m", page((GOOD, _OTHER, FIX)))),
    "other bytes, deleted at the source": staged(
        observe("m", page((GOOD, _OTHER, FIX)), holdings=(_SAME,)), "simple", _GONE
    ),
    "held and not listed": staged(
        observe("m", _GONE, file_hosting=FileHosting.ELSEWHERE, holdings=(_SAME,))
    ),
    "one held, one not": staged(
        observe(
            "m", _GONE, holdings=(_SAME, held(HeldState.NOT_HELD, filename="brokenpkg-1.2.3.zip"))
        )
    ),
    "yank not known": staged(
        observe("m", page((GOOD, structs.replace(BROKEN, yanked=Yank.UNKNOWN))))
    ),
    "absent": staged(
        observe("m", page((), outcome=PageOutcome.ABSENT), outcome=Outcome.ABSENT),
        required=False,
    ),
    "empty store": staged(observe("box", holdings_complete=True), "box"),
    "store of the fix": staged(
        observe("box", holdings=(held(HeldState.HELD, "1.2.4"),), holdings_complete=True), "box"
    ),
    "store of the broken": staged(observe("box", holdings=(_SAME,), holdings_complete=True), "box"),
    "store of other bytes": staged(
        observe("box", holdings=(replace(_SAME, sha256=digest("x")),), holdings_complete=True),
        "box",
    ),
    "store, the bytes under another name": staged(
        observe(
            "box",
            holdings=(replace(_SAME, filename="a.body", version=None),),
            holdings_complete=True,
        ),
        "box",
    ),
    "store with a page that is trusted": staged(
        observe("box", _KEPT, holdings_complete=True), "box"
    ),
    "bundles": staged(observe("box", bundles=(_BUNDLE,), holdings_complete=True), "box"),
    "pinned": staged(observe("lock", pins=(pin("1.2.3"),), holdings_complete=True), "lock"),
    "pinned by hash": staged(
        observe("lock", pins=(pin("1.2.2", files=(_BY_HASH,)),), holdings_complete=True), "lock"
    ),
    "capped": staged(observe("lock", pins=(_OBSCURE,), holdings_complete=True), "lock"),
    "pins, one of them broken": staged(
        observe("lock", pins=(pin("1.2.4"), pin("1.2.3")), holdings_complete=True), "lock"
    ),
    "no pins": staged(observe("lock", holdings_complete=True), "lock"),
    "image with a lower layer": staged(
        observe(
            "lock",
            holdings=(held(HeldState.SHADOWED),),
            pins=(pin("1.2.4"),),
            holdings_complete=True,
        ),
        "lock",
    ),
}


# --- one fact less, each of them


def assert_no_promise_grows(scene: Scene, names: Sequence[str]) -> None:
    _, whole = scene
    tried, found = 0, []
    for seen in whole:
        if seen.location in names:
            for label, lacking in (*deletions_of(seen), *deletions_everywhere(seen)):
                tried += 1
                found += [f"without {label}, {told}" for told in improvements(scene, lacking)]
    assert tried
    assert found == []


@pytest.mark.parametrize("name", SCENES)
def test_no_place_looks_better_with_one_fact_less(name: str) -> None:
    scene = SCENES[name]
    assert_no_promise_grows(scene, [o.location for o in scene[1]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clean-mirror", "pip-cache", "wheelhouse", "down"])
def test_no_place_of_the_world_looks_better_with_one_fact_less(name: str) -> None:
    assert_no_promise_grows(world()[name], [name])


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize("name", WORLD)
def test_no_row_of_the_world_is_better_with_one_fact_less(name: str) -> None:
    assert_no_promise_grows(world()[name], [name, "source"])


@pytest.mark.slow
def test_the_whole_world_is_gone_through() -> None:
    assert set(world()) == set(WORLD)


# --- pairs, and more


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(SCENES)), st.data())
def test_no_place_looks_better_with_two_or_three_facts_less(name: str, data: st.DataObject) -> None:
    scene = SCENES[name]
    lacking = scene[1][data.draw(st.integers(0, len(scene[1]) - 1))]
    for _ in range(data.draw(st.integers(2, 3))):
        choices = [left for _, left in deletions_of(lacking)]
        if choices:
            lacking = choices[data.draw(st.integers(0, len(choices) - 1))]
    assert list(improvements(scene, lacking)) == []


# --- what decides


def decisive(seen: Observation) -> Iterator[tuple[str, Observation]]:
    """Each observation that lacks one of the facts by which a place is green."""
    of_winner = ("yanked unknown", "version none", "requires_python none", FIX.filename)
    for label, lacking in (*deletions_of(seen), *deletions_everywhere(seen)):
        fact = label.partition(": ")[2]
        kinds = (
            fact.startswith("pages[") and fact.endswith("]") and "." not in fact,
            fact.endswith("complete unsaid"),
            fact.startswith(f"every {FIX.filename}") and fact.endswith(of_winner),
        )
        if any(kinds):
            yield label, lacking


@pytest.mark.parametrize("name", ["clean index", "listed index", "empty store", "no pins"])
def test_without_a_decisive_fact_nothing_is_clean_or_rolled_forward(name: str) -> None:
    the_plan, whole = SCENES[name]
    origin, seen = whole
    green = (Status.CLEAN, Status.ROLLED_FORWARD)
    assert statuses(the_plan, whole)[seen.location] in green
    tried = list(decisive(seen))
    assert tried
    for label, lacking in tried:
        assert statuses(the_plan, (origin, lacking))[seen.location] not in green, label


def test_a_place_that_is_clean_as_its_files_are_elsewhere_is_not_clean_if_that_is_not_known() -> (
    None
):
    the_plan, (origin, seen) = SCENES["clean index"]
    lacking = replace(seen, file_hosting=FileHosting.UNKNOWN)
    assert statuses(the_plan, (origin, lacking))["m"] is Status.ROLLED_FORWARD


# --- how a loss is noticed


def test_an_observation_counts_what_it_says_and_a_copy_does_not_forget() -> None:
    seen = observe("box", page(), holdings=(_SAME,), pins=(pin("1.2.3"),), bundles=(_BUNDLE,))
    counted = seen.extent
    assert counted is not None
    assert (counted.pages, counted.files, counted.holdings) == (1, len(CURRENT), 1)
    assert (counted.pins, counted.bundles) == (1, 1)
    assert replace(seen, holdings=()).extent == counted
    grown = replace(seen, holdings=(_SAME, held(HeldState.HELD, "1.2.2"))).extent
    assert grown is not None
    assert grown.holdings == 2
    assert replace(seen, extent=None) == seen


def test_holdings_emptied_by_hand_in_a_stored_file_are_noticed(tmp_path: Path) -> None:
    the_plan, (origin, seen) = SCENES["store of the broken"]
    assert statuses(the_plan, (origin, seen))["box"] is Status.LATENT
    written = [encode(o) for o in (origin, seen)]
    write(tmp_path / "seen.jsonl", the_plan, (origin, seen))
    text = (tmp_path / "seen.jsonl").read_bytes()
    start = written[1].index(b'"holdings":[')
    stop = written[1].index(b'],"holdings_complete"')
    emptied = written[1][:start] + b'"holdings":[' + written[1][stop:]
    lines = text.splitlines()
    plain = [line for line in lines if line.startswith(b'{"propagation') or b'"box"' not in line]
    (tmp_path / "emptied.jsonl").write_bytes(b"\n".join([*plain, emptied]))
    _, stored, _ = read([tmp_path / "emptied.jsonl"])
    assert statuses(the_plan, stored)["box"] is Status.UNKNOWN
