"""What is printed for a cache is run on it; it rolls forward, and nothing comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor.lab.drive.caches.apache import ApacheCache
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.squid import SquidCache
from auditor.lab.drive.caches.varnish import VarnishCache
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.steps import Step
from auditor.lab.experiment.asking import download
from auditor.lab.story import BROKEN, GOOD, PROJECT
from auditor.model import Gets, HeldState, Status, View
from tests.real.cache_world import World, world_of
from tests.real.remedy_runs import ROLLED_FORWARD, paste, printed

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]
FRONTS: dict[str, Callable[[Path], CachingFront]] = {
    "nginx": lambda command: NginxCache(command=command),
    "squid": lambda command: SquidCache(command=command),
    "varnish": lambda command: VarnishCache(command=command, peek=True),
    "apache": lambda command: ApacheCache(command=command),
}
# Words of the command for the page and of the one for the file.
PAGE = {
    "nginx": "grep -rlaE",
    "squid": "Cache-Control: no-cache",
    "varnish": "[?])'",
    "apache": "htcacheclean -p {} -a | grep -E",
}
FILE = {
    "nginx": "grep -rlaF",
    "squid": "curl --request PURGE",
    "varnish": "varnishadm ban 'req.url ~ /'brokenpkg-",
    "apache": "htcacheclean -p {} -a | grep -F",
}


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-remedies-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


async def all_ask(world: World, front: CachingFront) -> None:
    """Let a client of every class read the page."""
    for view in View:
        await world.page(front, view)


async def purge(front: CachingFront, command: str, url: str) -> None:
    """Do what is printed; a sentence is done as it says."""
    if command.startswith("# squid"):
        command = f"curl --silent --request PURGE --output /dev/null {url}"
    named = {"varnishadm": f"varnishadm -n {front.home}/work"}
    await paste(command, front.home, instead=named if front.name == "varnish" else None)


@pytest.mark.parametrize("name", FRONTS)
async def test_after_the_printed_purge_of_the_page_every_client_gets_the_fix(
    name: str, real_program: RealProgram, directory: Path
) -> None:
    front = FRONTS[name](real_program(name))
    async with preloaded_pip(), world_of(directory, front) as world:
        await all_ask(world, front)
        await world.take(Step.FIX_PUBLISHED)
        before, _, _ = await world.audit(front)
        assert before.status is Status.EXPOSED

        await purge(front, printed(before, PAGE[name].format(front.cache_path)), "")

        after, _, _ = await world.audit(front)
        assert after.status in ROLLED_FORWARD
        await all_ask(world, front)
        assert await download("--index-url", front.simple_url, PROJECT) is Gets.FIX
        again, observation, _ = await world.audit(front)
        assert again.status in ROLLED_FORWARD
        assert len({page.freshness.serial for page in observation.pages}) == 1


@pytest.mark.parametrize(
    "name", ["nginx", *(pytest.param(n, marks=pytest.mark.heavy) for n in [*FRONTS][1:])]
)
async def test_after_the_printed_purge_of_the_file_nobody_gets_the_broken_bytes(
    name: str, real_program: RealProgram, directory: Path
) -> None:
    front = FRONTS[name](real_program(name))
    async with preloaded_pip(), world_of(directory, front) as world:
        await all_ask(world, front)
        await world.file(front, world.wheel)
        # A directory without any file may be the wrong one: another release stays in it.
        await download("--index-url", front.simple_url, f"{PROJECT}=={GOOD}")
        await world.take(Step.FIX_PUBLISHED)
        world.upstream.index.delete_release(BROKEN, keep_files=False, project=PROJECT)
        before, _, _ = await world.audit(front)
        assert before.broken.held is HeldState.HELD
        page = PAGE[name].format(front.cache_path)
        await purge(front, printed(before, page), "")
        file = FILE[name].format(front.cache_path)
        await purge(front, printed(before, file), f"{front.url}{world.wheel.path}")

        for _ in range(2):
            after, _, _ = await world.audit(front)
            assert after.status in ROLLED_FORWARD
            # Nobody sees into Varnish's memory where no page lists the file.
            gone = {HeldState.NOT_HELD, *([HeldState.UNKNOWN] if name == "varnish" else ())}
            assert after.broken.held in gone
            pinned = await download("--index-url", front.simple_url, f"{PROJECT}=={BROKEN}")
            assert pinned is Gets.NOTHING
            assert (await world.file(front, world.wheel)).status == 404
