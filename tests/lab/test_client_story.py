"""The story of a client's cache finds every contradiction, and whatever an audit does to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive import client_story
from auditor.lab.drive.client_story import play_client_story, snapshot
from auditor.lab.drive.clients import Job, PipClient
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.process import ProgramFailed
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import FIXED, GOOD, PROJECT
from auditor.model import Fingerprint, Observation, Run


class HonestPip(PipClient):
    """Says that it has nothing, and that it would install the fix: as no cache here makes it do."""

    async def choose(self, job: Job) -> str | None:
        return FIXED

    def holds(self, cache: Path) -> Inventory:
        return {}


async def test_what_client_or_disk_contradict_is_named(tmp_path: Path) -> None:
    played = await play_client_story(HonestPip(), tmp_path, steps=(Step.WARM, Step.BROKEN))
    assert played.harm == ()
    exposed, held = played.disagreements
    assert exposed.startswith("broken: said exposed, clients got ")
    assert held == "broken: held: said held, on disk: nothing"


async def test_whatever_an_audit_does_is_called_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def meddle(
        upstream: Upstream, places: Iterable[Place], known: tuple[Fingerprint, ...]
    ) -> tuple[Run, tuple[Observation, ...]]:
        (place,) = places
        os.utime(str(place.table["path"]), (0, 0))
        wheel, _ = build_release(PROJECT, GOOD)
        async with aiohttp.ClientSession() as session:
            await session.get(upstream.url_of(wheel))
        return await audit_places(upstream, [place], known)

    monkeypatch.setattr(client_story, "audit_places", meddle)
    played = await play_client_story(PipClient(), tmp_path, steps=(Step.WARM,))
    changed, asked = played.harm
    assert changed.startswith("warm: the audit changed ")
    assert asked.startswith("warm: the source was asked for /packages/")


async def test_a_job_that_gets_nothing_ends_the_story(tmp_path: Path) -> None:
    class Idle(PipClient):
        async def install(self, job: Job) -> str | None:
            job.log.write_text("no network today")
            return None

    with pytest.raises(ProgramFailed, match="no network today"):
        await play_client_story(Idle(), tmp_path, steps=(Step.WARM,))


def test_a_snapshot_tells_of_content_time_kind_and_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a")
    (tmp_path / "link").symlink_to("file")
    states = [snapshot(tmp_path)]
    os.utime(tmp_path / "file", (0, 0))
    states.append(snapshot(tmp_path))
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("elsewhere")
    states.append(snapshot(tmp_path))
    (tmp_path / "new").mkdir()
    states.append(snapshot(tmp_path))
    assert len({tuple(state.items()) for state in states}) == len(states)
