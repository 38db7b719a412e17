"""A canary in every place where a secret can be given, and none of them ever seen again.

Each case puts one canary where its row says, and is audited by every command that looks, judges,
keeps or tells. The office index denies, and repeats what it was sent; its pages lead to a stranger.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

import auditor
from auditor.cli.main import main
from auditor.model import Status
from auditor.registry import RENDERERS
from tests.notify.receivers import Mailbox, mailbox
from tests.probes.conftest import PROXY_VARIABLES
from tests.secrets.servers import Place, office, stranger

pytestmark = pytest.mark.slow

# Characters that quoting changes, so that each form of it is another text.
CANARY = "cAnary7+Qx/9~bIrd"
URL_CANARY = quote(CANARY, safe="")
FORMATS = (
    *("html", "json", "terminal", "jsonl", "csv", "markdown", "sarif", "junit"),
    *("prometheus", "nagios", "github"),
)
INCIDENT = '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
KEYRING = f"""\
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential

class Drawer(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return "{CANARY}"

    def get_credential(self, service, username):
        return SimpleCredential("ci", "{CANARY}")

    def set_password(self, service, username, password):
        raise NotImplementedError  # the base class demands it, and nothing is stored
"""


def forms(secret: str = CANARY) -> dict[str, bytes]:
    """Every form in which a secret may be read again by whoever sees it."""
    quoted, raw = quote(secret, safe=""), secret.encode()
    basic = {
        f"basic of {user or 'nobody'}": base64.b64encode(f"{user}:{secret}".encode())
        for user in ("ci", "", "__token__")
    }
    encoded = base64.b64encode(raw).rstrip(b"=")
    return {
        "plain": raw,
        "quoted": quoted.encode(),
        "half quoted": quote(secret).encode(),
        "base64": encoded,
        "base64 for addresses": base64.urlsafe_b64encode(raw).rstrip(b"="),
        "hexadecimal": raw.hex().encode(),
        **{name: text.rstrip(b"=") for name, text in basic.items()},
    }


def seen_in(content: bytes) -> list[str]:
    return [name for name, form in forms().items() if form in content]


@dataclass
class Desk:
    """Where one case is laid out."""

    directory: Path
    office: Place
    stranger: Place
    mail: Mailbox
    environ: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    # Files that the user keeps the secret in; nothing else may hold it.
    own: set[Path] = field(default_factory=set)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        self.own.add(path)
        return path

    def place(self, keys: str = "", *, kind: str = "simple", url: str | None = None) -> str:
        where = self.office.simple if url is None else url
        address = f'url = "{where}"\n' if where else ""
        return f'[[locations]]\nname = "office"\nkind = "{kind}"\n{address}{keys}\n'

    def notify(self, kind: str, url: str, keys: str = "") -> str:
        self.environ["HOOK"] = url
        return f'{self.place()}[[notify]]\nkind = "{kind}"\nurl = {{env = "HOOK"}}\n{keys}\n'


Lay = Callable[[Desk], str]


def _env_password(desk: Desk) -> str:
    desk.environ["OFFICE"] = CANARY
    return desk.place('username = "ci"\npassword = {env = "OFFICE"}')


def _file_password(desk: Desk) -> str:
    secret = desk.write("secret", f"{CANARY}\n")
    return desk.place(f'username = "ci"\npassword = {{file = "{secret}"}}')


def _literal_password(desk: Desk) -> str:
    return desk.place(f'username = "ci"\npassword = "{CANARY}"')


def _env_token(desk: Desk) -> str:
    desk.environ["OFFICE"] = CANARY
    return desk.place('token = {env = "OFFICE"}')


def _netrc(desk: Desk) -> str:
    file = desk.write("netrc", f"machine 127.0.0.1 login ci password {CANARY}\n")
    # The two servers are told apart by their names: netrc knows no ports.
    desk.stranger.url = desk.stranger.url.replace("127.0.0.1", "localhost")
    return desk.place(f'netrc = "{file}"')


def _damaged_netrc(desk: Desk) -> str:
    file = desk.write("netrc", f"machine 127.0.0.1 login ci pasword {CANARY}\n")
    return desk.place(f'netrc = "{file}"')


def _keyring(desk: Desk) -> str:
    desk.write("canary_drawer.py", KEYRING)
    desk.environ["PYTHON_KEYRING_BACKEND"] = "canary_drawer.Drawer"
    return desk.place('keyring = "office"')


def _url_in_file(desk: Desk) -> str:
    return desk.place(url=desk.office.with_login(f"ci:{URL_CANARY}"))


def _user_only(desk: Desk) -> str:
    return desk.place(url=desk.office.with_login(URL_CANARY))


def _damaged_url(desk: Desk) -> str:
    return desk.place(url=f"http://ci:{URL_CANARY}@[::1/simple/")


def _option(desk: Desk) -> str:
    desk.options = ("--location", f"office:simple={desk.office.with_login(f'ci:{URL_CANARY}')}")
    return ""


def _damaged_option(desk: Desk) -> str:
    desk.options = ("--location", f"office:simpel={desk.office.with_login(f'ci:{URL_CANARY}')}")
    return ""


def _pip_variable(desk: Desk) -> str:
    desk.environ["PIP_INDEX_URL"] = desk.office.with_login(f"ci:{URL_CANARY}")
    desk.environ["PIP_EXTRA_INDEX_URL"] = desk.office.with_login(f"ci:{URL_CANARY}")
    return ""


def _pip_file(desk: Desk) -> str:
    index = desk.office.with_login(f"ci:{URL_CANARY}")  # pip interpolates nothing
    file = desk.write("pip.conf", f"[global]\nindex-url = {index}\n")
    desk.environ["PIP_CONFIG_FILE"] = str(file)
    return ""


def _proxy_variable(desk: Desk) -> str:
    desk.environ["HTTP_PROXY"] = desk.office.url.replace("://", f"://ci:{URL_CANARY}@")
    return desk.place(url="http://index.example/simple/")


def _via(desk: Desk) -> str:
    desk.environ["VIA"] = desk.office.url.replace("://", f"://ci:{URL_CANARY}@")
    return desk.place('via = {env = "VIA"}', url="http://index.example/simple/")


def _bucket(desk: Desk) -> str:
    return desk.place(
        f'bucket = "wheels"\nendpoint_url = "{desk.office.url}"\nregion = "eu-central-1"',
        kind="s3",
        url="",
    )


def _s3_variables(desk: Desk) -> str:
    desk.environ |= {
        "AWS_ACCESS_KEY_ID": "AKIA0EXAMPLE0EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": "session-token-of-nobody",
    }
    return _bucket(desk)


def _s3_profile(desk: Desk) -> str:
    file = desk.write(
        "aws",
        f"[canary]\naws_access_key_id = AKIA0EXAMPLE0EXAMPLE\naws_secret_access_key = {CANARY}\n",
    )
    desk.environ |= {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": "canary"}
    return _bucket(desk)


def _s3_keys(desk: Desk) -> str:
    desk.environ["OFFICE"] = CANARY
    text = _bucket(desk)
    return f'{text}username = "AKIA0EXAMPLE0EXAMPLE"\npassword = {{env = "OFFICE"}}\n'


def _devpi(desk: Desk) -> str:
    desk.environ["OFFICE"] = CANARY
    keys = 'username = "ci"\npassword = {env = "OFFICE"}'
    return desk.place(keys, kind="devpi", url=f"{desk.office.url}/root/dev/+simple/")


def _github(desk: Desk) -> str:
    desk.environ["OFFICE"] = CANARY
    url = f"{desk.office.url}/repos/example/demo"
    return desk.place('token = {env = "OFFICE"}', kind="github-cache", url=url)


def _registry(kind: str) -> Lay:
    def lay(desk: Desk) -> str:
        desk.environ["OFFICE"] = CANARY
        keys = 'username = "ci"\npassword = {env = "OFFICE"}'
        url = f"{desk.office.url}/repository/python/simple/"
        return desk.place(keys, kind=kind, url=url)

    return lay


def _webhook_url(desk: Desk) -> str:
    return desk.notify("webhook", f"{desk.office.url}/hooks/{URL_CANARY}")


def _webhook_login(desk: Desk) -> str:
    return desk.notify("webhook", desk.office.with_login(f"ci:{URL_CANARY}"))


def _webhook_secret(desk: Desk) -> str:
    desk.environ["SIGN"] = CANARY
    return desk.notify("webhook", f"{desk.office.url}/hooks/a", 'secret = {env = "SIGN"}')


def _slack(desk: Desk) -> str:
    return desk.notify("slack", f"{desk.office.url}/services/{URL_CANARY}")


def _mail(desk: Desk) -> str:
    url = f"smtp://ci:{URL_CANARY}@127.0.0.1:{desk.mail.port}"
    keys = 'to = ["ops@example.org"]\nsender = "audit@example.org"'
    return desk.notify("email", url, keys)


def _apprise(desk: Desk) -> str:
    host = desk.office.url.removeprefix("http://")
    return desk.notify("apprise", f"json://ci:{URL_CANARY}@{host}/{URL_CANARY}")


def _broker(desk: Desk) -> str:
    desk.environ["AUDITOR_BROKER_URL"] = f"redis://ci:{URL_CANARY}@127.0.0.1:9/0"
    desk.options = ("--celery", "elsewhere", "--celery-wait", "1s")
    return desk.place()


WAYS: dict[str, Lay] = {
    "password by variable": _env_password,
    "password by file": _file_password,
    "password in the configuration": _literal_password,
    "token": _env_token,
    "netrc": _netrc,
    "netrc that is damaged": _damaged_netrc,
    "keyring": _keyring,
    "URL in the configuration": _url_in_file,
    "URL whose user is the token": _user_only,
    "URL that is damaged": _damaged_url,
    "URL of --location": _option,
    "URL of a --location that is damaged": _damaged_option,
    "PIP_INDEX_URL": _pip_variable,
    "pip.conf": _pip_file,
    "HTTP_PROXY": _proxy_variable,
    "via": _via,
    "S3 by variables": _s3_variables,
    "S3 by profile": _s3_profile,
    "S3 by the configuration": _s3_keys,
    "devpi": _devpi,
    "GitHub token": _github,
    "Nexus": _registry("nexus"),
    "Artifactory": _registry("artifactory"),
    "Pulp": _registry("pulp"),
    "webhook URL": _webhook_url,
    "webhook login": _webhook_login,
    "webhook secret": _webhook_secret,
    "slack URL": _slack,
    "mail": _mail,
    "apprise URL": _apprise,
    "broker": _broker,
}

# What these must send to do their work, so that the case is known to have used its secret.
_SENDS_NOTHING = {
    *("netrc that is damaged", "URL that is damaged", "URL of a --location that is damaged"),
    *("S3 by variables", "S3 by profile", "S3 by the configuration"),  # signs, and sends no key
    "webhook secret",  # signs likewise
    "broker",  # nobody is there
    "mail",  # the mailbox is told
    "apprise URL",  # an extra that CI does not install: that it is missing is told
}

_STARTED: list[bytes] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Keep the command line of every program that is started, and what is given it to inherit."""
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
        _STARTED.append(repr(arguments).encode())


@pytest.fixture(scope="module", autouse=True)
def _watched() -> None:
    sys.addaudithook(_watch)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in (*PROXY_VARIABLES, "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("auditor.notify.post.WAITS_S", (0.0, 0.0))
    with office() as known, stranger() as unknown, mailbox() as mail:
        yield Desk(directory=tmp_path, office=known, stranger=unknown, mail=mail)


def commands(desk: Desk, config: Path) -> Iterator[tuple[str, ...]]:
    question = ("--config", str(config), *desk.options)
    loud = ("--verbose", "--traceback")
    reports = [word for f in FORMATS for word in ("--report", f"{f}=report-{f}")]
    bare = [word for f in FORMATS for word in ("--report", f"{f}=redacted-{f}")]
    yield "audit", *question, "--history", "past.db", *reports, "--timeout", "10", *loud
    yield "audit", *question, "--history", "past.db", *bare, "--redact", "--timeout", "10", *loud
    yield "probe", *question, "-o", "seen.jsonl", "--timeout", "10", *loud
    if desk.office.elsewhere:
        return  # the others send nothing, and were tried where the index denies
    yield "audit", *question, "--explain", "office", "--timeout", "10", *loud
    yield "judge", "seen.jsonl", "--format", "json", *loud
    yield "report", "report-json", "--report", "html=again", *loud
    yield "history", "list", "--history", "past.db", *loud
    yield "history", "show", "--history", "past.db", "--format", "json", *loud
    yield "trace", "brokenpkg==1.2.3", *question, "--timeout", "10", *loud
    yield "check-release", *question, "--timeout", "10", *loud
    yield "config", "show", "--config", str(config), *loud
    yield "config", "check", "--config", str(config), *loud


# Nothing of these is sent to the place whose pages or hooks redirect.
_NO_REDIRECT = {way for way in WAYS if "damaged" in way} | {"broker", "mail", "apprise URL"}


@pytest.mark.parametrize(
    ("way", "denied"),
    [
        (way, denied)
        for way in WAYS
        for denied in (True, False)
        if denied or way not in _NO_REDIRECT
    ],
)
def test_no_secret_is_seen_again_however_it_was_given(
    desk: Desk,
    way: str,
    denied: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG")
    config = desk.directory / "audit.toml"
    text = WAYS[way](desk)
    desk.office.deny = denied or "[[notify]]" in text  # or there would be nothing to tell
    if not denied:
        desk.office.elsewhere = f"{desk.stranger.url}/simple/brokenpkg/"
    history = '[audit]\nhistory = "past.db"\n' if "[[notify]]" in text else ""
    config.write_text(f"{history}{INCIDENT}{text}", encoding="utf-8")
    desk.own.add(config)
    for name, value in desk.environ.items():
        monkeypatch.setenv(name, value)
    _STARTED.clear()

    for command in commands(desk, config):
        main(list(command))

    shown = capfd.readouterr()
    assert (shown.out + shown.err).strip()
    assert seen_in((shown.out + shown.err).encode()) == [], way
    assert seen_in(caplog.text.encode()) == []
    for path in sorted(desk.directory.rglob("*")):
        if path.is_file() and path not in desk.own and "__pycache__" not in path.parts:
            assert seen_in(path.read_bytes()) == [], path.name
    for asked in desk.stranger.got:
        assert seen_in(asked.encode()) == []
    if way == "password by variable" and not denied:
        assert desk.stranger.got, "the redirect was not followed, so that nothing is proved"
    for started in _STARTED:
        assert seen_in(started) == []
    if way not in _SENDS_NOTHING:
        told = "\n".join(desk.office.got).encode()
        assert seen_in(told) != [], "the case did not use its secret"


# What servers write into addresses, for whoever follows them: none of it is ours to keep.
SIGNED = {
    "a signature of S3": f"?X-Amz-Date=20261123T100000Z&X-Amz-Signature={URL_CANARY}",
    "a session of S3": f"?X-Amz-Security-Token={URL_CANARY}",
    "a signature of Google": f"?X-Goog-Signature={URL_CANARY}",
    "a signature of Azure": f"?sv=2024&sig={URL_CANARY}",
    "a signature of CloudFront": f"?Policy={URL_CANARY}&Key-Pair-Id=K",
    "a token": f"?access_token={URL_CANARY}",
    "a token in a fragment": f"#token={URL_CANARY}",
}


@pytest.mark.parametrize(
    ("where", "signed"),
    [
        *(("on a page", signed) for signed in SIGNED),
        *(("in a redirect", signed) for signed in SIGNED),
        ("in a redirect's login", "a token"),
    ],
)
def test_no_secret_that_a_server_writes_into_an_address_is_kept(
    desk: Desk,
    where: str,
    signed: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    target = f"{desk.stranger.url}/simple/brokenpkg/"
    if where == "on a page":
        desk.office.signed = SIGNED[signed]
    elif where == "in a redirect":
        desk.office.elsewhere = f"{target}{SIGNED[signed]}"
    else:
        desk.office.elsewhere = target.replace("://", f"://ci:{URL_CANARY}@")
    config = desk.directory / "audit.toml"
    config.write_text(f"{INCIDENT}{desk.place()}", encoding="utf-8")
    for command in commands(desk, config):
        main(list(command))
    assert desk.stranger.got if "redirect" in where else desk.office.got
    if where == "on a page" and SIGNED[signed].startswith("?"):
        assert "=REDACTED" in (desk.directory / "seen.jsonl").read_text(encoding="utf-8")
    if where == "in a redirect's login":
        assert not any("uthorization" in asked for asked in desk.stranger.got)
    shown = capfd.readouterr()
    assert seen_in((shown.out + shown.err + caplog.text).encode()) == []
    written = [path for path in desk.directory.rglob("*") if path.is_file()]
    assert len(written) > len(FORMATS)
    for path in written:
        assert seen_in(path.read_bytes()) == [], path.name


async def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    tmp_path: Path,
) -> None:
    """OpenSSL would ask at the terminal, and an audit by a timer would wait for ever."""
    issued = trustme.CA().issue_cert("client.example")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    closed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(CANARY.encode()),
    )
    (tmp_path / "key.pem").write_bytes(closed)
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    place: dict[str, object] = {
        "kind": "simple",
        "url": "https://127.0.0.1:9/simple/",
        "client_cert": str(tmp_path / "cert.pem"),
        "client_key": str(tmp_path / "key.pem"),
    }
    run = await auditor.audit(
        "brokenpkg", broken="1.2.3", fixed="1.2.4", locations=[place], environ={}
    )
    assert run.verdicts[0].status is Status.UNKNOWN
    assert "protected by a passphrase" in run.verdicts[0].detail


def test_without_a_history_nothing_is_stored(desk: Desk) -> None:
    config = desk.directory / "audit.toml"
    config.write_text(f"{INCIDENT}{desk.place()}", encoding="utf-8")
    before = set(desk.directory.rglob("*"))
    main(["audit", "--config", str(config), "--report", "json=report.json"])
    main(["audit", "--config", str(config)])
    assert set(desk.directory.rglob("*")) - before == {desk.directory / "report.json"}


def test_every_format_is_looked_through() -> None:
    assert sorted(FORMATS) == sorted(each.name for each in entry_points(group=RENDERERS))


@pytest.mark.parametrize("form", forms())
def test_a_secret_is_found_in_every_form(form: str) -> None:
    assert form in seen_in(b"before " + forms()[form] + b" after")
