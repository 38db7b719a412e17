"""Kinds `nexus`, `artifactory` and `pulp` against the shapes that their documentation describes.

None of these programs can run here: what is tested is what is asked, and how each documented answer
is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from auditor.contracts import Credentials, GuardPolicy
from auditor.model import FileHosting, Fingerprint, HeldState, Observation, Outcome, Touch
from probes.artifactory import KIND as ARTIFACTORY
from probes.nexus import KIND as NEXUS
from probes.pulp import KIND as PULP
from tests.probes.conftest import MakeAssignment, Serve, Server, entry, json_page, page_response

WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
SDIST = "brokenpkg-1.2.3.tar.gz"
GOOD = "brokenpkg-1.2.2-py3-none-any.whl"
KINDS = {"nexus": NEXUS, "artifactory": ARTIFACTORY, "pulp": PULP}
PATHS = {
    "nexus": "/nexus/repository/py-proxy/simple/",
    "artifactory": "/artifactory/api/pypi/py-remote/simple/",
    "pulp": "/pypi/team/main/simple/",
}
SIGNS = {
    "nexus": {"Server": "Nexus/3.75.1-01 (OSS)"},
    "artifactory": {"X-Artifactory-Id": "f00"},
    "pulp": {"X-PyPI-Last-Serial": "1000000000"},
}


@dataclass
class Registry:
    """Answers pages, and the interface of one kind from a list of stored file names."""

    kind: str
    stored: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    page: bytes = field(default_factory=lambda: json_page(entry("1.2.3"), serial=None))
    per_page: int = 100
    status: int = 200
    visible: bool = True
    answer: Callable[[web.Request], web.Response | None] = lambda request: None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        assert request.method == "GET"
        if request.path.startswith(PATHS[self.kind]):
            signs = {name.replace("-", "_"): value for name, value in SIGNS[self.kind].items()}
            return page_response(self.page, **signs)
        special = self.answer(request)
        if special is not None:
            return special
        if self.status != 200:
            return web.Response(status=self.status)
        shapes = {"nexus": self.nexus, "artifactory": self.artifactory, "pulp": self.pulp}
        body = shapes[self.kind](request)
        return web.Response(status=404) if body is None else web.json_response(body)

    def nexus(self, request: web.Request) -> object:
        rest = request.path.removeprefix("/nexus/service/rest/v1/")
        assert request.query["repository"] == "py-proxy"
        if rest == "assets":
            return {"items": [self.asset("any-1.0.tar.gz")] if self.visible else []}
        assert (rest, request.query["format"]) == ("search/assets", "pypi")
        assert request.query["name"] == "brokenpkg"
        start = int(request.query.get("continuationToken", "0"))
        names = [*self.stored, "simple/brokenpkg/"] if self.stored else []
        more = start + self.per_page < len(names)
        return {
            "items": [self.asset(name) for name in names[start : start + self.per_page]],
            "continuationToken": str(start + self.per_page) if more else None,
        }

    def asset(self, name: str) -> dict[str, object]:
        return {
            "downloadUrl": f"https://n.example/repository/py-proxy/packages/{name}",
            "path": f"/packages/brokenpkg/1/{name}",
            "id": "cHktcHJveHk6",
            "repository": "py-proxy",
            "format": "pypi",
            "checksum": {"sha1": "1" * 40, "sha256": "3" * 64, "md5": "2" * 32},
            "contentType": "application/zip",
            "lastModified": "2026-11-20T10:00:00.000+00:00",
            "blobCreated": None,
            "fileSize": 1067,
        }

    def artifactory(self, request: web.Request) -> object:
        rest = request.path.removeprefix("/artifactory/api/")
        if rest == "storage/py-remote-cache":
            return {"repo": "py-remote-cache", "path": "/", "children": []}
        if rest != "search/artifact":
            return None
        assert request.query["repos"] == "py-remote-cache"
        assert request.headers["X-Result-Detail"] == "info"
        return {"results": [self.item(name) for name in self.stored]}

    def item(self, name: str) -> dict[str, object]:
        return {
            "repo": "py-remote-cache",
            "path": f"/aa/bb/{name}",
            "size": "1067",
            "checksums": {"sha1": "1" * 40, "md5": "2" * 32, "sha256": "3" * 64},
            "uri": f"https://a.example/artifactory/api/storage/py-remote-cache/aa/bb/{name}",
        }

    def pulp(self, request: web.Request) -> object:
        assert request.path == "/pulp/api/v3/content/python/packages/"
        names: list[tuple[str, str | None]] = [(n, "/a/1/") for n in self.stored]
        names += [(n, None) for n in self.linked]
        if "sha256" in request.query:
            names = [n for n in names if request.query["sha256"] == "3" * 64]
        elif "name" not in request.query:
            names = [("any-1.0.tar.gz", None)] if self.visible else []
        start = int(request.query.get("offset", "0"))
        more = start + self.per_page < len(names)
        query = f"name=brokenpkg&offset={start + self.per_page}"
        return {
            "count": len(names),
            "next": f"{request.url.origin()}{request.path}?{query}" if more else None,
            "previous": None,
            "results": [
                {"filename": n, "sha256": "3" * 64, "size": 1067, "artifact": artifact}
                for n, artifact in names[start : start + self.per_page]
            ],
        }


async def look(
    registry: Registry, serve: Serve, assign: MakeAssignment, **how: object
) -> tuple[Observation, Server]:
    server = await serve(registry)
    url = f"{server.url}{PATHS[registry.kind]}"
    return await KINDS[registry.kind].observe(assign(url, kind=registry.kind, **how)), server


def states(observation: Observation) -> dict[str, HeldState]:
    return {holding.filename: holding.state for holding in observation.holdings}


every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
async def test_what_the_search_finds_is_held_with_its_digest(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(Registry(kind, stored=(WHEEL, GOOD)), serve, assign)
    assert found.outcome is Outcome.OBSERVED
    (holding,) = found.holdings
    assert (holding.filename, holding.state) == (WHEEL, HeldState.HELD)
    assert (holding.sha256, holding.size) == ("3" * 64, 1067)
    assert found.holdings_complete is True
    assert set(holding.evidence) <= {item.id for item in found.evidence}
    asked = [r for r in found.requests if not r.url.endswith("/simple/brokenpkg/")]
    assert {r.touch for r in asked} == {Touch.INERT}
    assert {r.method for r in found.requests} == {"GET"}
    logged = sorted((a.method, a.path, a.status) for a in server.log)
    sent = sorted((r.method, r.url.removeprefix(server.url), r.status) for r in found.requests)
    assert sent == logged


@every_kind
async def test_no_file_is_ever_asked_for(kind: str, serve: Serve, assign: MakeAssignment) -> None:
    known = (Fingerprint(filename="BrokenPkg-1.2.3.tar.gz", version="1.2.3", sha256="a" * 64),)
    _, server = await look(Registry(kind, stored=(WHEEL,)), serve, assign, fingerprints=known)
    assert len(server.log) > 4
    for asked in server.log:
        assert ".whl" not in asked.path
        assert ".tar" not in asked.path


@every_kind
async def test_what_it_does_not_find_is_not_held(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    found, _ = await look(Registry(kind, stored=(GOOD,)), serve, assign)
    assert states(found) == {WHEEL: HeldState.NOT_HELD}
    assert found.holdings_complete is True


@every_kind
async def test_bytes_that_no_page_lists_are_still_there(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    registry = Registry(kind, stored=(SDIST,), page=json_page(entry("1.2.4"), serial=None))
    found, _ = await look(registry, serve, assign)
    assert states(found) == {SDIST: HeldState.SHADOWED}


@every_kind
@pytest.mark.parametrize("status", [401, 403, 404, 302])
async def test_missing_rights_leave_it_unknown(
    kind: str, status: int, serve: Serve, assign: MakeAssignment
) -> None:
    found, _ = await look(Registry(kind, stored=(WHEEL,), status=status), serve, assign)
    assert states(found) == {WHEEL: HeldState.UNKNOWN}
    assert found.holdings_complete is False
    assert found.outcome is Outcome.OBSERVED
    assert [hint.code for hint in found.hints] == ["no-safe-probe"]
    assert any("was not all to be learnt" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["nexus", "pulp"])
async def test_a_search_that_shows_nothing_at_all_proves_nothing(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    blind, _ = await look(Registry(kind, visible=False), serve, assign)
    assert states(blind) == {WHEEL: HeldState.UNKNOWN}
    seeing, _ = await look(Registry(kind), serve, assign)
    assert states(seeing) == {WHEEL: HeldState.NOT_HELD}


@pytest.mark.parametrize("kind", ["nexus", "pulp"])
async def test_every_page_of_a_search_is_read(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    stored = (GOOD, "brokenpkg-1.2.1.tar.gz", WHEEL)
    found, _ = await look(Registry(kind, stored=stored, per_page=1), serve, assign)
    assert states(found) == {WHEEL: HeldState.HELD}


@pytest.mark.parametrize("kind", ["nexus", "pulp"])
async def test_a_search_without_end_is_left_and_said_to_be_unfinished(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    stored = tuple(f"brokenpkg-1.0.{number}.tar.gz" for number in range(200))
    found, server = await look(Registry(kind, stored=stored, per_page=1), serve, assign)
    assert states(found) == {WHEEL: HeldState.UNKNOWN}
    assert len(server.log) < 40


async def test_a_token_that_repeats_ends_the_search(serve: Serve, assign: MakeAssignment) -> None:
    registry = Registry("nexus")

    def same_again(request: web.Request) -> web.Response | None:
        return web.json_response({"items": [registry.asset(GOOD)], "continuationToken": "again"})

    registry.answer = same_again
    found, server = await look(registry, serve, assign)
    assert len(server.log) == 4 + 2
    assert states(found) == {WHEEL: HeldState.NOT_HELD}


async def test_a_next_page_on_another_host_is_not_asked(
    serve: Serve, assign: MakeAssignment
) -> None:
    elsewhere = await serve(Registry("pulp"))
    registry = Registry("pulp")

    def lead_away(request: web.Request) -> web.Response | None:
        return web.json_response({"results": [], "next": f"{elsewhere.url}/pulp/api/v3/x"})

    registry.answer = lead_away
    found, _ = await look(registry, serve, assign, credentials=Credentials(token="t0ken"))
    assert elsewhere.log == []
    assert states(found) == {WHEEL: HeldState.UNKNOWN}


@every_kind
async def test_an_answer_of_another_shape_leaves_it_unknown(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    registry = Registry(kind, answer=lambda request: web.Response(text="<html>hello</html>"))
    found, _ = await look(registry, serve, assign)
    assert states(found) == {WHEEL: HeldState.UNKNOWN}


@every_kind
async def test_credentials_go_to_its_interface_and_nowhere_else(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    login = Credentials(username="reader", password="c4nary-w0rd")
    found, server = await look(Registry(kind, stored=(WHEEL,)), serve, assign, credentials=login)
    assert all("Authorization" in asked.headers for asked in server.log)
    assert "c4nary-w0rd" not in repr(found)


@every_kind
async def test_a_server_that_does_not_show_what_it_is_is_asked_less_freely(
    kind: str, serve: Serve, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNS, kind, {})
    found, _ = await look(Registry(kind, stored=(WHEEL,)), serve, assign)
    assert {r.touch for r in found.requests} == {Touch.REFRESHES_INDEX}
    assert states(found) == {WHEEL: HeldState.HELD}


@every_kind
async def test_inert_audits_ask_for_nothing_that_could_refresh(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    found, server = await look(Registry(kind), serve, assign, policy=GuardPolicy(inert=True))
    assert server.log == []
    assert found.outcome is Outcome.SKIPPED


@every_kind
async def test_a_url_of_another_form_is_explained(
    kind: str, serve: Serve, assign: MakeAssignment
) -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.3")))

    server = await serve(pages)
    found = await KINDS[kind].observe(assign(f"{server.url}/simple/", kind=kind))
    assert states(found) == {WHEEL: HeldState.UNKNOWN}
    assert any("write …" in note for note in found.notes)


async def test_a_group_of_nexus_names_the_proxy_that_has_the_files(
    serve: Serve, assign: MakeAssignment
) -> None:
    registry = Registry("nexus", stored=(WHEEL,))

    def of_group(request: web.Request) -> web.Response | None:
        is_page = request.path.startswith("/nexus/repository/py-group/")
        return page_response(registry.page, Server="Nexus/3.75") if is_page else None

    registry.answer = of_group
    server = await serve(registry)
    url = f"{server.url}/nexus/repository/py-group/simple/"
    settings = {"cache_repository": "py-proxy"}
    found = await NEXUS.observe(assign(url, kind="nexus", settings=settings))
    assert states(found) == {WHEEL: HeldState.HELD}


async def test_artifactory_is_told_of_a_repository_that_is_not_there(
    serve: Serve, assign: MakeAssignment
) -> None:
    found, _ = await look(
        Registry("artifactory", stored=(WHEEL,)),
        serve,
        assign,
        settings={"cache_repository": "typo-cache"},
    )
    assert states(found) == {WHEEL: HeldState.UNKNOWN}
    assert any("typo-cache; name the one that has the files" in note for note in found.notes)


async def test_a_search_of_artifactory_that_was_cut_off_proves_nothing(
    serve: Serve, assign: MakeAssignment
) -> None:
    stored = tuple(f"brokenpkg-1.0.{number}.tar.gz" for number in range(500))
    found, _ = await look(Registry("artifactory", stored=stored), serve, assign)
    assert states(found) == {WHEEL: HeldState.UNKNOWN}


async def test_pulp_content_without_an_artifact_is_only_linked(
    serve: Serve, assign: MakeAssignment
) -> None:
    found, _ = await look(Registry("pulp", linked=(WHEEL,)), serve, assign)
    assert states(found) == {WHEEL: HeldState.NOT_HELD}


async def test_pulp_is_asked_by_digest_for_what_its_names_do_not_find(
    serve: Serve, assign: MakeAssignment
) -> None:
    registry = Registry("pulp", page=json_page(serial=None))
    known = (Fingerprint(filename=WHEEL, version="1.2.3", sha256="3" * 64),)

    def by_digest(request: web.Request) -> web.Response | None:
        if "sha256" not in request.query:
            return None
        unit = {"filename": WHEEL, "sha256": "3" * 64, "size": 1, "artifact": "/a/1/"}
        return web.json_response({"results": [unit], "next": None})

    registry.answer = by_digest
    found, _ = await look(registry, serve, assign, fingerprints=known)
    assert states(found) == {WHEEL: HeldState.SHADOWED}


async def test_links_under_another_name_do_not_make_it_a_mirror_without_files(
    serve: Serve, assign: MakeAssignment
) -> None:
    page = json_page(entry("1.2.3", "https://public.example"), serial=None)
    unknown, _ = await look(Registry("nexus", page=page, status=403), serve, assign)
    assert unknown.file_hosting is FileHosting.UNKNOWN


@every_kind
def test_it_says_that_nobody_has_seen_it_on_the_real_thing(kind: str) -> None:
    assert KINDS[kind].verified == ""
    assert any("documented interface" in text for text in KINDS[kind].unverified)
    assert json.dumps(KINDS[kind].unverified)
