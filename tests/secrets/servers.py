"""Servers on loopback that keep all that they are sent, and repeat secrets as bad ones do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Place", "office", "stranger"]

_PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "brokenpkg",
    "versions": ["1.2.4"],
    "files": [
        {
            "filename": "brokenpkg-1.2.4-py3-none-any.whl",
            "url": "/files/brokenpkg-1.2.4-py3-none-any.whl",
            "hashes": {"sha256": "4" * 64},
            "size": 10,
            "yanked": False,
        }
    ],
}


@dataclass
class Place:
    """One origin.

    Attributes:
        url: its root.
        got: request line, headers and body of every request, one text each.
        elsewhere: where its project pages and all that is posted redirect to; "": nowhere.
        deny: answer every question with 401 and all that was sent.
        signed: what follows the address of each file on its pages, such as a signature.
    """

    url: str = ""
    got: list[str] = field(default_factory=list)
    elsewhere: str = ""
    deny: bool = False
    signed: str = ""

    @property
    def simple(self) -> str:
        return f"{self.url}/simple/"

    def with_login(self, login: str) -> str:
        return self.simple.replace("://", f"://{login}@")


@contextmanager
def office() -> Iterator[Place]:
    """A server that is meant to be told the secrets."""
    with _served() as place:
        yield place


@contextmanager
def stranger() -> Iterator[Place]:
    """A server that must never be told one: nobody configured it."""
    with _served() as place:
        yield place


@contextmanager
def _served() -> Iterator[Place]:
    place = Place()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode("latin-1")
            asked = f"{self.requestline}\n{self.headers}\n{body}"
            place.got.append(asked)
            is_page = "brokenpkg" in self.path and not place.deny
            if place.elsewhere and (is_page or self.command == "POST"):
                self._send(302, "text/plain", asked, location=place.elsewhere)
            elif place.deny:
                self._send(401, "text/plain", asked, echo=self.headers.get("Authorization", ""))
            elif self.path.startswith("/simple/"):
                page = json.dumps(_PAGE).replace('.whl", "hash', f'.whl{place.signed}", "hash')
                self._send(200, "application/vnd.pypi.simple.v1+json", page)
            else:
                self._send(404, "text/plain", asked)

        do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = answer  # noqa: N815 (its names)

        def _send(
            self, status: int, kind: str, text: str, *, location: str = "", echo: str = ""
        ) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (("Location", location), ("X-Echo", echo), ("ETag", f'"{echo}"')):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
