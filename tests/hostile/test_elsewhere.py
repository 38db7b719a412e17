"""Redirects, certificates, names and restarts: where a server sends us, and who it is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

import auditor
from auditor.model import Run, Verdict
from tests.hostile.bodies import FILES
from tests.hostile.server import Play, Request, Server, Wire, head
from tests.hostile.table import fixed, good

pytestmark = pytest.mark.slow

CANARY = "c4nary-s3cret"
LOGIN = {"username": "me", "password": CANARY}
WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


async def look(url: str, *, login: dict[str, str | bool] | None = None, **more: object) -> Run:
    return await auditor.audit(
        "brokenpkg",
        broken="1.2.3",
        fixed="1.2.4",
        locations=[{"name": "here", "kind": "simple", "url": url, "timeout_s": 30, **more}],
        credentials={"here": login} if login else {},
        environ={},
    )


def row_of(run: Run) -> Verdict:
    (verdict,) = run.verdicts
    return verdict


def told(run: Run) -> str:
    verdict = row_of(run)
    return verdict.detail + " ".join(f"{r.text} {r.observed}" for r in verdict.reasons)


def to(url: str, status: str = "302 Found") -> Play:
    return fixed(head(status, Location=url, Content_Length=0))


# --- redirects


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_no_credential_follows_a_redirect_to_another_origin(status: str) -> None:
    async with Server(fixed(good)) as other, Server(to(f"{other.url}/brokenpkg/", status)) as own:
        run = await look(f"{own.url}/simple/", login=LOGIN)
    assert all("authorization" in request.headers for request in own.requests)
    assert other.requests
    for request in other.requests:
        assert CANARY not in str(request)
        assert "authorization" not in request.headers
    assert "redirected" in {reason.code for reason in row_of(run).reasons}
    assert CANARY not in auditor.render(run, "json")


async def test_a_login_that_a_server_writes_into_its_redirect_is_not_sent() -> None:
    async with Server(fixed(good)) as other:
        trap = other.url.replace("http://", f"http://eve:{CANARY}@")
        async with Server(to(f"{trap}/brokenpkg/")) as own:
            run = await look(f"{own.url}/simple/")
    assert all("authorization" not in request.headers for request in other.requests)
    assert CANARY not in auditor.render(run, "json")


async def test_a_public_index_cannot_send_us_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Server(fixed(good)) as inside, Server(to(f"{inside.url}/brokenpkg/")) as public:
        loop = asyncio.get_running_loop()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]

        async def resolve(host: str, *_: object, **__: object) -> object:
            assert host == "index.example"
            return found

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        # The proxy plays the public internet.
        run = await look("http://index.example/simple/", via=public.url)
    assert inside.requests == []
    assert row_of(run).status.value == "unknown"
    assert "private" in told(run)


@pytest.mark.parametrize("kind", ["simple", "http-cache", "bandersnatch", "pulp", "proxpi"])
async def test_a_page_that_redirects_to_a_file_fills_no_cache(kind: str) -> None:
    async with Server(fixed(good)) as files, Server(to(f"{files.url}/{WHEEL}")) as own:
        run = await look(f"{own.url}/simple/", kind=kind)
    assert files.requests == []
    assert not any(".whl" in request.path for request in own.requests)
    assert row_of(run).status.value == "unknown"


@pytest.mark.parametrize("kind", ["simple", "http-cache", "bandersnatch", "proxpi", "pypiserver"])
async def test_no_address_on_a_page_is_ever_asked_where_that_could_store_it(kind: str) -> None:
    async with Server(fixed(good)) as files:

        async def listing(request: Request, wire: Wire) -> None:
            await wire.send(good(request).replace(FILES.encode(), b"http://h.example"))

        async with Server(listing) as own:
            run = await look(f"{own.url}/simple/", kind=kind)
    assert files.requests == []
    assert not any(".whl" in request.path for request in own.requests)
    assert not any(r.touch.value == "may-store-artifact" for r in run.requests)


# --- who it is


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def certificate(authority: trustme.CA, name: str, days: float) -> ssl.SSLContext:
    until = datetime.now(UTC) + timedelta(days=days)
    issued = authority.issue_cert(name, not_before=until - timedelta(days=9), not_after=until)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("name", "days", "trusted", "says"),
    [
        ("127.0.0.1", -1, True, "expired"),
        ("127.0.0.1", 12, True, "not yet|not valid|clock"),
        ("other.example", 1, True, "another"),
        ("127.0.0.1", 1, False, "not trusted"),
    ],
)
async def test_behind_a_wrong_certificate_nothing_is_believed_and_no_login_is_sent(
    authority: trustme.CA, ca_file: str, name: str, days: float, trusted: bool, says: str
) -> None:
    login: dict[str, str | bool] = {**LOGIN, **({"ca_file": ca_file} if trusted else {})}
    async with Server(fixed(good), tls=certificate(authority, name, days)) as server:
        run = await look(f"{server.url}/simple/", login=login)
    assert server.requests == []
    assert row_of(run).status.value == "unknown"
    assert any(word in told(run) for word in says.split("|")), told(run)


@pytest.fixture
async def garbling() -> AsyncIterator[str]:
    """Answer a TLS handshake with something else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x16\x03\x01" + bytes(range(256)) * 64)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/simple/"


async def test_a_garbled_handshake_is_unreachable(garbling: str) -> None:
    run = await look(garbling)
    assert row_of(run).status.value == "unknown"
    assert "TLS" in told(run)


async def test_a_healthy_https_server_is_read(authority: trustme.CA, ca_file: str) -> None:
    async with Server(fixed(good), tls=certificate(authority, "127.0.0.1", 1)) as server:
        run = await look(f"{server.url}/simple/", login={"ca_file": ca_file})
    assert row_of(run).status.value == "clean"


# --- whether it is there


async def test_a_name_that_nobody_knows_is_unreachable_and_never_absent() -> None:
    run = await look("http://no-such-host.invalid/simple/")
    assert row_of(run).outcome.value == "unreachable"
    assert row_of(run).status.value == "unknown"
    assert "no-such-host.invalid" in told(run)


async def test_a_server_that_stops_listening_between_two_answers_is_never_clean() -> None:
    async def once(request: Request, wire: Wire) -> None:
        await wire.send(good(request))
        await server.stop_listening()

    async with Server(once) as server:
        run = await look(f"{server.url}/simple/", samples=2)
    assert row_of(run).status.value == "unknown"
    assert len(server.requests) < 8


async def test_a_queue_that_nobody_takes_from_ends_with_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}/simple/"
        run = await look(url, timeout_s=1)
    assert row_of(run).outcome.value == "unreachable"
    assert row_of(run).status.value == "unknown"
