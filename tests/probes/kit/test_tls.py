"""TLS against real servers: whose certificates are trusted, who gets ours, and what went wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from auditor.contracts import Credentials
from auditor.errors import Denied, ProbeError, Unreachable
from auditor.model import Outcome, View
from probes.kit import access
from probes.kit.access import Access
from probes.kit.session import GuardedSession
from probes.simple import KIND
from tests.probes.conftest import MakeAssignment

pytestmark = pytest.mark.slow

BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
StartTls = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
def _own_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's bundles out, and forget the contexts of other tests."""
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)
    access._tls_context.cache_clear()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def client_files(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """Make a client's certificate and key."""
    issued = authority.issue_cert("auditor@client.example")
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    return str(cert), str(key)


@pytest.fixture
async def start() -> AsyncIterator[StartTls]:
    """Start https servers; return their address."""
    stack = AsyncExitStack()

    async def serve(context: ssl.SSLContext) -> str:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(text="secure")

        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return f"https://127.0.0.1:{runner.addresses[0][1]}/"

    async with stack:
        yield serve


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def body(url: str, assign: MakeAssignment, credentials: Credentials) -> bytes:
    async with GuardedSession(assign(url, credentials=credentials)) as session:
        return (await session.get_page(url, View.PIP)).body


# --- what goes wrong, and why


async def test_an_unknown_authority_is_unreachable_with_the_next_step(
    start: StartTls, assign: MakeAssignment, authority: trustme.CA
) -> None:
    url = await start(context_of(authority.issue_cert("127.0.0.1")))
    with pytest.raises(Unreachable, match=r"authority that is not trusted here.*ca_file") as caught:
        await body(url, assign, Credentials())
    assert caught.value.connected


@pytest.mark.parametrize(
    ("names", "days", "cause"),
    [
        (("127.0.0.1",), -1, "certificate has expired"),
        (("127.0.0.2",), 1, "certificate is for another address; check the url"),
        (("other.example",), 1, "certificate is for another address; check the url"),
    ],
)
async def test_a_wrong_certificate_is_unreachable_with_its_cause(
    start: StartTls,
    assign: MakeAssignment,
    authority: trustme.CA,
    ca_file: str,
    names: tuple[str, ...],
    days: int,
    cause: str,
) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    issued = authority.issue_cert(*names, not_before=until - timedelta(days=9), not_after=until)
    assignment = assign(await start(context_of(issued)), credentials=Credentials(ca_file=ca_file))
    found = await KIND.observe(assignment)
    assert found.outcome is Outcome.UNREACHABLE
    assert cause in found.detail
    assert found.connected
    # Nothing that was asked ever left this machine.
    assert not any(record.status for record in assignment.ledger.records())


async def test_another_host_name_is_told_from_another_address(
    start: StartTls, assign: MakeAssignment, authority: trustme.CA, ca_file: str
) -> None:
    url = await start(context_of(authority.issue_cert("other.example")))
    url = url.replace("127.0.0.1", "localhost")
    with pytest.raises(Unreachable, match="certificate is for another host name; check the url"):
        await body(url, assign, Credentials(ca_file=ca_file))


@pytest.mark.real
@pytest.mark.real_program("openssl")
async def test_a_self_signed_certificate_is_called_so_and_trusted_by_name(
    start: StartTls, assign: MakeAssignment, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
    ]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    url = await start(context)
    with pytest.raises(Unreachable, match="self-signed"):
        await body(url, assign, Credentials())
    assert await body(url, assign, Credentials(ca_file=str(cert))) == b"secure"


# --- which authorities are trusted


async def test_a_named_authority_is_trusted(
    start: StartTls, assign: MakeAssignment, authority: trustme.CA, ca_file: str
) -> None:
    url = await start(context_of(authority.issue_cert("127.0.0.1")))
    assert await body(url, assign, Credentials(ca_file=ca_file)) == b"secure"


@pytest.mark.parametrize("variable", [name for name in BUNDLES if name != "SSL_CERT_DIR"])
async def test_each_variable_that_pip_honours_names_a_bundle(
    start: StartTls,
    assign: MakeAssignment,
    authority: trustme.CA,
    ca_file: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, ca_file)
    url = await start(context_of(authority.issue_cert("127.0.0.1")))
    assert await body(url, assign, Credentials()) == b"secure"


async def test_the_locations_own_authority_wins_over_the_environments(
    start: StartTls,
    assign: MakeAssignment,
    authority: trustme.CA,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    url = await start(context_of(authority.issue_cert("127.0.0.1")))
    with pytest.raises(Unreachable, match="not trusted here"):
        await body(url, assign, Credentials(ca_file=str(other)))


async def test_a_bundle_that_is_not_there_is_named_as_the_cause(
    assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "no-such-bundle.pem")
    with pytest.raises(ProbeError, match="REQUESTS_CA_BUNDLE"):
        await body("https://127.0.0.1:1/", assign, Credentials())


# --- insecure


async def test_insecure_trusts_anybody(
    start: StartTls, assign: MakeAssignment, authority: trustme.CA
) -> None:
    url = await start(context_of(authority.issue_cert("other.example")))
    assert await body(url, assign, Credentials(insecure=True)) == b"secure"


def test_insecure_holds_for_the_own_origin_only() -> None:
    access = Access.to("https://own.example/simple/", Credentials(insecure=True))
    own, other = access.tls("https://own.example/x/"), access.tls("https://other.example/x/")
    assert own is not None
    assert other is not None
    assert own.verify_mode is ssl.CERT_NONE
    assert other.verify_mode is ssl.CERT_REQUIRED


# --- our own certificate


class Demanding(threading.Thread):
    """A server that wants our certificate and, unlike asyncio's, says so in a TLS alert."""

    def __init__(self, authority: trustme.CA, newest: ssl.TLSVersion) -> None:
        super().__init__()
        self.context = context_of(authority.issue_cert("127.0.0.1"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.maximum_version = newest
        authority.configure_trust(self.context)
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}/"

    def run(self) -> None:
        while True:
            raw, _ = self.listener.accept()
            with raw:
                raw.settimeout(5)
                if not self._serve(raw):
                    return

    def _serve(self, raw: socket.socket) -> bool:
        """Answer one request; False once somebody says that it is over."""
        if raw.recv(1, socket.MSG_PEEK) == b"q":
            return False
        self.connections += 1
        tls = self.context.wrap_socket(
            raw.dup(), server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        with tls:
            try:
                tls.do_handshake()
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure")
            except OSError:
                # Read what is still coming: closing now would reset the connection, alert and all.
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
        return True

    def stop(self) -> None:
        with socket.create_connection(self.listener.getsockname()) as last:
            last.sendall(b"q")
        self.join()
        self.listener.close()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def demanding(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Demanding]:
    server = Demanding(authority, request.param)
    server.start()
    yield server
    server.stop()


async def test_a_server_that_demands_a_client_certificate_gets_it(
    demanding: Demanding, assign: MakeAssignment, ca_file: str, client_files: tuple[str, str]
) -> None:
    cert, key = client_files
    good = Credentials(ca_file=ca_file, client_cert=cert, client_key=key)
    assert await body(demanding.url, assign, good) == b"secure"


async def test_without_a_client_certificate_it_denies(
    demanding: Demanding, assign: MakeAssignment, ca_file: str
) -> None:
    assignment = assign(demanding.url, credentials=Credentials(ca_file=ca_file))
    with pytest.raises(Denied, match=r"demands a client certificate.*client_cert"):
        async with GuardedSession(assignment) as session:
            await session.get_page(demanding.url, View.PIP)
    assert demanding.connections == 1  # asking again would not make it better


async def test_a_client_certificate_of_a_stranger_is_denied(
    demanding: Demanding, assign: MakeAssignment, ca_file: str, tmp_path: Path
) -> None:
    issued = trustme.CA().issue_cert("stranger@client.example")
    both = tmp_path / "stranger.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    with pytest.raises(Denied, match="client certificate"):
        await body(demanding.url, assign, Credentials(ca_file=ca_file, client_cert=str(both)))


def test_a_client_certificate_is_shown_to_the_own_origin_only(
    ca_file: str, client_files: tuple[str, str]
) -> None:
    cert, key = client_files
    credentials = Credentials(ca_file=ca_file, client_cert=cert, client_key=key)
    access = Access.to("https://own.example/", credentials)
    assert access.tls("https://own.example/a/") is not access.tls("https://other.example/a/")
    plain = Access.to("https://own.example/", Credentials(ca_file=ca_file))
    assert access.tls("https://other.example/a/") is plain.tls("https://other.example/a/")
