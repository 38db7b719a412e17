"""The incident on real devpi: a primary with a mirror and a stage over it, and a replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auditor.lab.drive.driver import play_story
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.model import HeldState, LagState, Run, Status, Verdict, YankState
from tests.real.devpi_servers import Devpi, devpi_server, in_sync, replica_of

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.real_program("devpi-server")]


class DevpiSubject:
    """A primary and its replica; every index copies the embedded PyPI."""

    name = "devpi"

    def __init__(self) -> None:
        self.primary: Devpi
        self.replica: Devpi

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        async with devpi_server(directory, "--role=primary") as primary:
            self.primary = primary
            await primary.mirror("root/mir", upstream.simple_url)
            await primary.make(
                "root/stage", type="stage", bases=["root/mir"], mirror_whitelist=["*"]
            )
            async with replica_of(primary, directory) as self.replica:
                for artifact in (f.artifact for f in upstream.index.state().files):
                    await primary.page("root/mir")
                    await primary.store("root/mir", artifact)
                yield

    def places(self) -> Sequence[Place]:
        primary, replica = self.primary, self.replica
        mirror = {"kind": "devpi", "url": primary.simple("root/mir")}
        copy = {"kind": "devpi", "url": replica.simple("root/mir")}
        disk, copied = str(primary.serverdir), str(replica.serverdir)
        at_mirror = primary.simple("root/mir", direct=True)
        at_replica = replica.simple("root/mir", direct=True)
        stage = {"kind": "devpi", "url": primary.simple("root/stage")}
        return (
            Place(name="mirror", table=mirror, index_url=at_mirror),
            Place(name="mirror-disk", table={**mirror, "path": disk}, index_url=at_mirror),
            Place(name="stage", table=stage, index_url=primary.simple("root/stage", direct=True)),
            Place(name="replica", table=copy, index_url=at_replica, held_known=False),
            Place(name="replica-disk", table={**copy, "path": copied}, index_url=at_replica),
        )

    async def refresh(self) -> None:
        await self.primary.refresh("root/mir")
        await in_sync(self.primary, self.replica)

    def inventory(self) -> Inventory:
        return self.primary.inventory()

    def access_log(self) -> Sequence[AccessLine] | None:
        return list(self.primary.tap.log)


def row(run: Run, name: str) -> Verdict:
    return next(v for v in run.verdicts if v.location.name == name)


async def test_every_statement_agrees_with_pip_and_disk_and_nothing_is_harmed(
    tmp_path: Path,
) -> None:
    """Traps 3, 5, 9, 15: stored-once is not proof, unlisted is not gone, and nobody stores."""
    played = await play_story(DevpiSubject(), tmp_path)

    assert played.disagreements == ()
    assert played.harm == ()
    told = {
        step: {v.location.name: (v.status, v.broken.held) for v in run.verdicts}
        for step, run in played.runs.items()
    }
    # Nobody had it yet, then pip installed it from the mirror.
    assert told[Step.BROKEN]["mirror"] == (Status.EXPOSED, HeldState.NOT_HELD)
    assert told[Step.FIX_PUBLISHED]["mirror"] == (Status.EXPOSED, HeldState.STORED_ONCE)
    assert told[Step.FIX_PUBLISHED]["mirror-disk"] == (Status.EXPOSED, HeldState.HELD)
    assert told[Step.REFRESHED]["stage"] == (Status.ROLLED_FORWARD, HeldState.STORED_ONCE)
    for step in Step:
        assert told[step]["replica"][1] is HeldState.UNKNOWN
    # Deleted upstream and unlisted here, and yet the bytes are still served by their URL.
    deleted = played.runs[Step.DELETED]
    assert row(deleted, "mirror").broken.listed is False
    assert row(deleted, "mirror").broken.held is HeldState.STORED_ONCE
    assert row(deleted, "mirror-disk").broken.held is HeldState.HELD
    assert row(deleted, "replica-disk").broken.held is HeldState.HELD
    yanked = played.runs[Step.YANKED]
    assert {row(yanked, n).broken.yanked for n in ("mirror", "stage", "replica")} == {
        YankState.REASON
    }
    lag = row(played.runs[Step.FIX_PUBLISHED], "mirror").lag
    assert lag is not None
    assert lag.state is LagState.WITHIN_LAG
    assert "1800" in lag.basis
