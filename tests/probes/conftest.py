"""Servers and assignments for the tests of the probes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Credentials, GuardPolicy, Ledger
from auditor.model import Fingerprint, Incident, Location, Role, SettingValue, Vantage

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")
SUFFIX = "propagation-auditor/0.1 (+ops@audit.example)"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep this machine's proxies and logins out of the tests."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path_factory.getbasetemp() / "no-netrc"))


class Limits:
    """Remembers how many slots of each host were held at once."""

    def __init__(self) -> None:
        self.held = 0
        self.most = 0
        self.hosts: list[str] = []

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        self.hosts.append(host)
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            yield
        finally:
            self.held -= 1


MakeAssignment = Callable[..., Assignment]


@pytest.fixture
def incident() -> Incident:
    return Incident(id="brokenpkg-1.2.3", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",))


@pytest.fixture
def assign(incident: Incident) -> MakeAssignment:
    def make(
        url: str | None = None,
        *,
        path: str | None = None,
        kind: str = "simple",
        role: Role = Role.INDEX,
        samples: int = 1,
        timeout_s: float = 20.0,
        settings: dict[str, SettingValue] | None = None,
        policy: GuardPolicy | None = None,
        credentials: Credentials | None = None,
        fingerprints: tuple[Fingerprint, ...] = (),
    ) -> Assignment:
        asked = Incident(
            id=incident.id,
            project=incident.project,
            broken=incident.broken,
            fixed=incident.fixed,
            fingerprints=fingerprints,
        )
        location = Location(
            name="here",
            kind=kind,
            role=role,
            url=url,
            path=path,
            samples=samples,
            timeout_s=timeout_s,
            settings=settings or {},
        )
        return Assignment(
            incident=asked,
            location=location,
            vantage=Vantage(id="test"),
            policy=policy or GuardPolicy(),
            credentials=credentials or Credentials(),
            limits=Limits(),
            ledger=Ledger(),
            user_agent_suffix=SUFFIX,
            now=lambda: datetime.now(UTC),
        )

    return make


@dataclass
class Asked:
    """One line of a server's access log."""

    method: str
    path: str
    headers: dict[str, str]
    status: int | None = None


@dataclass
class Server:
    """A real server on loopback; `url` is its root."""

    url: str
    log: list[Asked] = field(default_factory=list)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start aiohttp servers that log every request as it came over the wire."""
    stack = AsyncExitStack()

    async def start(handler: Handler) -> Server:
        server = Server(url="")

        async def logged(request: web.BaseRequest) -> web.StreamResponse:
            headers = {k.decode(): v.decode("latin-1") for k, v in request.raw_headers}
            asked = Asked(request.method, request.raw_path, headers)
            server.log.append(asked)
            response = await handler(request)
            asked.status = response.status
            return response

        runner = web.ServerRunner(web.Server(logged), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stack.push_async_callback(runner.cleanup)
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return server

    async with stack:
        yield start


RawServe = Callable[[Callable[[int], bytes | None]], Awaitable[Server]]


@pytest.fixture
async def raw_serve() -> AsyncIterator[RawServe]:
    """Start servers that send literal bytes and close; `None` means: close without a word."""
    stack = AsyncExitStack()

    async def start(answer: Callable[[int], bytes | None]) -> Server:
        server = Server(url="")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                method, path, _ = first.split(" ")
                headers = dict(line.split(": ", 1) for line in lines if line)
                server.log.append(Asked(method, path, headers))
                payload = answer(len(server.log))
                if payload is not None:
                    writer.write(payload)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        stack.callback(listener.close)
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        return server

    async with stack:
        yield start


def json_page(*files: dict[str, object], serial: int | None = 7) -> bytes:
    """Write a project page by PEP 691."""
    import json

    meta: dict[str, object] = {"api-version": "1.1"}
    if serial is not None:
        meta["_last-serial"] = serial
    return json.dumps({"meta": meta, "name": "brokenpkg", "files": list(files)}).encode()


def entry(version: str, base: str = "", **more: object) -> dict[str, object]:
    """Write one entry of such a page."""
    filename = f"brokenpkg-{version}-py3-none-any.whl"
    return {
        "filename": filename,
        "url": f"{base}/packages/{filename}",
        "hashes": {"sha256": version[-1] * 64},
        **more,
    }


JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def page_response(body: bytes, **headers: str) -> web.Response:
    """Answer with a JSON page."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=body, headers={"Content-Type": JSON_TYPE, **named})
