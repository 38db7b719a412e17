"""Real devpi: a primary with a mirror, an open and a closed stage over it, and a replica."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.process import ProgramFailed, RunningProgram, run, running
from auditor.lab.drive.subject import AccessLine, Inventory, Place, inventory_of
from auditor.lab.drive.upstream import Upstream
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, PROJECT

__all__ = ["DevpiServers"]

_PASSWORD = "lab-root-password"  # noqa: S105  # of a server that lives for a minute, on loopback
# Its key derivation takes five seconds and 2 GB as installed.
_QUICK = ("--argon2-memory-cost", "8", "--argon2-parallelism", "1", "--argon2-time-cost", "1")
_IN_SYNC_WITHIN_S = 40.0
_POLL_S = 0.1
_JSON = {"Accept": "application/json"}


@dataclass(kw_only=True)
class DevpiServers:
    """A primary and, if wanted, its replica.

    Attributes:
        command: `devpi-server`; `devpi-init` is beside it.
        expiry_s: mirror_cache_expiry of the mirror.
        with_replica: whether there is one.
        external: whether the mirror redirects to its upstream's files.
    """

    command: Path
    expiry_s: int = 1
    with_replica: bool = True
    external: bool = False
    home: Path = field(default=Path(), init=False)
    _primary: RunningProgram | None = field(default=None, init=False)
    _replica: RunningProgram | None = field(default=None, init=False)
    _token: str = field(default="", init=False)

    name = "devpi"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Make the indexes; the stages get a copy of the broken release of their own, but one."""
        self.home = directory
        await asyncio.to_thread(_write_secret, directory)
        async with AsyncExitStack() as stack:
            fresh = ("--no-root-pypi", "--root-passwd", _PASSWORD)
            self._primary = await stack.enter_async_context(
                self._server("primary", fresh, ("--role=primary",))
            )
            await self._make_indexes(upstream)
            if self.with_replica:
                of = (f"--primary-url={self._primary.url}",)
                self._replica = await stack.enter_async_context(self._server("replica", of, of))
                await self.in_sync()
            yield
        self._primary = self._replica = None

    @asynccontextmanager
    async def _server(
        self, name: str, fresh: Sequence[str], options: Sequence[str]
    ) -> AsyncIterator[RunningProgram]:
        serverdir = ("--serverdir", self.home / name)
        init = self.command.parent / "devpi-init"
        done = await run([init, *serverdir, *fresh], home=self.home)
        if done.returncode:
            raise ProgramFailed(f"devpi-init: {done.stdout}{done.stderr}")

        def command(port: int) -> Sequence[str | Path]:
            bound = ("--host", LOOPBACK, "--port", str(port), "--secretfile", self.home / "secret")
            return (self.command, *serverdir, *bound, *_QUICK, *options)

        async with running(f"devpi-{name}", command, home=self.home, ready="/+api") as program:
            yield program

    async def _make_indexes(self, upstream: Upstream) -> None:
        answer = await self._ask("POST", "+login", {"user": "root", "password": _PASSWORD})
        token = json.loads(answer)["result"]["password"]
        self._token = base64.b64encode(f"root:{token}".encode()).decode()
        mirror = {"type": "mirror", "mirror_url": upstream.simple_url, "volatile": True}
        mirror["mirror_cache_expiry"] = self.expiry_s
        mirror["mirror_use_external_urls"] = self.external
        await self._ask("PUT", "root/mir", mirror)
        stage = {"type": "stage", "bases": ["root/mir"], "volatile": True}
        await self._ask("PUT", "root/open", {**stage, "mirror_whitelist": ["*"]})
        await self._ask("PUT", "root/copied", {**stage, "mirror_whitelist": [PROJECT]})
        await self._ask("PUT", "root/closed", {**stage, "mirror_whitelist": []})
        broken = [f.artifact for f in upstream.index.state().files if f.artifact.version == BROKEN]
        for index in ("root/copied", "root/closed"):
            for artifact in broken:
                await self.upload(index, artifact)

    async def upload(self, index: str, artifact: Artifact) -> None:
        """Upload a file to a stage."""
        form = aiohttp.FormData()
        form.add_field(":action", "file_upload")
        form.add_field("name", artifact.project)
        form.add_field("version", artifact.version)
        form.add_field("content", artifact.content, filename=artifact.filename)
        await self._ask("POST", f"{index}/", form)

    async def _ask(self, method: str, path: str, data: object = None) -> bytes:
        body = {"data": data} if isinstance(data, aiohttp.FormData) else {"json": data}
        headers = {**_JSON, "X-Devpi-Auth": self._token}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self._url()}/{path}", **body) as answer,
        ):
            read = await answer.read()
            if answer.status >= 400:
                raise ProgramFailed(f"devpi answered {answer.status} to {method} {path}: {read!r}")
            return read

    def _url(self, *, replica: bool = False) -> str:
        program = self._replica if replica else self._primary
        if program is None:
            raise RuntimeError("devpi is not running")
        return program.url

    async def in_sync(self) -> None:
        """Wait until the replica has every transaction of its primary."""
        async with asyncio.timeout(_IN_SYNC_WITHIN_S):
            while True:
                if await self._serial(replica=True) >= await self._serial():
                    return
                await asyncio.sleep(_POLL_S)

    async def _serial(self, *, replica: bool = False) -> int:
        async with (
            aiohttp.ClientSession(headers=_JSON) as session,
            session.get(f"{self._url(replica=replica)}/+status") as answer,
        ):
            return int((await answer.json())["result"]["serial"])

    def places(self) -> Sequence[Place]:
        """Return the mirror, the three stages and the replica's mirror, each with its disk."""
        names = {"mirror": "mir", "open stage": "open"}
        if not self.external:
            names |= {"stage with a copy": "copied", "closed stage": "closed"}
        places = [self._place(name, f"root/{index}") for name, index in names.items()]
        if self._replica is not None:
            places.append(self._place("replica", "root/mir", replica=True))
        return places

    def _place(self, name: str, index: str, *, replica: bool = False) -> Place:
        url = f"{self._url(replica=replica)}/{index}/+simple/"
        path = str(self.home / ("replica" if replica else "primary"))
        table = {"kind": "devpi", "url": url, "path": path}
        return Place(name=name, table=table, index_url=url, checks_held=not self.external)

    async def refresh(self) -> None:
        """Make the mirror read its upstream's page again."""
        await self._ask("POST", f"root/mir/+simple/{PROJECT}/refresh")

    async def remove(self, index: str, *filenames: str) -> None:
        """Delete files of an index by their own URLs, as its operator does."""
        root = self.home / "primary" / "+files" / index
        for name in filenames:
            for path in await asyncio.to_thread(_found, root, name):
                await self._ask("DELETE", f"{index}/{path.relative_to(root).as_posix()}")

    def inventory(self) -> Inventory:
        """Return what the primary holds."""
        return inventory_of(self.home / "primary" / "+files")

    def access_log(self) -> Sequence[AccessLine] | None:
        """It keeps none."""
        return None


def _found(root: Path, name: str) -> list[Path]:
    return sorted(root.rglob(name))


def _write_secret(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    secret = directory / "secret"
    secret.touch(mode=0o600)
    secret.write_text(base64.b64encode(bytes(range(64))).decode(), encoding="ascii")
