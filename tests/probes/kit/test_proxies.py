"""Forward proxies: which one is used (as pip would), how its login is kept, what fails at it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pip._vendor.requests.utils import (  # pip's own reading is the one to agree with
    get_environ_proxies,
    select_proxy,
)

from auditor.contracts import Credentials
from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import Outcome, View
from auditor.observations import encode
from probes.kit.proxies import Environment, Proxies, proxy_for, proxy_secrets, with_login
from probes.kit.session import GuardedSession
from probes.simple import KIND
from tests.probes.conftest import (
    PROXY_VARIABLES,
    MakeAssignment,
    Serve,
    entry,
    json_page,
    page_response,
)
from tests.probes.kit.forward_proxy import forward_proxy

pytestmark = pytest.mark.slow

CANARY = "pr0xy:c@nary/%41"
QUOTED = "pr0xy%3Ac%40nary%2F%2541"

# --- which proxy: what pip says

HOSTS = ("mirror.example", "a.mirror.example", "notmirror.example", "127.0.0.1", "10.1.2.3")
ENTRIES = (
    *("mirror.example", ".mirror.example", "example", "mirror.example:8443", "10.0.0.0/8"),
    *("127.0.0.1", "*", " 10.1.2.3 ", "127.0.0.1:8443", "", "MIRROR.example", "::1", "10.0.0.0/99"),
    *("mirror.example:443", "mirror.example:80"),
)
NAMES = [name for name in PROXY_VARIABLES if name not in ("NO_PROXY", "REQUEST_METHOD")]
environments = st.fixed_dictionaries(
    {},
    optional={
        **{
            cased: st.sampled_from((f"http://{cased}.example:3128", f"{cased}.example:1", ""))
            for name in NAMES
            for cased in (name, name.lower())
        },
        "NO_PROXY": st.lists(st.sampled_from(ENTRIES), max_size=3).map(",".join),
        "no_proxy": st.lists(st.sampled_from(ENTRIES), max_size=3).map(",".join),
        "REQUEST_METHOD": st.just("GET"),
    },
)
urls = st.builds(
    "{}://{}{}/simple/".format,
    st.sampled_from(("http", "https")),
    st.sampled_from(HOSTS),
    st.sampled_from(("", ":8443")),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500
)
@given(url=urls, environ=environments)
def test_the_environment_means_what_it_means_to_pip(
    url: str, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        pips = select_proxy(url, get_environ_proxies(url))
        # pip's adapter puts the scheme before an address that lacks one.
        expected = pips if not pips or "://" in pips else f"http://{pips}"
        assert (expected or None) == proxy_for(url, None)
        kept = Proxies(None, Environment.as_it_is())
        for each in (url, url.replace(":8443", ""), url):
            assert proxy_for(each, None) == kept.to(each)


def test_the_locations_own_proxy_wins_whatever_the_environment_exempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://other.example:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_for("http://mirror.example/", "http://own.example:2") == "http://own.example:2"


@pytest.mark.parametrize("proxy", ["socks5://h.example:1", "http://", "http://h.example:0", "x://"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_login(proxy: str) -> None:
    with pytest.raises(ProbeError, match="cannot be used") as caught:
        proxy_for("http://mirror.example/", proxy.replace("://", "://me:hush@"))
    assert "hush" not in str(caught.value)


# --- its login


def test_a_login_is_quoted_into_the_address() -> None:
    assert with_login("http://p.example:1", "me", CANARY) == f"http://me:{QUOTED}@p.example:1"
    assert with_login("http://p.example:1", None, None) == "http://p.example:1"


def test_every_form_of_a_proxys_password_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:{QUOTED}@p.example:1")
    monkeypatch.setenv("ALL_PROXY", "token-as-name@p.example:1")
    secrets = set(proxy_secrets(None))
    assert {CANARY, QUOTED, f"me:{CANARY}", "token-as-name"} <= secrets


@pytest.fixture
async def echo(serve: Serve) -> str:
    """Serve a page that tells what the proxy let through."""

    async def handler(request: web.Request) -> web.StreamResponse:
        seen = " ".join(f"{k}={v}" for k, v in request.headers.items())
        page = json_page(entry("1.2.3", note=seen), entry("1.2.4"))
        return page_response(page, X_Echo=seen[:100])

    return (await serve(handler)).url


async def test_a_named_proxys_login_is_used_and_never_shown(
    echo: str, assign: MakeAssignment
) -> None:
    async with forward_proxy(login=f"me:{CANARY}") as proxy:
        credentials = Credentials(proxy_username="me", proxy_password=CANARY)
        assignment = assign(echo, settings={"via": proxy.url}, credentials=credentials)
        found = await KIND.observe(assignment)
    assert found.outcome is Outcome.OBSERVED
    assert proxy.url == (found.proxy or "").rstrip("/")
    assert "proxy-authorization" in proxy.log[0].headers
    assert_hidden(encode(found).decode())


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_the_login_of_a_proxy_in_the_environment_is_never_shown(
    echo: str, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    async with forward_proxy(login=f"me:{CANARY}") as proxy:
        monkeypatch.setenv(variable, proxy.with_login(f"me:{QUOTED}"))
        found = await KIND.observe(assign(echo))
    assert found.outcome is Outcome.OBSERVED
    assert proxy.url == (found.proxy or "").rstrip("/")
    assert len(found.requests) == len(proxy.log)
    assert_hidden(encode(found).decode())


async def test_a_proxy_that_repeats_its_login_betrays_nothing(
    serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def repeat(request: web.Request) -> web.StreamResponse:
        sent = request.headers["Proxy-Authorization"]
        return web.Response(status=502, text=f"{CANARY} {QUOTED} {sent}", headers={"Via": CANARY})

    proxy = await serve(repeat)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", f"://me:{QUOTED}@"))
    found = await KIND.observe(assign("http://mirror.example/simple/"))
    assert found.outcome is Outcome.UNREACHABLE
    assert_hidden(encode(found).decode())


def assert_hidden(text: str) -> None:
    assert CANARY not in text
    assert QUOTED not in text
    assert "bWU6cHIweHk6Y0BuYXJ5LyU0MQ" not in text  # base64 of user and password


# --- https goes through a tunnel


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
async def secure_port(authority: trustme.CA) -> AsyncIterator[int]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.4")))

    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        context = server_context(authority, "mirror.example")
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield int(runner.addresses[0][1])


async def test_https_goes_through_a_tunnel_and_our_credentials_stay_inside(
    secure_port: int, assign: MakeAssignment, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(login="me:pw123", hosts={"mirror.example": secure_port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.with_login("me:pw123"))
        credentials = Credentials(username="ci", password="inner-canary", ca_file=ca_file)
        assignment = assign("https://mirror.example/simple/", credentials=credentials)
        found = await KIND.observe(assignment)
    assert found.outcome is Outcome.OBSERVED, found.detail
    assert {("CONNECT", "mirror.example:443")} == {(p.method, p.target) for p in proxy.log}
    assert all("authorization" not in passed.headers for passed in proxy.log)
    assert proxy.url == (found.proxy or "").rstrip("/")


async def test_a_certificate_is_verified_behind_a_proxy_too(
    secure_port: int, assign: MakeAssignment, ca_file: str
) -> None:
    hosts = {"other.example": secure_port}
    async with forward_proxy(hosts=hosts) as proxy:
        assignment = assign(
            "https://other.example/simple/",
            settings={"via": proxy.url},
            credentials=Credentials(ca_file=ca_file),
        )
        found = await KIND.observe(assignment)
    assert found.outcome is Outcome.UNREACHABLE
    assert "certificate is for another host name" in found.detail
    assert proxy.url == (found.proxy or "").rstrip("/")


async def test_a_proxy_may_itself_be_asked_over_tls(
    echo: str, authority: trustme.CA, assign: MakeAssignment, ca_file: str
) -> None:
    async with forward_proxy(tls=server_context(authority, "127.0.0.1")) as proxy:
        trusted = assign(
            echo, settings={"via": proxy.url}, credentials=Credentials(ca_file=ca_file)
        )
        assert (await KIND.observe(trusted)).outcome is Outcome.OBSERVED
        # `insecure` is for the location alone: a proxy that nobody knows is not let in by it.
        doubted = assign(echo, settings={"via": proxy.url}, credentials=Credentials(insecure=True))
        found = await KIND.observe(doubted)
    assert found.outcome is Outcome.UNREACHABLE
    assert "not trusted here" in found.detail


# --- what fails at the proxy


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_demands_a_login_denies_for_either_scheme(
    assign: MakeAssignment, scheme: str
) -> None:
    async with forward_proxy(login="me:right") as proxy:
        assignment = assign(f"{scheme}://mirror.example/simple/", settings={"via": proxy.url})
        found = await KIND.observe(assignment)
    assert found.outcome is Outcome.DENIED
    assert "the proxy refuses with 407; check its user, password and rules" in found.detail
    assert proxy.url == (found.proxy or "").rstrip("/")
    assert len(assignment.ledger.records()) == len(found.pages)


async def test_a_407_without_a_proxy_is_the_servers_own(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=407)

    found = await KIND.observe(assign((await serve(handler)).url))
    assert found.outcome is Outcome.DENIED
    assert "proxy" not in found.detail
    assert found.proxy is None


async def test_a_proxy_that_cannot_reach_the_host_is_said_to_be_it(
    raw_serve: object, assign: MakeAssignment
) -> None:
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    proxy = await raw_serve(lambda _: answer)
    assignment = assign("https://mirror.example/", settings={"via": proxy.url})
    with pytest.raises((Unreachable, Denied, Malformed), match="proxy answers 503"):
        async with GuardedSession(assignment) as session:
            await session.get_page("https://mirror.example/", View.PIP)
