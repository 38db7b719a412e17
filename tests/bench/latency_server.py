"""`python -m tests.bench.latency_server N HANGING PROJECTS`: places that answer late, or never.

Prints their ports as one line of JSON, then serves until its standard input ends. It is a process
of its own, so that it takes no time from the event loop that is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

from tests.bench.pages import HTML_TYPE, JSON_TYPE, Shape, make_page

__all__ = ["FASTEST_S", "SLOWEST_S", "latencies"]

FASTEST_S, SLOWEST_S = 0.020, 0.300
# A place that accepts and says nothing, one that stops after its headers, one that drips.
WAYS_TO_HANG = ("mute", "stalled", "dripping")
_FOREVER_S = 3600

Answers = dict[tuple[str, bool], bytes]


def latencies(count: int) -> list[float]:
    """Return the seconds that each place takes, evenly from the fastest to the slowest."""
    step = (SLOWEST_S - FASTEST_S) / max(1, count - 1)
    return [FASTEST_S + step * index for index in range(count)]


def project(index: int) -> str:
    """Return the name of one of the projects that every place has."""
    return f"project{index}"


def _answers(projects: int) -> Answers:
    answers: Answers = {}
    for name in map(project, range(projects)):
        page = make_page(Shape(name, 52, 26))
        for is_json, body in ((True, page.json), (False, page.html)):
            kind = JSON_TYPE if is_json else HTML_TYPE
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            answers[name, is_json] = head.encode() + body
    return answers


async def _serve(answers: Answers, latency_s: float, manner: str) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                name = request.split(b" ", 2)[1].decode().strip("/").rpartition("/")[2]
                reply = answers[name, b"application/vnd.pypi.simple.v1+json" in request]
                if manner:
                    await _hang(manner, reply, writer)
                await asyncio.sleep(latency_s)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)


async def _hang(manner: str, reply: bytes, writer: asyncio.StreamWriter) -> None:
    sent = 0 if manner == "mute" else reply.index(b"\r\n\r\n") + 4
    writer.write(reply[:sent])
    while manner == "dripping":
        writer.write(reply[sent : sent + 1])
        sent += 1
        await writer.drain()
        await asyncio.sleep(0.2)
    await asyncio.sleep(_FOREVER_S)


async def main(healthy: int, hanging: int, projects: int) -> None:
    answers = _answers(projects)
    places: Sequence[tuple[float, str]] = [
        *((latency_s, "") for latency_s in latencies(healthy)),
        *((0.0, WAYS_TO_HANG[index % len(WAYS_TO_HANG)]) for index in range(hanging)),
    ]
    servers = [await _serve(answers, *place) for place in places]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
