"""A release gate over real servers: nginx that caches the index, and a devpi that mirrors it.

Nobody but the source is asked before the fix is published, and the gate opens when the last of the
copies shows it: not before, and not long after.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime
from auditor.lab.drive.steps import Step
from auditor.lab.story import FIXED, incident_toml
from tests.real.cache_world import World, world_of
from tests.real.devpi_servers import Devpi, devpi_server

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "devpi-server"),
]

OURS = "propagation-auditor"
EXPIRY_S = 2


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-watch-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def configuration(world: World, front: NginxCache, devpi: Devpi) -> str:
    places = {
        "source": ("simple", world.upstream.simple_url, ""),
        "nginx": ("http-cache", front.simple_url, 'upstream = "source"'),
        "devpi": ("devpi", devpi.simple("root/mir"), 'upstream = "source"'),
    }
    tables = (
        f'[[locations]]\nname = "{name}"\nkind = "{kind}"\nurl = "{url}"\n{more}\n'
        for name, (kind, url, more) in places.items()
    )
    return "\n".join(['[audit]\nhistory = "h.sqlite3"\n', incident_toml(), *tables])


async def test_the_gate_opens_when_the_last_copy_shows_the_fix(
    real_program: Callable[[str], Path], public_directory: Path, tmp_path: Path
) -> None:
    nginx = NginxCache(command=real_program("nginx"))
    async with (
        world_of(public_directory, nginx, lifetime=Lifetime(pages_s=EXPIRY_S)) as world,
        devpi_server(tmp_path, "--role=primary") as devpi,
    ):
        await devpi.make(
            "root/mir",
            type="mirror",
            mirror_url=world.upstream.simple_url,
            mirror_cache_expiry=EXPIRY_S,
        )
        await devpi.page("root/mir")  # both have the old page now, as of any other day
        await world.page(nginx)
        devpi.tap.log.clear()
        config = tmp_path / "a.toml"
        config.write_text(configuration(world, nginx, devpi))
        words = ("watch", "--config", str(config), "--budget", "90s", "--interval", "0.5s")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auditor.cli.main", *words, "--passes", "2"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        first = (await process.stderr.readline()).decode()
        asked = [line for line in nginx.access_log() if OURS in line.user_agent]
        assert (asked, devpi.tap.log) == ([], [])

        await world.take(Step.FIX_PUBLISHED)
        async with asyncio.timeout(90):
            out, err = await process.communicate()

        assert "unpublished: " in first
        assert process.returncode == 0, err.decode()
        assert "everywhere, 2 looks agree" in err.decode()
        assert "rolled-forward" in out.decode()
        # It was asked, and what it shows to the next one is the fix: the gate opened in time.
        assert any(OURS in line.user_agent for line in nginx.access_log())
        assert devpi.tap.log
        assert (await world.page(nginx)).serial == world.upstream.index.serial
        assert FIXED in str(await devpi.page("root/mir"))
