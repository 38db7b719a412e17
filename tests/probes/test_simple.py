"""The kind `simple` against real servers and directories: every outcome, and its evidence."""

from __future__ import annotations

import asyncio
import base64
import gzip
import html
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Credentials, GuardPolicy, SourceFacts
from auditor.model import FileHosting, HeldState, Observation, Outcome, PageOutcome, View, Yank
from auditor.observations import encode
from probes import simple
from tests.probes.conftest import (
    JSON_TYPE,
    Handler,
    MakeAssignment,
    Serve,
    entry,
    json_page,
    page_response,
)

CANARY = "c4nary-s3cret"


def always(response: web.Response | None = None, **answer: object) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(**answer)

    return handler


def project_only(body: bytes, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/simple/brokenpkg/":
            return page_response(body, **headers)
        return web.Response(status=404)

    return handler


def outcomes(observation: Observation) -> dict[View, PageOutcome]:
    return {page.view: page.outcome for page in observation.pages}


async def test_every_view_is_read_and_told(serve: Serve, assign: MakeAssignment) -> None:
    body = json_page(entry("1.2.3", yanked="bad"), entry("1.2.4"))
    server = await serve(project_only(body, ETag='"x"', Cache_Control="max-age=600"))
    assignment = assign(f"{server.url}/simple/")
    observation = await simple.KIND.observe(assignment)
    assert observation.outcome is Outcome.OBSERVED
    assert set(outcomes(observation).values()) == {PageOutcome.OBSERVED}
    assert tuple(page.view for page in observation.pages) == tuple(View)
    page = observation.pages[0]
    assert page.complete
    assert [c.version for c in page.candidates] == ["1.2.3", "1.2.4"]
    assert page.candidates[0].yanked is Yank.YES
    assert (page.freshness.serial, page.freshness.etag) == (7, '"x"')
    assert observation.connected is True
    assert observation.file_hosting is FileHosting.HERE
    assert observation.requests == assignment.ledger.records()
    assert [a.path for a in server.log] == ["/simple/brokenpkg/"] * 4


@pytest.mark.parametrize("base", ["/simple", "/simple/"])
async def test_the_page_is_asked_for_at_the_address_that_pip_forms(
    base: str, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(project_only(json_page(entry("1.2.4"))))
    await simple.KIND.observe(assign(server.url + base))
    assert {a.path for a in server.log} == {"/simple/brokenpkg/"}


@pytest.mark.parametrize(
    ("status", "page_outcome", "outcome"),
    [
        (401, PageOutcome.DENIED, Outcome.DENIED),
        (403, PageOutcome.DENIED, Outcome.DENIED),
        (407, PageOutcome.DENIED, Outcome.DENIED),
        (406, PageOutcome.REFUSED, Outcome.MALFORMED),
        (415, PageOutcome.REFUSED, Outcome.MALFORMED),
        (429, PageOutcome.UNREACHABLE, Outcome.UNREACHABLE),
        (500, PageOutcome.UNREACHABLE, Outcome.UNREACHABLE),
        (503, PageOutcome.UNREACHABLE, Outcome.UNREACHABLE),
        (204, PageOutcome.MALFORMED, Outcome.MALFORMED),
        (400, PageOutcome.MALFORMED, Outcome.MALFORMED),
        (418, PageOutcome.MALFORMED, Outcome.MALFORMED),
    ],
)
async def test_each_status_has_its_outcome(
    status: int,
    page_outcome: PageOutcome,
    outcome: Outcome,
    serve: Serve,
    assign: MakeAssignment,
) -> None:
    server = await serve(always(status=status))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert set(outcomes(observation).values()) == {page_outcome}
    assert observation.outcome is outcome
    assert str(status) in observation.detail
    assert observation.connected is True


async def test_nothing_listening_is_unreachable_and_not_connected(assign: MakeAssignment) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{dead.getsockname()[1]}/simple/"
        observation = await simple.KIND.observe(assign(url))
    assert observation.outcome is Outcome.UNREACHABLE
    assert observation.connected is False
    assert observation.requests == ()  # nothing left this machine


async def test_an_inert_audit_skips_the_place(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(always(status=404))
    observation = await simple.KIND.observe(
        assign(f"{server.url}/simple/", policy=GuardPolicy(inert=True))
    )
    assert observation.outcome is Outcome.SKIPPED
    assert "--inert" in observation.detail
    assert server.log == []


async def test_an_unreadable_url_is_malformed(assign: MakeAssignment) -> None:
    observation = await simple.KIND.observe(assign("gopher://index.example/"))
    assert observation.outcome is Outcome.MALFORMED
    assert "http" in observation.detail


async def test_an_encoding_that_we_cannot_undo_skips_the_page(
    serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(project_only(b"????", Content_Encoding="br"))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.SKIPPED
    assert "our limit" in observation.detail


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "image/png"])
async def test_a_wrong_content_type_is_malformed(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(always(body=json_page(), headers={"Content-Type": kind}))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.MALFORMED
    assert kind in observation.detail


async def test_a_login_page_is_malformed(serve: Serve, assign: MakeAssignment) -> None:
    text = "<html><form><input name=p type='password'></form></html>"
    server = await serve(always(text=text, content_type="text/html"))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.MALFORMED
    assert "login" in observation.detail


async def test_one_readable_view_makes_the_place_observed(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Accept"] == "text/html":
            return web.Response(status=406)
        return page_response(json_page(entry("1.2.4")))

    observation = await simple.KIND.observe(assign(f"{(await serve(handler)).url}/simple/"))
    assert observation.outcome is Outcome.OBSERVED
    assert observation.detail == ""
    assert outcomes(observation)[View.PIP_HTML] is PageOutcome.REFUSED


# --- absent, or a mistyped URL


def missing_project(root: web.Response | None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/simple/" and root is not None:
            return web.Response(
                body=root.body, status=root.status, headers={"Content-Type": root.content_type}
            )
        return web.Response(status=404)

    return handler


HTML = "text/html"
INDEX_ROOTS = [
    web.Response(body=b'{"meta": {', content_type=JSON_TYPE),
    web.Response(text='<meta name="pypi:repository-version" content="1.0">', content_type=HTML),
    web.Response(text='<a href="/simple/other-pkg/">Other.Pkg</a><br>', content_type=HTML),
    web.Response(text='<a href="requests/">requests/</a>', content_type=HTML),
    web.Response(text="<title>Simple index</title>", content_type=HTML),
]


@pytest.mark.parametrize("root", INDEX_ROOTS)
async def test_404_under_a_real_index_is_absent(
    root: web.Response, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(missing_project(root))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.ABSENT
    assert observation.notes == ()
    assert [a.path for a in server.log].count("/simple/") == 1


@pytest.mark.parametrize("status", [404, 403, 500])
async def test_a_root_that_says_nothing_leaves_a_doubt(
    status: int, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(missing_project(web.Response(status=status)))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.ABSENT
    assert "check the URL" in observation.notes[0]


@pytest.mark.parametrize(
    ("root", "cause"),
    [
        (web.Response(text="<h1>Welcome</h1>", content_type=HTML), "no index"),
        (web.Response(text='<a href="/about">About us</a>', content_type=HTML), "no index"),
        (web.Response(body=b"{}", content_type="application/json"), "no index"),
        (
            web.Response(
                text='<a href="packages/">packages/</a> <a href="simple/">simple/</a>',
                content_type=HTML,
            ),
            "add simple/",
        ),
    ],
)
async def test_a_url_that_is_no_index_is_never_absent(
    root: web.Response, cause: str, serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(missing_project(root))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.outcome is Outcome.MALFORMED
    assert cause in observation.detail
    assert "\n" not in observation.detail


async def test_the_root_is_not_asked_for_if_any_view_was_read(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Accept"] == "text/html":
            return page_response(json_page(entry("1.2.4")))
        return web.Response(status=404)

    server = await serve(handler)
    await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert {a.path for a in server.log} == {"/simple/brokenpkg/"}


async def test_the_first_bytes_of_an_endless_root_suffice(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path != "/simple/":
            return web.Response(status=404)
        response = web.StreamResponse(headers={"Content-Type": HTML})
        await response.prepare(request)
        try:
            while True:
                await response.write(b'<a href="some-pkg/">some-pkg</a>\n' * 1000)
        except (ConnectionError, asyncio.CancelledError):
            return response

    observation = await simple.KIND.observe(assign(f"{(await serve(handler)).url}/simple/"))
    assert observation.outcome is Outcome.ABSENT


# --- samples


async def test_nodes_that_take_turns_show_both_faces_to_each_view(
    serve: Serve, assign: MakeAssignment
) -> None:
    turn = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal turn
        turn += 1
        return page_response(json_page(entry("1.2.4" if turn % 2 else "1.2.3")))

    observation = await simple.KIND.observe(
        assign(f"{(await serve(handler)).url}/simple/", samples=4)
    )
    for view in View:
        pages = [page for page in observation.pages if page.view is view]
        assert [page.sample for page in pages] == [1, 2, 3, 4]
        assert {page.candidates[0].version for page in pages} == {"1.2.3", "1.2.4"}


async def test_an_empty_page_without_serial_is_asked_for_once_more(
    serve: Serve, assign: MakeAssignment
) -> None:
    asked: dict[str, int] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        client = request.headers["User-Agent"].partition(" ")[0]
        asked[client] = asked.get(client, 0) + 1
        files = [entry("1.2.4")] if asked[client] > 1 else []
        return page_response(json_page(*files, serial=None))

    observation = await simple.KIND.observe(assign(f"{(await serve(handler)).url}/simple/"))
    assert set(asked.values()) == {2}
    assert all(len(page.candidates) == 1 for page in observation.pages)


# --- files elsewhere, redirects, secrets


@pytest.mark.parametrize(
    ("bases", "hosting"),
    [
        (["http://files.example"], FileHosting.ELSEWHERE),
        (["", "http://files.example"], FileHosting.MIXED),
        (["", ""], FileHosting.HERE),
        ([], FileHosting.UNKNOWN),
    ],
)
async def test_where_the_files_are(
    bases: list[str], hosting: FileHosting, serve: Serve, assign: MakeAssignment
) -> None:
    body = json_page(*(entry(f"1.2.{i}", base) for i, base in enumerate(bases)))
    observation = await simple.KIND.observe(
        assign(f"{(await serve(project_only(body))).url}/simple/")
    )
    assert observation.file_hosting is hosting


async def test_a_redirect_is_noted_with_its_target(serve: Serve, assign: MakeAssignment) -> None:
    other = await serve(project_only(json_page(entry("1.2.4"))))

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"Location": f"{other.url}{request.path}"})

    observation = await simple.KIND.observe(assign(f"{(await serve(handler)).url}/simple/"))
    target = f"{other.url}/simple/brokenpkg/"
    assert observation.notes == (f"redirected to {target}",)
    assert {page.final_url for page in observation.pages} == {target}
    assert observation.file_hosting is FileHosting.HERE  # beside the page that was read


async def test_no_secret_shows_anywhere_in_an_observation(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Accept"] == "text/html":
            return web.Response(status=500, text=f"password={CANARY} in a debug page")
        echoed = request.headers["Authorization"]
        signed = entry("1.2.3", f"http://u:{CANARY}@files.example")
        signed["url"] = f"{signed['url']}?X-Amz-Signature={CANARY}"
        return page_response(
            json_page(signed, {"filename": f"x?token={CANARY}"}), Server=f"echo {echoed}"
        )

    server = await serve(handler)
    assignment = assign(
        f"{server.url}/simple/",
        credentials=Credentials(username="me", password=CANARY),
        settings={"via": server.url.replace("http://", f"http://proxy:{CANARY}@")},
    )
    observation = await simple.KIND.observe(assignment)
    assert observation.outcome is Outcome.OBSERVED
    assert CANARY not in repr(observation)
    assert CANARY not in repr(assignment.ledger.records())
    import base64

    assert base64.b64encode(f"me:{CANARY}".encode()).decode() not in repr(observation)


# --- evidence


async def test_evidence_shows_the_entries_that_matter_and_how_to_see_them(
    serve: Serve, assign: MakeAssignment
) -> None:
    others = [entry(f"0.{i}") for i in range(500)]
    body = json_page(*others, entry("1.2.3", yanked="bad 'quote'"), entry("1.2.4"))
    server = await serve(project_only(body, X_Cache="HIT", Age="12"))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    known = {e.id: e for e in observation.evidence}
    assert len(known) == len(observation.evidence) == 4
    page = observation.pages[0]
    evidence = known[page.evidence[0]]
    assert evidence.request == f"GET {server.url}/simple/brokenpkg/"
    assert evidence.digest == f"sha256:{page.body_sha256}"
    assert evidence.response["status"] == "200"
    assert (evidence.response["age"], evidence.response["x-cache"]) == ("12", "HIT")
    assert len(evidence.excerpt) <= 600
    assert "brokenpkg-1.2.3" in evidence.excerpt
    assert "brokenpkg-1.2.4" in evidence.excerpt
    assert "brokenpkg-0." not in evidence.excerpt


@pytest.mark.real_program("curl")
async def test_the_printed_command_asks_exactly_the_same(
    serve: Serve, assign: MakeAssignment
) -> None:
    body = gzip.compress(json_page(entry("1.2.3")))
    server = await serve(project_only(body, Content_Encoding="gzip"))
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    commands = [shlex.split(e.reproduce) for e in observation.evidence]
    mine = [a.headers for a in server.log]
    server.log.clear()
    for command in commands:
        run = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, _ = await run.communicate()
        assert b"brokenpkg-1.2.3" in out  # decoded, headers included
    assert sorted(map(str, (sorted(h.items()) for h in mine))) == sorted(
        str(sorted(a.headers.items())) for a in server.log
    )


# --- cancellation and imports


async def test_a_cancelled_probe_leaves_its_requests_in_the_ledger(
    serve: Serve, assign: MakeAssignment
) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await never.wait()
        return web.Response()

    server = await serve(handler)
    assignment = assign(f"{server.url}/simple/")
    task = asyncio.ensure_future(simple.KIND.observe(assignment))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    records = assignment.ledger.records()
    assert len(server.log) <= len(records) <= 4
    assert {record.status for record in records} == {None}


@pytest.mark.slow
async def test_a_view_that_hangs_does_not_cost_the_others(
    serve: Serve, assign: MakeAssignment
) -> None:
    never = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["User-Agent"].startswith("uv/"):
            await never.wait()
        return page_response(json_page(entry("1.2.4")))

    server = await serve(handler)
    observed = simple.KIND.observe(assign(f"{server.url}/simple/", timeout_s=2.0))
    observation = await asyncio.wait_for(asyncio.ensure_future(observed), timeout=20)
    assert outcomes(observation) == {
        View.PIP: PageOutcome.OBSERVED,
        View.PIP_HTML: PageOutcome.OBSERVED,
        View.UV: PageOutcome.UNREACHABLE,
        View.POETRY: PageOutcome.OBSERVED,
    }


@pytest.mark.parametrize("module", ["probes.simple", "probes.pypi", "probes.wheelhouse"])
def test_loading_a_kind_does_not_load_the_network(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([m for m in ('aiohttp', 'stamina', 'truststore') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- directories


def lay_index(root: Path, *files: tuple[str, bytes]) -> None:
    directory = root / "brokenpkg"
    directory.mkdir(parents=True)
    for name, content in files:
        (directory / name).write_bytes(content)
    links = "".join(f'<a href="{name}">{name}</a>\n' for name, _ in files)
    (directory / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"


@pytest.mark.parametrize("as_url", [True, False])
async def test_a_directory_is_read_as_pip_reads_it(
    as_url: bool, tmp_path: Path, assign: MakeAssignment
) -> None:
    root = tmp_path / "simple"
    lay_index(root, (WHEEL, b"bytes"))
    where = assign(root.as_uri() + "/") if as_url else assign(path=str(root))
    observation = await simple.KIND.observe(where)
    assert observation.outcome is Outcome.OBSERVED
    assert outcomes(observation)[View.POETRY] is PageOutcome.REFUSED
    assert [c.version for c in observation.pages[0].candidates] == ["1.2.3"]
    assert observation.file_hosting is FileHosting.HERE
    assert observation.holdings_complete is True
    [holding] = observation.holdings
    assert (holding.state, holding.size) == (HeldState.HELD, 5)
    assert observation.connected is None
    assert observation.requests == ()


async def test_a_file_that_the_page_hides_is_held_all_the_same(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    lay_index(tmp_path)
    (tmp_path / "brokenpkg" / WHEEL).write_bytes(b"orphan")
    observation = await simple.KIND.observe(assign(path=str(tmp_path)))
    assert observation.pages[0].candidates == ()
    assert [h.filename for h in observation.holdings] == [WHEEL]


async def test_files_in_another_tree_leave_the_holdings_incomplete(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    directory = tmp_path / "simple" / "brokenpkg"
    directory.mkdir(parents=True)
    (directory / "index.html").write_text(f'<a href="../../files/{WHEEL}">x</a>')
    observation = await simple.KIND.observe(assign(path=str(tmp_path / "simple")))
    [holding] = observation.holdings
    assert holding.state is HeldState.NOT_HELD
    assert observation.holdings_complete is False


OTHER_PROJECT = {
    "files": {"otherpkg/otherpkg-1-py3-none-any.whl": ""},
    "page": {"otherpkg/index.html": '<a href="../../otherpkg-1.tar.gz">x</a>'},
    "empty page": {"otherpkg/index.html": "<h1>Links for otherpkg</h1>"},
    "root page": {"index.html": '<a href="otherpkg/">otherpkg</a>'},
}
NO_INDEX = {
    "nothing": {},
    "a home": {"thesis.txt": "x", "pictures/cat.jpg": "x"},
    "a website": {"index.html": "<h1>Hello</h1>", "about/index.html": "<p>About us</p>"},
    "the page of a project": {"index.html": '<a href="otherpkg-1-py3-none-any.whl">x</a>'},
}


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("files", OTHER_PROJECT.values(), ids=OTHER_PROJECT)
async def test_a_project_without_directory_in_an_index_is_absent(
    files: dict[str, str], tmp_path: Path, assign: MakeAssignment
) -> None:
    lay(tmp_path, files)
    observation = await simple.KIND.observe(assign(path=str(tmp_path)))
    assert observation.outcome is Outcome.ABSENT


@pytest.mark.parametrize("files", NO_INDEX.values(), ids=NO_INDEX)
async def test_a_directory_that_is_no_index_is_never_absent(
    files: dict[str, str], tmp_path: Path, assign: MakeAssignment
) -> None:
    lay(tmp_path, files)
    observation = await simple.KIND.observe(assign(path=str(tmp_path)))
    assert observation.outcome is Outcome.MALFORMED
    assert "no index" in observation.detail


async def test_files_without_index_html_are_seen_by_nobody_and_not_absent(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    lay_index(tmp_path, (WHEEL, b"bytes"))
    (tmp_path / "brokenpkg" / "index.html").unlink()
    observation = await simple.KIND.observe(assign(path=str(tmp_path)))
    assert observation.outcome is Outcome.OBSERVED
    assert "index.html" in observation.pages[0].detail
    assert outcomes(observation)[View.PIP] is PageOutcome.ABSENT
    assert [(h.state, h.intact) for h in observation.holdings] == [(HeldState.HELD, False)]


@pytest.mark.parametrize("samples", [1, 3])
async def test_a_directory_answers_in_every_declared_view_and_sample(
    samples: int, tmp_path: Path, assign: MakeAssignment
) -> None:
    lay_index(tmp_path, (WHEEL, b"bytes"))
    observation = await simple.KIND.observe(assign(path=str(tmp_path), samples=samples))
    asked = {(page.view, page.sample) for page in observation.pages}
    assert len(simple.KIND.views) == 4
    assert {(v, s) for v in simple.KIND.views for s in range(1, samples + 1)} == asked
    assert len(observation.pages) == 4 * samples


async def test_a_path_that_is_not_there_is_never_absent(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    observation = await simple.KIND.observe(assign(path=str(tmp_path / "typo")))
    assert observation.outcome is Outcome.UNREACHABLE
    assert observation.connected is None
    assert "check the path" in observation.detail


async def test_a_path_that_is_a_file_is_malformed(tmp_path: Path, assign: MakeAssignment) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    observation = await simple.KIND.observe(assign(path=str(path)))
    assert observation.outcome is Outcome.MALFORMED


async def test_without_url_and_path_nothing_is_read(assign: MakeAssignment) -> None:
    observation = await simple.KIND.observe(assign())
    assert observation.outcome is Outcome.SKIPPED


# --- secrets, wherever they are echoed


def forms_of(user: str, password: str) -> list[str]:
    pair = f"{user}:{password}".encode()
    return [
        password,
        quote(password, safe=""),
        quote(password, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        html.escape(password),
        password.encode().hex(),
        base64.b64encode(pair).decode(),
        base64.b64encode(pair).decode().rstrip("="),
    ]


def echoing(forms: list[str], status: int) -> Handler:
    """Play a gateway that tells in its error page, and in its headers, who came."""

    async def handler(request: web.Request) -> web.StreamResponse:
        text = " ".join(f"[{form}]" for form in forms)
        headers = {"X-Cache": text, "ETag": f'"{text}"', "Cache-Control": text, "Server": text}
        return web.Response(text=text, status=status, headers=headers)

    return handler


@pytest.mark.parametrize("status", [200, 403, 500])
async def test_the_password_of_the_environments_proxy_shows_nowhere(
    status: int, serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = forms_of("proxuser", "prox+Pass/9&")
    proxy = await serve(echoing(forms, status))
    login = proxy.url.replace("http://", "http://proxuser:prox%2BPass%2F9%26@")
    monkeypatch.setenv("http_proxy", login)
    observation = await simple.KIND.observe(assign("http://index.example/simple/"))
    assert proxy.log[0].headers["Proxy-Authorization"] == f"Basic {forms[-2]}"
    stored = encode(observation).decode()
    assert "REDACTED" in stored
    assert [form for form in forms if form in stored] == []


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("before", [*range(150, 310, 15), *range(540, 620, 15)])
async def test_no_part_of_a_password_survives_where_a_text_is_cut(
    before: int, escaped: bool, serve: Serve, assign: MakeAssignment
) -> None:
    """Excerpts, headers and cache notes are each cut at a length of their own."""
    password = "".join(f"{n:02d}-" for n in range(40))
    echoed = "".join(f"&#{ord(sign)};" for sign in password) if escaped else password

    async def handler(request: web.Request) -> web.StreamResponse:
        text = "." * before + echoed
        headers = {"X-Cache": text, "ETag": f'"{text}"', "Cache-Control": text}
        return web.Response(text=f"{'.' * (before + 400)}{echoed}", status=403, headers=headers)

    login = Credentials(username="me", password=password)
    server = await serve(handler)
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/", credentials=login))
    assert echoed[:15] not in encode(observation).decode()


# --- where the files are


async def test_files_beside_the_page_that_a_redirect_leads_to_are_here(
    serve: Serve, assign: MakeAssignment
) -> None:
    target = await serve(project_only(json_page(entry("1.2.3"))))

    async def moved(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{target.url}{request.path}"})

    index = await serve(moved)
    observation = await simple.KIND.observe(assign(f"{index.url}/simple/"))
    assert observation.pages[0].final_url == f"{target.url}/simple/brokenpkg/"
    assert observation.file_hosting is FileHosting.HERE


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "[::1]", "127.1", "LOCALHOST."])
async def test_every_name_of_the_loopback_is_one_host(
    host: str, serve: Serve, assign: MakeAssignment
) -> None:
    port = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.3", f"http://{host}:{port}")))

    server = await serve(handler)
    port = int(server.url.rpartition(":")[2])
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.file_hosting is FileHosting.HERE


@pytest.mark.parametrize("host", ["127.example", "localhost.example", "128.0.0.1", "index.example"])
async def test_other_hosts_are_elsewhere(host: str, serve: Serve, assign: MakeAssignment) -> None:
    port = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.3", f"http://{host}:{port}")))

    server = await serve(handler)
    port = int(server.url.rpartition(":")[2])
    observation = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert observation.file_hosting is FileHosting.ELSEWHERE


# --- read once, not polled, while the source lacks the fix


def copying(assignment: Assignment, lists_fix: bool | None) -> Assignment:
    location = replace(assignment.location, upstream="origin")
    source = SourceFacts(name="origin", lists_fix=lists_fix)
    return replace(assignment, location=location, source=source)


OLD, NEW = json_page(entry("1.2.3")), json_page(entry("1.2.4"))


@pytest.mark.parametrize(
    ("lists_fix", "body", "status", "samples", "asked", "told"),
    [
        (False, OLD, 200, 4, 4, 1),
        (None, OLD, 200, 4, 4, 1),
        (False, json_page(serial=None), 200, 1, 4, None),
        (False, b"", 503, 1, 4, None),
        (False, b"", 503, 4, 4, 1),
        (True, OLD, 200, 4, 16, None),
        (True, json_page(serial=None), 200, 1, 8, None),
        # A copy that has the fix already: one answer of several nodes must not make it green.
        (None, NEW, 200, 4, 16, None),
        (False, NEW, 200, 4, 4, None),
        (False, json_page(entry("1.3")), 200, 4, 4, None),
    ],
)
async def test_a_copy_is_read_once_while_its_source_lacks_the_fix(
    lists_fix: bool | None,
    body: bytes,
    status: int,
    samples: int,
    asked: int,
    told: int | None,
    serve: Serve,
    assign: MakeAssignment,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = page_response(body)
        answer.set_status(status)
        return answer

    server = await serve(handler)
    assignment = copying(assign(f"{server.url}/simple/", samples=samples), lists_fix)
    observation = await simple.KIND.observe(assignment)
    assert [a.path for a in server.log] == ["/simple/brokenpkg/"] * asked
    assert len(observation.requests) == asked
    assert observation.samples_asked == told
    polled = asked == 4 * samples or samples == 1
    assert polled != any("asked once" in note for note in observation.notes)
