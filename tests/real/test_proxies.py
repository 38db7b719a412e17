"""An audit through tinyproxy: what the report says of it, and what it never says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.lab.drive.ports import free_port
from auditor.lab.server import LoopbackServer
from auditor.lab.story import incident_toml
from tests.real.conftest import Upstream

pytestmark = [pytest.mark.real, pytest.mark.real_program("tinyproxy")]

LOGIN = "me:tiny-canary-31"


@dataclass(frozen=True)
class Tinyproxy:
    url: str
    log: Path

    def with_login(self, login: str) -> str:
        return self.url.replace("://", f"://{login}@")

    def requests(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [line.partition("): ")[2] for line in lines if "Request (" in line]


@pytest.fixture
async def tinyproxy(
    tmp_path: Path, real_program: Callable[[str], Path]
) -> AsyncIterator[Tinyproxy]:
    port = free_port()
    config, log = tmp_path / "tinyproxy.conf", tmp_path / "tinyproxy.log"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 30\nLogLevel Info\nAllow 127.0.0.1\n"
        f"BasicAuth {LOGIN.replace(':', ' ')}\n"
    )
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(real_program("tinyproxy"), "-d", "-c", config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                assert process.returncode is None, log.read_text()
        yield Tinyproxy(f"http://127.0.0.1:{port}", log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@dataclass(frozen=True)
class Told:
    """Everything that an audit wrote anywhere."""

    code: int
    run: dict[str, object]
    everything: str

    @property
    def row(self) -> Mapping[str, object]:
        rows = self.run["locations"]
        assert isinstance(rows, list)
        assert isinstance(rows[0], dict)
        return rows[0]


async def audit(server: LoopbackServer, directory: Path, **environ: str) -> Told:
    config = directory / "audit.toml"
    config.write_text(
        f'{incident_toml()}\n[[locations]]\nname = "office"\nkind = "simple"\n'
        f'url = "{server.simple_url}"\n'
    )
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    names = ("run.json", "run.html", "seen.jsonl")
    command = (sys.executable, "-m", "auditor.cli.main")
    reports = ("--report", f"json={names[0]}", "--report", f"html={names[1]}")
    outputs = []
    code = 0
    for words in (("probe", "-o", names[2]), ("audit", *reports)):
        process = await asyncio.create_subprocess_exec(
            *(*command, words[0], "--config", str(config), *words[1:]),
            cwd=directory,
            env={**kept, **environ, "HOME": str(directory)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        outputs.append(out.decode())
        code = process.returncode or 0
    files = [(directory / name).read_text() for name in names]
    return Told(code, json.loads(files[0]), "\n".join([*outputs, *files]))


async def test_every_report_says_through_which_proxy_and_none_says_its_password(
    tinyproxy: Tinyproxy, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.publish_fix()
    told = await audit(upstream.server, tmp_path, HTTP_PROXY=tinyproxy.with_login(LOGIN))
    assert told.row["outcome"] == "observed"
    assert str(told.row["proxy"]).rstrip("/") == tinyproxy.url
    assert f"Seen through the proxy {tinyproxy.url}: office." in " ".join(told.everything.split())
    assert f"through the proxy {tinyproxy.url}" in told.everything
    assert "tiny-canary-31" not in told.everything
    assert "bWU6dGlueS1jYW5hcnktMzE" not in told.everything
    # Twice: `probe` and `audit`. Nothing that tinyproxy saw is missing from the ledger.
    requests = told.run["requests"]
    assert isinstance(requests, list)
    asked = [f"GET {request['url']} HTTP/1.1" for request in requests]
    assert sorted([*asked, *asked]) == sorted(tinyproxy.requests())


@pytest.mark.parametrize(
    ("login", "cause"),
    [
        ("", "the proxy refuses with 407; check its user, password and rules"),
        # tinyproxy answers a wrong password with 401, as only servers should (RFC 9110, 15.5.8).
        ("me:wrong-one@", "answers 401; check the credentials of this location, or those of the"),
    ],
)
async def test_a_login_that_the_proxy_refuses_is_denied_and_said_so(
    tinyproxy: Tinyproxy, upstream: Upstream, tmp_path: Path, login: str, cause: str
) -> None:
    proxy = tinyproxy.url.replace("://", f"://{login}")
    told = await audit(upstream.server, tmp_path, http_proxy=proxy)
    assert (told.code, told.row["status"], told.row["outcome"]) == (3, "unknown", "denied")
    assert cause in str(told.row["detail"])
    assert str(told.row["proxy"]).rstrip("/") == tinyproxy.url
    assert "wrong-one" not in told.everything
    assert upstream.server.log == []


async def test_a_place_that_no_proxy_names_is_seen_directly(
    tinyproxy: Tinyproxy, upstream: Upstream, tmp_path: Path
) -> None:
    told = await audit(
        upstream.server, tmp_path, HTTP_PROXY=tinyproxy.with_login(LOGIN), NO_PROXY="127.0.0.0/8"
    )
    assert told.row["outcome"] == "observed"
    assert told.row["proxy"] is None
    assert "through the proxy" not in told.everything
    assert tinyproxy.requests() == []
