"""The world's pip cache is one that pip itself would have written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from auditor.lab.pip_home import fill_pip_cache, lay_pip_cache
from auditor.lab.world import World

from .conftest import NOW

pytestmark = pytest.mark.slow


async def test_the_world_can_hold_the_cache_of_a_user_who_installed_the_broken_release(
    tmp_path: Path,
) -> None:
    async with World(tmp_path, now=NOW, stores=(lay_pip_cache,)) as world:
        placement = world.placements[-1]
        bodies = [path.read_bytes() for path in (tmp_path / "pip-cache").rglob("*.body")]
        assert world.story.releases["1.2.3"][0].content in bodies
        assert len(bodies) == 2
        assert not world.file_requests()
    assert (placement.name, placement.kind) == ("pip-cache", "pip-cache")
    assert placement.path == tmp_path / "pip-cache"


async def test_laying_it_takes_no_run_of_pip(tmp_path: Path) -> None:
    async with World(tmp_path, now=NOW, stores=()) as world:
        started = time.perf_counter()
        await lay_pip_cache(world)
        assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": "Mon, 23 Nov 2026 12:00:00 GMT"},
        {
            "Date": "Mon, 23 Nov 2026 12:00:00 GMT",
            "Cache-Control": "max-age=600",
            "Content-Length": "9",
        },
    ],
    ids=["nothing", "no lifetime", "another length"],
)
def test_what_pip_would_not_store_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="pip does not store"):
        fill_pip_cache(tmp_path, url="http://127.0.0.1:1/x", body=b"12345678", headers=headers)
