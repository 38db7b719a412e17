"""What the probes of one audit share, and what no place ever gets of another's."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Credentials, Shared
from auditor.model import Page, View
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader
from probes.kit.session import GuardedSession, prepare
from tests.bench.pages import JSON_TYPE, Shape, make_page
from tests.probes.conftest import MakeAssignment, Serve

CANARY = "c4nary-s3cret"
BODY = make_page(Shape("brokenpkg", 4, 4)).json
SIGNED = re.sub(rb'("url": ?"[^"]+)"', rb'\1?sig=hush-hush"', BODY)
CREDENTIALS = Credentials(username="ci", password=CANARY)


@pytest.fixture
async def shared() -> AsyncIterator[Shared]:
    everything = Shared()
    yield everything
    await everything.close()


class Connections:
    """Notes which connection each request came over, and with which login."""

    def __init__(self, body: bytes = BODY) -> None:
        self.seen: list[tuple[int, str | None]] = []
        self._body = body

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        port = request.transport.get_extra_info("peername")[1]
        self.seen.append((port, request.headers.get("Authorization")))
        return web.Response(body=self._body, headers={"Content-Type": JSON_TYPE})

    @property
    def ports(self) -> set[int]:
        return {port for port, _ in self.seen}


async def ask(assignment: Assignment) -> None:
    async with GuardedSession(assignment) as session:
        await session.get_page(assignment.location.url or "", View.PIP)


def named(assignment: Assignment, name: str, shared: Shared | None = None) -> Assignment:
    location = replace(assignment.location, name=name)
    return replace(assignment, location=location, shared=shared)


async def test_the_incidents_of_one_place_share_its_connection(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    connections = Connections()
    server = await serve(connections)
    for number in range(3):
        one = named(assign(server.url), "here", shared)
        await ask(replace(one, incident=replace(one.incident, id=f"incident-{number}")))
    assert (len(connections.seen), len(connections.ports)) == (3, 1)


async def test_two_places_never_share_a_connection_or_a_login(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    connections = Connections()
    server = await serve(connections)
    await ask(named(assign(server.url, credentials=CREDENTIALS), "ours", shared))
    await ask(named(assign(server.url), "theirs", shared))
    login = "Basic " + base64.b64encode(f"ci:{CANARY}".encode()).decode()
    assert [login for _, login in connections.seen] == [login, None]
    assert len(connections.ports) == 2


async def test_without_an_audit_each_session_has_a_connection_of_its_own(
    assign: MakeAssignment, serve: Serve
) -> None:
    connections = Connections()
    server = await serve(connections)
    for _ in range(2):
        await ask(assign(server.url))
    assert len(connections.ports) == 2


async def test_several_samples_are_asked_over_new_connections_all_the_same(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    connections = Connections()
    server = await serve(connections)
    for _ in range(2):
        await ask(named(assign(server.url, samples=2), "here", shared))
    assert len(connections.ports) == 2


async def test_a_session_that_is_given_up_leaves_the_others_their_connections(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "/silent/" in request.path:
            asked.set()
            await over.wait()
        return web.Response(body=BODY, headers={"Content-Type": JSON_TYPE})

    asked, over = asyncio.Event(), asyncio.Event()
    server = await serve(answer)
    silent = asyncio.create_task(ask(named(assign(f"{server.url}/silent/"), "here", shared)))
    await asked.wait()
    silent.cancel()
    await asyncio.wait([silent])
    await ask(named(assign(server.url), "here", shared))
    over.set()
    assert silent.cancelled()


async def read(assignment: Assignment) -> Page:
    async with GuardedSession(assignment) as session:
        reader = IndexReader(assignment, session, EvidenceRecorder(session.redactor))
        (page,) = await reader.read(assignment.location.url or "", views=(View.PIP,))
        return page


async def test_places_with_the_same_page_share_what_was_read(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    servers = [await serve(Connections()) for _ in range(2)]
    one, other = [await read(named(assign(s.url), s.url, shared)) for s in servers]
    assert len(one.candidates) == 4
    assert one.candidates is other.candidates


async def test_a_page_that_was_read_for_one_place_is_made_safe_for_each(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    # The first place knows no secret, to the second one the query's value is its password.
    server = await serve(Connections(SIGNED.replace(b"sig=", b"plain=")))
    first = await read(named(assign(server.url), "first", shared))
    keys = Credentials(username="ci", password="hush-hush")
    second = await read(named(assign(server.url, credentials=keys), "second", shared))
    assert "hush-hush" in str(first.candidates)
    assert "hush-hush" not in str((second.candidates, second.evidence))
    third = await read(named(assign(server.url), "third", shared))
    assert "hush-hush" in str(third.candidates)


async def test_a_signed_address_is_hidden_in_what_is_shared(
    assign: MakeAssignment, serve: Serve, shared: Shared
) -> None:
    server = await serve(Connections(SIGNED))
    for name in ("one", "other"):
        assert "hush-hush" not in str(await read(named(assign(server.url), name, shared)))


def test_preparing_a_place_that_is_not_asked_over_http_imports_nothing(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from auditor.contracts import Credentials\n"
        "from auditor.model import Location, Role\n"
        "from probes.kit.session import prepare\n"
        "here = lambda url: Location(name='x', kind='simple', role=Role.INDEX, url=url)\n"
        "prepare(here('file:///x'), Credentials())\n"
        "before = 'aiohttp' in sys.modules\n"
        "prepare(here('http://127.0.0.1/'), Credentials())\n"
        "print(before, 'aiohttp' in sys.modules, 'truststore' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["False", "True", "False"]


def test_preparing_an_https_place_reads_its_certificates(
    assign: MakeAssignment, tmp_path: Path
) -> None:
    missing = Credentials(ca_file=str(tmp_path / "missing.pem"))
    with pytest.raises(Exception, match="certificate file cannot be used"):
        prepare(assign("https://127.0.0.1:1/simple/").location, missing)
