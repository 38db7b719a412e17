"""Receivers on loopback: a web server that keeps what it gets, and a mail server likewise."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Hook:
    """What a web server got, and what it answers, in order; 204 when it has nothing to say."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)


@contextmanager
def hook() -> Iterator[Hook]:
    """A web server that takes POSTs."""
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append(Received(self.path, dict(self.headers.items()), body))
            status, headers = state.answers.pop(0) if state.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        state.url = f"http://127.0.0.1:{port}/hooks/T0KEN"
        yield state


@dataclass
class Mailbox:
    """What a mail server got.

    Attributes:
        commands: every line but those of the mails.
        mails: as they arrived.
        refusal: what it answers to recipients; None: it takes them.
        offers: extensions.
    """

    port: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    refusal: str | None = None
    offers: tuple[str, ...] = ("AUTH PLAIN",)


class _Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs to deliver."""

    state: Mailbox

    def handle(self) -> None:
        self._say("220 sink.example")
        while line := self.rfile.readline().decode().strip():
            self.state.commands.append(line)
            word = line.split(maxsplit=1)[0].upper()
            if word == "DATA":
                self._take()
                continue
            lines = self._answers(word)
            for each in lines[:-1]:
                self._say(f"250-{each}")
            self._say(lines[-1])
            if word == "QUIT":
                return

    def _answers(self, word: str) -> list[str]:
        if word == "EHLO":
            *more, last = ("sink.example", *self.state.offers)
            return [*more, f"250 {last}"]
        if word == "RCPT" and self.state.refusal:
            return [self.state.refusal]
        return ["221 bye" if word == "QUIT" else "250 ok"]

    def _take(self) -> None:
        self._say("354 go on")
        lines: list[str] = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        self.state.mails.append("".join(lines))
        self._say("250 kept")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server."""
    started = Mailbox()

    class Handler(_Mail):
        state = started

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Handler)) as port:
        started.port = port
        yield started


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    """It listens before this yields, and is gone afterwards."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
