"""`python -m tests.bench.fleet_server HOSTS PROJECTS`: indexes of many projects, below any prefix.

Every path `/PREFIX/simple/PROJECT/` is a page, the same one below each prefix; its files are on
another host, as a mirror's of PyPI are that keeps none. Prints its ports as one line of JSON, and
at the end of its standard input what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from tests.bench.latency_server import project
from tests.bench.pages import HTML_TYPE, JSON_TYPE, Shape, make_page

__all__ = ["BROKEN", "FILES", "FIXED", "Asked", "Index", "answers_of"]

FILES = 12
BROKEN, FIXED = "1.0.3", "1.0.4"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
Answers = dict[tuple[bytes, bool], bytes]


@dataclass
class Asked:
    """What one host was asked.

    Attributes:
        pages: how often each path was asked for by each client class (what it accepts, who it is).
        open, most_open: requests that were not answered yet, now and at most.
        times_s: when each came, on the loop's clock.
    """

    pages: Counter[tuple[str, str]] = field(default_factory=Counter)
    open: int = 0
    most_open: int = 0
    times_s: list[float] = field(default_factory=list)


class Index(asyncio.Protocol):
    """Answers after a while; nothing is asked for twice before that.

    Args:
        answers: by project and by whether JSON is wanted.
        asked: where to note what was asked.
        delay_s: before an answer.
    """

    def __init__(self, answers: Answers, asked: Asked, delay_s: float = 0.0) -> None:
        self._answers = answers
        self._asked = asked
        self._delay_s = delay_s
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            request, self._read = self._read[:end], self._read[end + 4 :]
            self._take(request)

    def _take(self, request: bytes) -> None:
        asked, loop = self._asked, asyncio.get_running_loop()
        path = request.split(b" ", 2)[1]
        lower = request.lower()
        accept, agent = (
            lower.partition(name)[2].partition(b"\r\n")[0]
            for name in (b"accept: ", b"user-agent: ")
        )
        asked.pages[path.decode(), f"{accept.decode()} {agent.decode()}"] += 1
        asked.times_s.append(loop.time())
        asked.open += 1
        asked.most_open = max(asked.most_open, asked.open)
        name = path.rstrip(b"/").rpartition(b"/")[2]
        reply = self._answers.get((name, b"simple.v1+json" in accept), _NOT_FOUND)
        if self._delay_s:
            loop.call_later(self._delay_s, self._answer, reply)
        else:
            self._answer(reply)

    def _answer(self, reply: bytes) -> None:
        self._asked.open -= 1
        self._transport.write(reply)


def answers_of(projects: int) -> Answers:
    """Make every answer there is."""
    answers: Answers = {}
    for name in map(project, range(projects)):
        page = make_page(Shape(name, FILES, FILES // 2))
        for is_json, body in ((True, page.json), (False, page.html)):
            kind = JSON_TYPE if is_json else HTML_TYPE
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            answers[name.encode(), is_json] = head.encode() + body
    return answers


async def main(hosts: int, projects: int) -> None:
    answers = answers_of(projects)
    loop = asyncio.get_running_loop()
    all_asked = [Asked() for _ in range(hosts)]
    servers = [
        await loop.create_server(lambda asked=asked: Index(answers, asked), "127.0.0.1", 0)  # type: ignore[misc]  # mypy knows no default of a lambda
        for asked in all_asked
    ]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    told = {
        "requests": [asked.pages.total() for asked in all_asked],
        "different": [len(asked.pages) for asked in all_asked],
        "most_open": [asked.most_open for asked in all_asked],
        "most_in_a_second": [_busiest(asked.times_s) for asked in all_asked],
    }
    print(json.dumps(told), flush=True)


def _busiest(times_s: list[float], length_s: float = 1.0) -> int:
    """Return the most requests of any second."""
    most, first = 0, 0
    for last, time_s in enumerate(times_s):
        while times_s[first] <= time_s - length_s:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
