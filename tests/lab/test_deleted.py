"""Deleting at the source, played on the embedded world: what each way of it achieves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.story import BROKEN
from auditor.lab.world import World
from auditor.model import (
    Action,
    HeldState,
    Incident,
    Location,
    Run,
    Severity,
    Status,
    Verdict,
    When,
)
from auditor.registry import load_kinds
from auditor.verdict import judge

pytestmark = pytest.mark.slow

Play = Callable[[World], None]


async def audit(world: World, directory: Path, *, builtin: bool = True) -> Run:
    """Audit the world as if its source stood at pip's built-in address, where HEAD is inert."""
    document = parse_document(world.config_toml(), name="world", directory=directory)
    kinds = load_kinds()
    plan = resolve(document, kinds, environ={}).plan
    if builtin:
        plan = replace(plan, locations=tuple(map(as_builtin, plan.locations)))
    plan = replace(plan, incidents=(with_urls(plan.incidents[0], world),))
    observations = await Audit(plan, {}, kinds).run()
    (run,) = judge(plan, observations)
    return run


def as_builtin(location: Location) -> Location:
    if location.kind != "pypi":
        return location
    return replace(location, settings={**location.settings, "pip_builtin": True})


def with_urls(incident: Incident, world: World) -> Incident:
    """What the incident's record says of the broken files, from before they were deleted."""
    prints = tuple(
        replace(artifact.fingerprint(), url=world.url_at_source(artifact))
        for artifact in world.story.releases[BROKEN]
    )
    return replace(incident, fingerprints=prints)


def rows(run: Run) -> dict[str, Verdict]:
    return {v.location.name: v for v in run.verdicts}


def codes(verdict: Verdict) -> set[str]:
    return {r.code for r in verdict.reasons if r.code.startswith("source-")}


WAYS: dict[str, tuple[Play, str, Status, HeldState]] = {
    "file still served": (
        lambda w: w.index.delete_release(BROKEN),
        "source-deleted-file-served",
        Status.ROLLED_FORWARD,
        HeldState.HELD,
    ),
    "file gone": (
        lambda w: w.index.delete_release(BROKEN, keep_files=False),
        "source-deleted",
        Status.CLEAN,
        HeldState.NOT_HELD,
    ),
    "project gone": (
        lambda w: w.index.delete_project(keep_files=False),
        "source-project-gone",
        Status.BEHIND,
        HeldState.UNKNOWN,
    ),
    "quarantined": (
        lambda w: w.index.quarantine(),
        "source-quarantined",
        Status.BEHIND,
        HeldState.UNKNOWN,
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_taking_it_off_the_source_is_told_apart(way: str, tmp_path: Path) -> None:
    play, code, status, held = WAYS[way]
    async with World(tmp_path) as world:
        before = await audit(world, tmp_path)
        play(world)
        after = await audit(world, tmp_path)
    source = rows(after)["source"]
    assert (codes(source), source.status, source.broken.held) == ({code}, status, held)
    assert source.counterfactuals[Action.DELETED].when is When.ALREADY
    assert source.broken.listed is False
    # Nothing anywhere else has changed for the better: that is what deleting achieves.
    for name, was in rows(before).items():
        now = rows(after)[name]
        if name != "source":
            better = now.status.severity is Severity.OK and was.status.severity is not Severity.OK
            assert not better, name
            assert now.broken.listed in (was.broken.listed, None), name
    assert after.summary.exit_code == 1
    assert after.deletion.already
    assert f"of {len(rows(after))} places still have 1.2.3" in after.deletion.sentence


async def test_an_archived_project_keeps_its_files(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.index.archive()
        source = rows(await audit(world, tmp_path))["source"]
    assert (codes(source), source.status) == ({"source-archived"}, Status.ROLLED_FORWARD)


async def test_where_no_file_may_be_asked_for_it_is_unknown_whether_it_is_served(
    tmp_path: Path,
) -> None:
    async with World(tmp_path) as world:
        world.index.delete_release(BROKEN)
        run = await audit(world, tmp_path, builtin=False)
        assert world.file_requests() == []
    source = rows(run)["source"]
    assert codes(source) == {"source-deleted-file-unknown"}
    assert source.status is Status.ROLLED_FORWARD
    assert "not pip's built-in index" in next(
        r.observed for r in source.reasons if r.code == "source-deleted-file-unknown"
    )


async def test_only_the_sources_file_host_is_asked_and_by_head_alone(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.index.delete_release(BROKEN)
        run = await audit(world, tmp_path)
        asked = world.file_requests()
    assert {e.method for e in asked} == {"HEAD"}
    assert len(asked) == 2
    logged = sum(len(server.log) for server in world.servers.values())
    answered = [r for r in run.requests if r.status is not None]
    assert logged == len(answered)
    assert all(urlsplit(r.url).hostname == "127.0.0.1" for r in run.requests)
