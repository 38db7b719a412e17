"""The embedded world, audited over real sockets: every row has its FIXED status and reasons."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest_asyncio

from auditor.config import parse_document, resolve
from auditor.engine import Audit, Event
from auditor.lab.world import World
from auditor.model import Action, Gets, LagState, Observation, Run, Status, Touch, View, When
from auditor.observations import read, write
from auditor.registry import load_kinds
from auditor.verdict import judge


class Audited:
    """A world and what an ordinary audit made of it."""

    def __init__(self, world: World, run: Run, observations: tuple[Observation, ...]) -> None:
        self.world = world
        self.run = run
        self.observations = observations
        self.rows = {v.location.name: v for v in run.verdicts}


async def audit(world: World, directory: Path) -> Audited:
    document = parse_document(world.config_toml(), name="world", directory=directory)
    kinds = load_kinds()
    resolved = resolve(document, kinds, environ={})
    observations = await Audit(resolved.plan, resolved.credentials, kinds).run()
    write(directory / "seen.jsonl", resolved.plan, observations)
    (run,) = judge(resolved.plan, observations)
    return Audited(world, run, observations)


@pytest_asyncio.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Audited]:
    async with World(tmp_path) as world:
        yield await audit(world, tmp_path)


async def test_every_row_has_its_status_its_reasons_and_its_lag(audited: Audited) -> None:
    expected = {
        name: (wanted.status, set(wanted.reasons), wanted.lag)
        for name, wanted in audited.world.expected.items()
    }
    seen = {
        name: (
            row.status,
            {r.code for r in row.reasons} & expected[name][1],
            row.lag.state if expected[name][2] else None,
        )
        for name, row in audited.rows.items()
    }
    assert expected == seen


async def test_requests_are_the_servers_access_logs_and_no_artifact_was_asked_for(
    audited: Audited,
) -> None:
    servers = audited.world.servers
    logged = Counter(
        (server.url.rstrip("/"), entry.method, entry.path, entry.status)
        for server in servers.values()
        for entry in server.log
    )
    sent = Counter(
        (r.url.removesuffix(urlsplit(r.url).path), r.method, urlsplit(r.url).path, r.status)
        for r in audited.run.requests
        if r.status is not None
    )
    assert logged == sent
    assert not any(server.file_requests() for server in servers.values())
    assert {r.touch for r in audited.run.requests} <= {Touch.REFRESHES_INDEX, Touch.INERT}


async def test_the_numbers_add_up(audited: Audited) -> None:
    summary, deletion = audited.run.summary, audited.run.deletion
    assert summary.exit_code == 1
    assert summary.locations == len(audited.rows) == sum(summary.by_status.values())
    assert (
        deletion.would_remove_at_once
        + deletion.would_remove_later
        + deletion.would_remain
        + deletion.undetermined
        == summary.broken_persists + summary.unknown
    )
    assert summary.unknown == summary.by_status[Status.UNKNOWN]


async def test_deleting_would_not_change_the_wheelhouse_and_would_break_pins_at_the_source(
    audited: Audited,
) -> None:
    house = audited.rows["wheelhouse"].counterfactuals[Action.DELETED]
    assert (house.when, house.unpinned_gets) == (When.NEVER, Gets.BROKEN)
    source = audited.rows["source"].counterfactuals[Action.DELETED]
    assert (source.listed, source.pinned_gets) == (False, Gets.ERROR)
    assert audited.rows["source"].counterfactuals[Action.YANKED].when is When.ALREADY


async def test_every_view_of_every_index_was_asked(audited: Audited) -> None:
    for name, row in audited.rows.items():
        views = {c.view for c in row.selections}
        local = name in ("wheelhouse", "pip-cache")
        assert views == ({View.PIP} if local else set(View)), name


async def test_a_replay_of_the_stored_observations_gives_the_same_run(
    audited: Audited, tmp_path: Path
) -> None:
    plan, observations, _ = read([tmp_path / "seen.jsonl"])
    assert observations == audited.observations
    assert judge(plan, observations) == (audited.run,)


async def test_a_world_that_catches_up_is_rolled_forward(tmp_path: Path) -> None:
    """The story goes on: the late mirror syncs, and the next audit sees it."""
    async with World(tmp_path) as world:
        before = await audit(world, tmp_path)
        assert before.rows["late-mirror"].lag.state is LagState.WITHIN_LAG
        index = world.index
        index.delete_release("1.2.3", keep_files=True)
        after = await audit(world, tmp_path)
    assert before.rows["source"].status is Status.ROLLED_FORWARD
    source = after.rows["source"]
    assert source.broken.listed is False
    assert source.counterfactuals[Action.DELETED].when is When.ALREADY
    # Deleting at the source changed nothing at any of the mirrors.
    for name in set(before.rows) - {"source"}:
        assert before.rows[name].broken.listed == after.rows[name].broken.listed
    assert after.run.deletion.would_remain > before.run.deletion.would_remain


async def test_a_place_that_is_slow_holds_up_nobody_else(tmp_path: Path) -> None:
    """Two places answer only after every other one is finished: one after another, that hangs."""
    slow = {"late-mirror", "split-mirror"}
    others_finished = asyncio.Event()
    finished: set[str] = set()

    async def wait(*_: object) -> None:
        await others_finished.wait()

    def note(event: Event) -> None:
        if event.phase == "finished":
            finished.add(event.location)
        if len(finished - slow) == event.total - len(slow):
            others_finished.set()

    async with World(tmp_path) as world:
        for name in slow:
            world.servers[name].intercept = wait
        kinds = load_kinds()
        document = parse_document(world.config_toml(), name="w", directory=tmp_path)
        plan = resolve(document, kinds, environ={}).plan
        found = await Audit(plan, {}, kinds, on_event=note).run()
        (run,) = judge(plan, found)
        expected = {name: wanted.status for name, wanted in world.expected.items()}
    assert expected == {v.location.name: v.status for v in run.verdicts}
