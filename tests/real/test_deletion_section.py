"""What the report says of deleting is true of real caches: clients count each number."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.driver import audit_places, observe_places, remembered
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.asking import download
from auditor.lab.experiment.client_caches import PipCache, UvCache, Wheelhouse
from auditor.lab.experiment.scenarios import begin, broken_wheel, play
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, PROJECT
from auditor.model import Action, Fingerprint, Gets, HeldState, Run, When
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import paste, printed

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "pip", "uv"),
]

# Stored answers carry the bytes as they are; pip's and uv's caches are read by their own clients.
COPIES = ("nginx", "wheelhouse", "pip-cache", "uv-cache")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-deletion-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@dataclass
class Copies:
    """Four places that somebody had installed the broken release from or through."""

    upstream: Upstream
    nginx: NginxCache
    wheelhouse: Wheelhouse
    pip: PipCache
    uv: UvCache
    home: Path
    known: tuple[Fingerprint, ...] = ()

    def places(self) -> list[Place]:
        edge, _ = self.nginx.places()
        stores = [p for c in (self.wheelhouse, self.pip, self.uv) for p in c.places()]
        return [edge, *stores]

    async def remember(self) -> None:
        plan, seen = await observe_places(self.upstream, self.places())
        self.known = remembered((), seen, plan.incidents[0])

    async def audit(self) -> Run:
        return (await audit_places(self.upstream, self.places(), self.known))[0]

    async def still_given_by(self) -> set[str]:
        """Every place that gives somebody the broken bytes, though the source does not."""
        url = self.nginx.url + broken_wheel().path
        digest = f"#sha256={broken_wheel().sha256}"
        asked = {
            "nginx": await download(f"{PROJECT} @ {url}{digest}"),
            "wheelhouse": (await self.wheelhouse.ask())["pinned"],
            "pip-cache": (await self.pip.ask())["offline"],
            "uv-cache": (await self.uv.ask())["offline"],
        }
        return {name for name, got in asked.items() if got is Gets.BROKEN}


@asynccontextmanager
async def copies(find: Callable[[str], Path], home: Path) -> AsyncIterator[Copies]:
    nginx = NginxCache(command=find("nginx"))
    clients = (
        Wheelhouse(command=find("pip")),
        PipCache(command=find("pip")),
        UvCache(command=find("uv")),
    )
    async with AsyncExitStack() as stack:
        serving = serving_together(EmbeddedIndex(PROJECT), Lifetime(pages_s=1))
        await stack.enter_async_context(preloaded_pip())
        upstream = await stack.enter_async_context(serving)
        begin(upstream.index)
        await stack.enter_async_context(nginx.running(upstream, home))
        for client in clients:
            await stack.enter_async_context(client.running(upstream, home / client.kind))
        assert (
            await download("--index-url", nginx.simple_url, f"{PROJECT}=={BROKEN}") is Gets.BROKEN
        )
        played = Copies(upstream, nginx, *clients, home)
        await played.remember()
        yield played


async def test_the_deletion_section_is_true_before_after_and_half_way_through_purging(
    real_program: Callable[[str], Path], directory: Path
) -> None:
    async with copies(real_program, directory) as world:
        # Nothing is deleted: what it foretells is written down.
        before = await world.audit()
        assert before.summary.broken_persists == 5
        assert "acts on one place; 4 of the 5 places that list or hold it are" in (
            before.deletion.sentence
        )
        foretold = {
            v.location.name: v.counterfactuals[Action.DELETED]
            for v in before.verdicts
            if not v.is_source
        }
        keeps = {name for name, after in foretold.items() if after.held is HeldState.HELD}
        assert keeps == await world.still_given_by() == set(COPIES)
        assert not before.deletion.already

        # Deleted at the source, with its file, and all the time that was named given.
        await play(Deed.DELETED_FILE_GONE, world.upstream)
        times = [a.when for a in foretold.values() if not isinstance(a.when, When)]
        while times and datetime.now(UTC) <= max(times):  # noqa: ASYNC110  # nobody wakes a clock
            await asyncio.sleep(0.1)
        after = await world.audit()
        assert await world.still_given_by() == keeps
        assert after.deletion.already
        assert said(after) == (len(keeps), 5)
        assert after.deletion.would_remove_at_once == after.deletion.would_remove_later == 0

        # Purged at half of them, by what is printed there.
        rows = {v.location.name: v for v in after.verdicts}
        for name, part in (("nginx", "grep -rlaF"), ("uv-cache", "uv cache clean")):
            await paste(printed(rows[name], part), directory)
        # Another client asks for it, at the place and at the source.
        for index_url in (world.nginx.simple_url, world.upstream.simple_url):
            got = await download("--index-url", index_url, f"{PROJECT}=={BROKEN}")
            assert got is Gets.NOTHING
        purged = await world.audit()
        assert await world.still_given_by() == {"wheelhouse", "pip-cache"}
        assert said(purged) == (2, 5)
        assert set(purged.deletion.locations) == {"wheelhouse", "pip-cache"}


def said(run: Run) -> tuple[int, int]:
    """How many of how many places the sentence says still have it."""
    found = re.search(r"(\d+) of (\d+) places still have", run.deletion.sentence)
    assert found is not None, run.deletion.sentence
    return int(found[1]), int(found[2])
