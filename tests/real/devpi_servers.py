"""Real devpi-servers on loopback: a primary, a replica, their indexes, and a tap on the wire."""

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
from auditor.lab.drive.ports import free_port
from auditor.lab.drive.process import RunningProgram, run, running
from auditor.lab.drive.subject import AccessLine, Inventory, inventory_of
from tests.real.programs import python_program

LOOPBACK = "127.0.0.1"
PASSWORD = "story-root-password"
# Its key derivation takes five seconds and 2 GB as installed; what is tested does not depend on it.
QUICK = ("--argon2-memory-cost", "8", "--argon2-parallelism", "1", "--argon2-time-cost", "1")
# As the table of real programs has it, so that there is one environment.
ENVIRONMENT = ("devpi-server", "devpi-server", "devpi-client", "devpi-web")
_WITHIN_S = 30.0


@dataclass
class Tap:
    """Passes bytes on to a server and writes down what was asked: devpi keeps no such log."""

    target: int
    log: list[AccessLine] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(self.serve, LOOPBACK, self.port)

    def stop(self) -> None:
        """Refuse new connections."""
        if self._server is not None:
            self._server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: list[bytes] = []
        try:
            server, to_server = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            writer.close()
            return
        back = asyncio.create_task(self._answers(server, writer, asked))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked.append(head)
                to_server.write(head)
                length = int(_header(head, b"content-length") or 0)
                if length:
                    to_server.write(await reader.readexactly(length))
                await to_server.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            to_server.close()
            writer.close()

    async def _answers(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bytes]
    ) -> None:
        try:
            while chunk := await server.read(2**16):
                # Nobody here pipelines: what comes first after a request begins its answer.
                if asked:
                    self._note(asked.pop(), int(chunk.split(b" ", 2)[1]))
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    def _note(self, head: bytes, status: int) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        agent = _header(head, b"user-agent") or b""
        self.log.append(
            AccessLine(method=method, path=path, status=status, user_agent=agent.decode())
        )


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


@asynccontextmanager
async def tapped(port: int, log: list[AccessLine] | None = None) -> AsyncIterator[Tap]:
    tap = Tap(port, [] if log is None else log)
    await tap.start()
    try:
        yield tap
    finally:
        tap.stop()


@dataclass
class Devpi:
    """One running server; `url` is its root behind the tap, `direct` without it."""

    program: RunningProgram
    tap: Tap
    serverdir: Path
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.tap.port}"

    @property
    def direct(self) -> str:
        return self.program.url

    def simple(self, index: str, *, direct: bool = False) -> str:
        return f"{self.direct if direct else self.url}/{index}/+simple/"

    def entry(self, index: str, artifact: Artifact) -> str:
        digest = artifact.sha256
        path = f"+f/{digest[:3]}/{digest[3:16]}/{artifact.filename}"
        return f"{self.direct}/{index}/{path}"

    def inventory(self, user: str = "") -> Inventory:
        return inventory_of(self.serverdir / "+files" / user)

    async def ask(self, method: str, url: str, data: object = None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "X-Devpi-Auth": self.token}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, url, json=data, headers=headers, allow_redirects=False
            ) as answer,
        ):
            return answer.status, await answer.read()

    async def log_in(self) -> None:
        """Get a token of root, whose password is empty on a new server."""
        status, body = await self.ask(
            "POST", f"{self.direct}/+login", {"user": "root", "password": PASSWORD}
        )
        assert status == 200, body
        token = json.loads(body)["result"]["password"]
        self.token = base64.b64encode(f"root:{token}".encode()).decode()

    async def add_user(self, name: str) -> None:
        status, body = await self.ask("PUT", f"{self.direct}/{name}", {"password": PASSWORD})
        assert status == 201, body

    async def make(self, index: str, **config: object) -> None:
        status, body = await self.ask("PUT", f"{self.direct}/{index}", config)
        assert status == 200, body

    async def mirror(self, index: str, url: str, **config: object) -> None:
        await self.make(index, type="mirror", mirror_url=url, volatile=True, **config)

    async def upload(self, index: str, artifact: Artifact) -> None:
        form = aiohttp.FormData()
        form.add_field(":action", "file_upload")
        form.add_field("name", artifact.project)
        form.add_field("version", artifact.version)
        form.add_field("content", artifact.content, filename=artifact.filename)
        headers = {"X-Devpi-Auth": self.token, "Accept": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.direct}/{index}/", data=form, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.read()

    async def store(self, index: str, *artifacts: Artifact) -> None:
        """Make a mirror store files, as an installer does."""
        for artifact in artifacts:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.entry(index, artifact)) as answer,
            ):
                assert answer.status == 200
                await answer.read()
            # It is committed after the last byte was sent.
            async with asyncio.timeout(_WITHIN_S):
                while True:
                    held = self.inventory(index.partition("/")[0])
                    if artifact.sha256 in held.get(artifact.filename, ()):
                        break
                    await asyncio.sleep(0.02)

    async def page(self, index: str, project: str = "brokenpkg") -> bytes:
        accept = {"Accept": "application/vnd.pypi.simple.v1+json", "User-Agent": "pip/26.3"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.simple(index, direct=True)}{project}/", headers=accept) as answer,
        ):
            return await answer.read()

    async def refresh(self, index: str, project: str = "brokenpkg") -> int:
        status, _ = await self.ask("POST", f"{self.simple(index, direct=True)}{project}/refresh")
        return status

    async def serial(self) -> int:
        _, body = await self.ask("GET", f"{self.direct}/+status")
        return int(json.loads(body)["result"]["serial"])


@asynccontextmanager
async def devpi_server(
    home: Path,
    *options: str,
    name: str = "primary",
    log_in: bool = True,
    log: list[AccessLine] | None = None,
) -> AsyncIterator[Devpi]:
    """Run a server in a directory of its own, which is made if it is not there."""
    commands = await asyncio.to_thread(python_program, *ENVIRONMENT)
    serverdir = home / name
    secret = home / "secret"
    await asyncio.to_thread(_write_secret, secret)
    common = ("--serverdir", serverdir)
    if not serverdir.exists():
        await _made(commands, home, common, options)

    def command(port: int) -> Sequence[str | Path]:
        bound = ("--host", LOOPBACK, "--port", str(port), "--secretfile", secret)
        return (commands / "devpi-server", *common, *bound, *QUICK, *options)

    async with AsyncExitStack() as stack:
        program = await stack.enter_async_context(
            running(f"devpi-{name}", command, home=home, ready="/+api")
        )
        tap = await stack.enter_async_context(tapped(program.port, log))
        server = Devpi(program, tap, serverdir)
        if log_in:
            await server.log_in()
        yield server


async def _made(
    commands: Path, home: Path, common: Sequence[str | Path], options: Sequence[str]
) -> None:
    replica = [option for option in options if option.startswith("--primary-url")]
    fresh = replica or ["--no-root-pypi", "--root-passwd", PASSWORD]
    done = await run([commands / "devpi-init", *common, *fresh], home=home)
    assert done.returncode == 0, done.stderr


def _write_secret(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(base64.b64encode(bytes(range(64))).decode(), encoding="ascii")


@asynccontextmanager
async def replica_of(primary: Devpi, home: Path) -> AsyncIterator[Devpi]:
    """Run a replica, once it has copied all that its primary has."""
    # Through the tap, so that it names the tap to whoever asks for its primary.
    url = f"--primary-url={primary.url}"
    log = primary.tap.log
    async with devpi_server(home, url, name="replica", log_in=False, log=log) as server:
        await in_sync(primary, server)
        yield server


async def in_sync(primary: Devpi, replica: Devpi, user: str = "") -> None:
    """Wait until the replica has every transaction and every file of its primary."""
    async with asyncio.timeout(_WITHIN_S):
        while True:
            has_all = await replica.serial() >= await primary.serial()
            if has_all and replica.inventory(user) == primary.inventory(user):
                return
            await asyncio.sleep(0.05)
