"""Kinds `github-cache` and `gitlab-cache` against the shapes that their documentation describes.

Neither service can run here: what is tested is what is asked, and how each documented answer is
read.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from auditor.config import Document, Options, resolve
from auditor.config.kinds import RESERVED_KINDS
from auditor.contracts import Credentials, GuardPolicy, ProbeKind
from auditor.engine import Audit
from auditor.errors import Malformed
from auditor.model import Observation, Outcome, Role, Status, Touch
from auditor.testing import check_kind
from auditor.testing.clauses import declaration_problems
from auditor.verdict import judge
from probes.ci_caches.github_list import repository_in
from probes.github_cache import KIND as GITHUB
from probes.gitlab_cache import KIND as GITLAB
from tests.probes.conftest import MakeAssignment, Serve, Server

PATH = "/api/v3/repos/example/demo"
TOKEN = "ghs_not-a-real-token"


def cache(number: int, created_at: str = "2026-11-18T08:00:00.123456700Z") -> dict[str, object]:
    """One entry, in the documented shape."""
    return {
        "id": number,
        "ref": "refs/heads/main",
        "key": f"setup-python-Linux-x64-pip-{number}",
        "version": "73885106f58cc52a7df9ec4d4a5622a5614813162cb516c759a30af6bf56e6f0",
        "last_accessed_at": "2026-11-20T09:30:00.000000000Z",
        "created_at": created_at,
        "size_in_bytes": 1024,
    }


@dataclass
class Hub:
    """Answers the list as documented, from its entries."""

    entries: list[dict[str, object]] = field(default_factory=list)
    total: int | None = None
    special: Callable[[web.Request], web.Response | None] = lambda request: None
    seen: list[web.Request] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        special = self.special(request)
        if special is not None:
            return special
        assert request.method == "GET"
        assert request.path == f"{PATH}/actions/caches"
        assert (request.query["sort"], request.query["direction"]) == ("created_at", "asc")
        size, number = int(request.query["per_page"]), int(request.query["page"])
        assert size <= 100
        listed = self.entries[(number - 1) * size : number * size]
        total = len(self.entries) if self.total is None else self.total
        return web.json_response({"total_count": total, "actions_caches": listed})


Look = Callable[..., Awaitable[Observation]]


@pytest.fixture
def look(serve: Serve, assign: MakeAssignment) -> Look:
    async def observe(hub: Hub, *, path: str = PATH, **facts: object) -> Observation:
        server: Server = await serve(hub)
        url = f"{server.url.rstrip('/')}{path}"
        given = {"credentials": Credentials(token=TOKEN), **facts}
        return await GITHUB.observe(assign(url, kind="github-cache", **given))

    return observe


async def test_every_cache_is_listed_with_what_is_said_of_it(look: Look) -> None:
    hub = Hub([cache(7)])
    found = await look(hub)
    (bundle,) = found.bundles
    assert (found.outcome, found.holdings_complete) == (Outcome.OBSERVED, True)
    assert (bundle.name, bundle.scope) == ("setup-python-Linux-x64-pip-7", "refs/heads/main")
    assert bundle.created_at == datetime(2026, 11, 18, 8, 0, 0, 123456, tzinfo=UTC)
    assert bundle.used_at == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert bundle.size == 1024
    assert bundle.remove.startswith("gh cache delete 7 --repo 127.0.0.1:")
    assert bundle.remove.endswith("/example/demo")
    assert {e.id for e in found.evidence} >= set(bundle.evidence)


async def test_the_token_goes_along_and_nowhere_else(look: Look) -> None:
    hub = Hub([cache(1)])
    found = await look(hub)
    (request,) = hub.seen
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Accept"] == "application/vnd.github+json"
    assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert "propagation-auditor" in request.headers["User-Agent"]
    assert TOKEN not in repr(found)


async def test_a_token_that_the_server_echoes_is_hidden(look: Look) -> None:
    entry = {**cache(1), "key": f"key-{TOKEN}"}
    assert TOKEN not in repr(await look(Hub([entry])))


async def test_all_pages_are_read_and_every_request_is_an_inert_get(look: Look) -> None:
    hub = Hub([cache(n) for n in range(250)])
    found = await look(hub, policy=GuardPolicy(inert=True))
    assert len(found.bundles) == 250
    assert found.holdings_complete is True
    assert [int(r.query["page"]) for r in hub.seen] == [1, 2, 3]
    assert {(r.method, r.touch) for r in found.requests} == {("GET", Touch.INERT)}
    assert not any("/archive" in r.url or "download" in r.url for r in found.requests)


async def test_a_repository_without_caches_is_read_to_its_end(look: Look) -> None:
    found = await look(Hub())
    assert (found.bundles, found.holdings_complete) == ((), True)


async def test_a_list_that_shrinks_while_it_is_read_is_not_all(look: Look) -> None:
    found = await look(Hub([cache(1)], total=3))
    assert found.holdings_complete is False
    assert "1 of 3" in found.detail


async def test_an_endless_list_is_given_up(look: Look) -> None:
    page = {"total_count": 10**9, "actions_caches": [cache(n) for n in range(100)]}
    hub = Hub(special=lambda request: web.json_response(page))
    found = await look(hub)
    assert len(hub.seen) == 100
    assert found.holdings_complete is False


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "cause"),
    [
        (401, {}, Outcome.DENIED, "the right to read actions"),
        (403, {}, Outcome.DENIED, "the right to read actions"),
        (403, {"X-RateLimit-Remaining": "0"}, Outcome.UNREACHABLE, "limit of requests"),
        # GitHub hides a private repository behind a 404: that proves no absence.
        (404, {}, Outcome.DENIED, "may not see it"),
        (301, {"Location": "/repositories/1"}, Outcome.MALFORMED, "has moved"),
        (500, {}, Outcome.UNREACHABLE, "answers 500"),
        (204, {}, Outcome.MALFORMED, "answers 204"),
    ],
)
async def test_no_refusal_is_taken_for_an_empty_list(
    look: Look, status: int, headers: dict[str, str], outcome: Outcome, cause: str
) -> None:
    hub = Hub(special=lambda request: web.Response(status=status, headers=headers))
    found = await look(hub)
    assert (found.outcome, found.holdings_complete) == (outcome, False)
    assert cause in found.detail


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"total_count": "x", "actions_caches": []}',
        '{"total_count": 1, "actions_caches": [1]}',
        "<html>",
        "",
    ],
)
async def test_nonsense_is_no_list(look: Look, body: str) -> None:
    hub = Hub(special=lambda request: web.Response(text=body, content_type="application/json"))
    found = await look(hub)
    assert (found.outcome, found.holdings_complete) == (Outcome.MALFORMED, False)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-11-18T08:00:00", None, "0000-00-00T"])
async def test_a_time_that_cannot_be_read_is_not_known(look: Look, text: str | None) -> None:
    (bundle,) = (await look(Hub([{**cache(1), "created_at": text}]))).bundles
    assert bundle.created_at is None


async def test_keys_from_a_stranger_stay_on_one_line_and_out_of_the_command(look: Look) -> None:
    nasty = {**cache(5), "key": "a\n\x1b[31m; rm -rf $HOME", "ref": "x" * 9999}
    (bundle,) = (await look(Hub([nasty]))).bundles
    assert bundle.name.isprintable()
    assert len(bundle.scope) < 600
    assert "rm" not in bundle.remove


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://api.github.com/repos/example/demo", "example/demo"),
        ("https://api.github.com/repos/example/demo/", "example/demo"),
        ("https://ghe.example/api/v3/repos/a-b/c.d", "ghe.example/a-b/c.d"),
    ],
)
def test_an_address_names_the_repository_as_gh_does(url: str, slug: str) -> None:
    assert repository_in(url).slug == slug


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/example/demo",
        "https://api.github.com/repos/example",
        "https://api.github.com/repos/example/demo/actions/caches",
        "https://index.example/simple/",
        "https://api.github.com/repos/-x/demo",
        "https://api.github.com/repos/example/demo?x=1",
    ],
)
async def test_any_other_address_is_refused_without_a_request(
    url: str, assign: MakeAssignment
) -> None:
    with pytest.raises(Malformed, match="OWNER/REPO"):
        repository_in(url)
    found = await GITHUB.observe(assign(url, kind="github-cache"))
    assert (found.outcome, found.requests) == (Outcome.MALFORMED, ())


async def test_a_configured_repository_is_looked_at_and_judged(serve: Serve) -> None:
    server = await serve(Hub([cache(1)]))
    incident = {"project": "brokenpkg", "broken": ["1.2.3"], "fixed": ["1.2.4"]}
    place = {
        "name": "ci",
        "kind": "github-cache",
        "url": f"{server.url.rstrip('/')}{PATH}",
        "token": {"env": "HUB_TOKEN"},
    }
    document = Document().with_element("incidents", incident, "a")
    resolved = resolve(
        document.with_element("locations", place, "b"),
        {"github-cache": GITHUB},
        Options(vantage="here"),
        environ={"HUB_TOKEN": TOKEN},
    )
    (location,) = resolved.plan.locations
    assert (location.role, location.required) == (Role.STORE, False)
    kinds = {"github-cache": GITHUB}
    observations = await Audit(resolved.plan, resolved.credentials, kinds).run()
    (run,) = judge(resolved.plan, observations)
    (verdict,) = run.verdicts
    assert (verdict.status, run.summary.exit_code) == (Status.UNKNOWN, 0)
    assert verdict.reasons[0].code == "suspect-cache"
    assert [r.command.split()[:4] for r in verdict.remedies[:1]] == [["gh", "cache", "delete", "1"]]
    assert TOKEN not in repr(run)


@pytest.mark.parametrize("kind", [GITHUB, GITLAB], ids=lambda kind: kind.name)
def test_both_declare_what_a_kind_must(kind: ProbeKind) -> None:
    assert list(declaration_problems(kind)) == []
    assert RESERVED_KINDS[kind.name] is kind.role


async def test_gitlab_is_not_asked_since_it_lists_its_caches_nowhere(
    assign: MakeAssignment,
) -> None:
    found = await GITLAB.observe(assign("https://gitlab.example/g/p", kind="gitlab-cache"))
    assert (found.outcome, found.holdings_complete, found.requests) == (Outcome.SKIPPED, False, ())
    assert "kind s3" in found.detail
    assert any("runnerCacheClear" in r.command for r in GITLAB.remedies)


@pytest.mark.slow
async def test_github_keeps_the_contract_of_probes() -> None:
    await check_kind(
        GITHUB,
        lambda stage: {"url": f"{stage.simple_url.split('/simple')[0]}{PATH}"},
        skip=("healthy",),
    )


def test_both_say_that_nothing_of_them_was_tried_on_the_real_thing() -> None:
    assert {GITHUB.verified, GITLAB.verified} == {""}
    assert json.dumps(GITHUB.unverified)
    assert all(kind.unverified for kind in (GITHUB, GITLAB))
