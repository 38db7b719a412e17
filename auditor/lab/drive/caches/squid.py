"""squid as a reverse proxy, and as a forward proxy on a second port."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from auditor.lab.drive.bandersnatch import read_access_log
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.ports import free_port
from auditor.lab.drive.subject import AccessLine, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.server import LOOPBACK
from auditor.model import SettingValue

__all__ = ["ForwardSquid", "SquidCache"]

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where squid makes it, whatever we would choose
# `%>rp` is the path as it was asked for, `%>Hs` the status that was sent.
_CONFIGURATION = """\
http_port {loopback}:{port} accel defaultsite={loopback}:{port}
http_port {loopback}:{forward_port}
cache_peer {loopback} parent {upstream_port} 0 no-query no-digest originserver name=origin
acl accelerated myportname {loopback}:{port}
acl purging method PURGE
http_access allow all
cache_peer_access origin allow accelerated
cache_dir ufs {home}/cache 64 2 2
cache_mem 8 MB
logformat story %rm %>rp %>Hs %{{User-Agent}}>h
access_log stdio:{home}/access.log story
buffered_logs off
cache_log {home}/cache.log
pid_filename {home}/squid.pid
coredump_dir {home}
visible_hostname lab
pinger_enable off
shutdown_lifetime 0 seconds
cache_effective_user {user}
{more}
"""


@dataclass(kw_only=True)
class SquidCache(CachingFront):
    """squid in front of the upstream.

    Attributes:
        clients: request headers of each client class whose variant `refresh` replaces.
        more: directives beside the usual ones.
        forward_port: where it is a forward proxy.
    """

    clients: Sequence[Mapping[str, str]] = ()
    more: str = ""
    forward_port: int = field(default=0, init=False)
    # Two of one name cannot run at the same time: they would share memory.
    _service: str = field(default_factory=lambda: f"lab{uuid.uuid4().hex[:16]}", init=False)

    name = "squid"

    @property
    def user(self) -> str:
        """squid refuses to work as root."""
        return "proxy"

    @property
    def answers_safely(self) -> bool:
        """It heeds `only-if-cached`."""
        return True

    @property
    def forward_url(self) -> str:
        """What a client is given as its proxy."""
        return f"http://{LOOPBACK}:{self.forward_port}"

    async def prepare(self) -> None:
        """Make the directories of its cache, which it does not make by itself."""
        self.forward_port = free_port()
        named = ("-N", "-n", self._service)
        await self.call(self.command, *named, "-z", "-f", self._configure(free_port()))

    def arguments(self, port: int) -> Sequence[str | Path]:
        """Write its configuration; return the command that starts it."""
        return [self.command, "-N", "-n", self._service, "-f", self._configure(port)]

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Run it, with an empty cache; what it shares in memory goes with it, even if killed."""
        try:
            async with super().running(upstream, directory):
                yield
        finally:
            await asyncio.to_thread(self._forget_memory)

    def _forget_memory(self) -> None:
        for segment in _SHARED_MEMORY.glob(f"{self._service}-*"):
            segment.unlink(missing_ok=True)

    async def purge(self, path: str) -> None:
        """Send PURGE, which forgets the list of the variants and leaves the variants."""
        async with (
            aiohttp.ClientSession() as session,
            session.request("PURGE", f"{self.url}{path}") as answer,
        ):
            await answer.read()

    async def refresh(self) -> None:
        """Replace each client class's variant of the page, which `no-cache` does."""
        async with aiohttp.ClientSession() as session:
            for client in self.clients:
                headers = {**client, "Cache-Control": "no-cache"}
                url = f"{self.url}{self.page_path}"
                async with session.get(url, headers=headers, proxy=self.proxy) as answer:
                    await answer.read()

    def access_log(self) -> Sequence[AccessLine]:
        """Return its log."""
        return read_access_log(self.home / "access.log")

    def _configure(self, port: int) -> Path:
        text = _CONFIGURATION.format(
            loopback=LOOPBACK,
            port=port,
            forward_port=self.forward_port,
            upstream_port=urlsplit(self.upstream.url).port,
            home=self.home,
            user=self.user,
            more=self.more,
        )
        return self.write("squid.conf", text)


@dataclass(kw_only=True)
class ForwardSquid(SquidCache):
    """squid as its clients' forward proxy: they name the upstream itself."""

    name = "squid-forward"

    @property
    def url(self) -> str:
        """The upstream's."""
        return self.upstream.url

    @property
    def proxy(self) -> str | None:
        """Its second port."""
        return self.forward_url

    def places(self) -> Sequence[Place]:
        """Return it with and without its disk; whoever is away needs the proxy all the same."""
        via: dict[str, SettingValue] = {"kind": "http-cache", "via": self.forward_url}
        remote = {**via, "url": self.simple_url}
        tables = {self.name: {**remote, **self.settings()}, f"{self.name} from afar": remote}
        return [
            Place(name=name, table=table, index_url=self.simple_url, proxy=self.proxy)
            for name, table in tables.items()
        ]
