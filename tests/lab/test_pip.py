"""Real pip takes the world for real."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from auditor.lab.artifacts import build_wheel
from auditor.lab.world import World

from .conftest import NOW, PipRun, run_pip

pytestmark = [pytest.mark.real, pytest.mark.real_program("pip-command")]

# What an unpinned request gets at each place.
CHOSEN = {
    "source": "1.2.4",
    "fresh-mirror": "1.2.4",
    "clean-mirror": "1.2.4",
    "yank-lost-mirror": "1.2.4",
    "fake-serial-mirror": "1.2.4",
    "split-mirror": "1.2.4",  # this pip reads JSON
    "tampered-mirror": "1.2.4",
    "late-mirror": "1.2.3",
    "stuck-mirror": "1.2.3",
    "behind-mirror": "1.2.2",
}


async def download(world: World, name: str, target: Path, *arguments: str | Path) -> PipRun:
    index = ("--index-url", world.servers[name].simple_url)
    return await run_pip("download", "--no-deps", "--dest", target, *index, *arguments)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


async def test_an_unpinned_request_gets_what_each_mirror_makes_of_the_incident(
    world: World, tmp_path: Path
) -> None:
    processes = asyncio.Semaphore(3)

    async def chosen(name: str) -> list[str]:
        async with processes:
            run = await download(world, name, tmp_path / name, "brokenpkg")
        assert run.returncode == 0, run.stderr
        return names(tmp_path / name)

    got = dict(zip(CHOSEN, await asyncio.gather(*map(chosen, CHOSEN)), strict=True))
    assert {n: [f"brokenpkg-{v}-py3-none-any.whl"] for n, v in CHOSEN.items()} == got


async def test_the_flapping_mirror_gives_the_fix_and_the_broken_release_in_turn(
    world: World, tmp_path: Path
) -> None:
    for turn, version in (("first", "1.2.4"), ("second", "1.2.3")):
        await download(world, "flapping-mirror", tmp_path / turn, "brokenpkg")
        assert [f"brokenpkg-{version}-py3-none-any.whl"] == names(tmp_path / turn)


async def test_the_wheelhouse_alone_gives_the_broken_release(world: World, tmp_path: Path) -> None:
    wheelhouse = world.directory / "wheelhouse"
    arguments = ("--no-index", "--find-links", wheelhouse, "--dest", tmp_path / "got")
    run = await run_pip("download", "--no-deps", *arguments, "brokenpkg")
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "got") == ["brokenpkg-1.2.3-py3-none-any.whl"]


async def test_a_pin_to_the_yanked_release_works_and_warns_with_the_reason(
    world: World, tmp_path: Path
) -> None:
    run = await download(world, "source", tmp_path / "got", "brokenpkg==1.2.3")
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "got") == ["brokenpkg-1.2.3-py3-none-any.whl"]
    assert "Reason for being yanked: broken: use 1.2.4" in run.stderr


async def test_versions_are_listed_without_the_yanked_one(world: World) -> None:
    index = ("--index-url", world.servers["source"].simple_url)
    run = await run_pip("index", "versions", "--json", *index, "brokenpkg")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["versions"] == ["1.2.4", "1.2.2"]


@pytest.mark.parametrize("binary", ["--only-binary", "--no-binary"])
async def test_wheel_and_source_install_and_can_be_imported(
    world: World, tmp_path: Path, binary: str
) -> None:
    index = ("--index-url", world.servers["source"].simple_url, "--target", tmp_path / "site")
    run = await run_pip("install", *index, binary, "brokenpkg", "brokenpkg")
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "site") == [
        "__pycache__",
        "brokenpkg-1.2.4.dist-info",
        "brokenpkg.py",
    ]
    namespace: dict[str, str] = {}
    exec((tmp_path / "site" / "brokenpkg.py").read_text(), namespace)
    assert namespace["__version__"] == "1.2.4"


async def test_after_deletion_a_pin_fails_and_the_old_url_still_installs(
    world: World, tmp_path: Path
) -> None:
    world.index.delete_release("1.2.3")
    pinned = await download(world, "source", tmp_path / "pinned", "brokenpkg==1.2.3")
    assert pinned.returncode != 0
    assert "No matching distribution found for brokenpkg==1.2.3" in pinned.stderr
    url = world.url_at_source(world.story.releases["1.2.3"][0])
    direct = await download(world, "source", tmp_path / "direct", f"brokenpkg @ {url}")
    assert direct.returncode == 0, direct.stderr
    assert names(tmp_path / "direct") == ["brokenpkg-1.2.3-py3-none-any.whl"]


async def test_a_hash_from_the_source_refuses_the_tampered_file(
    world: World, tmp_path: Path
) -> None:
    hashes = " ".join(f"--hash=sha256:{a.sha256}" for a in world.story.releases["1.2.3"])
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"brokenpkg==1.2.3 {hashes}\n")
    arguments = ("--only-binary", ":all:", "--require-hashes", "-r", requirements)
    run = await download(world, "tampered-mirror", tmp_path / "got", *arguments)
    assert run.returncode != 0
    assert "DO NOT MATCH THE HASHES" in run.stderr
    assert names(tmp_path / "got") == []


async def test_the_broken_page_stops_pip(world: World, tmp_path: Path) -> None:
    run = await download(world, "broken-page", tmp_path / "got", "brokenpkg")
    assert run.returncode != 0
    assert "AttributeError" in run.stderr  # an entry that is no object is more than it can take
    assert names(tmp_path / "got") == []


async def test_pip_passes_over_wheels_for_other_platforms_and_pythons(
    world: World, tmp_path: Path
) -> None:
    world.index.publish(
        build_wheel("brokenpkg", "1.2.5", tag="cp27-cp27m-win32"),
        build_wheel("brokenpkg", "1.2.6", requires_python=">=4.0"),
        at=NOW,
    )
    run = await download(world, "source", tmp_path / "got", "brokenpkg")
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "got") == ["brokenpkg-1.2.4-py3-none-any.whl"]


async def test_a_quarantined_project_cannot_be_installed(world: World, tmp_path: Path) -> None:
    world.index.quarantine()
    run = await download(world, "source", tmp_path / "got", "brokenpkg")
    assert run.returncode != 0
    assert "No matching distribution found for brokenpkg" in run.stderr
