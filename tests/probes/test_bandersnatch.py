"""Kind `bandersnatch` on trees and servers that the real program would not make so easily."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import GuardPolicy
from auditor.model import (
    FileHosting,
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    Touch,
    View,
)
from probes.bandersnatch import KIND
from probes.bandersnatch_mirror.layout import relative_artifact
from probes.kit.disk import read_regular
from tests.probes.conftest import MakeAssignment, Serve

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HASH = "c" * 60


def name_of(version: str) -> str:
    return f"brokenpkg-{version}-py3-none-any.whl"


def path_of(version: str) -> str:
    return f"packages/{version[-1]}a/bb/{HASH}/{name_of(version)}"


def json_page(*versions: str, serial: object = "7", base: str = "../../") -> bytes:
    files = [
        {
            "filename": name_of(v),
            "hashes": {},
            "requires-python": "",
            "size": 3,
            "upload-time": "",
            "url": f"{base}{path_of(v)}",
            "yanked": False,
        }
        for v in versions
    ]
    meta = {"api-version": "1.1", "_last-serial": serial}
    return json.dumps({"files": files, "meta": meta, "name": "brokenpkg"}).encode()


def html_page(*versions: str, serial: int = 7) -> bytes:
    links = "\n".join(
        f'    <a href="../../{path_of(v)}#sha256={"0" * 64}">{name_of(v)}</a><br/>'
        for v in versions
    )
    return (
        f"<!DOCTYPE html>\n<html><body>\n{links}\n</body></html>\n<!--SERIAL {serial}-->".encode()
    )


class Mirror:
    """A tree as bandersnatch lays it out."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.web = home / "web"
        (self.web / "simple").mkdir(parents=True)
        (home / "generation").write_text("5")

    def page(self, *versions: str, directory: str = "brokenpkg", html: bool = True) -> None:
        target = self.web / "simple" / directory
        target.mkdir(parents=True, exist_ok=True)
        (target / "index.v1_json").write_bytes(json_page(*versions))
        if html:
            (target / "index.html").write_bytes(html_page(*versions))

    def files(self, *versions: str) -> None:
        for version in versions:
            path = self.web / path_of(version)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"abc")


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror")


def held(observation: Observation) -> dict[str, HeldState]:
    return {holding.filename: holding.state for holding in observation.holdings}


async def test_a_tree_is_read_by_its_directory_or_by_its_web(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.3", "1.2.4")
    mirror.files("1.2.3", "1.2.4")

    for path in (mirror.home, mirror.web):
        seen = await KIND.observe(assign(path=str(path), kind="bandersnatch"))
        assert seen.outcome is Outcome.OBSERVED
        assert [page.view for page in seen.pages] == [
            View.PIP,
            View.UV,
            View.POETRY,
            View.PIP_HTML,
        ]
        assert all(page.complete and page.freshness.serial == 7 for page in seen.pages)
        assert held(seen) == {name_of(v): HeldState.HELD for v in ("1.2.3", "1.2.4")}
        assert seen.holdings_complete is None
        assert seen.requests == ()


@pytest.mark.parametrize(
    ("made", "outcome", "says"),
    [
        ("nothing", Outcome.UNREACHABLE, "does not exist"),
        ("file", Outcome.MALFORMED, "cannot be read"),
        ("directory", Outcome.MALFORMED, "no mirror"),
        ("mirror", Outcome.ABSENT, "does not carry"),
    ],
)
async def test_what_is_no_mirror_is_never_taken_for_an_empty_one(
    made: str, outcome: Outcome, says: str, assign: MakeAssignment, tmp_path: Path
) -> None:
    path = tmp_path / "it"
    if made == "file":
        path.write_bytes(b"")
    elif made == "directory":
        path.mkdir()
    elif made == "mirror":
        Mirror(path)

    seen = await KIND.observe(assign(path=str(path), kind="bandersnatch"))

    assert seen.outcome is outcome
    assert says in seen.detail


async def test_a_page_that_may_not_be_read_is_denied_and_not_absent(
    mirror: Mirror, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.page("1.2.3")

    def read(path: Path, limit: int) -> bytes:
        if path.name.startswith("index"):
            raise PermissionError(13, "Permission denied")
        return read_regular(path, limit)

    monkeypatch.setattr("probes.bandersnatch_mirror.disk_pages.read_regular", read)
    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    assert seen.outcome is Outcome.DENIED
    assert "does not mean that it is empty" in seen.detail


async def test_a_page_that_links_out_of_the_mirror_is_not_followed(
    mirror: Mirror, assign: MakeAssignment, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(html_page("1.2.4"))
    mirror.page("1.2.3")
    for page in ("index.html", "index.v1_json"):
        link = mirror.web / "simple" / "brokenpkg" / page
        link.unlink()
        link.symlink_to(tmp_path / "secret")

    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    assert seen.outcome is Outcome.MALFORMED
    assert "leads out of the mirror" in seen.detail
    assert not any(page.candidates for page in seen.pages)


async def test_the_letter_of_hash_index_is_told_from_a_project_of_that_name(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4", directory="b/brokenpkg")
    mirror.page("9.9", directory="b")

    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    assert {c.version for page in seen.pages for c in page.candidates} == {"1.2.4"}
    relative = {relative_artifact(c.url or "") for page in seen.pages for c in page.candidates}
    assert relative == {path_of("1.2.4")}


async def test_a_mirror_without_html_pages_is_no_place_for_old_pips(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4", html=False)

    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    outcomes = {page.view: page.outcome for page in seen.pages}
    assert outcomes.pop(View.PIP_HTML) is PageOutcome.REFUSED
    assert set(outcomes.values()) == {PageOutcome.OBSERVED}


async def test_an_orphan_is_found_by_a_walk_and_only_where_that_was_asked_for(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    mirror.files("1.2.3", "1.2.4")
    (mirror.web / "packages" / "loop").symlink_to(mirror.web / "packages")
    other = mirror.web / "packages" / "aa" / "brokenpkg_extra-1.2.3-py3-none-any.whl"
    other.parent.mkdir()
    other.write_bytes(b"abc")

    plain = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))
    walked = await KIND.observe(
        assign(path=str(mirror.home), kind="bandersnatch", settings={"orphans": True})
    )

    assert held(plain) == {name_of("1.2.4"): HeldState.HELD}
    assert any("orphans = true" in note for note in plain.notes)
    assert held(walked) == {
        name_of("1.2.4"): HeldState.HELD,
        name_of("1.2.3"): HeldState.SHADOWED,
    }
    assert (plain.holdings_complete, walked.holdings_complete) == (None, True)


async def test_an_orphan_is_found_without_a_walk_where_the_incident_knows_its_url(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    mirror.files("1.2.3")
    url = f"https://files.example/{path_of('1.2.3')}"
    known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3", url=url)

    seen = await KIND.observe(
        assign(path=str(mirror.home), kind="bandersnatch", fingerprints=(known,))
    )

    assert held(seen)[name_of("1.2.3")] is HeldState.SHADOWED
    assert held(seen)[name_of("1.2.4")] is HeldState.NOT_HELD


async def test_an_unfinished_run_and_another_generation_are_told(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    (mirror.home / "todo").write_text("99\nother 98\nbrokenpkg 99")
    (mirror.home / "generation").write_text("4")
    (mirror.home / "status").write_text("90")

    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    notes = " | ".join(seen.notes)
    assert "todo aims at serial 99 and has 2 projects left, brokenpkg among them" in notes
    assert "generation is 4, not 5" in notes
    assert "is 90: a hint about the whole mirror" in notes


async def test_what_cannot_be_read_is_told_and_leaves_the_walk_incomplete(
    mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    (mirror.home / "status").mkdir()
    (mirror.home / "todo").mkdir()
    (mirror.web / "packages").write_bytes(b"no directory")

    seen = await KIND.observe(
        assign(path=str(mirror.home), kind="bandersnatch", settings={"orphans": True})
    )

    notes = " | ".join(seen.notes)
    assert "status cannot be read" in notes
    assert "todo cannot be read" in notes
    assert "could not be walked" in notes
    assert seen.holdings_complete is False


async def test_marks_of_mode_0600_are_told_as_unreadable(
    mirror: Mirror, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.page("1.2.4")

    def refuse(path: Path, limit: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("probes.bandersnatch_mirror.marks.read_regular", refuse)
    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    assert any("status may not be read by this user" in note for note in seen.notes)
    assert seen.outcome is Outcome.OBSERVED


async def test_a_location_without_address_is_skipped(assign: MakeAssignment) -> None:
    seen = await KIND.observe(assign(kind="bandersnatch"))
    assert (seen.outcome, "name one of them" in seen.detail) == (Outcome.SKIPPED, True)


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"releases": []}', b'{"releases": {"1": [7]}}'])
async def test_a_legacy_json_that_is_none_costs_a_note_and_nothing_else(
    text: bytes, mirror: Mirror, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    mirror.files("1.2.4")
    (mirror.web / "json").mkdir()
    (mirror.web / "json" / "brokenpkg").write_bytes(text)

    seen = await KIND.observe(assign(path=str(mirror.home), kind="bandersnatch"))

    assert seen.outcome is Outcome.OBSERVED
    assert held(seen) == {name_of("1.2.4"): HeldState.HELD}
    assert any("json/brokenpkg" in note for note in seen.notes) is (text[-3:] != b"]}}")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/packages/../../etc/passwd",
        "https://files.example/packages/%2e%2e/%2e%2e/etc/passwd",
        "https://files.example/packages/a%00b/x.whl",
        "https://files.example/packages/",
        "https://files.example/other/x.whl",
        "https://files.example/packages//x.whl",
        "http://[/packages/a/x.whl",
    ],
)
def test_a_hostile_url_leads_nowhere(url: str) -> None:
    assert relative_artifact(url) is None


class Front:
    """A web server before a mirror; answers and headers can be changed."""

    def __init__(self) -> None:
        self.versions: tuple[str, ...] = ("1.2.3", "1.2.4")
        self.headers: dict[str, str] = {}
        self.serial: object = "7"
        self.base = "../../"
        self.files = {path_of(v) for v in self.versions}
        self.file_status = 404

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/simple/brokenpkg/":
            body = json_page(*self.versions, serial=self.serial, base=self.base)
            return web.Response(body=body, headers={"Content-Type": JSON_TYPE, **self.headers})
        if request.path.lstrip("/") in self.files:
            return web.Response(body=b"abc", headers=self.headers)
        if request.path == "/last-modified":
            return web.Response(status=403)
        return web.Response(status=self.file_status)


async def ask(front: Front, serve: Serve, assign: MakeAssignment, **more: object) -> Observation:
    server = await serve(front)
    assignment = assign(f"{server.url}/simple/", kind="bandersnatch", **more)
    return await KIND.observe(assignment)


def heads(observation: Observation) -> list[str]:
    return [request.url for request in observation.requests if request.method == "HEAD"]


async def test_a_static_mirror_is_asked_whether_it_holds_each_broken_file(
    serve: Serve, assign: MakeAssignment
) -> None:
    seen = await ask(Front(), serve, assign)

    assert held(seen) == {name_of("1.2.3"): HeldState.HELD}
    assert [url.partition("/packages/")[2] for url in heads(seen)] == [path_of("1.2.3")[9:]]
    assert {r.touch for r in seen.requests if r.method == "HEAD"} == {Touch.INERT}
    assert any("unreadable, not absent" in note for note in seen.notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"headers": {"Via": "1.1 cache.example"}}, "a cache is in front (via)"),
        ({"headers": {"X-Cache-Status": "HIT"}}, "a cache is in front"),
        ({"serial": 7}, "not as bandersnatch writes them"),
        ({"versions": ()}, "not as bandersnatch writes them"),
    ],
)
async def test_a_file_is_not_asked_for_where_a_cache_may_be_in_front(
    change: dict[str, object], says: str, serve: Serve, assign: MakeAssignment
) -> None:
    front = Front()
    for name, value in change.items():
        setattr(front, name, value)
    url = f"https://files.example/{path_of('1.2.3')}"
    known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3", url=url)

    seen = await ask(front, serve, assign, fingerprints=(known,))

    assert heads(seen) == []
    assert {holding.state for holding in seen.holdings} == {HeldState.UNKNOWN}
    assert all(says in holding.how for holding in seen.holdings)


async def test_what_a_cache_answers_for_a_file_says_nothing_of_the_mirror(
    serve: Serve, assign: MakeAssignment
) -> None:
    class CachedFiles(Front):
        async def __call__(self, request: web.Request) -> web.StreamResponse:
            self.headers = {"Age": "5"} if request.path.startswith("/packages/") else {}
            return await super().__call__(request)

    (holding,) = (await ask(CachedFiles(), serve, assign)).holdings

    assert (holding.state, holding.answered) == (HeldState.UNKNOWN, None)
    assert "from a cache (age)" in holding.how


@pytest.mark.parametrize("to", ["/moved/brokenpkg/", None])
async def test_a_page_from_elsewhere_or_none_at_all_allows_no_question(
    to: str | None, serve: Serve, assign: MakeAssignment
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/moved/brokenpkg/":
            body = json_page("1.2.3", "1.2.4")
            return web.Response(body=body, headers={"Content-Type": JSON_TYPE})
        return (
            web.Response(status=301, headers={"Location": to}) if to else web.Response(status=403)
        )

    server = await serve(answer)
    known = Fingerprint(
        filename=name_of("1.2.3"), version="1.2.3", url=f"https://files.example/{path_of('1.2.3')}"
    )
    seen = await KIND.observe(assign(f"{server.url}/simple/", fingerprints=(known,)))

    assert heads(seen) == []
    says = "redirects elsewhere" if to else "no page could be read"
    assert [says in holding.how for holding in seen.holdings] == [True]
    assert any("unreadable for the web server" in note for note in seen.notes) is (to is None)


async def test_a_mirror_whose_files_are_elsewhere_is_asked_for_none(
    serve: Serve, assign: MakeAssignment
) -> None:
    front = Front()
    front.base = "http://127.0.0.1:9/"

    seen = await ask(front, serve, assign)

    assert heads(seen) == []
    assert (seen.holdings, seen.file_hosting) == ((), FileHosting.ELSEWHERE)


async def test_inert_audits_read_the_disk_alone(
    mirror: Mirror, serve: Serve, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")

    seen = await ask(Front(), serve, assign, path=str(mirror.home), policy=GuardPolicy(inert=True))

    assert seen.requests == ()
    assert seen.outcome is Outcome.OBSERVED


@pytest.mark.parametrize(
    ("status", "state"),
    [(404, HeldState.NOT_HELD), (403, HeldState.UNKNOWN), (302, HeldState.UNKNOWN)],
)
async def test_an_unlisted_file_is_asked_for_by_its_recorded_path(
    status: int, state: HeldState, serve: Serve, assign: MakeAssignment
) -> None:
    front = Front()
    front.versions = ("1.2.4",)
    front.files, front.file_status = set(), status
    url = f"https://files.example/{path_of('1.2.3')}"
    known = Fingerprint(filename=name_of("1.2.3"), version="1.2.3", url=url)

    seen = await ask(front, serve, assign, fingerprints=(known,))
    front.files = {path_of("1.2.3")}
    again = await ask(front, serve, assign, fingerprints=(known,))

    assert held(seen) == {name_of("1.2.3"): state}
    assert held(again) == {name_of("1.2.3"): HeldState.SHADOWED}


async def test_with_both_the_disk_says_what_is_held_and_a_front_cache_is_told(
    mirror: Mirror, serve: Serve, assign: MakeAssignment
) -> None:
    mirror.page("1.2.4")
    mirror.files("1.2.4")
    front = Front()
    front.versions, front.serial = ("1.2.3",), "5"

    seen = await ask(front, serve, assign, path=str(mirror.home))

    assert heads(seen) == []
    assert {c.version for page in seen.pages for c in page.candidates} == {"1.2.3"}
    assert held(seen) == {name_of("1.2.4"): HeldState.HELD}
    assert any("serial 5, on disk is one of serial 7" in note for note in seen.notes)
    ids = [evidence.id for evidence in seen.evidence]
    assert len(ids) == len(set(ids))


async def test_a_missing_disk_does_not_cost_what_clients_see(
    serve: Serve, assign: MakeAssignment, tmp_path: Path
) -> None:
    seen = await ask(Front(), serve, assign, path=str(tmp_path / "unmounted"))

    assert seen.outcome is Outcome.OBSERVED
    assert seen.holdings == ()
    assert any("held is not known" in note and "mounted" in note for note in seen.notes)


async def test_a_walk_stops_when_its_probe_is_cancelled(
    mirror: Mirror, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.page("1.2.4")
    asked: list[object] = []
    # A tree without end: each directory holds itself.
    nested = mirror.web / "packages" / "aa"
    nested.mkdir(parents=True)
    real = os.scandir
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def endless(path: str | Path) -> object:
        if str(path).startswith(str(mirror.web / "packages")):
            asked.append(path)
            loop.call_soon_threadsafe(begun.set)
            return real(mirror.web / "packages")
        return real(path)

    monkeypatch.setattr("probes.bandersnatch_mirror.artifacts.os.scandir", endless)
    assignment = assign(path=str(mirror.home), kind="bandersnatch", settings={"orphans": True})
    task = asyncio.ensure_future(KIND.observe(assignment))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await loop.shutdown_default_executor()  # returns only once the thread has ended

    assert asked
