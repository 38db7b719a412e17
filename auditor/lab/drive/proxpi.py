"""Real proxpi behind real gunicorn, with one worker or several."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from auditor.lab.drive.process import ProgramFailed, RunningProgram, running
from auditor.lab.drive.subject import AccessLine, Inventory, Place, inventory_of
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import PROJECT
from auditor.model import SettingValue

__all__ = ["ProxpiCache"]

# The process that answered comes first: each has pages of its own.
_LOG_FORMAT = "%(p)s %(r)s %(s)s %(a)s"
_LOG_LINE = re.compile(r"<?(\d+)>? (\S+) (\S+) HTTP/[\d.]+ (\d{3}) (.*)")
# Workers take turns by chance: with two of them this many calls in a row reach one alone in one
# case of 10**60.
_MAX_CALLS = 200


@dataclass(kw_only=True)
class ProxpiCache:
    """A proxpi of one project.

    Attributes:
        command: `gunicorn`, of an environment that has proxpi.
        workers: how many processes answer.
        samples: how often an audit asks; it should reach every worker.
        settings: environment variables beside those that the story needs.
        home: where it runs; known once it does.
    """

    command: Path
    workers: int = 1
    samples: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    home: Path = field(default=Path(), init=False)
    _program: RunningProgram | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Of the program."""
        return "proxpi"

    @property
    def cache(self) -> Path:
        """Its PROXPI_CACHE_DIR."""
        return self.home / "proxpi-cache"

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        if self._program is None:
            raise RuntimeError("proxpi is not running")
        return self._program.url

    @property
    def simple_url(self) -> str:
        """What a client is given."""
        return f"{self.url}/index/"

    @property
    def page_url(self) -> str:
        """The project's page."""
        return f"{self.simple_url}{PROJECT}/"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Serve what this upstream has, with the upstream's files of now in the cache."""
        async with self.serving(upstream.simple_url, directory):
            for file in upstream.index.state().files:
                await self.fetch(file.artifact.filename)
            await self.refresh()
            yield

    @asynccontextmanager
    async def serving(self, index_url: str, directory: Path) -> AsyncIterator[None]:
        """Serve what an index has, with an empty cache."""
        self.home = directory
        self.cache.mkdir(parents=True, exist_ok=True)
        environment = {
            "PROXPI_INDEX_URL": index_url,
            "PROXPI_CACHE_DIR": str(self.cache),
            # As installed it is 0.9 s; after that a client is redirected to the upstream.
            "PROXPI_DOWNLOAD_TIMEOUT": "30",
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }
        async with running(
            "proxpi", self._command, home=directory, ready="/health", environment=environment
        ) as self._program:
            yield
        self._program = None

    def _command(self, port: int) -> Sequence[str | Path]:
        log = ("--access-logfile", self._log, "--access-logformat", _LOG_FORMAT)
        bound = ("--bind", f"127.0.0.1:{port}", "--workers", str(self.workers))
        # A heartbeat file in memory, and no control socket in the user's home.
        quiet = ("--worker-tmp-dir", self.home, "--no-control-socket")
        return [self.command, *bound, *log, *quiet, "proxpi.server:app"]

    async def refresh(self) -> None:
        """Make every worker forget its page and read it anew, as its operator must."""
        await self.reach_all("DELETE", f"{self.url}/cache/{PROJECT}")
        await self.reach_all("GET", self.page_url)

    async def reach_all(self, method: str, url: str) -> None:
        """Repeat a request until each worker has answered it.

        Raises:
            ProgramFailed: some worker never did.
        """
        # A worker may write its line late: only lines with this mark are answers to this.
        mark = f"?round={secrets.token_hex(8)}"
        for _ in range(_MAX_CALLS):
            await self.call(method, f"{url}{mark}")
            answered = {pid for pid, line in self._lines() if line.path.endswith(mark)}
            if len(answered) >= self.workers:
                return
        raise ProgramFailed(f"not every worker of proxpi answered {method} within {_MAX_CALLS}")

    async def call(self, method: str, url: str, **headers: str) -> tuple[int, bytes]:
        """Send one request over a connection of its own."""
        accept = {"Accept": "application/vnd.pypi.simple.v1+json", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=accept, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.read()

    async def fetch(self, filename: str) -> None:
        """Have it store a file, as an installer does."""
        status, _ = await self.call("GET", f"{self.page_url}{filename}")
        if status != 200:
            raise ProgramFailed(f"proxpi answered {status} for {filename}")

    def places(self) -> Sequence[Place]:
        """Return it as clients see it, and with its disk."""
        http: dict[str, SettingValue] = {"kind": "proxpi", "url": self.simple_url}
        http["samples"] = self.samples
        return [
            Place(name="over http", table=http, index_url=self.simple_url, held_known=False),
            Place(
                name="with disk",
                table={**http, "cache_path": str(self.cache)},
                index_url=self.simple_url,
            ),
        ]

    def inventory(self) -> Inventory:
        """Return every artifact in its cache."""
        return inventory_of(self.cache)

    def access_log(self) -> Sequence[AccessLine]:
        """Return gunicorn's log."""
        return [line for _, line in self._lines()]

    def answered_by(self) -> Sequence[int]:
        """Return the process that answered each line of the log."""
        return [pid for pid, _ in self._lines()]

    @property
    def _log(self) -> Path:
        return self.home / "proxpi-access.log"

    def _lines(self) -> list[tuple[int, AccessLine]]:
        if not self._log.exists():
            return []
        found = map(_LOG_LINE.fullmatch, self._log.read_text(encoding="utf-8").splitlines())
        return [
            (int(m[1]), AccessLine(method=m[2], path=m[3], status=int(m[4]), user_agent=m[5]))
            for m in found
            if m
        ]
