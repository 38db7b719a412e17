"""The adapter of devpi-client: every hazard of the library, and that none of it gets out."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from auditor.contracts import Credentials, GuardPolicy
from auditor.errors import Denied, GuardRefused, Malformed, ProbeError, Unreachable
from auditor.model import Touch
from probes.devpi_server import client as adapter
from probes.devpi_server.address import DevpiAddress
from probes.devpi_server.client import DevpiClient, DevpiLink
from probes.devpi_server.requests_made import declared_touch
from probes.kit.redaction import Redactor
from tests.probes.conftest import MakeAssignment, RawServe, Serve

ADDRESS = DevpiAddress("http://devpi.example", "team/pypi")


def client_of(assign: MakeAssignment, url: str, **how: object) -> DevpiClient:
    assignment = assign(f"{url}/team/pypi/+simple/", kind="devpi", **how)
    return DevpiClient(assignment, DevpiAddress(url, "team/pypi"), Redactor())


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*")}


async def answer_json(request: web.Request) -> web.StreamResponse:
    return web.json_response({"result": {"role": "MASTER"}, "type": "status"})


async def test_a_refused_connection_is_an_error_of_ours_and_ends_no_process(
    assign: MakeAssignment, capfd: pytest.CaptureFixture[str]
) -> None:
    async with client_of(assign, "http://127.0.0.1:9") as client:
        with pytest.raises(Unreachable, match="is devpi running there"):
            await client.get(client.address.status_url)

    assert capfd.readouterr() == ("", "")


async def test_a_server_that_never_answers_costs_its_share_of_the_time(
    assign: MakeAssignment, raw_serve: RawServe
) -> None:
    # A byte now and then would keep a time-out per read from ever striking.
    server = await raw_serve(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
    async with client_of(assign, server.url, timeout_s=0.6) as client:
        with pytest.raises(ProbeError):
            await client.get(client.address.status_url)


async def test_an_answer_without_end_is_cut(
    assign: MakeAssignment, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER_BYTES", 2**20)
    bomb = gzip.compress(b"0" * 2**23)

    async def inflate(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    server = await serve(inflate)
    async with client_of(assign, server.url) as client:
        with pytest.raises(Malformed, match="larger than"):
            await client.get(client.address.status_url)


async def test_neither_disk_nor_environment_is_touched(
    assign: MakeAssignment, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = await serve(answer_json)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DEVPI_INDEX", "http://elsewhere.example/team/pypi")
    monkeypatch.setenv("DEVPI_USER", "somebody")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password netrc-word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    before = await asyncio.to_thread(names_in, tmp_path)

    async with client_of(assign, server.url) as client:
        answer = await client.get(client.address.status_url)

    assert answer.status == 200
    assert await asyncio.to_thread(names_in, tmp_path) == before
    (asked,) = server.log
    assert "Authorization" not in asked.headers
    assert asked.headers["User-Agent"].endswith("(+ops@audit.example)")


async def test_no_plugin_is_loaded(
    assign: MakeAssignment, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = await serve(answer_json)
    about = tmp_path / "a_devpi_plugin-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: a-devpi-plugin\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[devpi_client]\nit = a_devpi_plugin\n")
    (tmp_path / "a_devpi_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "it" in metadata.entry_points(group="devpi_client").names

    async with client_of(assign, server.url) as client:
        assert (await client.get(client.address.status_url)).status == 200

    assert "a_devpi_plugin" not in sys.modules


async def test_redirects_are_not_followed(assign: MakeAssignment, serve: Serve) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://127.0.0.1:9/+status")

    server = await serve(elsewhere)
    async with client_of(assign, server.url) as client:
        answer = await client.get(client.address.status_url)

    assert answer.status == 302
    assert len(server.log) == 1


async def test_every_request_is_recorded_as_it_was_sent(
    assign: MakeAssignment, serve: Serve
) -> None:
    server = await serve(answer_json)
    assignment = assign(f"{server.url}/team/pypi/+simple/", kind="devpi")
    address = DevpiAddress(server.url, "team/pypi")
    async with DevpiClient(assignment, address, Redactor()) as client:
        await client.get(address.status_url)
        with pytest.raises(ProbeError):
            await client.links("team/pypi", "brokenpkg")

    told = [(r.method, r.url, r.touch, r.status) for r in assignment.ledger.records()]
    links = f"{server.url}/team/pypi/brokenpkg?ignore_bases="
    assert told == [
        ("GET", address.status_url, Touch.INERT, 200),
        ("GET", links, Touch.REFRESHES_INDEX, 200),
    ]
    assert [asked.path for asked in server.log] == ["/+status", links.removeprefix(server.url)]


async def test_what_the_policy_forbids_is_neither_sent_nor_recorded(
    assign: MakeAssignment, serve: Serve
) -> None:
    server = await serve(answer_json)
    policy = GuardPolicy(inert=True)
    async with client_of(assign, server.url, policy=policy) as client:
        with pytest.raises(GuardRefused):
            await client.links("team/pypi", "brokenpkg")

    assert server.log == []


async def test_links_are_read_with_version_and_digest(assign: MakeAssignment, serve: Serve) -> None:
    link = {
        "rel": "releasefile",
        "hash_spec": f"sha256={'a' * 64}",
        "href": "http://devpi.example/team/pypi/+f/aaa/aaaaaaaaaaaaa/x-1.0.tar.gz",
    }
    project = {"1.0": {"+links": [link, {**link, "rel": "doczip"}]}, "1.1": {}}

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"result": project, "type": "projectconfig"})

    server = await serve(answer)
    async with client_of(assign, server.url) as client:
        assert await client.links("team/pypi", "x") == (DevpiLink("x-1.0.tar.gz", "1.0", "a" * 64),)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"result": 3}', b'{"result": {"password": 3}}', b"\xff\xfe"],
    ids=repr,
)
async def test_a_login_that_gives_no_token_is_malformed(
    assign: MakeAssignment, serve: Serve, body: bytes
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    server = await serve(answer)
    async with client_of(assign, server.url) as client:
        with pytest.raises(Malformed):
            await client.login("user", "word")


async def test_a_token_goes_with_every_later_request(assign: MakeAssignment, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/+login":
            return await answer_json(request)
        given = await request.json()
        if given != {"user": "reader", "password": "word"}:
            raise web.HTTPUnauthorized
        return web.json_response({"result": {"password": "token"}, "type": "proxyauth"})

    server = await serve(answer)
    async with client_of(assign, server.url) as client:
        with pytest.raises(Denied):
            await client.login("reader", "wrong")
        assert await client.login("reader", "word") == "token"
        await client.get(client.address.status_url)

    assert server.log[-1].headers["X-Devpi-Auth"] == "cmVhZGVyOnRva2Vu"


# --- the closed list of requests -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "touch"),
    [
        ("GET", "/+status", Touch.INERT),
        ("GET", "/team/pypi/+api", Touch.INERT),
        ("GET", "/team/pypi?no_projects=", Touch.INERT),
        ("GET", "/team/pypi/brokenpkg?ignore_bases=", Touch.REFRESHES_INDEX),
        ("POST", "/+login", Touch.INERT),
    ],
)
def test_what_it_may_ask_is_declared(method: str, path: str, touch: Touch) -> None:
    assert declared_touch(method, f"{ADDRESS.root}{path}", ADDRESS) is touch


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{ADDRESS.root}/team/pypi/+f/abc/def/x-1.0.tar.gz"),
        ("GET", f"{ADDRESS.root}/team/pypi/+f/abc/def/x"),
        ("HEAD", f"{ADDRESS.root}/+status"),
        ("DELETE", f"{ADDRESS.root}/team/pypi/x/1.0"),
        ("PUT", f"{ADDRESS.root}/team/pypi"),
        ("POST", f"{ADDRESS.root}/team/pypi/+simple/x/refresh"),
        ("GET", "http://elsewhere.example/+status"),
        ("POST", "http://elsewhere.example/+login"),
        ("GET", f"{ADDRESS.root}/team/pypi"),
        ("GET", f"{ADDRESS.root}/"),
    ],
)
def test_anything_else_is_refused(method: str, url: str) -> None:
    with pytest.raises(GuardRefused):
        declared_touch(method, url, ADDRESS)


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def secure(authority: trustme.CA) -> AsyncIterator[tuple[str, list[str]]]:
    """A server whose certificate only the authority vouches for, and what it was asked."""
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=json.dumps({"result": {}, "type": "x"}).encode())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}", asked
    await runner.cleanup()


async def test_an_untrusted_certificate_is_never_asked_again_without_verification(
    assign: MakeAssignment, secure: tuple[str, list[str]]
) -> None:
    url, asked = secure
    async with client_of(assign, url) as client:
        with pytest.raises(Unreachable, match="not trusted here"):
            await client.get(client.address.status_url)

    assert asked == []


async def test_the_authority_of_the_location_is_trusted(
    assign: MakeAssignment, secure: tuple[str, list[str]], authority: trustme.CA, tmp_path: Path
) -> None:
    url, asked = secure
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    credentials = Credentials(ca_file=str(tmp_path / "ca.pem"))
    async with client_of(assign, url, credentials=credentials) as client:
        assert (await client.get(client.address.status_url)).status == 200

    assert asked == ["/+status"]


async def test_verification_is_left_out_only_where_the_location_says_so(
    assign: MakeAssignment, secure: tuple[str, list[str]]
) -> None:
    url, _ = secure
    async with client_of(assign, url, credentials=Credentials(insecure=True)) as client:
        assert (await client.get(client.address.status_url)).status == 200
