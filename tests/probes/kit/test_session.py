"""The guarded session against real sockets."""

from __future__ import annotations

import asyncio
import gzip
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from auditor.contracts import Assignment, Credentials, GuardPolicy, SourceFacts
from auditor.errors import Denied, GuardRefused, Malformed, ProbeError, Unreachable
from auditor.model import Touch, View
from probes.kit.answer import Answer
from probes.kit.decoding import Undecodable
from probes.kit.redaction import Redactor
from probes.kit.retries import ATTEMPTS
from probes.kit.session import MAX_REDIRECTS, GuardedSession
from probes.kit.transport import Call, Sending, _translated
from probes.kit.views import CLIENTS
from tests.probes.conftest import (
    SUFFIX,
    Limits,
    MakeAssignment,
    RawServe,
    Serve,
    page_response,
)

CANARY = "c4nary-s3cret"
WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"


async def get(assignment: Assignment, url: str | None = None, view: View = View.PIP) -> Answer:
    async with GuardedSession(assignment, retry_wait_s=0.01) as session:
        return await session.get_page(url or assignment.location.url or "", view)


async def hello(request: web.Request) -> web.StreamResponse:
    return page_response(b"{}")


def redirecting(table: dict[str, str], status: int = 302) -> object:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path in table:
            return web.Response(status=status, headers={"Location": table[request.path]})
        return page_response(b"{}")

    return handler


# --- literal headers


# Captured from the clients themselves; written here a second time on purpose.
LITERAL = {
    View.PIP: (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
        "text/html; q=0.01",
        "gzip, deflate",
    ),
    View.PIP_HTML: ("text/html", "gzip, deflate"),
    View.UV: (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
        "text/html;q=0.01",
        "gzip, deflate, zstd",
    ),
    View.POETRY: (
        "application/vnd.pypi.simple.v1+json, */*;q=0.1",
        "gzip, deflate, zstd",
    ),
}


@pytest.mark.parametrize("view", list(View))
async def test_each_view_sends_that_clients_headers_and_nothing_else(
    view: View, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(hello)
    await get(assign(f"{server.url}/simple/brokenpkg/"), view=view)
    sent = server.log[0].headers
    accept, encoding = LITERAL[view]
    assert sent == {
        "Host": server.url.removeprefix("http://"),
        "User-Agent": f"{CLIENTS[view].product} {SUFFIX}",
        "Accept": accept,
        "Accept-Encoding": encoding,
    }


async def test_a_file_is_asked_for_as_pip_does(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    async with GuardedSession(assign(server.url)) as session:
        await session.head_file(f"{server.url}/x.whl", touch=Touch.INERT, broken=True)
    assert server.log[0].method == "HEAD"
    assert server.log[0].headers["Accept"] == "*/*"
    assert server.log[0].headers["Accept-Encoding"] == "identity"


async def test_cookies_are_not_kept(serve: Serve, assign: MakeAssignment) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(b"{}", Set_Cookie="node=1; Path=/")

    server = await serve(handler)
    async with GuardedSession(assign(server.url)) as session:
        for _ in range(2):
            await session.get_page(f"{server.url}/a/", View.PIP)
    assert all("Cookie" not in asked.headers for asked in server.log)


async def test_a_url_is_sent_as_it_is_written(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    await get(assign(server.url), f"{server.url}/a%2Bb/%7Euser/?q=%20")
    assert server.log[0].path == "/a%2Bb/%7Euser/?q=%20"


# --- the guard and the ledger


async def test_an_inert_audit_sends_nothing(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    assignment = assign(server.url, policy=GuardPolicy(inert=True))
    with pytest.raises(GuardRefused):
        await get(assignment)
    assert server.log == []
    assert assignment.ledger.records() == ()


async def test_a_page_request_for_a_file_is_refused(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    with pytest.raises(GuardRefused, match="file"):
        await get(assign(server.url), f"{server.url}/brokenpkg-1.2.3-py3-none-any.whl")
    assert server.log == []


async def test_the_ledger_equals_the_access_log(serve: Serve, assign: MakeAssignment) -> None:
    answers = iter([503, 302, 503, 429, 200])

    async def handler(request: web.Request) -> web.StreamResponse:
        status = next(answers)
        return web.Response(status=status, headers={"Location": "/b/"} if status == 302 else {})

    server = await serve(handler)
    assignment = assign(server.url)
    await get(assignment, f"{server.url}/a/")
    logged = [(a.method, server.url + a.path, a.status) for a in server.log]
    recorded = [(r.method, r.url, r.status) for r in assignment.ledger.records()]
    assert logged == recorded
    assert [a.status for a in server.log] == [503, 302, 503, 429, 200]


async def test_a_request_repeated_on_a_closed_connection_is_in_the_ledger_twice(
    assign: MakeAssignment,
) -> None:
    """A kept connection turns out to be closed only when the next request is on its way."""
    seen: list[bytes] = []
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n\r\nok"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = True
        while True:
            try:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            if not first:  # the second request on one connection: hang up without a word
                break
            writer.write(reply)
            await writer.drain()
            first = False
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    assignment = assign(url)
    async with listener, GuardedSession(assignment, retry_wait_s=0.01) as session:
        await session.get_page(f"{url}a/", View.PIP)
        await session.get_page(f"{url}b/", View.PIP)
    assert len(seen) == 3
    records = [(r.url.removeprefix(url), r.status) for r in assignment.ledger.records()]
    assert records == [("a/", 200), ("b/", None), ("b/", 200)]


async def test_a_cancelled_request_stays_in_the_ledger(
    serve: Serve, assign: MakeAssignment
) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await never.wait()
        return page_response(b"{}")

    server = await serve(handler)
    assignment = assign(server.url)
    task = asyncio.create_task(get(assignment, f"{server.url}/a/"))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(f"{server.url}/a/", None)] == [(r.url, r.status) for r in assignment.ledger.records()]


async def test_every_request_holds_a_slot_of_its_host(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    assignment = assign(server.url)
    await get(assignment)
    limits = assignment.limits
    assert isinstance(limits, Limits)
    assert [server.url.removeprefix("http://")] == limits.hosts
    assert limits.held == 0


# --- redirects


async def test_redirects_are_followed_and_noted(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(redirecting({"/a/": "/b/", "/b/": "c/"}))
    answer = await get(assign(server.url), f"{server.url}/a/")
    assert (f"{server.url}/b/", f"{server.url}/b/c/") == answer.hops
    assert f"{server.url}/b/c/" == answer.url
    assert f"{server.url}/a/" == answer.asked_url


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_kind_of_redirect_is_followed(
    status: int, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(redirecting({"/a/": "/b/"}, status))
    assert (await get(assign(server.url), f"{server.url}/a/")).status == 200


async def test_a_redirect_loop_ends(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(redirecting({"/a/": "/a/"}))
    with pytest.raises(Malformed, match="redirects"):
        await get(assign(server.url), f"{server.url}/a/")
    assert len(server.log) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("file:///etc/passwd", Malformed),
        ("ftp://files.example/", Malformed),
        ("http://[bad/", Malformed),
        ("/files/brokenpkg-1.2.3-py3-none-any.whl", GuardRefused),
        ("/files/brokenpkg-1.2.3%2Etar%2Egz", GuardRefused),
        ("/download?file=brokenpkg-1.2.3.zip", GuardRefused),
        ("/files/a.whl.metadata", GuardRefused),
        ("/files/a.WHL;v=1", GuardRefused),
        *((f"/dl?{WHEEL}", GuardRefused),),
        *((f"/dl?f={WHEEL}{tail}", GuardRefused) for tail in ("/", "%23sha", "?x=1", ",y", "%2f")),
        *(
            (f"/dl/{WHEEL}{tail}", GuardRefused)
            for tail in ("/", "/.", "//", "%2F", "%20", ",x", "&x=1", "%00", "%5C", "|", "/a/b")
        ),
        ("/dl/brokenpkg-1.2.3.wh%256c", GuardRefused),
        ("/dl/brokenpkg-1.2.3%25252ewhl", GuardRefused),
        ("/dl/brokenpkg-1.2.3.gz", GuardRefused),
        ("/dl/brokenpkg-1.2.3.tar.gz/", GuardRefused),
        ("/dl/" + "%25" * 20 + "%2ewhl", GuardRefused),
    ],
)
async def test_some_redirects_are_never_followed(
    target: str, error: type[ProbeError], serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(redirecting({"/a/": target}))
    with pytest.raises(error):
        await get(assign(server.url), f"{server.url}/a/")
    assert len(server.log) == 1


@pytest.mark.parametrize(
    "target",
    [
        "/pypi/simple/brokenpkg/",
        "/simple/brokenpkg.whlhouse/",
        "/simple/unzip/index.html?format=json&next=%2Fsimple%2F",
        "/blobs/5f3a9c",
        "/a%20b/%25/",
    ],
)
async def test_a_redirect_to_another_page_is_followed(
    target: str, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(redirecting({"/a/": target}))
    assert (await get(assign(server.url), f"{server.url}/a/")).status == 200
    assert [a.path for a in server.log] == ["/a/", target]


async def test_a_redirect_without_a_target_is_malformed(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302)

    server = await serve(handler)
    with pytest.raises(Malformed, match="where"):
        await get(assign(server.url))


async def test_a_public_server_cannot_send_us_into_the_private_network(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = await serve(hello)
    # The proxy plays the public internet: it answers for a name that nobody resolves here.
    proxy = await serve(redirecting({"/simple/": inside.url + "/"}))
    loop = asyncio.get_running_loop()
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]

    async def resolve(host: str, port: object, **_: object) -> object:
        assert host == "index.example"
        return public

    assignment = assign("http://index.example/simple/", settings={"via": proxy.url})
    async with GuardedSession(assignment) as session:
        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        with pytest.raises(GuardRefused, match="private"):
            await session.get_page("http://index.example/simple/", View.PIP)
    assert inside.log == []


async def test_private_servers_may_redirect_to_private_ones(
    serve: Serve, assign: MakeAssignment
) -> None:
    inside = await serve(hello)
    outside = await serve(redirecting({"/a/": f"{inside.url}/b/"}))
    answer = await get(assign(outside.url), f"{outside.url}/a/")
    assert answer.status == 200
    assert len(inside.log) == 1


# --- credentials


async def test_credentials_go_to_the_own_origin_only(serve: Serve, assign: MakeAssignment) -> None:
    other = await serve(hello)
    own = await serve(redirecting({"/a/": f"{other.url}/b/"}))
    assignment = assign(own.url, credentials=Credentials(username="me", password=CANARY))
    answer = await get(assignment, f"{own.url}/a/")
    assert own.log[0].headers["Authorization"].startswith("Basic ")
    assert "Authorization" not in other.log[0].headers
    assert not answer.with_credentials


async def test_a_token_is_sent_as_bearer(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    await get(assign(server.url, credentials=Credentials(token=CANARY)))
    assert f"Bearer {CANARY}" == server.log[0].headers["Authorization"]


async def test_netrc_is_read_for_the_own_origin_only(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(path))
    other = await serve(hello)
    own = await serve(redirecting({"/a/": f"{other.url}/{CANARY}/"}))
    assignment = assign(own.url)
    await get(assignment, f"{own.url}/a/")
    assert "Authorization" in own.log[0].headers
    assert "Authorization" not in other.log[0].headers  # the same machine, another port
    assert CANARY not in str(assignment.ledger.records())


async def test_a_netrc_that_cannot_be_read_is_no_login(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "netrc"
    path.write_bytes(b"machine \xff\xfe broken")
    monkeypatch.setenv("NETRC", str(path))
    server = await serve(hello)
    await get(assign(server.url))
    assert "Authorization" not in server.log[0].headers


async def test_user_info_in_a_redirect_is_dropped(serve: Serve, assign: MakeAssignment) -> None:
    other = await serve(hello)
    with_userinfo = other.url.replace("http://", f"http://eve:{CANARY}@")
    own = await serve(redirecting({"/a/": f"{with_userinfo}/b/"}))
    assignment = assign(own.url)
    answer = await get(assignment, f"{own.url}/a/")
    assert "Authorization" not in other.log[0].headers
    assert CANARY not in answer.url
    assert CANARY not in str(assignment.ledger.records())


async def test_signed_parameters_stay_out_of_the_ledger(
    serve: Serve, assign: MakeAssignment
) -> None:
    target = f"/b/?X-Amz-Signature={CANARY}"
    server = await serve(redirecting({"/a/": target}))
    assignment = assign(server.url)
    await get(assignment, f"{server.url}/a/")
    assert CANARY in server.log[1].path
    assert CANARY not in str(assignment.ledger.records())


# --- failures and their names


async def test_a_refused_connection_is_unreachable_and_not_connected(
    assign: MakeAssignment,
) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{dead.getsockname()[1]}/"
        assignment = assign(url)
        with pytest.raises(Unreachable) as caught:
            await get(assignment)
    assert not caught.value.connected
    assert assignment.ledger.records() == ()  # nothing left this machine
    assert f"{url[7:-1]}: connection refused; is it running?" == str(caught.value)


@pytest.mark.parametrize("number", [*range(1, 134), 9999])
def test_no_failed_connection_quotes_the_system(number: int) -> None:
    problem = OSError(number, "Connect call failed ('10.1.2.3', 443)")
    key = ConnectionKey("h", 1, False, True, None, None, None)
    error = _translated(
        aiohttp.ClientConnectorError(key, problem),
        Sending(),
        "host.example:443",
        Call(method="GET", url="https://host.example/", headers=(), timeout_s=1),
    )
    assert isinstance(error, Unreachable)
    assert not error.connected
    assert "10.1.2.3" not in str(error)
    assert str(error).startswith("host.example:443: ")


def test_a_time_that_ran_out_is_told_in_whole_seconds() -> None:
    call = Call(method="GET", url="https://host.example/", headers=(), timeout_s=7.1974)
    error = _translated(TimeoutError(), Sending(connected=True), "host.example:443", call)
    assert "did not finish its answer within 7 s" in str(error)


async def test_a_name_that_does_not_exist_is_not_connected(assign: MakeAssignment) -> None:
    with pytest.raises(Unreachable) as caught:
        await get(assign("http://no-such-host.invalid/simple/"))
    assert not caught.value.connected


async def test_a_reset_is_asked_again_and_then_connected_but_unreachable(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    server = await raw_serve(lambda _: None)
    assignment = assign(server.url)
    with pytest.raises(Unreachable) as caught:
        await get(assignment, f"{server.url}/a/")
    assert caught.value.connected
    assert ATTEMPTS == len(server.log) == len(assignment.ledger.records())


async def test_a_body_that_breaks_off_is_asked_again(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfour"
    server = await raw_serve(lambda n: good[:-2] if n == 1 else good)
    assignment = assign(server.url)
    assert (await get(assignment, f"{server.url}/a/")).body == b"four"
    assert [r.status for r in assignment.ledger.records()] == [200, 200]


async def test_a_body_that_always_breaks_off_is_unreachable(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    server = await raw_serve(lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nfour")
    with pytest.raises(Unreachable, match="broke off"):
        await get(assign(server.url), f"{server.url}/a/")


@pytest.mark.parametrize(
    "payload",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbody",
    ],
)
async def test_broken_http_is_an_error_of_ours(
    payload: bytes, raw_serve: RawServe, assign: MakeAssignment
) -> None:
    server = await raw_serve(lambda _: payload)
    with pytest.raises((Malformed, Unreachable)):
        await get(assign(server.url), f"{server.url}/a/")


async def test_a_slow_drip_ends_with_the_time_of_the_location(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            return response

    server = await serve(handler)
    assignment = assign(server.url, timeout_s=0.5)
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unreachable, match="within") as caught:
        await get(assignment, f"{server.url}/a/")
    assert caught.value.connected
    assert asyncio.get_running_loop().time() - started < 5
    assert [r.status for r in assignment.ledger.records()] == [200]


async def test_nothing_is_asked_once_the_time_is_used_up(
    serve: Serve, assign: MakeAssignment
) -> None:
    never = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return page_response(b"{}")

    server = await serve(handler)
    async with GuardedSession(assign(server.url, timeout_s=0.2)) as session:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await session.get_page(f"{server.url}/a/", View.PIP)
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410, 406, 418])
async def test_an_answer_is_returned_and_asked_for_once(
    status: int, serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    server = await serve(handler)
    assert status == (await get(assign(server.url))).status
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_busy_server_is_asked_three_times_and_no_more(
    status: int, serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    server = await serve(handler)
    assert status == (await get(assign(server.url))).status
    assert len(server.log) == ATTEMPTS


@pytest.mark.parametrize("in_words", [False, True])
async def test_retry_after_beyond_the_deadline_is_not_waited_for(
    in_words: bool, serve: Serve, assign: MakeAssignment
) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": later if in_words else "3600"})

    server = await serve(handler)
    assert (await get(assign(server.url))).status == 503
    assert len(server.log) == 1


async def test_retry_after_is_honoured(serve: Serve, assign: MakeAssignment) -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        status = 503 if len(times) == 1 else 200
        return web.Response(status=status, headers={"Retry-After": "1"})

    server = await serve(handler)
    assert (await get(assign(server.url))).status == 200
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize("value", ["-1", "soon", "9" * 400, "1e400", ""])
async def test_a_hostile_retry_after_neither_crashes_nor_hangs(
    value: str, serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": value})

    server = await serve(handler)
    assert (await get(assign(server.url))).status == 503
    assert len(server.log) <= ATTEMPTS


# --- bodies


async def test_a_compressed_page_is_decoded(serve: Serve, assign: MakeAssignment) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(gzip.compress(b"{}" * 500_000), Content_Encoding="gzip")

    server = await serve(handler)
    answer = await get(assign(server.url))
    assert answer.body == b"{}" * 500_000
    assert answer.wire_bytes < 100_000


async def test_a_bomb_is_a_fault_and_not_a_crash(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.kit.receiving.MAX_PAGE_BYTES", 10_000)

    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(gzip.compress(bytes(10**7)), Content_Encoding="gzip")

    answer = await get(assign((await serve(handler)).url))
    assert isinstance(answer.fault, Malformed)
    assert answer.body == b""


async def test_an_endless_body_is_cut(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.kit.transport.MAX_WIRE_BYTES", 100_000)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(10_000))
        except ConnectionError:
            return response

    with pytest.raises(Malformed, match="larger"):
        await get(assign((await serve(handler)).url))


async def test_a_prefix_is_read_and_the_rest_left(serve: Serve, assign: MakeAssignment) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(gzip.compress(b"0123456789" * 100_000, 0), Content_Encoding="gzip")

    server = await serve(handler)
    async with GuardedSession(assign(server.url)) as session:
        answer = await session.get_page(f"{server.url}/", View.PIP, prefix_bytes=1000)
    assert answer.wire_bytes == 1000
    assert answer.body.startswith(b"0123456789")


async def test_an_encoding_that_nobody_asked_for_is_our_limit(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(b"???", Content_Encoding="br")

    assert isinstance((await get(assign((await serve(handler)).url))).fault, Undecodable)


# --- proxies and TLS


async def test_a_named_proxy_is_used_and_reported_without_its_password(
    serve: Serve, assign: MakeAssignment
) -> None:
    proxy = await serve(hello)
    via = proxy.url.replace("http://", f"http://me:{CANARY}@")
    assignment = assign("http://index.example/simple/", settings={"via": via})
    answer = await get(assignment)
    assert proxy.log[0].path == "http://index.example/simple/"
    assert "Proxy-Authorization" in proxy.log[0].headers
    assert proxy.url == (answer.proxy or "").rstrip("/")


async def test_the_proxy_of_the_environment_is_used_unless_bypassed(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = await serve(hello), await serve(hello)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert (await get(assign(server.url))).proxy is not None
    assert (len(proxy.log), len(server.log)) == (1, 0)
    for bypass in ("127.0.0.1", "127.0.0.0/8", "*"):
        monkeypatch.setenv("NO_PROXY", bypass)
        assert (await get(assign(server.url))).proxy is None
    assert (len(proxy.log), len(server.log)) == (1, 3)


async def test_a_dead_proxy_is_named_as_the_cause(assign: MakeAssignment) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        via = f"http://127.0.0.1:{dead.getsockname()[1]}"
        with pytest.raises(Unreachable, match="proxy") as caught:
            await get(assign("http://index.example/", settings={"via": via}))
    assert not caught.value.connected


async def test_a_proxy_that_wants_a_password_is_denied(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    proxy = await raw_serve(
        lambda _: b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    )
    with pytest.raises(Denied, match="407"):
        await get(assign("https://index.example/", settings={"via": proxy.url}))


async def test_a_socks_proxy_is_refused_in_words(assign: MakeAssignment) -> None:
    with pytest.raises(ProbeError, match="proxy"):
        await get(assign("http://index.example/", settings={"via": "socks5://127.0.0.1:1"}))


async def test_plain_http_behind_https_is_unreachable(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    with pytest.raises(Unreachable, match="TLS"):
        await get(assign(server.url.replace("http://", "https://")))


async def test_a_missing_certificate_file_is_named_as_the_cause(assign: MakeAssignment) -> None:
    credentials = Credentials(ca_file="no-such.pem")
    with pytest.raises(ProbeError, match="ca_file"):
        await get(assign("https://127.0.0.1:1/", credentials=credentials))


@pytest.mark.parametrize("url", ["ftp://x.example/", "http://", "http://h:99999/", "http://[x/"])
def test_a_url_that_cannot_be_asked_is_malformed(url: str, assign: MakeAssignment) -> None:
    with pytest.raises(Malformed):
        GuardedSession(assign(url))


async def test_a_password_with_a_line_break_cannot_forge_headers(
    serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(hello)
    with pytest.raises(ProbeError):
        await get(assign(server.url, credentials=Credentials(token="a\r\nX-Evil: 1")))
    assert server.log == []


async def test_a_password_that_is_part_of_the_url_garbles_nothing(
    serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(hello)
    url = f"{server.url}/root/simple/"
    assignment = assign(url, credentials=Credentials(username="root", password="simple"))
    await get(assignment)
    assert [r.url for r in assignment.ledger.records()] == [url]


# --- files, which must not be stored anywhere because of us


@pytest.mark.parametrize("touch", [Touch.INERT, Touch.REFRESHES_INDEX])
async def test_no_file_is_asked_for_through_a_proxy_of_its_own(
    touch: Touch, serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY names the host of the index only, as it often does."""
    proxy, index = await serve(hello), await serve(hello)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assignment = assign(f"{index.url}/simple/")
    async with GuardedSession(assignment) as session:
        assert (await session.get_page(f"{index.url}/simple/", View.PIP)).proxy is None
        with pytest.raises(GuardRefused, match="proxy"):
            await session.head_file(f"http://files.example/{WHEEL}", touch=touch, broken=True)
    assert proxy.log == []
    assert len(index.log) == len(assignment.ledger.records()) == 1


async def test_no_file_is_asked_for_over_http_where_the_index_has_https(
    serve: Serve, assign: MakeAssignment
) -> None:
    files = await serve(hello)
    async with GuardedSession(assign("https://127.0.0.1:1/simple/")) as session:
        with pytest.raises(GuardRefused, match="https"):
            await session.head_file(f"{files.url}/{WHEEL}", touch=Touch.INERT, broken=True)
    assert files.log == []


async def test_a_public_index_cannot_name_a_private_host_for_its_files(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = await serve(hello)
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]

    async def resolve(host: str, port: object, **_: object) -> object:
        assert host == "index.example"
        return public

    async with GuardedSession(assign("http://index.example/simple/")) as session:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        with pytest.raises(GuardRefused, match="private"):
            await session.head_file(f"{files.url}/{WHEEL}", touch=Touch.INERT, broken=True)
    assert files.log == []


async def test_a_url_of_which_a_part_was_hidden_is_never_asked_for(
    serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(hello)
    signed = Redactor().url(f"{server.url}/{WHEEL}?X-Amz-Signature={CANARY}")
    async with GuardedSession(assign(server.url)) as session:
        with pytest.raises(GuardRefused, match="secret"):
            await session.head_file(signed, touch=Touch.INERT, broken=True)
    assert server.log == []


# --- read once, where the source lacks the fix


def copying(assignment: Assignment, lists_fix: bool | None) -> Assignment:
    location = replace(assignment.location, upstream="origin")
    source = SourceFacts(name="origin", lists_fix=lists_fix)
    return replace(assignment, location=location, source=source)


@pytest.mark.parametrize(
    ("lists_fix", "asked"), [(False, 1), (None, 1), (True, ATTEMPTS)], ids=["no", "unknown", "yes"]
)
async def test_a_busy_copy_is_asked_again_only_once_its_source_has_the_fix(
    lists_fix: bool | None, asked: int, serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    server = await serve(handler)
    assignment = copying(assign(f"{server.url}/simple/"), lists_fix)
    assert (await get(assignment)).status == 503
    assert asked == len(server.log) == len(assignment.ledger.records())


async def test_a_copy_that_hangs_up_is_asked_once_while_its_source_lacks_the_fix(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    server = await raw_serve(lambda _: None)
    with pytest.raises(Unreachable):
        await get(copying(assign(f"{server.url}/simple/"), False))
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("kind", "asked"), [("simple", 1), ("http-cache", 1), ("proxpi", 1), ("bandersnatch", ATTEMPTS)]
)
async def test_whoever_may_copy_is_asked_once_even_if_no_upstream_is_declared(
    kind: str, asked: int, raw_serve: RawServe, assign: MakeAssignment
) -> None:
    server = await raw_serve(lambda _: b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    source = SourceFacts(name="origin", lists_fix=False)
    await get(replace(assign(f"{server.url}/simple/", kind=kind), source=source))
    assert len(server.log) == asked


# --- what was sent and what was not


async def test_a_failed_tls_connection_is_no_request(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(hello)
    assignment = assign(server.url.replace("http://", "https://"))
    with pytest.raises(Unreachable):
        await get(assignment)
    assert assignment.ledger.records() == ()


async def test_a_proxy_that_refuses_to_connect_has_seen_a_request(
    raw_serve: RawServe, assign: MakeAssignment
) -> None:
    proxy = await raw_serve(lambda _: b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    assignment = assign("https://index.example/", settings={"via": proxy.url})
    with pytest.raises(Denied, match="403"):
        await get(assignment)
    assert [a.method for a in proxy.log] == ["CONNECT"]
    assert [r.status for r in assignment.ledger.records()] == [None]
