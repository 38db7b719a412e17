"""Every kind that asks a server: whatever answers, it ends in words and never in green."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.hostile.bodies import JSON_TYPE, gzip_bomb
from tests.hostile.playing import play
from tests.hostile.server import Play, Request, Wire, head
from tests.hostile.table import (
    PAGE_MIB,
    ROWS,
    Row,
    close_mid_body,
    endless_body,
    fixed,
    good,
    half_open,
    reset_mid_body,
    to,
)

pytestmark = pytest.mark.slow

KINDS = (
    *("pypi", "devpi", "bandersnatch", "proxpi", "pypiserver"),
    *("pulp", "nexus", "artifactory", "http-cache"),
)
# One of each sort; how often a kind asks beside its pages differs.
NAMES = (
    *("a gzip bomb", "endless chunks", "endless trailers", "a close in the middle of the body"),
    *("a list of anchors that ends with the connection", "a server that says nothing"),
    *("nothing but 503", "Retry-After: an hour", "JSON nested without end", "an empty body"),
    *("a login page", "another Content-Type", "two lists of files", "a redirect: a loop"),
    *("half a page that never closes", "a redirect to 'file:///etc/passwd'"),
)
CHOSEN = [row for row in ROWS if row.name in NAMES]
MOST_REQUESTS = 60


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.kit.receiving.MAX_PAGE_BYTES", PAGE_MIB * 2**20)
    monkeypatch.setattr("probes.kit.transport.MAX_WIRE_BYTES", PAGE_MIB * 2**20)


def test_every_sort_is_among_the_rows() -> None:
    assert len(CHOSEN) == len(NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_calls_a_place_good_that_it_could_not_read(kind: str) -> None:
    _, played = asyncio.run(play(CHOSEN, kind))
    for name, one in played.items():
        assert one.verdict.status.value == "unknown", (name, one.told)
        assert "the probe of kind" not in one.told, (name, one.told)
        assert len(one.server.requests) <= MOST_REQUESTS, name
        assert not any(".whl" in request.path for request in one.server.requests), name


def beside(play: Play) -> Play:
    """Answer pages as a healthy server does, and misbehave for everything else."""

    async def both(request: Request, wire: Wire) -> None:
        if request.is_page:
            await wire.send(good(request))
        else:
            await play(request, wire)

    return both


def as_object(body: bytes) -> Play:
    return fixed(head(Content_Type="application/json", Content_Length=len(body)) + body)


def api_rows() -> list[Row]:
    bomb = gzip_bomb(4 * PAGE_MIB)
    encoded = {"Content_Type": JSON_TYPE, "Content_Encoding": "gzip", "Content_Length": len(bomb)}
    odd = {"result": 7, "items": [None, {}, []], "count": "9" * 4000, "type": [], "serial": -1}
    plays = {
        "an interface that is endless": endless_body,
        "an interface that is a bomb": fixed(head(**encoded) + bomb),
        "an interface nested without end": as_object(b"[" * 10**6),
        "an interface nested in objects": as_object(b'{"result":' * 10**5),
        "an interface of a huge number": as_object(b'{"result": ' + b"9" * 10**6 + b"}"),
        "an interface of other types": as_object(json.dumps(odd).encode()),
        "an interface in no encoding": as_object(b"\xff\xfe\x00{}"),
        "an interface that is null": as_object(b"null"),
        "an interface that breaks off": close_mid_body,
        "an interface that resets": reset_mid_body,
        "an interface that leads away": to(lambda _: "http://other.invalid/x"),
        "an interface that leads to a file": to(lambda _: "file:///etc/passwd"),
        "an interface that hangs": half_open,
        "an interface that pages without end": as_object(
            b'{"items": [], "continuationToken": "x", "next": "/pulp/api/v3/?offset=1", '
            b'"results": [], "count": 9}'
        ),
    }
    return [Row(name=name, play=beside(one), timeout_s=4.0) for name, one in plays.items()]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interface_that_misbehaves_costs_no_page(kind: str) -> None:
    rows = api_rows()
    _, played = asyncio.run(play(rows, kind))
    for name, one in played.items():
        assert "the probe of kind" not in one.told, (name, one.told)
        assert one.verdict.status.value in {"clean", "rolled-forward", "unknown"}, (name, one.told)
        assert len(one.server.requests) <= MOST_REQUESTS, name
        assert one.server.sent_bytes < 60 * 2**20, name
