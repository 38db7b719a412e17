"""OpenStack Swift with its S3 interface: a proxy, one server of each kind, and one disk."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from auditor.lab.drive.ports import free_ports
from auditor.lab.drive.process import ProgramFailed, interpreter_of, run, running
from auditor.lab.drive.s3 import ACCESS_KEY, BUCKET, PREFIX, SECRET_KEY, S3Bucket
from auditor.lab.server import LOOPBACK

__all__ = ["SwiftBucket"]

_ACCOUNT = "lab"
_RINGS = ("account", "container", "object")
_SWIFT = "[swift-hash]\nswift_hash_path_suffix = lab\nswift_hash_path_prefix = lab\n"
_COMMON = """\
[DEFAULT]
bind_ip = {loopback}
bind_port = {port}
swift_dir = {home}
devices = {home}/devices
user = {user}
workers = 0
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
log_level = ERROR
"""
_STORE = """\
[pipeline:main]
pipeline = healthcheck {name}-server
[app:{name}-server]
use = egg:swift#{name}
[filter:healthcheck]
use = egg:swift#healthcheck
"""
_MAKE_RINGS = """\
import sys
from swift.common.ring import RingBuilder
for word in sys.argv[2:]:
    name, _, port = word.partition(":")
    builder = RingBuilder(0, 1, 1)
    where = {"ip": sys.argv[1], "port": int(port)}
    copied = {"replication_ip": sys.argv[1], "replication_port": int(port)}
    place = {"region": 1, "zone": 1, "device": "disk", "weight": 1, "meta": ""}
    builder.add_dev({**where, **copied, **place})
    builder.rebalance()
    builder.get_ring().save(name + ".ring.gz")
"""
# What s3api wants below it for buckets with versions, and nothing else.
_FILTERS = {
    "catch_errors": "",
    "gatekeeper": "",
    "healthcheck": "",
    "memcache": "memcache_servers = {loopback}:{memory}",
    "listing_formats": "",
    "s3api": "location = us-east-1\ns3_acl = false\nallow_no_owner = true",
    "tempauth": "user_{account}_{user} = {secret} .admin",
    "copy": "",
    "container_quotas": "",
    "slo": "",
    "dlo": "",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true",
    "symlink": "",
}
_PROXY = """\
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
"""


@dataclass(kw_only=True)
class SwiftBucket(S3Bucket):
    """A bucket of Swift, read by everybody at its own address of the account.

    Attributes:
        command: `swift-proxy-server`; the other servers are beside it.
        memcached: where the proxy keeps what it knows of accounts.
    """

    memcached: Path
    home: Path = field(default=Path(), init=False)

    @property
    def name(self) -> str:
        """Of the program."""
        return "swift"

    @property
    def access_key(self) -> str:
        """The account and its user, as Swift's own authentication wants it."""
        return f"{_ACCOUNT}:{ACCESS_KEY}"

    @property
    def index_url(self) -> str:
        """What a client is given: its S3 interface answers nobody without credentials."""
        return f"{self.endpoint_url}/v1/AUTH_{_ACCOUNT}/{BUCKET}/{PREFIX}"

    @asynccontextmanager
    async def _serving(self, directory: Path) -> AsyncIterator[str]:
        """Make the rings for free ports, and start everything."""
        self.home = directory
        await asyncio.to_thread(self._make_directories)
        ports = dict(zip((*_RINGS, "memory"), free_ports(len(_RINGS) + 1), strict=True))
        await self._make_rings(ports)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._memory(ports["memory"]))
            for name in _RINGS:
                await stack.enter_async_context(self._server(name, ports))
            yield await stack.enter_async_context(self._server("proxy", ports))

    def _make_directories(self) -> None:
        (self.home / "devices" / "disk").mkdir(parents=True)
        (self.home / "swift.conf").write_text(_SWIFT, encoding="utf-8")

    async def _make_rings(self, ports: Mapping[str, int]) -> None:
        """Make all in one process: `swift-ring-builder` would be started nine times."""
        named = [f"{name}:{ports[name]}" for name in _RINGS]
        python = interpreter_of(self.command)
        done = await run([python, "-c", _MAKE_RINGS, LOOPBACK, *named], home=self.home)
        if done.returncode:
            raise ProgramFailed(f"Swift's rings: {done.stdout}{done.stderr}")

    def _tool(self, name: str) -> Path:
        return self.command.with_name(name)

    @asynccontextmanager
    async def _memory(self, port: int) -> AsyncIterator[None]:
        # It speaks no HTTP: to be ready, it only has to take connections.
        user = ("-u", getpass.getuser())
        process = await asyncio.create_subprocess_exec(
            *(self.memcached, "-l", LOOPBACK, "-p", str(port), "-m", "16", "-U", "0", *user),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    @asynccontextmanager
    async def _server(self, name: str, ports: Mapping[str, int]) -> AsyncIterator[str]:
        def command(port: int) -> Sequence[str | Path]:
            return [self._tool(f"swift-{name}-server"), self._configure(name, port, ports)]

        chosen = ports.get(name)
        async with running(
            f"swift-{name}", command, home=self.home, ready="/healthcheck", port=chosen
        ) as program:
            yield program.url

    def _configure(self, name: str, port: int, ports: Mapping[str, int]) -> Path:
        text = _COMMON.format(loopback=LOOPBACK, port=port, home=self.home, user=getpass.getuser())
        text += _proxy_text(ports["memory"]) if name == "proxy" else _STORE.format(name=name)
        path = self.home / f"{name}-server.conf"
        path.write_text(text, encoding="utf-8")
        return path

    def _open_to_readers(self, client: Any) -> None:
        """Let everybody read what is in the bucket; Swift knows no bucket policies."""
        asked = {"X-Auth-User": self.access_key, "X-Auth-Key": SECRET_KEY}
        token = self._ask("GET", "/auth/v1.0", asked)["X-Auth-Token"]
        readers = {"X-Auth-Token": token, "X-Container-Read": ".r:*"}
        self._ask("POST", f"/v1/AUTH_{_ACCOUNT}/{BUCKET}", readers)

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Message:
        connection = HTTPConnection(self.endpoint_url.partition("//")[2], timeout=20)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            if answer.status >= 300:
                raise ProgramFailed(f"Swift answered {answer.status} to {method} {path}")
            return answer.headers
        finally:
            connection.close()


def _proxy_text(memory: int) -> str:
    known = {"loopback": LOOPBACK, "memory": memory, "account": _ACCOUNT, "user": ACCESS_KEY}
    parts = [_PROXY.format(pipeline=" ".join(_FILTERS))]
    for name, settings in _FILTERS.items():
        told = settings.format(secret=SECRET_KEY, **known)
        parts.append(f"[filter:{name}]\nuse = egg:swift#{name}\n{told}\n")
    return "".join(parts)
