"""A forward proxy on loopback that the tests can look into: absolute form, CONNECT, a login."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Passed:
    """One request that came to the proxy."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class ForwardProxy:
    """What it lets through, and what it saw.

    Attributes:
        url: its address, without login.
        login: `user:password` that it demands; None: none.
        hosts: where names lead that nobody else resolves.
        log: every request.
    """

    url: str = ""
    login: str | None = None
    hosts: Mapping[str, int] = field(default_factory=dict)
    log: list[Passed] = field(default_factory=list)

    def with_login(self, login: str) -> str:
        return self.url.replace("://", f"://{login}@")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        self.log.append(Passed(method, target, headers))
        if not self._is_welcome(headers):
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n'
                b"Connection: close\r\n\r\n"
            )
            await writer.drain()
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            above, below = await asyncio.open_connection("127.0.0.1", self._port(host, int(port)))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            parts = urlsplit(target)
            port_there = self._port(parts.hostname or "", parts.port or 80)
            above, below = await asyncio.open_connection("127.0.0.1", port_there)
            kept = {
                name: value
                for name, value in headers.items()
                if name not in ("proxy-authorization", "connection")
            }
            passed = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
            path = parts.path or "/"
            below.write(f"{method} {path} HTTP/1.1\r\n{passed}Connection: close\r\n\r\n".encode())
        try:
            await asyncio.gather(_copy(reader, below), _copy(above, writer))
        finally:
            below.close()

    def _port(self, host: str, port: int) -> int:
        return self.hosts.get(host, port)

    def _is_welcome(self, headers: Mapping[str, str]) -> bool:
        if self.login is None:
            return True
        wanted = base64.b64encode(self.login.encode()).decode()
        return headers.get("proxy-authorization") == f"Basic {wanted}"


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    finally:
        target.close()


@asynccontextmanager
async def forward_proxy(
    *,
    login: str | None = None,
    hosts: Mapping[str, int] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ForwardProxy]:
    """Start one; with `tls` it is itself asked over https."""
    proxy = ForwardProxy(login=login, hosts=hosts or {})
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    proxy.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
