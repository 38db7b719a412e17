"""The embedded world in a thread, so that commands can run their own event loop beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.cli.main import main
from auditor.lab.story import incident_toml
from auditor.lab.world import World


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_it(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        streams = capsys.readouterr()
        return Result(code, streams.out, streams.err)

    return run_it


@contextmanager
def world_in_a_thread(directory: Path) -> Iterator[World]:
    """Start the world; it is ready when this yields."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    world = World(directory)
    try:
        asyncio.run_coroutine_threadsafe(world.__aenter__(), loop).result(30)
        try:
            yield world
        finally:
            asyncio.run_coroutine_threadsafe(world.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The embedded world. Tests only look at it."""
    with world_in_a_thread(tmp_path_factory.mktemp("world")) as started:
        yield started


@pytest.fixture
def config(world: World, tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration of the world's incident and the named locations; of all by default."""

    def write(*names: str, more: str = "") -> Path:
        chosen = [each for each in world.placements if not names or each.name in names]
        tables = [incident_toml(), *(each.toml() for each in chosen), more]
        file = tmp_path / "audit.toml"
        file.write_text("\n".join(tables))
        return file

    return write
