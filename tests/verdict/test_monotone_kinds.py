"""Deleting a fact never improves what a place counts as, of what every kind on disk has observed.

The observations are those that the probes make of the well-formed inputs of the fuzzer: every kind
that reads a disk, from caches and archives to images, environments and lock files. A fact is
deleted from the record (`deletions`), and as somebody would who edits a stored file: a key of its
JSON, an item of a list, the end of a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from auditor.config.kinds import facts_of
from auditor.contracts import Assignment, ProbeKind
from auditor.model import (
    Location,
    Observation,
    Outcome,
    Plan,
    Role,
    SettingValue,
    Severity,
    Status,
)
from auditor.observations import encode
from auditor.registry import load_kinds
from auditor.verdict import judge
from tests.fuzz import target as fuzzed
from tests.fuzz.registry import load_targets
from tests.verdict import stage
from tests.verdict.deletions import deletions_of
from tests.verdict.test_monotone import SCENES, promise, statuses

pytestmark = pytest.mark.slow

ON_DISK = (
    *("archive", "bandersnatch", "environment", "image", "lockfile"),
    *("pdm-cache", "pip-cache", "poetry-cache", "uv-cache", "wheelhouse"),
)
_GROUPS = ("caches", "archives", "locks")
_SEEDS, _PER_KIND = 6, 4
# Who it is and when: without these it is no other observation, but none. How much there was is what
# notices a loss; somebody who deletes that as well has forged the file.
_KEYS = frozenset({"location", "vantage", "incident", "started_at", "finished_at", "extent"})
_PROSE = frozenset({"evidence", "requests", "excerpt", "detail", "url", "how", "reproduce"})


@dataclass(frozen=True)
class Seen:
    """An observation of one kind."""

    kind: str
    role: Role
    observation: Observation


@lru_cache(maxsize=1)
def all_seen() -> tuple[Seen, ...]:
    """What the probes observe of the fuzzer's inputs, a few of each kind and outcome."""
    found: dict[bytes, Seen] = {}
    current: list[Assignment] = []
    assign = fuzzed.assignment_of

    def assigned(kind: str, path: object, role: Role, **settings: SettingValue) -> Assignment:
        current[:] = [assign(kind, path, role, **settings)]  # type: ignore[arg-type]  # a path
        return current[0]

    def kept(observation: Observation) -> bytes:
        location = current[0].location
        plain = replace(observation, started_at=stage.NOW, finished_at=stage.NOW)
        seen = Seen(location.kind, location.role, plain)
        found.setdefault(location.kind.encode() + encode(plain), seen)
        return b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fuzzed, "assignment_of", assigned)
        patch.setattr(fuzzed, "encode", kept)
        for target in load_targets():
            if target.name.partition(".")[0] in _GROUPS:
                for seed in islice(target.seeds(), _SEEDS):
                    target.accepts(seed)
    return tuple(found.values())


def of_kind(kind: str) -> list[Seen]:
    """The fullest observations of a kind, which have most to lose."""
    seen = [each for each in all_seen() if each.kind == kind]
    seen = [each for each in seen if each.observation.outcome is Outcome.OBSERVED]
    return sorted(seen, key=lambda each: -len(encode(each.observation)))[:_PER_KIND]


@lru_cache(maxsize=1)
def _kinds() -> dict[str, ProbeKind]:
    return dict(load_kinds())


def plan_of(seen: Seen) -> Plan:
    place = Location(name="here", kind=seen.kind, role=seen.role, path="/srv", upstream="source")
    facts = {name: facts_of(name, _kinds()) for name in ("pypi", seen.kind)}
    whole = stage.plan(place, incident=fuzzed.INCIDENT, kinds=facts)
    return replace(whole, environments=whole.environments[1:2])


def the_source() -> Observation:
    """The source with the digests of what lies on the disks."""
    known = {each.filename: each for each in (fuzzed.BROKEN, fuzzed.SDIST, fuzzed.FIXED)}
    files = [
        structs.replace(
            file,
            hashes={"sha256": known[file.filename].sha256},
            size=len(known[file.filename].content),
        )
        if file.filename in known
        else file
        for file in stage.CURRENT
    ]
    return stage.source(stage.page(files))


def judged(seen: Seen, observation: Observation) -> Status:
    at = replace(observation, vantage="here", incident=fuzzed.INCIDENT.id)
    return statuses(plan_of(seen), (the_source(), at))["here"]


# --- as JSON


def cut(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[str, object]]:
    """Everything that a JSON value can lose, with what is left."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key in _PROSE or (not path and key in _KEYS):
                continue
            rest = {k: v for k, v in value.items() if k != key}
            yield f"{key} gone", rest
            for label, left in cut(member, (*path, key)):
                yield f"{key}.{label}", {**value, key: left}
    if isinstance(value, list):
        for at, member in enumerate(value):
            yield f"[{at}] gone", [*value[:at], *value[at + 1 :]]
            if 0 < at < len(value) - 1:
                yield f"[{at}:] gone", value[:at]
            for label, left in cut(member, (*path, at)):
                yield f"[{at}].{label}", [*value[:at], left, *value[at + 1 :]]
        if len(value) > 1:
            yield "all gone", []


def read_again(document: object) -> Observation | None:
    """Read what is left of an observation, as `auditor judge` does; None where it is refused."""
    with suppress(msgspec.ValidationError):
        return msgspec.json.decode(json.dumps(document), type=Observation)
    return None


def stored(observation: Observation) -> object:
    return json.loads(encode(observation))


# --- the tests


def test_every_kind_that_reads_a_disk_is_among_them() -> None:
    assert set(ON_DISK) <= {each.kind for each in all_seen()}
    assert all(map(of_kind, ON_DISK))


@pytest.mark.parametrize("kind", ON_DISK)
def test_no_promise_of_a_kind_grows_with_one_fact_less(kind: str) -> None:
    tried, found = 0, []
    for seen in of_kind(kind):
        before = promise(judged(seen, seen.observation))
        for label, lacking in deletions_of(seen.observation):
            tried += 1
            after = judged(seen, lacking)
            if promise(after) > before:
                found.append(f"without {label}: {after.value}")
    assert tried > 10
    assert found == []


@pytest.mark.parametrize("kind", ON_DISK)
def test_no_promise_of_a_kind_grows_when_its_stored_lines_are_cut(kind: str) -> None:
    tried, found = 0, []
    for seen in of_kind(kind):
        before = promise(judged(seen, seen.observation))
        for label, left in cut(stored(seen.observation)):
            lacking = read_again(left)
            if lacking is not None:
                tried += 1
                after = judged(seen, lacking)
                if promise(after) > before:
                    found.append(f"{label}: {after.value}")
    assert tried > 10
    assert found == []


@pytest.mark.parametrize("name", SCENES)
def test_no_promise_of_a_scene_grows_when_its_stored_lines_are_cut(name: str) -> None:
    the_plan, (origin, seen) = SCENES[name]
    before = promise(statuses(the_plan, (origin, seen))[seen.location])
    for label, left in cut(stored(seen)):
        lacking = read_again(left)
        if lacking is not None:
            after = statuses(the_plan, (origin, lacking))[seen.location]
            assert promise(after) <= before, label


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ON_DISK), st.data())
def test_no_promise_grows_however_much_is_cut_from_stored_lines(
    kind: str, data: st.DataObject
) -> None:
    seen = data.draw(st.sampled_from(of_kind(kind)))
    before = promise(judged(seen, seen.observation))
    document, labels = stored(seen.observation), []
    for _ in range(data.draw(st.integers(2, 6))):
        cuts = list(cut(document))
        if not cuts:
            break
        label, left = cuts[data.draw(st.integers(0, len(cuts) - 1))]
        if read_again(left) is not None:
            document = left
            labels.append(label)
    lacking = read_again(document)
    assert lacking is not None
    assert promise(judged(seen, lacking)) <= before, labels


def test_a_group_is_no_better_when_a_member_lacks_a_fact() -> None:
    whole = stage.plan(*(stage.location(name, group="ci") for name in ("m", "n")))
    the_plan = replace(whole, environments=whole.environments[1:2])

    def of_group(*seen: Observation) -> Status:
        (run,) = judge(the_plan, (stage.source(), *seen))
        return next(v.status for v in run.verdicts if v.location.name == "ci")

    other, found = stage.observe("n", stage.page()), []
    for pages in ((stage.page(),), (stage.page(stage.OLD),), (stage.page(), stage.page(stage.OLD))):
        seen = stage.observe("m", *pages)
        before = promise(of_group(seen, other))
        for label, lacking in deletions_of(seen):
            after = of_group(lacking, other)
            if promise(after) > before:
                found.append(f"without {label}: {after.value}")
    assert found == []


def test_the_order_of_promises_is_that_of_the_statuses() -> None:
    good = [s for s in Status if s.severity is Severity.OK]
    assert [promise(s) for s in sorted(good, key=promise)] == sorted(map(promise, good))
    assert promise(Status.UNKNOWN) == promise(Status.EXPOSED) == 0
