"""Kind `pypiserver`: recognised by its own word, and asked for a file only then."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Credentials, GuardPolicy, SourceFacts
from auditor.lab.artifacts import build_release
from auditor.model import (
    Candidate,
    FileHosting,
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    View,
)
from auditor.testing import check_kind
from probes.pypi_server.asking import OwnWord, fits_pages
from probes.pypiserver import KIND
from tests.probes.conftest import MakeAssignment, Serve, Server

LACKS_FIX = SourceFacts(name="source", lists_fix=False)
HAS_FIX = SourceFacts(name="source", lists_fix=True)


def name_of(version: str) -> str:
    return f"brokenpkg-{version}-py3-none-any.whl"


def digest_of(version: str) -> str:
    return version[-1] * 64


def page_html(*versions: str) -> str:
    links = "\n".join(
        f'            <a href="/packages/{name_of(v)}#sha256={digest_of(v)}">{name_of(v)}</a><br>'
        for v in versions
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><title>Links for brokenpkg</title></head>\n'
        f"<body>\n<h1>Links for brokenpkg</h1>\n{links}\n</body>\n</html>\n"
    )


def own_json(*versions: str, **more: object) -> str:
    releases = {v: [{"url": f"http://here.example/packages/{name_of(v)}"}] for v in versions}
    return json.dumps({"info": {"version": versions[-1]}, "releases": releases, **more})


NOT_FOUND = (
    "<html><head><title>Error: 404 Not Found</title></head><body><h1>Error: 404 Not Found</h1>"
    "<pre>package brokenpkg not found</pre></body></html>"
)


@dataclass
class Fake:
    """A server that answers as pypiserver does, and as something else where a test says so."""

    versions: tuple[str, ...] = ("1.2.2", "1.2.3")
    json_status: int = 200
    json_body: str | None = None
    json_headers: tuple[tuple[str, str], ...] = ()
    page_headers: tuple[tuple[str, str], ...] = ()
    page_status: int = 303
    fallback: str | None = "http://fallback.example/simple/"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.endswith("/brokenpkg/json"):
            return self._json()
        if path.endswith("/simple/brokenpkg/") and self.versions:
            return self._html(page_html(*self.versions))
        if "/simple/" in path and len(path.split("/")) > 3:
            if self.fallback is None:
                return self._html("<h1>Error: 404 Not Found</h1>", 404)
            name = path.strip("/").rpartition("/")[2]
            location = {"Location": f"{self.fallback}{name}/"}
            return web.Response(status=self.page_status, headers=location)
        if path.endswith("/simple/"):
            return self._html("<title>Simple Index</title><a href='other/'>other</a>")
        raise AssertionError(f"{request.method} {path}")

    def _json(self) -> web.Response:
        headers = dict(self.json_headers)
        if self.json_body is None and not self.versions:
            return web.Response(text=NOT_FOUND, status=404, headers=headers)
        text = own_json(*self.versions) if self.json_body is None else self.json_body
        return web.Response(
            text=text, status=self.json_status, content_type="application/json", headers=headers
        )

    def _html(self, text: str, status: int = 200) -> web.Response:
        headers = dict(self.page_headers)
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)


Look = Callable[..., Awaitable[tuple[Observation, Server]]]


@pytest.fixture
def look(serve: Serve, assign: MakeAssignment) -> Look:
    async def at(
        fake: Fake, *, source: SourceFacts | None = None, prefix: str = "", **keys: object
    ) -> tuple[Observation, Server]:
        server = await serve(fake)
        assignment = assign(f"{server.url}{prefix}/simple/", kind="pypiserver", **keys)
        return await KIND.observe(replace(assignment, source=source)), server

    return at


def held(seen: Observation) -> dict[str, HeldState]:
    return {holding.filename: holding.state for holding in seen.holdings}


def codes(seen: Observation) -> list[str]:
    return [hint.code for hint in seen.hints]


@pytest.mark.slow
@pytest.mark.parametrize("path", [False, True])
async def test_it_keeps_the_contract_before_a_server_that_is_none(
    path: bool, tmp_path: Path
) -> None:
    more = {"path": str(tmp_path)} if path else {}
    await check_kind(KIND, lambda stage: {"url": stage.simple_url, **more})


@pytest.mark.parametrize("prefix", ["", "/mounted/here"])
async def test_a_listed_file_is_held_by_the_servers_own_word_and_is_not_asked_for(
    prefix: str, look: Look
) -> None:
    seen, server = await look(Fake(), prefix=prefix)

    (holding,) = seen.holdings
    assert (holding.filename, holding.state) == (name_of("1.2.3"), HeldState.HELD)
    assert holding.sha256 == digest_of("1.2.3")
    paths = [f"{prefix}/simple/brokenpkg/"] * 4 + [f"{prefix}/brokenpkg/json"]
    fallback = f"{prefix}/simple/brokenpkg-of-which-nobody-has-a-file/"
    assert [(asked.method, asked.path) for asked in server.log] == [
        ("GET", path) for path in (*paths, fallback)
    ]
    assert seen.holdings_complete is True
    assert seen.file_hosting is FileHosting.HERE
    assert seen.stated_lag is None


async def test_a_known_file_that_is_not_local_is_not_asked_for(look: Look) -> None:
    known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3", sha256=digest_of("1.2.3"))

    seen, _ = await look(Fake(versions=("1.2.2", "1.2.4")), fingerprints=(known,))

    assert held(seen) == {name_of("1.2.3"): HeldState.NOT_HELD}


@pytest.mark.parametrize(
    "fake",
    [
        Fake(page_headers=(("Via", "1.1 squid"),)),
        Fake(page_headers=(("Age", "7"),)),
        Fake(json_headers=(("X-Cache", "HIT from proxy"),)),
        Fake(json_headers=(("X-Cache-Status", "HIT"),)),
        Fake(json_status=404, json_body="no such page"),
        Fake(json_status=404, json_body=NOT_FOUND),
        Fake(json_status=403, json_body="no"),
        Fake(json_body="<html></html>"),
        Fake(json_body="[" * 100_000),
        Fake(json_body='{"info": {"version": "1.2.3"}, "releases": {}}'),
        Fake(json_body='{"info": {"version": 3}, "releases": {"1.2.3": [{"url": null}]}}'),
        Fake(json_body=own_json("1.2.2", "1.2.3", last_serial=7)),
        Fake(json_body=own_json("1.2.2", "1.2.3", "1.2.4")),
        Fake(json_body=own_json("1.2.2")),
        Fake(json_body=own_json("1.2.3").replace("http://here.example", "http://[")),
    ],
)
async def test_what_is_not_pypiserver_alone_is_not_believed(fake: Fake, look: Look) -> None:
    """A cache in front, seen by its headers or by a page that differs, may keep an old answer."""
    seen, _ = await look(fake, source=HAS_FIX)

    assert seen.outcome is Outcome.OBSERVED
    assert held(seen) == {name_of("1.2.3"): HeldState.UNKNOWN}
    assert seen.holdings_complete is None
    assert codes(seen) == ["no-safe-probe"]


async def test_behind_a_forward_proxy_nothing_is_asked_but_the_page(
    serve: Serve, assign: MakeAssignment
) -> None:
    proxy = await serve(Fake())

    seen = await KIND.observe(
        assign("http://index.example/simple/", kind="pypiserver", settings={"via": proxy.url})
    )

    assert {asked.path for asked in proxy.log} == {"http://index.example/simple/brokenpkg/"}
    assert held(seen) == {name_of("1.2.3"): HeldState.UNKNOWN}


async def test_a_redirect_to_the_fallback_means_that_nothing_is_here(
    serve: Serve, look: Look
) -> None:
    async def upstream(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=page_html("1.2.3", "1.2.4"), content_type="text/html")

    fallback = await serve(upstream)
    secret = Credentials(username="me", password="fallback-canary")

    seen, server = await look(
        Fake(versions=(), fallback=f"{fallback.url}/simple/"), credentials=secret
    )

    assert seen.outcome is Outcome.OBSERVED
    assert {p.final_url for p in seen.pages} == {f"{fallback.url}/simple/brokenpkg/"}
    assert held(seen) == {name_of("1.2.3"): HeldState.NOT_HELD}
    assert seen.holdings_complete is True
    assert seen.file_hosting is FileHosting.ELSEWHERE
    assert seen.stated_lag is not None
    assert seen.stated_lag.seconds == 0
    assert any("sends its clients" in n and fallback.url in n for n in seen.notes)
    assert [asked.method for asked in (*server.log, *fallback.log)].count("HEAD") == 0
    assert all("Authorization" in asked.headers for asked in server.log)
    assert not any("Authorization" in asked.headers for asked in fallback.log)


async def test_a_fallback_that_is_down_leaves_what_is_known_of_this_server(look: Look) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{dead.getsockname()[1]}/simple/"
        known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3")
        seen, _ = await look(Fake(versions=(), fallback=url), fingerprints=(known,))

    assert seen.outcome is Outcome.UNREACHABLE
    assert seen.connected is True
    assert held(seen) == {name_of("1.2.3"): HeldState.NOT_HELD}
    assert seen.holdings_complete is True


async def test_a_redirect_of_another_kind_is_not_the_fallback(serve: Serve, look: Look) -> None:
    """A front that adds TLS or sends everybody elsewhere says nothing of files here."""

    async def upstream(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=page_html("1.2.3"), content_type="text/html")

    fallback = await serve(upstream)
    fake = Fake(versions=(), fallback=f"{fallback.url}/simple/", page_status=302)

    seen, server = await look(fake)

    assert held(seen) == {name_of("1.2.3"): HeldState.UNKNOWN}
    assert seen.stated_lag is None
    assert not any(asked.path.endswith("/json") for asked in server.log)


async def test_a_server_that_redirects_and_yet_has_files_is_not_believed(look: Look) -> None:
    fake = Fake(versions=(), json_body=own_json("1.2.3"))
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        fake.fallback = f"http://127.0.0.1:{dead.getsockname()[1]}/simple/"
        known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3")
        seen, _ = await look(fake, fingerprints=(known,))

    assert held(seen) == {name_of("1.2.3"): HeldState.UNKNOWN}
    assert seen.file_hosting is FileHosting.UNKNOWN
    assert seen.stated_lag is None


async def test_local_files_hide_the_fix_of_the_fallback_which_is_not_asked(look: Look) -> None:
    seen, server = await look(Fake(), source=HAS_FIX)

    (hint,) = seen.hints
    assert hint.code == "fix-hidden-by-local-files"
    assert "http://fallback.example/simple/, which has the fix" in hint.text
    assert name_of("1.2.3") in hint.observed
    assert server.log[-1].path == "/simple/brokenpkg-of-which-nobody-has-a-file/"


@pytest.mark.parametrize(
    ("fake", "source", "expected"),
    [
        (Fake(), None, ["fix-hidden-by-local-files"]),  # nobody says what the fallback has
        (Fake(), LACKS_FIX, []),  # there is nothing to hide yet
        (Fake(versions=("1.2.3", "1.2.4")), HAS_FIX, []),
        (Fake(fallback=None), HAS_FIX, []),
        (Fake(page_status=302), HAS_FIX, []),
    ],
)
async def test_the_fix_is_called_hidden_only_where_a_fallback_could_have_it(
    fake: Fake, source: SourceFacts | None, expected: list[str], look: Look
) -> None:
    seen, _ = await look(fake, source=source)

    assert codes(seen) == expected
    assert all("may have the fix" in hint.text for hint in seen.hints)


async def test_credentials_in_the_fallbacks_address_are_not_shown(look: Look) -> None:
    seen, _ = await look(Fake(fallback="http://user:fb-canary@fallback.example/simple/"))

    (hint,) = seen.hints
    assert "fallback.example" in hint.text
    assert "fb-canary" not in repr(seen)


async def test_an_empty_server_without_fallback_is_absent_and_holds_nothing(look: Look) -> None:
    known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3")

    seen, _ = await look(Fake(versions=(), fallback=None), fingerprints=(known,))

    assert seen.outcome is Outcome.ABSENT
    assert held(seen) == {name_of("1.2.3"): HeldState.NOT_HELD}


async def test_a_refused_page_leaves_everything_open(serve: Serve, assign: MakeAssignment) -> None:
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=401)

    server = await serve(refuse)
    seen = await KIND.observe(assign(f"{server.url}/simple/", kind="pypiserver"))

    assert seen.outcome is Outcome.DENIED
    assert seen.holdings_complete is None
    assert all(asked.path == "/simple/brokenpkg/" for asked in server.log)


# --- its disk


def put(directory: Path, version: str) -> str:
    wheel, _ = build_release("brokenpkg", version)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / wheel.filename).write_bytes(wheel.content)
    return wheel.sha256


async def test_with_inert_the_disk_alone_is_read(
    look: Look, assign: MakeAssignment, tmp_path: Path
) -> None:
    digest = put(tmp_path / "sub", "1.2.3")

    seen, server = await look(Fake(), path=str(tmp_path), policy=GuardPolicy(inert=True))

    assert server.log == []
    assert seen.requests == ()
    assert [(h.state, h.sha256, h.intact) for h in seen.holdings] == [
        (HeldState.HELD, digest, True)
    ]
    # Another directory may be served as well, and nobody may ask.
    assert seen.holdings_complete is False


async def test_with_inert_a_hidden_directory_is_hidden_all_the_same(
    look: Look, tmp_path: Path
) -> None:
    put(tmp_path / ".hidden", "1.2.3")

    seen, _ = await look(Fake(), path=str(tmp_path), policy=GuardPolicy(inert=True))

    assert held(seen) == {name_of("1.2.3"): HeldState.SHADOWED}


async def test_the_disk_is_the_proof_and_the_server_fills_its_gaps(
    look: Look, tmp_path: Path
) -> None:
    put(tmp_path, "1.2.4")

    seen, server = await look(Fake(versions=("1.2.3", "1.2.4")), path=str(tmp_path))

    assert held(seen) == {name_of("1.2.4"): HeldState.HELD, name_of("1.2.3"): HeldState.HELD}
    assert all(asked.method == "GET" and "/packages/" not in asked.path for asked in server.log)
    assert seen.holdings_complete is True


async def test_what_lies_there_and_is_not_served_is_an_orphan(look: Look, tmp_path: Path) -> None:
    put(tmp_path / ".hidden", "1.2.3")

    seen, _ = await look(Fake(versions=("1.2.2", "1.2.4")), path=str(tmp_path))

    assert held(seen) == {name_of("1.2.3"): HeldState.SHADOWED}


async def test_a_broken_file_under_another_name_is_found_by_its_content(
    look: Look, tmp_path: Path
) -> None:
    digest = put(tmp_path, "1.2.3")
    (tmp_path / name_of("1.2.3")).rename(tmp_path / "backup.bin")
    known = Fingerprint(version="1.2.3", sha256=digest)

    seen, _ = await look(Fake(versions=("1.2.4",)), path=str(tmp_path), fingerprints=(known,))

    assert held(seen) == {"backup.bin": HeldState.SHADOWED}


async def test_a_directory_that_cannot_be_read_to_its_end_proves_no_absence(
    look: Look, tmp_path: Path
) -> None:
    roots, elsewhere = tmp_path / "roots", tmp_path / "elsewhere"
    roots.mkdir()
    elsewhere.mkdir()
    (roots / "link").symlink_to(elsewhere)

    linked, _ = await look(Fake(versions=("1.2.4",)), path=str(roots))
    missing, _ = await look(Fake(versions=("1.2.4",)), path=str(tmp_path / "nowhere"))

    assert linked.holdings_complete is missing.holdings_complete is False
    assert any("link to a directory elsewhere" in note for note in linked.notes)
    assert any("no directory" in note for note in missing.notes)


async def test_without_a_url_it_is_not_looked_at(assign: MakeAssignment, tmp_path: Path) -> None:
    assignment: Assignment = assign(path=str(tmp_path), kind="pypiserver")

    seen = await KIND.observe(assignment)

    assert seen.outcome is Outcome.SKIPPED
    assert "no url" in seen.detail


def test_its_word_must_fit_every_page_that_was_read() -> None:
    def page(*names: str) -> Page:
        return Page(
            view=View.PIP,
            outcome=PageOutcome.OBSERVED,
            url="http://here.example/simple/brokenpkg/",
            candidates=tuple(Candidate(filename=name) for name in names),
        )

    word = OwnWord(recognised=True, files=frozenset({"a", "b"}))

    assert fits_pages(word, [page("a", "b"), page("b", "a")], passed_on=False)
    assert not fits_pages(word, [page("a", "b"), page("a")], passed_on=False)
    assert not fits_pages(word, [], passed_on=True)
    assert fits_pages(OwnWord(recognised=True), [page("a")], passed_on=True)
