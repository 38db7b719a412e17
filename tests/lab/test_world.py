"""The world is as design section 13 describes it, seen from outside."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import time
import tomllib
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from auditor.lab.placement import Expected, Placement
from auditor.lab.server import LoopbackServer
from auditor.lab.world import World
from auditor.model import LagState, Status

from .conftest import HTML, JSON, NOW, Ask, project_url
from .test_pages import CLIENTS, page_of

Shown = dict[str, bool]

NEW: Shown = {"1.2.2": False, "1.2.3": True, "1.2.4": False}
OLD: Shown = {"1.2.2": False, "1.2.3": False}

EXPECTED = {
    "source": Expected(Status.ROLLED_FORWARD, ("broken-listed",)),
    "fresh-mirror": Expected(Status.ROLLED_FORWARD, ("broken-listed",)),
    "clean-mirror": Expected(Status.CLEAN),
    "late-mirror": Expected(Status.EXPOSED, ("stale-page",), LagState.WITHIN_LAG),
    "stuck-mirror": Expected(Status.EXPOSED, ("serial-behind",), LagState.STUCK),
    "behind-mirror": Expected(Status.BEHIND, ("fix-not-listed",)),
    "split-mirror": Expected(Status.EXPOSED, ("split-view",)),
    "flapping-mirror": Expected(Status.EXPOSED, ("flapping",)),
    "yank-lost-mirror": Expected(Status.ROLLED_FORWARD, ("yank-lost",)),
    "tampered-mirror": Expected(Status.TAMPERED),
    "fake-serial-mirror": Expected(Status.ROLLED_FORWARD, ("serial-fake",)),
    "pip-cache": Expected(Status.LATENT, ("broken-held",)),
    "broken-page": Expected(Status.UNKNOWN, ("malformed",)),
    "wheelhouse": Expected(Status.EXPOSED, ("fix-not-listed",)),
    "down": Expected(Status.UNKNOWN, ("unreachable",)),
}


async def shown(ask: Ask, server: LoopbackServer, accept: str) -> Shown:
    """Versions on a page and whether they are yanked."""
    page = await page_of(ask, server, accept)
    return {str(package.version): package.is_yanked for package in page.packages}


def test_the_expected_answers_are_those_of_the_design(world: World) -> None:
    assert world.expected == EXPECTED


def test_the_configuration_names_the_incident_and_every_location(world: World) -> None:
    config = tomllib.loads(world.config_toml())
    assert config["incidents"] == [
        {
            "id": "brokenpkg-1.2.3",
            "project": "brokenpkg",
            "broken": ["1.2.3"],
            "fixed": ["1.2.4"],
        }
    ]
    locations = {location["name"]: location for location in config["locations"]}
    assert set(world.expected) == set(locations)
    assert locations["source"]["kind"] == "pypi"
    assert "upstream" not in locations["source"]
    assert locations["late-mirror"]["expected_lag"] == "6h"
    assert locations["stuck-mirror"]["expected_lag"] == "1h"
    assert locations["flapping-mirror"]["samples"] == 4
    assert str(world.directory / "wheelhouse") == locations["wheelhouse"]["path"]
    for name, location in locations.items():
        if location["kind"] == "simple":
            assert location["upstream"] == "source"
        if name in world.servers:
            assert world.servers[name].simple_url == location["url"]


def test_a_path_with_quotes_and_backslashes_survives_the_configuration() -> None:
    odd = Path('/srv/my "wheels" \\ here/ü')
    placement = Placement(name="w", kind="wheelhouse", path=odd, expected=Expected(Status.CLEAN))
    assert str(odd) == tomllib.loads(placement.toml())["locations"][0]["path"]


@pytest.mark.parametrize("accept", [JSON, HTML])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("source", NEW),
        ("fresh-mirror", NEW),
        ("fake-serial-mirror", NEW),
        ("tampered-mirror", NEW),
        ("clean-mirror", {"1.2.2": False, "1.2.4": False}),
        ("late-mirror", OLD),
        ("stuck-mirror", OLD),
        ("behind-mirror", {"1.2.2": False, "1.2.3": True}),
        ("yank-lost-mirror", {"1.2.2": False, "1.2.3": False, "1.2.4": False}),
    ],
)
async def test_a_mirror_shows_its_state_in_both_forms(
    world: World, ask: Ask, name: str, expected: Shown, accept: str
) -> None:
    assert expected == await shown(ask, world.servers[name], accept)


async def test_the_split_mirror_tells_json_and_html_clients_different_things(
    world: World, ask: Ask
) -> None:
    split = world.servers["split-mirror"]
    assert await shown(ask, split, JSON) == NEW
    assert await shown(ask, split, HTML) == OLD


async def test_every_client_meets_both_nodes_of_the_flapping_mirror(world: World, ask: Ask) -> None:
    flapping = world.servers["flapping-mirror"]
    seen: dict[str, list[Shown]] = {client: [] for client in CLIENTS}
    for _ in range(4):  # in turn, which is the order that would hide a common alternation
        for client, (accept, _encoding) in CLIENTS.items():
            seen[client].append(await shown(ask, flapping, accept))
    assert list(seen.values()) == [[NEW, OLD, NEW, OLD]] * 4


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_serials_are_the_sources_older_or_a_constant(
    world: World, ask: Ask, accept: str
) -> None:
    async def serial(name: str) -> int:
        answer = await ask(project_url(world.servers[name]), Accept=accept)
        return int(answer.headers["X-PyPI-Last-Serial"])

    source = await serial("source")
    assert source == await serial("fresh-mirror") == await serial("clean-mirror")
    assert source > await serial("behind-mirror") > await serial("stuck-mirror")
    assert await serial("fake-serial-mirror") == 1_000_000_000


async def test_the_constant_serial_does_not_move_with_the_source(world: World, ask: Ask) -> None:
    fake = world.servers["fake-serial-mirror"]
    page = json.loads((await ask(project_url(fake), Accept=JSON)).body)
    assert page["meta"]["_last-serial"] == 1_000_000_000
    root = json.loads((await ask(fake.simple_url, Accept=JSON)).body)
    assert root["meta"]["_last-serial"] == 1_000_000_000


@pytest.mark.parametrize(
    "name",
    ["source", "fresh-mirror", "clean-mirror", "late-mirror", "tampered-mirror", "split-mirror"],
)
async def test_every_listed_file_is_served_with_the_listed_digest(
    world: World, ask: Ask, name: str
) -> None:
    for accept in (JSON, HTML):
        for package in (await page_of(ask, world.servers[name], accept)).packages:
            answer = await ask(package.url.partition("#")[0])
            assert package.digests["sha256"] == hashlib.sha256(answer.body).hexdigest()


async def test_only_the_clean_mirror_links_to_the_file_host_of_the_source(
    world: World, ask: Ask
) -> None:
    file_host = world.servers["source-files"].url
    for name, server in world.servers.items():
        if name == "source-files":
            continue
        body = (await ask(project_url(server), Accept=JSON)).text
        assert (name in ("source", "clean-mirror")) is (file_host in body)


async def test_the_tampered_mirror_has_other_bytes_under_one_name_only(
    world: World, ask: Ask
) -> None:
    source = await page_of(ask, world.servers["source"], JSON)
    tampered = await page_of(ask, world.servers["tampered-mirror"], JSON)
    reference = {p.filename: p.digests for p in source.packages}
    differing = [p.filename for p in tampered.packages if reference[p.filename] != p.digests]
    assert differing == ["brokenpkg-1.2.3-py3-none-any.whl"]


async def test_half_of_the_broken_json_page_names_no_file_and_the_fix_is_in_the_rest(
    world: World, ask: Ask
) -> None:
    answer = await ask(project_url(world.servers["broken-page"]), Accept=JSON)
    files = json.loads(answer.body)["files"]
    readable = [f["url"] for f in files if isinstance(f, dict) and f.get("url")]
    assert (len(files), len(readable)) == (6, 3)
    assert sum("1.2.4" in url for url in readable) == 2
    assert not any("1.2.3" in url for url in readable)


async def test_half_of_the_broken_html_page_leads_nowhere_and_its_end_is_missing(
    world: World, ask: Ask
) -> None:
    answer = await ask(project_url(world.servers["broken-page"]), Accept=HTML)
    assert answer.text.count("<a ") == 6 + 1
    assert answer.text.count(' href="../../packages/') == 3 + 1  # the last one is cut off
    assert answer.text.count(' href="http://[/') == 1
    assert "brokenpkg-1.2.4-py3-none-any.whl</a>" in answer.text
    assert "</html>" not in answer.text


def test_the_wheelhouse_holds_the_good_and_the_broken_wheel(world: World) -> None:
    files = {path.name: path.read_bytes() for path in (world.directory / "wheelhouse").iterdir()}
    wheels = [world.story.releases[version][0] for version in ("1.2.2", "1.2.3")]
    assert {wheel.filename: wheel.content for wheel in wheels} == files


async def test_nothing_listens_where_the_dead_location_is(world: World) -> None:
    down = next(p for p in world.placements if p.name == "down")
    assert down.url is not None
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(down.url)


async def test_a_store_can_be_laid_by_a_client_of_the_running_world(tmp_path: Path) -> None:
    async def lay_page(world: World) -> Placement:
        async with aiohttp.ClientSession() as session:
            answer = await session.get(project_url(world.servers["source"]))
            page = tmp_path / "page.html"
            page.write_text(await answer.text())
        expected = Expected(Status.LATENT, ("broken-held",))
        return Placement(name="pip-cache", kind="pip-cache", path=page, expected=expected)

    async with World(tmp_path, now=NOW, stores=(lay_page,)) as world:
        assert "1.2.4" in (tmp_path / "page.html").read_text()
        assert world.expected["pip-cache"].status is Status.LATENT
        assert 'kind = "pip-cache"' in world.config_toml()


async def test_the_world_starts_and_stops_within_a_second(tmp_path: Path) -> None:
    started = time.perf_counter()
    async with World(tmp_path, now=NOW):
        pass
    assert time.perf_counter() - started < 1


async def test_ports_are_closed_afterwards_even_with_a_connection_still_open(
    tmp_path: Path,
) -> None:
    async with aiohttp.ClientSession() as session:
        async with World(tmp_path, now=NOW) as world:
            url = project_url(world.servers["source"])
            async with session.get(url) as answer:
                await answer.read()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)


async def test_a_world_that_cannot_start_leaves_no_port_open(tmp_path: Path) -> None:
    ports: list[str] = []

    async def fail(world: World) -> Placement:
        ports.extend(server.url for server in world.servers.values())
        raise RuntimeError("the store cannot be laid")

    with pytest.raises(RuntimeError, match="cannot be laid"):
        async with World(tmp_path, now=NOW, stores=(fail,)):
            pass
    assert ports
    for url in ports:
        with socket.socket() as client, pytest.raises(ConnectionRefusedError):
            client.connect(("127.0.0.1", int(url.rpartition(":")[2])))


async def test_the_log_keeps_what_each_client_sent(world: World, ask: Ask) -> None:
    fresh = world.servers["fresh-mirror"]
    accept, encoding = CLIENTS["uv"]
    await ask(project_url(fresh), Accept=accept, Accept_Encoding=encoding, User_Agent="uv/0.13.9")
    await ask(f"{fresh.simple_url}nothing/?x=1")
    first, second = fresh.log
    assert (first.method, first.path, first.status) == ("GET", "/simple/brokenpkg/", 200)
    assert {"accept": accept, "accept-encoding": encoding, "user-agent": "uv/0.13.9"} == dict(
        first.headers
    )
    assert (second.path, second.status, dict(second.headers)) == ("/simple/nothing/?x=1", 404, {})
    assert world.servers["source"].log == []


async def test_a_fault_can_be_put_in_front_of_a_server(world: World, ask: Ask) -> None:
    fresh = world.servers["fresh-mirror"]

    async def deny(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=401) if request.path.startswith("/simple/brokenpkg") else None

    fresh.intercept = deny
    assert (await ask(project_url(fresh))).status == 401
    assert (await ask(fresh.simple_url)).status == 200
    assert [entry.status for entry in fresh.log] == [401, 200]


async def test_a_handler_that_hangs_does_not_keep_the_world_from_stopping(tmp_path: Path) -> None:
    hanging = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse | None:
        hanging.set()
        await asyncio.sleep(60)
        return None

    async with aiohttp.ClientSession() as session:
        async with World(tmp_path, now=NOW) as world:
            world.servers["source"].intercept = hang
            asking = asyncio.create_task(session.get(project_url(world.servers["source"])))
            await hanging.wait()
            started = time.perf_counter()
        assert time.perf_counter() - started < 5
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking
