"""Who is let in, who is trusted, and that every report says where nobody was checked."""

from __future__ import annotations

import asyncio
import base64
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

import auditor
from auditor.model import Outcome
from tests.probes.conftest import PROXY_VARIABLES, entry, json_page, page_response
from tests.probes.kit.forward_proxy import forward_proxy

pytestmark = pytest.mark.slow

CANARY = "trust-canary-58"
FORMATS = ("html", "json", "terminal")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@dataclass
class Office:
    """An index that lets one user in; `asked` is what it was told of who asks."""

    url: str = ""
    asked: list[str | None] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        sent = request.headers.get("Authorization")
        self.asked.append(sent)
        if sent != f"Basic {base64.b64encode(f'ci:{CANARY}'.encode()).decode()}":
            return web.Response(status=401, text=f"{sent} is nobody I know")
        return page_response(json_page(entry("1.2.4")))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with served() as found:
        yield found


def served(tls: ssl.SSLContext | None = None) -> _Served:
    return _Served(tls)


class _Served:
    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.tls, self.stack = tls, AsyncExitStack()

    async def __aenter__(self) -> Office:
        office = Office()
        runner = web.ServerRunner(web.Server(office.answer), shutdown_timeout=0.1)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        scheme = "https" if self.tls else "http"
        office.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/simple/"
        return office

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()


async def ask(url: str, *, name: str = "office", **keys: object) -> auditor.Run:
    return await auditor.audit(
        "brokenpkg",
        broken="1.2.3",
        fixed="1.2.4",
        locations=[{"name": name, "kind": "simple", "url": url, **keys}],
        environ={},
    )


def outcome(run: auditor.Run) -> Outcome:
    return run.verdicts[0].outcome


def reports(run: auditor.Run) -> dict[str, str]:
    """Every report, wrapped lines joined."""
    return {name: " ".join(auditor.render(run, name).split()) for name in FORMATS}


# --- netrc


async def test_netrc_is_used_for_its_own_host_alone(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login ci password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    run = await ask(office.url)
    assert outcome(run) is Outcome.OBSERVED
    assert all(CANARY not in text for text in reports(run).values())

    office.asked.clear()
    run = await ask(office.url.replace("127.0.0.1", "localhost"))
    assert outcome(run) is Outcome.DENIED
    assert set(office.asked) == {None}


async def test_a_configured_login_wins_over_netrc(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    run = await ask(office.url, username="ci", password={"file": str(secret)})
    assert outcome(run) is Outcome.OBSERVED


# --- keyring, the real one, with a backend of our own

BACKEND = f"""\
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential


class Drawer(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return "{CANARY}" if (service, username) == ("office-index", "ci") else None

    def get_credential(self, service, username):
        known = service == "office-index" or service.startswith("127.0.0.1:")
        return SimpleCredential("ci", "{CANARY}") if known else None

    def set_password(self, service, username, password):
        raise NotImplementedError  # the base class demands it, and nothing is stored
"""


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ('username = "ci"\npassword = {keyring = "office-index"}', 0),
        ('keyring = "office-index"', 0),
        ("keyring = true", 0),  # as pip: the address first, then its host
        ('password = {keyring = "another"}', 2),
    ],
)
async def test_the_keyring_is_asked_by_service_or_as_pip_asks_it(
    office: Office, tmp_path: Path, keys: str, code: int
) -> None:
    (tmp_path / "drawer.py").write_text(BACKEND)
    (tmp_path / "audit.toml").write_text(
        '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
        f'[[locations]]\nkind = "simple"\nurl = "{office.url}"\n{keys}\n'
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "auditor.cli.main", "audit", "--config", "audit.toml"),
        *("--format", "json", "--verbose", "--traceback"),
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "drawer.Drawer",
            "HOME": str(tmp_path),
            "NO_PROXY": "*",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    assert CANARY.encode() not in out + err
    if code:
        assert b"password: the keyring has no entry for 'another'" in err
        assert office.asked == []


# --- certificates


@pytest.fixture(scope="module")
def stranger() -> ssl.SSLContext:
    """A server's settings whose authority nobody here knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_insecure_is_in_every_report(stranger: ssl.SSLContext) -> None:
    async with served(stranger) as office:
        refused = await ask(office.url)
        run = await ask(office.url, insecure=True, username="ci", password=CANARY)
    assert outcome(refused) is Outcome.UNREACHABLE
    assert "authority that is not trusted here" in refused.verdicts[0].detail
    assert outcome(run) is Outcome.OBSERVED
    for name, text in reports(run).items():
        assert "office: certificates are not verified there (insecure = true)" in text, name
        assert CANARY not in text
    assert "certificates were not verified here" in " ".join(run.verdicts[0].notes)
    assert "not verified" not in str(refused.summary.notes)


async def test_credentials_that_a_program_hands_over_may_be_insecure_and_show_it(
    stranger: ssl.SSLContext,
) -> None:
    async with served(stranger) as office:
        run = await auditor.audit(
            "brokenpkg",
            broken="1.2.3",
            fixed="1.2.4",
            locations=[f"office:simple={office.url}"],
            credentials={
                "office": auditor.Credentials(username="ci", password=CANARY, insecure=True)
            },
            environ={},
        )
    assert outcome(run) is Outcome.OBSERVED
    assert "office: certificates are not verified there (insecure = true)" in run.summary.notes


async def test_insecure_says_nothing_where_there_is_no_certificate(office: Office) -> None:
    run = await ask(office.url, insecure=True, username="ci", password=CANARY)
    assert "not verified" not in str((run.summary.notes, run.verdicts[0].notes))


# --- proxies


async def test_every_report_names_the_proxy_of_each_place(office: Office) -> None:
    keys: Mapping[str, object] = {"username": "ci", "password": CANARY}
    async with forward_proxy(login="me:via-canary") as proxy:
        run = await ask(office.url, via=proxy.with_login("me:via-canary"), **keys)
    assert outcome(run) is Outcome.OBSERVED
    texts = reports(run)
    assert f"Seen through the proxy {proxy.url}: office." in texts["terminal"]
    assert f"through the proxy {proxy.url}" in texts["html"]
    assert f'"proxy":"{proxy.url}"' in texts["json"].replace(": ", ":")
    for text in texts.values():
        assert "via-canary" not in text
        assert base64.b64encode(b"me:via-canary").decode() not in text


async def test_many_places_behind_one_proxy_are_summed_up(office: Office) -> None:
    async with forward_proxy() as proxy:
        run = await auditor.audit(
            "brokenpkg",
            broken="1.2.3",
            fixed="1.2.4",
            locations=[
                {"name": f"m{n}", "kind": "simple", "url": office.url, "via": proxy.url}
                for n in range(8)
            ],
            environ={},
        )
    text = reports(run)["terminal"]
    assert f"Seen through the proxy {proxy.url}: m0, m1, m2, m3, m4 and 3 more places." in text
