"""TLS against a real server with a certificate that nobody else trusts."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Credentials
from auditor.errors import Unreachable
from auditor.model import View
from probes.kit.access import Access
from probes.kit.session import GuardedSession
from tests.probes.conftest import MakeAssignment

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
async def url(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="secure")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def body(url: str, assign: MakeAssignment, credentials: Credentials) -> bytes:
    async with GuardedSession(assign(url, credentials=credentials)) as session:
        return (await session.get_page(url, View.PIP)).body


async def test_an_unknown_authority_is_unreachable_with_the_next_step(
    url: str, assign: MakeAssignment
) -> None:
    with pytest.raises(Unreachable, match="ca_file") as caught:
        await body(url, assign, Credentials())
    assert caught.value.connected


async def test_a_named_authority_is_trusted(
    url: str, assign: MakeAssignment, certificate: tuple[Path, Path]
) -> None:
    assert await body(url, assign, Credentials(ca_file=str(certificate[0]))) == b"secure"


async def test_insecure_trusts_anybody(url: str, assign: MakeAssignment) -> None:
    assert await body(url, assign, Credentials(insecure=True)) == b"secure"


def test_insecure_holds_for_the_own_origin_only() -> None:
    access = Access.to("https://own.example/simple/", Credentials(insecure=True))
    own, other = access.tls("https://own.example/x/"), access.tls("https://other.example/x/")
    assert own is not None
    assert other is not None
    assert own.verify_mode is ssl.CERT_NONE
    assert other.verify_mode is ssl.CERT_REQUIRED


def test_a_client_certificate_is_shown_to_the_own_origin_only(
    certificate: tuple[Path, Path],
) -> None:
    cert, key = map(str, certificate)
    credentials = Credentials(ca_file=cert, client_cert=cert, client_key=key)
    access = Access.to("https://own.example/", credentials)
    assert access.tls("https://own.example/a/") is not access.tls("https://other.example/a/")
    plain = Access.to("https://own.example/", Credentials(ca_file=cert))
    assert access.tls("https://other.example/a/") is plain.tls("https://other.example/a/")
