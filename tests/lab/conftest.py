"""What the tests of the embedded world share: the world itself, a plain client, and real pip."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from auditor.lab.server import LoopbackServer
from auditor.lab.world import World

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Send exactly these headers and no others, follow nothing, and return the answer."""
    skipped = ("Accept", "Accept-Encoding", "User-Agent")
    async with aiohttp.ClientSession(skip_auto_headers=skipped) as session:

        async def send(url: str, *, method: str = "GET", **headers: str) -> Answer:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, url, headers=sent, allow_redirects=False) as answer:
                return Answer(answer.status, answer.headers, await answer.read())

        yield send


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "world", now=NOW) as world:
        yield world


def project_url(server: LoopbackServer, project: str = "brokenpkg") -> str:
    return f"{server.simple_url}{project}/"


@dataclass(frozen=True)
class PipRun:
    returncode: int
    stdout: str
    stderr: str


async def run_pip(*arguments: str | Path) -> PipRun:
    """Run real pip, untouched by how pip is configured on this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("PIP_") and not name.lower().endswith("_proxy")
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip"),
        *(str(argument) for argument in arguments),
        *("--isolated", "--no-cache-dir", "--disable-pip-version-check"),
        env={**kept, "PIP_CONFIG_FILE": os.devnull},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    return PipRun(process.returncode or 0, stdout.decode(), stderr.decode())
