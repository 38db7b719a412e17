"""Kind `http-cache`: what headers reveal, and what is never asked of whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Hop, SourceFacts
from auditor.model import (
    Fingerprint,
    HeldState,
    Holding,
    Observation,
    PageOutcome,
    SettingValue,
    Touch,
    View,
)
from probes.cache_server.lifetime import lifetime_s, page_life
from probes.cache_server.questions import CANARY
from probes.cache_server.signs import Program, State, signs_of
from probes.http_cache import KIND
from probes.kit.answer import Headers
from probes.kit.views import CLIENTS
from tests.probes.cache_files import nginx_entry, squid_entry
from tests.probes.conftest import (
    JSON_TYPE,
    MakeAssignment,
    Serve,
    Server,
    entry,
    json_page,
    page_response,
)
from tests.probes.kit.forward_proxy import forward_proxy

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def headers(**fields: str) -> Headers:
    return Headers(tuple((name.replace("_", "-"), value) for name, value in fields.items()))


@pytest.mark.parametrize(
    ("fields", "state", "programs"),
    [
        ({"server": "nginx"}, State.UNKNOWN, {Program.NGINX}),
        ({"X_Cache_Status": "HIT", "server": "nginx/1.22.1"}, State.HIT, {Program.NGINX}),
        ({"X_Cache_Status": "STALE"}, State.STALE, set()),
        ({"X_Cache_Status": "UPDATING"}, State.STALE, set()),
        ({"X_Cache_Status": "REVALIDATED"}, State.REVALIDATED, set()),
        ({"X_Cache_Status": "EXPIRED"}, State.MISS, set()),
        ({"X_Cache_Status": "BYPASS"}, State.BYPASS, set()),
        (
            {"X_Cache": "HIT from lab", "X_Cache_Lookup": "HIT from lab:80", "Age": "3"},
            State.HIT,
            {Program.SQUID},
        ),
        ({"Via": "1.1 lab (squid/5.7)", "X_Cache": "MISS from lab"}, State.MISS, {Program.SQUID}),
        ({"X_Varnish": "5", "Age": "0"}, State.MISS, {Program.VARNISH}),
        (
            {"X_Varnish": "5 3", "Via": "1.1 varnish (Varnish/7.1)"},
            State.HIT,
            {Program.VARNISH},
        ),
        ({"Server": "Apache/2.4.71 (Debian)", "Age": "9"}, State.HIT, {Program.APACHE}),
        (
            {"X_Cache_Detail": '"conditional cache hit: entity refreshed" from lab'},
            State.REVALIDATED,
            {Program.APACHE},
        ),
        (
            {"X_Cache_Detail": '"cache miss: attempting entity save" from lab'},
            State.MISS,
            {Program.APACHE},
        ),
        ({"Cache_Status": "edge; hit; ttl=30"}, State.HIT, set()),
        ({"Cache_Status": "edge; hit; ttl=-30"}, State.STALE, set()),
        ({"Cache_Status": "edge; fwd=uri-miss; stored"}, State.MISS, set()),
        ({"Cache_Status": "edge; fwd=stale; fwd-status=304"}, State.REVALIDATED, set()),
        ({"Cache_Status": "edge; fwd=bypass"}, State.BYPASS, set()),
        ({"Cache_Status": "origin; fwd=miss, edge; hit"}, State.HIT, set()),
        ({}, State.UNKNOWN, set()),
        ({"Age": "many", "X_Cache": ",,", "X_Varnish": " "}, State.UNKNOWN, set()),
    ],
)
def test_headers_reveal_state_and_program(
    fields: dict[str, str], state: State, programs: set[Program]
) -> None:
    signs = signs_of(headers(**fields))

    assert state is signs.state
    assert signs.programs == programs


def test_the_nearest_hop_comes_first_and_is_named() -> None:
    signs = signs_of(headers(Cache_Status='"Origin Shield"; fwd=miss, edge; hit; ttl=9'))

    assert [(hop.name, hop.state) for hop in signs.hops] == [
        ("edge", State.HIT),
        ("Origin Shield", State.MISS),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Cache_Control": "max-age=600, public"}, 600),
        ({"Cache_Control": "max-age=600, s-maxage=60"}, 60),
        ({"Cache_Control": "private, max-age=600"}, 0),
        ({"Cache_Control": "no-store"}, 0),
        (
            {"Expires": "Mon, 23 Nov 2026 08:10:00 GMT", "Date": "Mon, 23 Nov 2026 08:00:00 GMT"},
            600,
        ),
        ({"Expires": "0"}, 0),
        ({}, None),
    ],
)
def test_a_lifetime_is_read_as_shared_caches_read_it(
    fields: dict[str, str], expected: int | None
) -> None:
    assert expected == lifetime_s(headers(**fields))


@pytest.mark.parametrize(
    ("fields", "program", "left_s"),
    [
        ({"Age": "100"}, Program.SQUID, 500),
        ({"Age": "700"}, Program.SQUID, 0),
        ({"X_Cache": "MISS from lab"}, Program.SQUID, 600),
        ({}, Program.APACHE, 600),  # it tells an age whenever it answers from what it keeps
        ({"X_Cache_Status": "MISS"}, Program.NGINX, 600),
        ({"X_Cache_Status": "HIT"}, Program.NGINX, None),
        ({}, Program.NGINX, None),
        ({}, None, None),
    ],
)
def test_until_when_a_page_lives_is_told_only_where_that_is_known(
    fields: dict[str, str], program: Program | None, left_s: int | None
) -> None:
    told = headers(Cache_Control="max-age=600", **fields)

    life = page_life(told, signs_of(told), NOW, program)

    assert life.expires_at == (None if left_s is None else NOW + timedelta(seconds=left_s))
    assert left_s is not None or "nothing tells how long" in life.basis


SQUID = {"Via": "1.1 lab (squid/5.7)", "X-Cache": "MISS from lab", "X-Cache-Lookup": "MISS from l"}
SQUIDS_504 = {"Server": "squid/5.7", "X-Squid-Error": "ERR_ONLY_IF_CACHED_MISS 0", **SQUID}
APACHES_504 = {"Server": "Apache/2.4.71 (Debian)"}
VARNISH = {"X-Varnish": "5", "Via": "1.1 varnish (Varnish/7.1)"}
VARNISHS_504 = {"Server": "Varnish", "X-Varnish": "7"}


class Front:
    """Plays a cache that answers pages, canaries and files as it is told to."""

    def __init__(
        self,
        page: dict[str, str],
        canary: tuple[int, dict[str, str]],
        file: tuple[int, dict[str, str]] = (500, {}),
        base: str = "",
    ) -> None:
        self.page, self.canary, self.file, self.base = page, canary, file, base

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            made = page_response(
                json_page(entry("1.2.3", self.base), entry("1.2.4", self.base)),
                Cache_Control="max-age=600",
            )
            made.headers.update(self.page)
            return made
        status, fields = self.canary if request.path.endswith(CANARY) else self.file
        return web.Response(status=status, headers=fields)


def heads(server: Server) -> list[str]:
    return [asked.path.rpartition("/")[2] for asked in server.log if asked.method == "HEAD"]


async def look(
    serve: Serve, assign: MakeAssignment, front: Front, **more: object
) -> tuple[Observation, Server]:
    server = await serve(front)  # type: ignore[arg-type]  # a callable object
    work = assign(f"{server.url}/simple/", kind="http-cache", **more)
    return await KIND.observe(work), server


def only(found: Observation) -> Holding:
    (holding,) = found.holdings
    return holding


NEVER = {
    "nginx": Front({"Server": "nginx"}, (504, APACHES_504)),
    "varnish": Front(VARNISH, (504, VARNISHS_504)),
    "several caches by Via": Front(
        {"Via": "1.1 one (squid/5.7), 1.1 two (squid/5.7)"}, (504, SQUIDS_504)
    ),
}


@pytest.mark.parametrize("name", NEVER)
async def test_no_file_and_no_canary_is_asked_of(
    name: str, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(serve, assign, NEVER[name])

    assert heads(server) == []
    assert only(found).state is HeldState.UNKNOWN
    assert [hint.code for hint in found.hints] == ["no-safe-probe"]


CANARIES = {
    "squid's 504 under nginx's name": Front(SQUID, (504, {**SQUIDS_504, "Server": "nginx"})),
    "squid's 504 through a second proxy": Front(
        SQUID, (504, {**SQUIDS_504, "Via": "1.1 lab (squid/5.7), 1.1 front"})
    ),
    "an error of squid's own": Front(
        SQUID, (504, {**SQUIDS_504, "X-Squid-Error": "ERR_READ_TIMEOUT 0"})
    ),
    "a 404 of whoever is behind": Front(SQUID, (404, SQUID)),
    "Apache's 504 with a Via": Front({}, (504, {**APACHES_504, "Via": "1.1 front"})),
    "Apache's 504 with an age": Front({}, (504, {**APACHES_504, "Age": "3"})),
    "a 504 of nobody": Front({}, (504, {})),
    "a page for everything": Front({}, (200, {"Server": "Apache/2.4.71"})),
}


@pytest.mark.parametrize("name", CANARIES)
async def test_where_the_canary_is_not_answered_as_it_should_be_no_file_is_asked_for(
    name: str, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(serve, assign, CANARIES[name])

    assert heads(server) == [CANARY]
    assert only(found).state is HeldState.UNKNOWN
    assert found.requests[-1].touch is Touch.REFRESHES_INDEX


@pytest.mark.parametrize(
    ("front", "state"),
    [
        (Front(SQUID, (504, SQUIDS_504), (504, SQUIDS_504)), HeldState.NOT_HELD),
        (Front(SQUID, (504, SQUIDS_504), (200, {**SQUID, "Age": "9"})), HeldState.HELD),
        (Front({}, (504, APACHES_504), (504, APACHES_504)), HeldState.NOT_HELD),
        (Front({}, (504, APACHES_504), (200, {**APACHES_504, "Age": "0"})), HeldState.HELD),
        # A refusal that it keeps is in the place of the bytes.
        (Front(SQUID, (504, SQUIDS_504), (404, {**SQUID, "Age": "9"})), HeldState.NOT_HELD),
        (Front({}, (504, APACHES_504), (410, {**APACHES_504, "Age": "0"})), HeldState.NOT_HELD),
        # Not from what it keeps: it went and fetched it, whatever it is.
        (Front(SQUID, (504, SQUIDS_504), (404, SQUID)), HeldState.UNKNOWN),
        (Front(SQUID, (504, SQUIDS_504), (200, SQUID)), HeldState.UNKNOWN),
        (Front({}, (504, APACHES_504), (200, APACHES_504)), HeldState.UNKNOWN),
    ],
)
async def test_a_recognised_cache_is_asked_by_its_own_safe_question(
    front: Front, state: HeldState, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(serve, assign, front)

    asked = [a for a in server.log if a.method == "HEAD"]
    assert only(found).state is state
    assert {a.headers["Cache-Control"] for a in asked} == {"only-if-cached, max-stale=31536000"}
    assert heads(server)[0] == CANARY
    assert {r.touch for r in found.requests[-1:]} == {Touch.INERT}
    if state is HeldState.NOT_HELD:  # asked in each way in which installers ask
        codings = [a.headers["Accept-Encoding"] for a in asked[1:]]
        assert codings == ["identity", "Identity", "gzip, deflate"]


@pytest.mark.parametrize(
    ("lists_fix", "file", "asked", "codes"),
    [
        # Of a source that is not known to list the fix, no cache is asked for it.
        (None, (404, {**SQUID, "Age": "9"}), 0, []),
        (False, (404, {**SQUID, "Age": "9"}), 0, []),
        (True, (404, {**SQUID, "Age": "9"}), 1, ["kept-refusal"]),
        (True, (504, SQUIDS_504), 3, []),
        (True, (200, {**SQUID, "Age": "9"}), 3, []),
        # It went and asked above: nothing more is asked.
        (True, (404, SQUID), 0, ["no-safe-probe"]),
    ],
)
async def test_a_refusal_that_is_kept_for_the_fix_is_told_of_once_the_source_lists_it(
    lists_fix: bool | None,
    file: tuple[int, dict[str, str]],
    asked: int,
    codes: list[str],
    serve: Serve,
    assign: MakeAssignment,
) -> None:
    server = await serve(Front(SQUID, (504, SQUIDS_504), file))  # type: ignore[arg-type]  # a callable object
    work = assign(f"{server.url}/simple/", kind="http-cache")
    source = SourceFacts(name="source", lists_fix=lists_fix)
    found = await KIND.observe(replace(work, source=source))

    assert sum("1.2.4" in name for name in heads(server)) == asked
    assert [hint.code for hint in found.hints] == codes
    if codes == ["kept-refusal"]:
        assert found.hints[0].observed == "404 for brokenpkg-1.2.4-py3-none-any.whl"
        assert {r.touch for r in found.requests[-asked:]} == {Touch.INERT}


async def test_a_foreign_answer_ends_the_questions_for_all_files(
    serve: Serve, assign: MakeAssignment
) -> None:
    class Two(Front):
        async def __call__(self, request: web.Request) -> web.StreamResponse:
            if request.method == "GET":
                files = [entry("1.2.3"), {**entry("1.2.3"), "filename": "brokenpkg-1.2.3.tar.gz"}]
                made = page_response(json_page(*files))
                made.headers.update(self.page)
                return made
            return await super().__call__(request)

    found, server = await look(serve, assign, Two(SQUID, (504, SQUIDS_504), (404, {})))

    assert len(heads(server)) == 2  # the canary, and the first file
    assert {h.state for h in found.holdings} == {HeldState.UNKNOWN}


@pytest.mark.parametrize(
    ("front", "state", "asked"),
    [
        (Front(VARNISH, (504, VARNISHS_504), (200, {"X-Varnish": "9 3"})), HeldState.HELD, 2),
        (Front(VARNISH, (504, VARNISHS_504), (504, VARNISHS_504)), HeldState.NOT_HELD, 4),
        # The lines are not in its VCL: it fetched what nobody has.
        (Front(VARNISH, (404, {"X-Varnish": "9"})), HeldState.UNKNOWN, 1),
        (Front(SQUID, (504, SQUIDS_504)), HeldState.UNKNOWN, 0),
    ],
)
async def test_varnish_is_asked_where_its_operator_lets_one_peek(
    front: Front, state: HeldState, asked: int, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(serve, assign, front, settings={"peek": "X-Look"})

    assert only(found).state is state
    assert len(heads(server)) == asked
    assert all(a.headers.get("X-Look") == "1" for a in server.log if a.method == "HEAD")


async def test_a_file_that_is_linked_elsewhere_passes_the_cache_by(
    serve: Serve, assign: MakeAssignment
) -> None:
    front = Front(SQUID, (504, SQUIDS_504), base="http://files.example")

    found, server = await look(serve, assign, front)

    assert heads(server) == []
    assert only(found).state is HeldState.NOT_HELD


async def test_a_redirecting_index_is_not_asked_for_files(
    serve: Serve, assign: MakeAssignment
) -> None:
    there = await serve(Front(SQUID, (504, SQUIDS_504)))  # type: ignore[arg-type]  # a callable object

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{there.url}{request.path}"})

    server = await serve(handler)
    found = await KIND.observe(assign(f"{server.url}/simple/", kind="http-cache"))

    assert heads(server) == heads(there) == []
    assert only(found).state is HeldState.UNKNOWN


async def test_pages_are_asked_one_after_the_other_with_each_clients_literal_headers(
    serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(serve, assign, Front({"Server": "nginx"}, (500, {})))

    asked = [(a.headers["Accept"], a.headers["Accept-Encoding"]) for a in server.log]
    order = (View.PIP, View.PIP_HTML, View.UV, View.POETRY)
    assert asked == [(CLIENTS[v].accept, CLIENTS[v].accept_encoding) for v in order]
    assert all("Cache-Control" not in a.headers for a in server.log)
    assert {page.outcome for page in found.pages} == {PageOutcome.OBSERVED}


@pytest.mark.parametrize("upstream", ["source", None], ids=["declared", "not declared"])
async def test_a_cache_of_a_source_without_the_fix_is_asked_once(
    upstream: str | None, serve: Serve, assign: MakeAssignment
) -> None:
    async def old(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.3")), Server="nginx")

    server = await serve(old)
    work = assign(f"{server.url}/simple/", kind="http-cache", samples=3)
    work = replace(
        work,
        location=replace(work.location, upstream=upstream),
        source=SourceFacts(name="source", lists_fix=False),
    )

    await KIND.observe(work)

    assert len(server.log) == len(View)


async def test_a_chain_that_ends_in_404_opens_the_way_unless_a_cache_is_undeclared(
    serve: Serve, assign: MakeAssignment
) -> None:
    filename = "brokenpkg-1.2.3-py3-none-any.whl"
    gone = (Hop(name="source", kind="pypi", gone=frozenset({filename})),)
    forever: dict[str, SettingValue] = {"files_expire": False}
    for fields, settings, state in (
        ({"Server": "nginx"}, forever, HeldState.NOT_HELD),
        ({"Server": "nginx", "Via": "1.1 one, 1.1 two"}, forever, HeldState.UNKNOWN),
        # Asked for a copy that has expired, nginx may put the 404 in place of the bytes.
        ({"Server": "nginx"}, {}, HeldState.UNKNOWN),
        (VARNISH, {}, HeldState.UNKNOWN),
        (SQUID, {}, HeldState.UNKNOWN),
    ):
        server = await serve(Front(fields, (500, {}), (404, {})))  # type: ignore[arg-type]  # a callable object
        work = assign(f"{server.url}/simple/", kind="http-cache", settings=settings)
        work = replace(work, upstreams=gone)

        found = await KIND.observe(work)

        assert only(found).state is state
        files = [name for name in heads(server) if name != CANARY]
        assert files == ([filename] if state is HeldState.NOT_HELD else [])


async def test_hops_and_lifetime_stand_beside_each_page(
    serve: Serve, assign: MakeAssignment
) -> None:
    front = Front({**SQUID, "X-Cache": "HIT from lab", "Age": "100"}, (404, {}))

    found, _ = await look(serve, assign, front)

    for page in found.pages:
        fresh = page.freshness
        assert fresh.cache_status[0] == "lab: hit (x-cache: HIT from lab)"
        assert fresh.fetched_at is not None
        assert fresh.expires_at == fresh.fetched_at + timedelta(seconds=500)
    assert found.stated_lag is not None
    assert found.stated_lag.seconds == 600
    assert "recognised as squid" in found.notes


async def test_without_a_url_nothing_is_looked_at(assign: MakeAssignment) -> None:
    found = await KIND.observe(assign(kind="http-cache"))

    assert "url is not given" in found.detail


async def test_a_directory_that_is_not_there_leaves_held_unknown_and_says_so(
    serve: Serve, assign: MakeAssignment
) -> None:
    front = Front({"Server": "nginx"}, (500, {}))

    found, _ = await look(serve, assign, front, settings={"cache_path": "/nonexistent/cache"})

    assert only(found).state is HeldState.UNKNOWN
    assert "/nonexistent/cache does not exist" in only(found).how


@pytest.mark.parametrize(("lifetime", "state"), [("max-age=600", "unknown"), ("no-store", "none")])
async def test_a_directory_without_trace_of_the_project_is_doubted_if_its_page_may_be_kept(
    lifetime: str, state: str, serve: Serve, assign: MakeAssignment, tmp_path: Path
) -> None:
    """A mistyped path must not pass for a cache that keeps nothing."""
    nginx_entry(tmp_path, "http://other.example/x-1.0.tar.gz", b"something else")
    front = Front({"Server": "nginx", "Cache-Control": lifetime}, (500, {}))

    found, _ = await look(serve, assign, front, settings={"cache_path": str(tmp_path)})

    if state == "unknown":
        assert only(found).state is HeldState.UNKNOWN
        assert "not even its page: is it the directory of this cache?" in only(found).how
    else:
        assert found.holdings == ()
        assert found.holdings_complete is True


PAGE_KEY = "http://s.example/simple/brokenpkg/"
FILE_KEY = "http://s.example/packages/brokenpkg-1.2.3-py3-none-any.whl"


@pytest.mark.parametrize(
    ("files", "named", "states", "complete"),
    [
        ([FILE_KEY], "pages", [HeldState.UNKNOWN], None),
        ([FILE_KEY], "pages:files", [HeldState.HELD], True),
        (["http://s.example/packages/other-1.0.tar.gz"], "pages:files", [], True),
        ([FILE_KEY], "pages:missing", [HeldState.UNKNOWN], None),
        ([], "pages:files", [HeldState.UNKNOWN], None),
    ],
    ids=["pages alone", "both", "both without it", "one is missing", "no file at all"],
)
async def test_the_zone_of_pages_proves_nothing_about_files(
    files: list[str],
    named: str,
    states: list[HeldState],
    complete: bool | None,
    serve: Serve,
    assign: MakeAssignment,
    tmp_path: Path,
) -> None:
    """nginx may keep each in a directory of its own; that of the files is the one that counts."""
    nginx_entry(tmp_path / "pages", PAGE_KEY, json_page(entry("1.2.4")), kind=JSON_TYPE)
    (tmp_path / "files").mkdir()
    for key in files:
        nginx_entry(tmp_path / "files", key, b"PK whatever")
    paths = ":".join(str(tmp_path / name) for name in named.split(":"))

    front = Front({"Server": "nginx"}, (500, {}))
    found, _ = await look(serve, assign, front, settings={"cache_path": paths})

    assert [h.state for h in found.holdings] == states
    assert found.holdings_complete is complete
    if named == "pages":
        assert "it may be the directory of pages alone" in only(found).how


async def test_a_file_that_was_replaced_is_asked_for_under_its_old_address_as_well(
    serve: Serve, assign: MakeAssignment
) -> None:
    """Found by the story: the new page names the new file, and the old one was still kept."""

    class Replaced(Front):
        async def __call__(self, request: web.Request) -> web.StreamResponse:
            self.file = (200, {**SQUID, "Age": "9"}) if "old" in request.path else (504, SQUIDS_504)
            return await super().__call__(request)

    old = Fingerprint(
        filename="brokenpkg-1.2.3-py3-none-any.whl",
        url="http://source.example/packages/old/brokenpkg-1.2.3-py3-none-any.whl",
    )

    found, server = await look(
        serve, assign, Replaced(SQUID, (504, SQUIDS_504)), fingerprints=(old,)
    )

    assert {h.state for h in found.holdings} == {HeldState.HELD, HeldState.NOT_HELD}
    assert any("/packages/old/" in asked.path for asked in server.log)


async def test_a_file_of_which_no_page_tells_the_address_is_not_asked_for(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def empty(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(), **SQUID)

    server = await serve(empty)
    gone = Fingerprint(filename="brokenpkg-1.2.3.tar.gz", url="http://source.example/x/b.tar.gz")
    found = await KIND.observe(
        assign(f"{server.url}/simple/", kind="http-cache", fingerprints=(gone,))
    )

    assert heads(server) == []
    assert only(found).state is HeldState.UNKNOWN
    assert "no page tells" in only(found).how


@pytest.mark.slow
async def test_through_a_forward_proxy_https_is_a_tunnel_and_nobody_is_asked(
    assign: MakeAssignment,
) -> None:
    async with forward_proxy() as proxy:
        work = assign("https://127.0.0.1:9/simple/", kind="http-cache", settings={"via": proxy.url})
        found = await KIND.observe(work)

    assert {passed.method for passed in proxy.log} == {"CONNECT"}
    assert any("https is a tunnel" in note for note in found.notes)


@pytest.mark.parametrize(
    ("front", "state", "how"),
    [
        (Front(SQUID, (504, SQUIDS_504), (200, {**SQUID, "Age": "9"})), HeldState.HELD, "squid"),
        (Front(SQUID, (504, SQUIDS_504), (504, SQUIDS_504)), HeldState.NOT_HELD, "does not keep"),
        (Front(SQUID, (504, {"Server": "nginx"})), HeldState.UNKNOWN, "it is not on its disk; not"),
    ],
)
async def test_what_squid_keeps_in_memory_alone_is_asked_for_beside_its_disk(
    front: Front,
    state: HeldState,
    how: str,
    serve: Serve,
    assign: MakeAssignment,
    tmp_path: Path,
) -> None:
    squid_entry(tmp_path, 1, "http://s.example/simple/brokenpkg/", json_page(), kind=JSON_TYPE)

    found, _ = await look(serve, assign, front, settings={"cache_path": str(tmp_path)})

    assert only(found).state is state
    assert how in only(found).how
    assert found.holdings_complete is None


def test_every_remedy_says_for_which_program_it_is() -> None:
    for remedy in KIND.remedies:
        named = {word.strip().lower() for word in remedy.effect.partition(":")[0].split(",")}
        assert named == set(remedy.traits) <= {"nginx", "squid", "varnish", "apache"}
