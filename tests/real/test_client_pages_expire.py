"""Once the page that a client keeps has expired, it asks the index, whatever else it keeps."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.driver import observe_places, remembered
from auditor.lab.experiment.client_caches import ClientCache, PdmCache, PoetryCache
from auditor.lab.experiment.scenarios import begin, play
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Action, Gets, HeldState, Status, Verdict, When
from auditor.verdict import judge
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import paste

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.heavy]


@dataclass(frozen=True)
class Client:
    """A client, and how it moves a lock as far as a project admits."""

    make: type[ClientCache]
    lock: str
    update: str


CLIENTS = {
    "poetry": Client(PoetryCache, "poetry.lock", f"poetry update --lock {PROJECT}"),
    "pdm": Client(PdmCache, "pdm.lock", f"pdm update --no-sync {PROJECT}"),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_with_an_expired_page_locks_the_fix_and_keeps_the_broken_bytes(
    name: str, real_program: Callable[[str], Path], tmp_path: Path
) -> None:
    client = CLIENTS[name]
    cache = client.make(command=real_program(name))
    lifetime = Lifetime(pages_s=1)
    async with serving_together(EmbeddedIndex(PROJECT), lifetime) as upstream:
        begin(upstream.index)
        async with cache.running(upstream, tmp_path / "client"):
            plan, seen = await observe_places(upstream, cache.places())
            known = remembered((), seen, plan.incidents[0])
            await play(Deed.FIXED_THEN_YANKED, upstream)

            async def audit() -> Verdict:
                plan, seen = await observe_places(upstream, cache.places(), known)
                (run,) = judge(plan, seen)
                return next(v for v in run.verdicts if v.location.name == cache.kind)

            expires = [
                page.freshness.expires_at
                for each in seen
                if each.location == cache.kind
                for page in each.pages
            ]
            assert expires
            assert None not in expires
            while any(at and at >= datetime.now(UTC) for at in expires):  # noqa: ASYNC110  # a clock wakes nobody
                await asyncio.sleep(0.1)  # nobody wakes a clock
            before = await audit()
            assert (before.status, before.broken.held) == (Status.LATENT, HeldState.HELD)
            deleted = before.counterfactuals[Action.DELETED]
            # Nothing unpinned, as it asks the index; everything pinned, from what it keeps.
            assert (deleted.unpinned_gets, deleted.pinned_gets) == (Gets.NOTHING, Gets.BROKEN)
            assert deleted.when is When.NEVER

            project = cache.home / "project"
            file = project / "pyproject.toml"
            text = file.read_text(encoding="utf-8")
            widened = text.replace(f"{PROJECT}=={BROKEN}", f"{PROJECT}>=1.2")
            file.write_text(widened, encoding="utf-8")
            command = f"cd {project} && {client.update}"
            beside = cache.command.parent
            await paste(command, cache.home, path=beside, **cache.environment)
            lock = tomllib.loads((project / client.lock).read_text(encoding="utf-8"))
            assert [p["version"] for p in lock["package"] if p["name"] == PROJECT] == [FIXED]
            assert (await audit()).status is Status.LATENT
