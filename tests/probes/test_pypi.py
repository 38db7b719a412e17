"""The kind `pypi`: pages as `simple`, and HEAD of broken files where that is inert only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from aiohttp import web

from auditor.model import Fingerprint, HeldState, Outcome, SettingValue
from probes import pypi
from tests.probes.conftest import (
    MakeAssignment,
    Serve,
    Server,
    entry,
    json_page,
    page_response,
)

BROKEN = "brokenpkg-1.2.3-py3-none-any.whl"
BUILTIN: dict[str, SettingValue] = {"pip_builtin": True}


@dataclass
class Pair:
    """An index and its file host."""

    index: Server
    files: Server


async def pair(
    serve: Serve,
    *,
    statuses: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    serial: int | None = 7,
    here: bool = False,
    versions: tuple[str, ...] = ("1.2.3", "1.2.4"),
) -> Pair:
    async def file_host(request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        return web.Response(status=(statuses or {}).get(name, 200), headers={"Location": "/x"})

    files = await serve(file_host)

    async def index(request: web.Request) -> web.StreamResponse:
        if request.path != "/simple/brokenpkg/":
            return web.Response(status=404)
        body = json_page(*(entry(v, "" if here else files.url) for v in versions), serial=serial)
        return page_response(body, **{"ETag": '"1"', **(headers or {})})

    return Pair(await serve(index), files)


async def test_a_broken_file_that_answers_200_is_held(serve: Serve, assign: MakeAssignment) -> None:
    world = await pair(serve)
    assignment = assign(f"{world.index.url}/simple/", kind="pypi", settings=BUILTIN)
    observation = await pypi.KIND.observe(assignment)
    assert observation.outcome is Outcome.OBSERVED
    [holding] = observation.holdings
    assert (holding.filename, holding.state) == (BROKEN, HeldState.HELD)
    assert [(a.method, a.path) for a in world.files.log] == [("HEAD", f"/packages/{BROKEN}")]
    evidence = {e.id: e for e in observation.evidence}[holding.evidence[0]]
    assert evidence.request.startswith("HEAD ")
    assert "--head" in evidence.reproduce
    sent = len(world.index.log) + len(world.files.log)
    assert len(observation.requests) == sent


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (404, HeldState.NOT_HELD),
        (410, HeldState.NOT_HELD),
        (403, HeldState.UNKNOWN),
        (302, HeldState.UNKNOWN),
        (500, HeldState.UNKNOWN),
    ],
)
async def test_what_the_file_host_answers_decides(
    status: int, state: HeldState, serve: Serve, assign: MakeAssignment
) -> None:
    world = await pair(serve, statuses={BROKEN: status})
    observation = await pypi.KIND.observe(
        assign(f"{world.index.url}/simple/", kind="pypi", settings=BUILTIN)
    )
    assert [h.state for h in observation.holdings] == [state]
    assert {a.method for a in world.files.log} == {"HEAD"}


@pytest.mark.parametrize(
    ("settings", "headers", "serial", "here", "cause"),
    [
        ({}, {}, 7, False, "built-in"),
        (BUILTIN, {"Via": "1.1 squid"}, 7, False, "via"),
        (BUILTIN, {"Age": "3"}, 7, False, "age"),
        (BUILTIN, {"X-Cache": "HIT from box"}, 7, False, "x-cache"),
        (BUILTIN, {"X-Varnish": "1"}, 7, False, "x-varnish"),
        (BUILTIN, {}, None, False, "serial"),
        (BUILTIN, {"ETag": ""}, 7, False, "strips"),
        (BUILTIN, {}, 7, True, "host of the index"),
    ],
)
async def test_wherever_head_might_store_the_file_it_is_not_sent(
    settings: dict[str, SettingValue],
    headers: dict[str, str],
    serial: int | None,
    here: bool,
    cause: str,
    serve: Serve,
    assign: MakeAssignment,
) -> None:
    world = await pair(serve, headers=headers, serial=serial, here=here)
    observation = await pypi.KIND.observe(
        assign(f"{world.index.url}/simple/", kind="pypi", settings=settings)
    )
    [holding] = observation.holdings
    assert holding.state is HeldState.UNKNOWN
    assert cause in holding.how
    assert world.files.log == []
    assert {a.method for a in world.index.log} == {"GET"}


@pytest.mark.parametrize("named", [True, False])
async def test_through_a_proxy_no_file_is_asked_for(
    named: bool, serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await pair(serve)
    settings = dict(BUILTIN)
    if named:
        settings["via"] = world.index.url
    else:
        monkeypatch.setenv("HTTP_PROXY", world.index.url)
    observation = await pypi.KIND.observe(
        assign("http://index.example/simple/", kind="pypi", settings=settings)
    )
    assert observation.proxy is not None
    assert "proxy" in observation.holdings[0].how
    assert world.files.log == []


async def test_a_deleted_file_is_asked_for_where_it_was(
    serve: Serve, assign: MakeAssignment
) -> None:
    world = await pair(serve, versions=("1.2.2", "1.2.4"))
    url = f"{world.files.url}/packages/{BROKEN}"
    known = Fingerprint(filename=BROKEN, version="1.2.3", url=url)
    observation = await pypi.KIND.observe(
        assign(f"{world.index.url}/simple/", kind="pypi", settings=BUILTIN, fingerprints=(known,))
    )
    assert [h.state for h in observation.holdings] == [HeldState.HELD]


@pytest.mark.parametrize("url", [None, "http://elsewhere.example/x.whl", "gopher://x/"])
async def test_a_deleted_file_is_asked_for_nowhere_else(
    url: str | None, serve: Serve, assign: MakeAssignment
) -> None:
    world = await pair(serve, versions=("1.2.2", "1.2.4"))
    known = Fingerprint(filename=BROKEN, version="1.2.3", url=url)
    observation = await pypi.KIND.observe(
        assign(f"{world.index.url}/simple/", kind="pypi", settings=BUILTIN, fingerprints=(known,))
    )
    assert [h.state for h in observation.holdings] == [HeldState.UNKNOWN]
    assert world.files.log == []


async def test_without_a_page_nothing_is_asked_of_the_file_host(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    server = await serve(handler)
    known = Fingerprint(filename=BROKEN, version="1.2.3", url=f"{server.url}/{BROKEN}")
    observation = await pypi.KIND.observe(
        assign(f"{server.url}/simple/", kind="pypi", settings=BUILTIN, fingerprints=(known,))
    )
    assert observation.outcome is Outcome.UNREACHABLE
    assert [h.state for h in observation.holdings] == [HeldState.UNKNOWN]
    assert {a.method for a in server.log} == {"GET"}


async def test_without_a_url_it_is_skipped(assign: MakeAssignment) -> None:
    observation = await pypi.KIND.observe(assign(kind="pypi"))
    assert observation.outcome is Outcome.SKIPPED


async def test_a_file_host_that_has_a_proxy_of_its_own_is_not_asked(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY with the host of the index alone sends everything else through the proxy."""

    async def cache(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Via": "1.1 squid", "X-Cache": "MISS from squid"})

    async def index(request: web.Request) -> web.StreamResponse:
        body = json_page(entry("1.2.3", "http://files.example"), entry("1.2.4"))
        return page_response(body, ETag='"1"')

    proxy = await serve(cache)
    origin = await serve(index)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    observation = await pypi.KIND.observe(
        assign(f"{origin.url}/simple/", kind="pypi", settings=BUILTIN)
    )
    assert proxy.log == []
    assert [h.state for h in observation.holdings] == [HeldState.UNKNOWN]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({"Via": "1.1 squid", "X-Cache": "MISS from squid"}, False),
        ({"Age": "7"}, False),
        ({"X-Varnish": "2", "X-Served-By": "cache-a, cache-b"}, False),
        ({"Via": "1.1 box (squid/5.7)", "X-Served-By": "cache-a"}, False),
        ({"Via": "1.1 varnish, 1.1 varnish", "Age": "7", "X-Served-By": "a, b"}, True),
        ({"X-Cache": "HIT, MISS", "X-Served-By": "a, b"}, True),
    ],
)
async def test_the_word_of_a_cache_in_front_of_the_file_host_counts_for_nothing(
    headers: dict[str, str], known: bool, status: int, serve: Serve, assign: MakeAssignment
) -> None:
    async def file_host(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    files = await serve(file_host)

    async def index(request: web.Request) -> web.StreamResponse:
        body = json_page(entry("1.2.3", files.url), entry("1.2.4", files.url))
        return page_response(body, ETag='"1"')

    observation = await pypi.KIND.observe(
        assign(f"{(await serve(index)).url}/simple/", kind="pypi", settings=BUILTIN)
    )
    says = HeldState.HELD if status == 200 else HeldState.NOT_HELD
    assert [h.state for h in observation.holdings] == [says if known else HeldState.UNKNOWN]


async def test_a_file_at_a_signed_url_is_not_asked_for_without_its_signature(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def file_host(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    files = await serve(file_host)

    async def index(request: web.Request) -> web.StreamResponse:
        signed = {"url": f"{files.url}/packages/{BROKEN}?X-Amz-Signature=c4nary"}
        return page_response(json_page({**entry("1.2.3"), **signed}), ETag='"1"')

    observation = await pypi.KIND.observe(
        assign(f"{(await serve(index)).url}/simple/", kind="pypi", settings=BUILTIN)
    )
    [holding] = observation.holdings
    assert holding.state is HeldState.UNKNOWN
    assert holding.how.startswith("not asked: a part of its URL is secret")
    assert files.log == []
