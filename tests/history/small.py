"""A source and one mirror of it for the commands beside their history, and where they keep it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.story import PROJECT, Story, incident_toml, play
from tests.notify.receivers import Hook, hook

__all__ = ["Config", "Small", "config", "file", "receiver", "small"]

Config = Callable[..., Path]


class Small:
    """A source and one mirror of it, both of which can change while they serve."""

    def __init__(self) -> None:
        self.source = EmbeddedIndex(PROJECT)
        self.story: Story = play(EmbeddedIndex(PROJECT), datetime.now(UTC))
        self.mirror = EmbeddedIndex(PROJECT)
        self.servers = [
            LoopbackServer("source", IndexSite(self.source)),
            LoopbackServer("mirror", IndexSite(self.mirror)),
        ]

    def show(self, index: EmbeddedIndex, *, fixed: bool) -> None:
        index.adopt(self.story.fixed if fixed else self.story.before_fix)

    def toml(self, more: str = "") -> str:
        source, mirror = (server.simple_url for server in self.servers)
        return f"""\
{more}
{incident_toml()}
[[locations]]
name = "source"
kind = "simple"
url = "{source}"
[[locations]]
name = "mirror"
kind = "simple"
url = "{mirror}"
upstream = "source"
expected_lag = "1d"
"""


@pytest.fixture
def small() -> Iterator[Small]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    world = Small()
    try:
        for server in world.servers:
            asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        yield world
    finally:
        for server in world.servers:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


@pytest.fixture
def config(small: Small, tmp_path: Path) -> Callable[..., Path]:
    def write(more: str = '[audit]\nhistory = "h.sqlite3"\n') -> Path:
        path = tmp_path / "a.toml"
        path.write_text(small.toml(more))
        return path

    return write


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as started:
        yield started
