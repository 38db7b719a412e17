"""Kind `devpi` against servers that only look like devpi, or have something in front of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Credentials, GuardPolicy
from auditor.model import (
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    SettingValue,
    Touch,
)
from probes.devpi import KIND
from probes.devpi_server.address import DevpiAddress
from tests.probes.conftest import JSON_TYPE, MakeAssignment, Serve, Server

WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
SHA256 = "abc" + "1" * 61
API = {"X-Devpi-Api-Version": "2"}
CONFIGS: dict[str, dict[str, object]] = {
    "team/mir": {"type": "mirror", "mirror_url": "https://user:canary-word@upstream.example/"},
    "team/stage": {"type": "stage", "bases": ["team/mir"], "mirror_whitelist": ["*"]},
}


class Devpi:
    """Answers as devpi does, as far as it is not told otherwise; never has a file to give."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = API
        self.role = "MASTER"
        self.status: dict[str, object] = {}
        self.configs = CONFIGS
        self.entry: Mapping[str, object] = {"last_modified": "Mon"}
        self.entry_answer: Callable[[], web.Response] | None = None
        self.files: list[dict[str, object]] = [page_entry()]
        self.users: dict[str, str] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if "/+f/" in path:
            return self.of_entry(request)
        if path.endswith("/+status"):
            return self.json(
                {"role": self.role, "serial": 7, "serverdir": "/srv/canary-dir", **self.status}
            )
        if path.endswith("/+login"):
            return await self.login(request)
        if "/+simple/" in path:
            body = {"meta": {"api-version": "1.0"}, "name": "brokenpkg", "files": self.files}
            return web.Response(
                body=json.dumps(body).encode(), headers={"Content-Type": JSON_TYPE, **self.headers}
            )
        config = self.configs.get(path.strip("/"))
        return self.json(config) if config else web.Response(status=404, headers=self.headers)

    def of_entry(self, request: web.Request) -> web.Response:
        assert request.method == "GET"
        assert request.headers["Accept"] == "application/json"
        if self.entry_answer is not None:
            return self.entry_answer()
        return self.json({"hash_spec": f"sha256={SHA256}", **self.entry}, "releasefilemeta")

    async def login(self, request: web.Request) -> web.Response:
        given = await request.json()
        if self.users.get(given["user"]) != given["password"]:
            return web.Response(status=401, headers=self.headers)
        return self.json({"password": "token-of-the-login", "expiration": 36000})

    def json(self, result: Mapping[str, object], kind: str = "indexconfig") -> web.Response:
        return web.json_response({"result": result, "type": kind}, headers=self.headers)


def page_entry() -> dict[str, object]:
    url = f"../../+f/{SHA256[:3]}/{SHA256[3:16]}/{WHEEL}"
    return {"filename": WHEEL, "url": url, "hashes": {"sha256": SHA256}, "yanked": False}


@pytest.fixture
def devpi() -> Devpi:
    return Devpi()


@pytest.fixture
async def server(devpi: Devpi, serve: Serve) -> Server:
    return await serve(devpi)


async def look(
    assign: MakeAssignment, server: Server, index: str = "team/mir", **how: object
) -> Observation:
    url = f"{server.url}/{index}/+simple/"
    return await KIND.observe(assign(url, kind="devpi", **how))


def held(observation: Observation) -> dict[str, HeldState]:
    return {holding.filename: holding.state for holding in observation.holdings}


def asked_for_files(server: Server) -> list[str]:
    return [asked.path for asked in server.log if "/+f/" in asked.path]


async def test_a_file_is_asked_for_only_as_json_and_only_by_get(
    assign: MakeAssignment, server: Server
) -> None:
    seen = await look(assign, server)

    assert held(seen) == {WHEEL: HeldState.STORED_ONCE}
    (path,) = asked_for_files(server)
    assert path.endswith(f"/team/mir/+f/abc/{SHA256[3:16]}/{WHEEL}?view=json")
    (record,) = [r for r in seen.requests if "/+f/" in r.url]
    assert record.touch is Touch.INERT


async def test_every_request_is_in_the_ledger_in_the_order_of_the_log(
    assign: MakeAssignment, server: Server
) -> None:
    seen = await look(assign, server, "team/stage")

    said = sorted((r.method, r.url.removeprefix(server.url), r.status) for r in seen.requests)
    logged = sorted((a.method, a.path, a.status) for a in server.log)
    assert said == logged
    assert {"/+status", "/team/stage?no_projects=", "/team/mir?no_projects="} <= {
        a.path for a in server.log
    }


@pytest.mark.parametrize(
    ("entry", "status", "state"),
    [
        ({"last_modified": "Mon"}, 200, HeldState.STORED_ONCE),
        ({}, 200, HeldState.NOT_HELD),
        ({}, 404, HeldState.NOT_HELD),
        ({}, 410, HeldState.NOT_HELD),
        ({}, 403, HeldState.UNKNOWN),
        ({"hash_spec": "sha256=" + "0" * 64, "last_modified": "Mon"}, 200, HeldState.UNKNOWN),
    ],
)
async def test_what_an_entry_says_of_the_bytes(
    assign: MakeAssignment,
    server: Server,
    devpi: Devpi,
    entry: dict[str, object],
    status: int,
    state: HeldState,
) -> None:
    devpi.entry = entry
    if status != 200:
        devpi.entry_answer = lambda: web.Response(status=status, headers=API)

    assert held(await look(assign, server)) == {WHEEL: state}


async def test_a_replicas_entry_is_a_hint_and_no_more(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.role = "REPLICA"

    seen = await look(assign, server)

    assert held(seen) == {WHEEL: HeldState.UNKNOWN}
    assert "describe its primary" in seen.holdings[0].how


async def test_a_replica_is_compared_with_its_primary_which_gets_no_credentials(
    assign: MakeAssignment, server: Server, devpi: Devpi, serve: Serve
) -> None:
    primary = Devpi()
    primary.status = {"serial": 9}
    above = await serve(primary)
    at_primary = above.url.replace("//", "//peer:canary-peer-word@")
    devpi.role = "REPLICA"
    devpi.status = {"primary-url": at_primary, "replication-errors": {"a": 1, "b": 2}}
    credentials = Credentials(username="reader", password="pass-word-of-reader")

    seen = await look(assign, server, credentials=credentials)

    hint = next(hint for hint in seen.hints if hint.code == "replica-behind")
    assert (hint.observed, hint.expected[:8]) == ("serial 7", "serial 9")
    (asked,) = above.log
    assert asked.path == "/+status"
    assert not {"Authorization", "X-Devpi-Auth"} & asked.headers.keys()
    assert any("failed to copy 2 files" in note for note in seen.notes)
    assert "canary" not in repr(seen)


async def test_a_replica_is_not_believed_where_its_primary_does_not_answer(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.role = "REPLICA"
    devpi.status = {"primary-url": "http://127.0.0.1:9", "replica-in-sync-at": 1e12}

    seen = await look(assign, server)

    assert seen.hints == ()
    assert any("in sync is not known" in note for note in seen.notes)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**API, "Via": "1.1 cache.example"},
        {**API, "Age": "3"},
        {**API, "X-Cache": "HIT from cache.example"},
        {**API, "X-Devpi-Proxy": "replica"},
    ],
    ids=["no-devpi", "via", "age", "x-cache", "devpi-proxy"],
)
async def test_no_file_is_asked_for_where_this_is_not_devpi_itself(
    assign: MakeAssignment, server: Server, devpi: Devpi, headers: dict[str, str]
) -> None:
    devpi.headers = headers

    seen = await look(assign, server)

    assert asked_for_files(server) == []
    assert held(seen) == {WHEEL: HeldState.UNKNOWN}
    assert [hint.code for hint in seen.hints] == ["no-safe-probe"]


async def test_no_file_is_asked_for_through_a_proxy(assign: MakeAssignment, server: Server) -> None:
    # The server takes absolute request targets, so it is a proxy of itself.
    seen = await look(assign, server, settings={"via": server.url})

    assert asked_for_files(server) == []
    assert held(seen).get(WHEEL) is not HeldState.NOT_HELD


async def test_a_web_server_that_gives_the_file_is_asked_no_further(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.entry_answer = lambda: web.Response(body=b"PK" * 1000)
    prints = (Fingerprint(filename="brokenpkg-1.2.3.tar.gz", version="1.2.3", sha256="d" * 64),)

    seen = await look(assign, server, "team/stage", fingerprints=prints)

    assert set(held(seen).values()) == {HeldState.UNKNOWN}
    assert len(asked_for_files(server)) <= 4  # those under way at once; none after the first answer


async def test_a_delisted_file_is_asked_for_in_every_index_it_could_come_from(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.files = [{"filename": "brokenpkg-1.2.4-py3-none-any.whl", "url": "x.whl", "hashes": {}}]
    prints = (Fingerprint(filename=WHEEL, version="1.2.3", sha256=SHA256),)

    seen = await look(assign, server, "team/stage", fingerprints=prints)

    assert {path.split("/+f/")[0] for path in asked_for_files(server)} == {
        "/team/stage",
        "/team/mir",
    }
    # An unlisted name can make the index re-read a page.
    assert {r.touch for r in seen.requests if "/+f/" in r.url} == {Touch.REFRESHES_INDEX}


async def test_inert_asks_for_settings_and_nothing_that_could_refresh(
    assign: MakeAssignment, server: Server
) -> None:
    prints = (Fingerprint(filename=WHEEL, version="1.2.3", sha256=SHA256),)

    seen = await look(assign, server, policy=GuardPolicy(inert=True), fingerprints=prints)

    assert {r.touch for r in seen.requests} == {Touch.INERT}
    assert {asked.path for asked in server.log} == {"/+status", "/team/mir?no_projects="}
    assert held(seen) == {WHEEL: HeldState.UNKNOWN}


async def test_an_empty_page_is_asked_for_again_and_then_unknown(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    """Trap 8: devpi answers 200 without any file while it refreshes its list of projects."""
    devpi.files = []

    seen = await look(assign, server)

    assert {page.outcome for page in seen.pages} == {PageOutcome.MALFORMED}
    assert seen.outcome is Outcome.MALFORMED
    assert sum("/+simple/" in asked.path for asked in server.log) == 2 * len(seen.pages)


async def test_credentials_of_the_upstream_and_paths_of_the_server_are_dropped(
    assign: MakeAssignment, server: Server
) -> None:
    """Trap 16: anonymous JSON tells both."""
    seen = await look(assign, server, "team/stage")

    assert "canary" not in repr(seen)
    assert "upstream.example" in repr(await look(assign, server))


async def test_a_password_is_exchanged_for_a_token_that_the_pages_are_read_with(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.users = {"reader": "pass-word-of-reader"}
    credentials = Credentials(username="reader", password="pass-word-of-reader")

    seen = await look(assign, server, credentials=credentials)

    pages = [asked for asked in server.log if "/+simple/" in asked.path]
    # reader:token-of-the-login
    basic = "Basic cmVhZGVyOnRva2VuLW9mLXRoZS1sb2dpbg=="
    assert {asked.headers["Authorization"] for asked in pages} == {basic}
    assert [r.touch for r in seen.requests if r.method == "POST"] == [Touch.INERT]
    for secret in ("pass-word-of-reader", "token-of-the-login", basic[6:]):
        assert secret not in repr(seen)


async def test_a_refused_login_is_said_and_the_pages_are_read_all_the_same(
    assign: MakeAssignment, server: Server
) -> None:
    credentials = Credentials(username="reader", password="pass-word-of-reader")

    seen = await look(assign, server, credentials=credentials)

    assert seen.outcome is Outcome.OBSERVED
    assert any(note.startswith("no token: devpi refuses the login") for note in seen.notes)


async def test_no_password_goes_to_what_is_not_devpi(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.headers = {}

    await look(assign, server, credentials=Credentials(username="reader", password="pass-word"))

    assert {asked.method for asked in server.log} == {"GET"}


async def test_bases_that_lead_in_circles_are_asked_once(
    assign: MakeAssignment, server: Server, devpi: Devpi
) -> None:
    devpi.configs = {
        "team/a": {"type": "stage", "bases": ["team/b", "../../etc", "team/a"]},
        "team/b": {"type": "stage", "bases": ["team/a"]},
    }

    await look(assign, server, "team/a")

    asked = [a.path for a in server.log if "no_projects" in a.path]
    assert asked == ["/team/a?no_projects=", "/team/b?no_projects="]


@pytest.mark.parametrize(
    "result", [[], "text", {"type": 3}, {"type": "stage", "bases": 7}, None], ids=repr
)
async def test_settings_that_are_no_settings_are_said_and_trusted_in_nothing(
    assign: MakeAssignment, server: Server, devpi: Devpi, result: object
) -> None:
    devpi.configs = {"team/mir": result}  # type: ignore[dict-item]  # hostile on purpose

    seen = await look(assign, server)

    assert seen.outcome is Outcome.OBSERVED
    assert any("the settings of team/mir" in note for note in seen.notes)
    assert asked_for_files(server) == []


async def test_a_place_without_url_or_with_no_index_in_it_says_what_is_missing(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    nowhere = await KIND.observe(assign(kind="devpi", path=str(tmp_path)))
    rootless = await KIND.observe(assign(f"{server.url}/", kind="devpi"))

    assert (nowhere.outcome, rootless.outcome) == (Outcome.SKIPPED, Outcome.MALFORMED)
    assert "USER/INDEX" in rootless.detail
    assert server.log == []


# --- the disk ------------------------------------------------------------------------------------


def stored(serverdir: Path, index: str, content: bytes, digest: str = SHA256) -> Path:
    path = serverdir / "+files" / index / "+f" / digest[:3] / digest[3:16] / WHEEL
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


async def disk(
    assign: MakeAssignment, server: Server, path: Path, index: str = "team/stage"
) -> Observation:
    settings: dict[str, SettingValue] = {}
    return await look(assign, server, index, path=str(path), settings=settings)


async def test_the_disk_is_proof_and_no_entry_is_asked_for(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    stored(tmp_path, "team/mir", b"broken bytes")

    seen = await disk(assign, server, tmp_path)

    (holding,) = seen.holdings
    assert (holding.state, holding.size) == (HeldState.HELD, 12)
    assert seen.holdings_complete is True
    assert asked_for_files(server) == []


async def test_two_files_of_one_name_are_both_found(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    stored(tmp_path, "team/mir", b"one")
    stored(tmp_path, "team/mir", b"two", "9" * 64)

    assert len((await disk(assign, server, tmp_path)).holdings) == 2


async def test_a_file_in_flight_and_other_indexes_do_not_count(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    stored(tmp_path, "other/index", b"not ours")
    path = stored(tmp_path, "team/mir", b"half")
    path.rename(path.with_name(f"{WHEEL}-{'0' * 64}-tmp"))

    assert held(await disk(assign, server, tmp_path)) == {WHEEL: HeldState.NOT_HELD}


async def test_a_directory_that_is_no_serverdir_proves_nothing(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    seen = await disk(assign, server, tmp_path)

    assert held(seen) == {WHEEL: HeldState.UNKNOWN}
    assert seen.holdings_complete is False


async def test_a_new_server_without_any_file_holds_none(
    assign: MakeAssignment, server: Server, tmp_path: Path
) -> None:
    (tmp_path / ".sqlite").touch()

    seen = await disk(assign, server, tmp_path)

    assert held(seen) == {WHEEL: HeldState.NOT_HELD}
    assert seen.holdings_complete is True


async def test_a_cancelled_probe_lets_its_thread_end(assign: MakeAssignment, serve: Serve) -> None:
    never = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await never.wait()
        raise web.HTTPNotFound

    server = await serve(hang)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await look(assign, server, timeout_s=1.0)


def test_an_address_is_read_with_a_prefix_and_without_simple() -> None:
    plain = DevpiAddress.of("http://devpi.example/team/pypi/+simple/")
    prefixed = DevpiAddress.of("http://user:word@devpi.example/devpi/team/pypi")

    assert (plain.root, plain.index) == ("http://devpi.example", "team/pypi")
    assert (prefixed.root, prefixed.index) == ("http://devpi.example/devpi", "team/pypi")
    assert plain.owner_of("http://devpi.example/a/b/+f/1/2/x.whl") == "a/b"
    assert plain.owner_of("http://devpi.example.org/a/b/+f/1/2/x.whl") is None
    assert plain.entry_url("a/b", "not-a-digest", "x") is None
