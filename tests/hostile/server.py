"""One server that misbehaves as it is told: raw bytes on a socket, counted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Play", "Request", "Server", "Wire", "head"]

# A misbehaving server stops by itself after this many bytes, so that a client which never gives up
# shows as a wrong number and not as a test that never ends.
MOST_BYTES = 400 * 2**20
_HEAD_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived.

    Attributes:
        number: 1 for the first one that this server got.
        method, path: of the request line.
        headers: names in lower case.
        base: of the server: its own URL.
    """

    number: int
    method: str
    path: str
    headers: dict[str, str]
    base: str

    @property
    def is_page(self) -> bool:
        """Whether it asks for the project's page."""
        return self.path.partition("?")[0].endswith("/brokenpkg/")


class Wire:
    """The way back to the client; what is sent is counted."""

    def __init__(self, server: Server, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises:
            ConnectionError: the client has gone, or had more than any client should take.
        """
        self._server.sent_bytes += len(data)
        if self._server.sent_bytes > MOST_BYTES:
            raise ConnectionError("it takes whatever it is sent")
        self._writer.write(data)
        await self._writer.drain()

    async def forever(self, data: bytes, pause_s: float = 0) -> None:
        """Send the same bytes until the client goes away."""
        while True:
            await self.send(data)
            await asyncio.sleep(pause_s)

    async def hang(self) -> None:
        """Say nothing more, for as long as the server lives."""
        await self._server.over.wait()

    def reset(self) -> None:
        """Break the connection off by a TCP reset."""
        plain = self._writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Play = Callable[[Request, Wire], Awaitable[None]]


@dataclass
class Server:
    """Plays one part on a loopback port, one request per connection.

    Attributes:
        play: answers each request.
        tls: for https; None: http.
        host, port: where it listens; 0: any port that is free.
        requests: as they arrived.
        connections: how many there were.
        sent_bytes: how many the client let us send.
        url: its root, once it is started.
    """

    play: Play
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    sent_bytes: int = 0
    url: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _listener: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Server:
        listener = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self._listener = listener
        self.port = listener.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"
        return self

    async def stop_listening(self) -> None:
        """Take no connection any more; those that are open stay."""
        if self._listener is not None:
            self._listener.close()

    async def __aexit__(self, *_: object) -> None:
        self.over.set()
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            await self.play(await self._request(reader), Wire(self, writer))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> Request:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        request = Request(
            number=len(self.requests) + 1,
            method=method,
            path=path,
            headers={name.lower(): value for name, value in headers.items()},
            base=self.url,
        )
        self.requests.append(request)
        return request


def head(status: str = "200 OK", *, http: str = "1.1", **headers: object) -> bytes:
    """Write the first line and the headers of an answer; `_` in a name stands for `-`."""
    lines = [f"HTTP/{http} {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1")
