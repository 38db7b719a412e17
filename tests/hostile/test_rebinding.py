"""Names that stand for another address whenever they are looked up: none leads nearer.

127.0.0.2 plays the public internet and 127.0.0.3 a private network; 127.0.0.1 is this machine. The
sockets are real, and so is everything between a name and a connection but the answers to lookups.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest
import trustme
from aiohttp import web

from auditor.contracts import Credentials
from auditor.errors import GuardRefused, ProbeError
from auditor.lab.drive.ports import free_port
from auditor.model import Touch, View
from probes.kit import reach
from probes.kit.answer import Answer
from probes.kit.reach import Reach, farthest_of, reach_of
from probes.kit.session import GuardedSession
from tests.hostile.server import Play, Request, Server, Wire, head
from tests.hostile.table import fixed, good
from tests.probes.conftest import MakeAssignment, Serve

NEAR, FAR, OFFICE, DEAD = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"


@dataclass
class Names:
    """What each name stands for, one answer after the other; the last one stays."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def stand_for(self, name: str, *answers: list[str] | str) -> None:
        self.answers[name] = [[each] if isinstance(each, str) else each for each in answers]

    async def look_up(self, host: str, port: object = None, **_: object) -> object:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        queue = self.answers[host]
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    truly = reach._reach
    parts = {FAR: Reach.PUBLIC, DEAD: Reach.PUBLIC, OFFICE: Reach.NETWORK}
    monkeypatch.setattr(reach, "_reach", lambda each: parts.get(str(each)) or truly(each))
    reach_of.cache_clear()
    yield
    reach_of.cache_clear()


@pytest.fixture
async def names(played: None, monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found.look_up)
    return found


def to(url: str) -> Play:
    return fixed(head("302 Found", Location=url, Content_Length=0))


def at(path: str, url: str) -> Play:
    """Redirect from one path, and answer everywhere else."""

    async def play(request: Request, wire: Wire) -> None:
        gone = head("302 Found", Location=url, Content_Length=0)
        await wire.send(gone if request.path == path else good(request))

    return play


async def asked(session: GuardedSession, *urls: str) -> list[Answer | ProbeError]:
    found: list[Answer | ProbeError] = []
    for url in urls:
        try:
            found.append(await session.get_page(url, View.PIP))
        except ProbeError as error:
            found.append(error)
    return found


# --- another host


@pytest.mark.parametrize(
    "answers",
    [
        [NEAR],
        [FAR, NEAR],
        [FAR, FAR, NEAR],
        [OFFICE],
        [[FAR, NEAR], NEAR],
        [[NEAR, FAR]],
        [FAR, OFFICE, NEAR],
    ],
)
async def test_a_name_that_is_given_another_address_leads_to_nobody_nearer(
    names: Names, assign: MakeAssignment, answers: list[list[str] | str]
) -> None:
    port = free_port(FAR, NEAR, OFFICE)
    async with (
        Server(fixed(good), host=FAR, port=port),
        Server(fixed(good), host=NEAR, port=port) as here,
        Server(fixed(good), host=OFFICE, port=port) as office,
        Server(to(f"http://rebound.example:{port}/admin/"), host=FAR) as index,
    ):
        names.stand_for("index.example", FAR)
        names.stand_for("rebound.example", *answers)
        url = f"http://index.example:{index.port}/simple/brokenpkg/"
        for _ in range(3):  # whoever looks up first is not always the one who connects
            async with GuardedSession(assign(url)) as session:
                await asked(session, url, url)
    assert index.requests
    assert (here.connections, office.connections) == (0, 0)


async def test_what_leads_nearer_is_said_and_nothing_is_asked(
    names: Names, assign: MakeAssignment
) -> None:
    async with (
        Server(fixed(good), host=NEAR) as here,
        Server(to(f"http://rebound.example:{here.port}/"), host=FAR) as index,
    ):
        names.stand_for("index.example", FAR)
        names.stand_for("rebound.example", NEAR)
        assignment = assign(f"http://index.example:{index.port}/simple/")
        async with GuardedSession(assignment) as session:
            (refused,) = await asked(session, assignment.location.url or "")
    assert isinstance(refused, GuardRefused)
    assert "private host rebound.example, which is on this very machine" in str(refused)
    assert NEAR not in str(refused)
    assert [record.status for record in assignment.ledger.records()] == [302]
    assert here.connections == 0


async def test_of_a_name_with_a_near_and_a_far_address_only_the_far_one_is_asked(
    names: Names, assign: MakeAssignment
) -> None:
    port = free_port(FAR, NEAR)
    async with (
        Server(fixed(good), host=FAR, port=port) as elsewhere,
        Server(fixed(good), host=NEAR, port=port) as here,
        Server(to(f"http://files.example:{elsewhere.port}/"), host=FAR) as index,
    ):
        names.stand_for("index.example", FAR)
        names.stand_for("files.example", [NEAR, DEAD, FAR])  # two to be tried, one of them dead
        url = f"http://index.example:{index.port}/simple/"
        async with GuardedSession(assign(url)) as session:
            (answer,) = await asked(session, url)
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert answer.peer == FAR
    assert elsewhere.requests[0].headers["host"] == f"files.example:{elsewhere.port}"
    assert here.connections == 0


async def test_a_file_that_a_page_names_is_not_asked_of_what_is_nearer(
    names: Names, assign: MakeAssignment
) -> None:
    async with Server(fixed(good), host=FAR) as index, Server(fixed(good), host=NEAR) as here:
        names.stand_for("index.example", FAR)
        names.stand_for("rebound.example", FAR, NEAR)
        url = f"http://index.example:{index.port}/simple/"
        async with GuardedSession(assign(url)) as session:
            await session.get_page(url, View.PIP)
            for _ in range(2):
                with pytest.raises(ProbeError):
                    await session.head_file(
                        f"http://rebound.example:{here.port}/{WHEEL}",
                        touch=Touch.INERT,
                        broken=True,
                    )
    assert here.connections == 0


# --- the same host


async def test_an_index_that_was_far_is_not_near_when_it_redirects_within_itself(
    names: Names, assign: MakeAssignment
) -> None:
    port = free_port(FAR, NEAR)
    async with (
        Server(at("/simple/", "/admin/"), host=FAR, port=port) as index,
        Server(fixed(good), host=NEAR, port=port) as here,
    ):
        names.stand_for("index.example", FAR, NEAR)
        url = f"http://index.example:{index.port}/simple/"
        # One connection for each request, so that each looks the name up.
        async with GuardedSession(assign(url, samples=2)) as session:
            assert session._transports is not None
            connector = session._transports.to(None)._session.connector
            assert isinstance(connector, aiohttp.TCPConnector)
            connector._use_dns_cache = False  # as it is ten seconds later
            found = await asked(session, url)
    assert isinstance(found[0], GuardRefused)
    assert len(index.requests) == 1
    assert here.connections == 0


async def test_an_index_that_gives_itself_a_near_address_may_still_send_us_nowhere_near(
    names: Names, assign: MakeAssignment
) -> None:
    async with (
        Server(fixed(good), host=NEAR) as here,
        Server(to(f"{here.url}/admin/"), host=FAR) as index,
    ):
        # It answers from afar, and says that it is at home once it has.
        names.stand_for("index.example", FAR, NEAR)
        url = f"http://index.example:{index.port}/simple/"
        async with GuardedSession(assign(url)) as session:
            found = await asked(session, url, url)
    assert all(isinstance(each, GuardRefused) for each in found)
    assert here.connections == 0


async def test_a_kept_connection_to_what_is_near_is_not_used_for_what_must_be_far(
    names: Names, assign: MakeAssignment, serve: Serve
) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    here = await serve(hello)
    names.stand_for("index.example", NEAR)
    url = here.url.replace(NEAR, "index.example")
    async with GuardedSession(assign(url)) as session:
        assert session._transports is not None
        first, again = await asked(session, url, url)
        looked_up = list(names.asked)
        session._transports.confine(url, Reach.PUBLIC)
        (refused,) = await asked(session, url)
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert isinstance(refused, GuardRefused)
    assert names.asked == looked_up  # the kept connection was at hand
    assert len(here.log) == 2


# --- in between


@pytest.mark.parametrize("target", [NEAR, "localhost", "169.254.169.254", "[::1]", "127.1", "[::]"])
async def test_an_office_server_cannot_send_us_to_this_machine_or_its_link(
    names: Names, assign: MakeAssignment, target: str
) -> None:
    async with (
        Server(fixed(good), host=NEAR) as here,
        Server(to(f"http://{target}:{here.port}/"), host=OFFICE) as index,
    ):
        names.stand_for("index.example", OFFICE)
        url = f"http://index.example:{index.port}/simple/"
        async with GuardedSession(assign(url)) as session:
            (refused,) = await asked(session, url)
    assert isinstance(refused, GuardRefused)
    assert here.connections == 0


async def test_an_office_server_may_send_us_to_another_one_and_to_the_world(
    names: Names, assign: MakeAssignment
) -> None:
    async with (
        Server(fixed(good), host=FAR) as world,
        Server(to(f"http://world.example:{world.port}/"), host=OFFICE) as other,
        Server(to(f"http://other.example:{other.port}/"), host=OFFICE) as index,
    ):
        names.stand_for("index.example", OFFICE)
        names.stand_for("other.example", OFFICE)
        names.stand_for("world.example", FAR)
        url = f"http://index.example:{index.port}/simple/"
        async with GuardedSession(assign(url)) as session:
            (answer,) = await asked(session, url)
    assert isinstance(answer, Answer)
    assert (answer.status, len(answer.hops)) == (200, 2)


async def test_what_is_public_cannot_send_us_back_inside_but_to_where_we_came_from(
    names: Names, assign: MakeAssignment
) -> None:
    async with Server(fixed(good), host=OFFICE) as secret:

        async def world_play(request: Request, wire: Wire) -> None:
            where = "secret.example" if "bad" in request.path else "index.example"
            port = secret.port if "bad" in request.path else index.port
            await wire.send(head("302 F", Location=f"http://{where}:{port}/back/"))

        async with Server(world_play, host=FAR) as world:

            async def index_play(request: Request, wire: Wire) -> None:
                url = f"http://world.example:{world.port}{request.path}"
                moved = head("302 F", Location=url)
                await wire.send(good(request) if request.path == "/back/" else moved)

            async with Server(index_play, host=OFFICE) as index:
                names.stand_for("index.example", OFFICE)
                names.stand_for("secret.example", OFFICE)
                names.stand_for("world.example", FAR)
                base = f"http://index.example:{index.port}"
                async with GuardedSession(assign(f"{base}/simple/")) as session:
                    back, refused = await asked(session, f"{base}/good/", f"{base}/bad/")
    assert isinstance(back, Answer)
    assert back.status == 200
    assert isinstance(refused, GuardRefused)
    assert secret.connections == 0


async def test_over_https_the_name_stays_in_the_handshake_and_in_the_request(
    names: Names, assign: MakeAssignment
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("files.example").configure_cert(context)
    seen: list[str | None] = []
    context.sni_callback = lambda _, name, __: seen.append(name)
    async with (
        Server(fixed(good), host=FAR, tls=context) as files,
        Server(to(f"https://files.example:{files.port}/x/"), host=FAR) as index,
    ):
        names.stand_for("index.example", FAR)
        names.stand_for("files.example", [NEAR, FAR])
        url = f"http://index.example:{index.port}/simple/"
        trusted = Credentials(insecure=True)  # for its own origin alone
        async with GuardedSession(assign(url, credentials=trusted)) as session:
            (found,) = await asked(session, url)
    assert seen == ["files.example"]
    assert "certificate" in str(found)  # which is that of nobody whom this machine trusts


# --- how near


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, Reach.MACHINE) for host in (NEAR, "localhost", "x.localhost", "::1", "::", "0")),
        *((host, Reach.MACHINE) for host in ("127.1", "2130706433", "0x7f.1", "0177.0.0.1")),
        *((host, Reach.MACHINE) for host in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "::7f00:1")),
        *((host, Reach.MACHINE) for host in ("127\u30020\u30020\u30021", "\uff11\uff12\uff17.1")),
        *((host, Reach.LINK) for host in ("169.254.169.254", "fe80::1%eth0", "64:ff9b::a9fe:1")),
        *((host, Reach.NETWORK) for host in ("10.1.2.3", "192.168.0.1", "172.16.0.1", "fd00::1")),
        *((host, Reach.NETWORK) for host in ("100.64.0.1", "198.18.0.1", "2002:a00:1::1")),
        *((host, Reach.NETWORK) for host in ("::ffff:10.0.0.1", "64:ff9b::10.0.0.1")),
        *((host, Reach.PUBLIC) for host in ("93.184.215.14", "2606:4700::1111")),
        *((host, Reach.PUBLIC) for host in ("::ffff:93.184.215.14", "64:ff9b::5db8:d70e")),
        *((host, None) for host in ("index.example", "1.2.3.4.example", "7up.example", "", "a b")),
    ],
)
def test_how_near_a_host_is_by_what_is_written(host: str, expected: Reach | None) -> None:
    assert reach_of(host) is expected


def test_every_reach_has_its_words() -> None:
    assert len({each.words for each in Reach}) == len(Reach)


async def test_a_name_is_as_far_as_the_farthest_of_its_addresses(names: Names) -> None:
    names.stand_for("both.example", [NEAR, FAR, OFFICE])
    names.stand_for("office.example", [NEAR, OFFICE])
    assert await farthest_of("both.example") is Reach.PUBLIC
    assert await farthest_of("office.example") is Reach.NETWORK
    assert await farthest_of("unknown.example") is Reach.PUBLIC
    assert await farthest_of("10.0.0.1") is Reach.NETWORK


def test_the_addresses_of_this_test_are_this_machine() -> None:
    assert all(ipaddress.ip_address(each).is_loopback for each in (NEAR, FAR, OFFICE, DEAD))
