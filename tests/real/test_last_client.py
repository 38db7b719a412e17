"""The forecast "the last client gets the fix by …", on real caches with shortened lifetimes.

squid copies the upstream, nginx copies squid, and uv keeps the page that nginx gives it. Each of
them may keep it for as long as the upstream says, one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime
from auditor.lab.drive.caches.squid import SquidCache
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import Place
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import LagState, View
from auditor.selection import running_environment
from tests.real.cache_world import world_of
from tests.truth.uv_command import UvIndex

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "squid", "uv"),
]

PAGES_S = 3
# What a busy machine may take between two looks; the forecast is about the caches.
SLACK = timedelta(seconds=1)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-last-client-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_the_last_client_gets_the_fix_when_the_audit_says(
    real_program: Callable[[str], Path], directory: Path
) -> None:
    real_program("uv")
    squid = SquidCache(command=real_program("squid"))
    nginx = NginxCache(command=real_program("nginx"))
    home = directory / "client"
    home.mkdir()
    client = UvIndex("", {}, home)

    async def version() -> str | None:
        index, environment = nginx.simple_url, running_environment()
        answer = await asyncio.to_thread(client.ask, index, environment, PROJECT)
        return str(answer.version)

    lifetime = Lifetime(pages_s=PAGES_S)
    async with world_of(directory, squid, lifetime=lifetime) as world:
        nginx.upstream_url = squid.url
        async with nginx.running(world.upstream, directory):
            assert await version() == BROKEN
            await world.page(nginx, View.UV)
            await world.take(Step.FIX_PUBLISHED)
            places = [
                Place(name="squid", table=_table(squid.simple_url), index_url=squid.simple_url),
                Place(
                    name="nginx",
                    table=_table(nginx.simple_url, upstream="squid"),
                    index_url=nginx.simple_url,
                ),
            ]
            run, _ = await audit_places(world.upstream, places, world.known)
            lag = next(v.lag for v in run.verdicts if v.location.name == "nginx")
            assert lag.state is LagState.WITHIN_LAG
            published, forecast = run.incident.published_at, lag.last_client_by
            assert published is not None
            assert forecast is not None
            # Two hops and the client, each as long as the page says.
            assert forecast == published + timedelta(seconds=3 * PAGES_S)

            last_old = published
            async with asyncio.timeout(60):
                while datetime.now(UTC) < forecast + SLACK:
                    asked_at = datetime.now(UTC)
                    if await version() == BROKEN:
                        last_old = asked_at
            assert published < last_old <= forecast
            assert await version() == FIXED


def _table(url: str, **more: str) -> dict[str, str]:
    return {"kind": "http-cache", "url": url, **more}
