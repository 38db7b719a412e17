"""PyPI in depth, against PyPI in small: every surface, its age, and who strips what."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from auditor.contracts import GuardPolicy
from auditor.lab.delivery import Gateway, Variant
from auditor.lab.pypi import SmallPypi
from auditor.lab.story import BROKEN, FIXED, Story, play
from auditor.model import (
    Fingerprint,
    HeldState,
    NodeAge,
    Observation,
    PageOutcome,
    SettingValue,
    Surface,
    Touch,
    Yank,
)
from probes import pypi
from probes.kit.answer import Headers
from probes.kit.views import CLIENTS
from probes.pypi_surfaces.debug import read_debug
from probes.pypi_surfaces.targets import legacy_root
from tests.probes.conftest import MakeAssignment, Serve, entry, json_page, page_response

BUILTIN: dict[str, SettingValue] = {"pip_builtin": True}
WHEEL = f"brokenpkg-{FIXED}-py3-none-any.whl"


class Played:
    """PyPI in small with the incident played on it."""

    def __init__(self, server: SmallPypi, story: Story, assign: MakeAssignment) -> None:
        self.server = server
        self.story = story
        self._assign = assign

    async def observe(self, *, builtin: bool = True, **facts: object) -> Observation:
        settings = BUILTIN if builtin else {}
        url = self.server.pages.simple_url
        return await pypi.KIND.observe(self._assign(url, kind="pypi", settings=settings, **facts))

    def where(self, version: str) -> tuple[Fingerprint, ...]:
        """What the incident knows of the files of one release."""
        return tuple(
            replace(artifact.fingerprint(), url=self.server.url_of(artifact))
            for artifact in self.story.releases[version]
        )


@asynccontextmanager
async def played(assign: MakeAssignment) -> AsyncIterator[Played]:
    now = datetime.now(UTC)
    server = SmallPypi(now=now)
    story = play(server.index, now)
    async with server:
        yield Played(server, story, assign)


def by_label(surfaces: Iterable[Surface]) -> dict[str, Surface]:
    return {surface.label: surface for surface in surfaces}


async def test_every_surface_is_read_and_says_the_same(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        world.server.attested = True
        seen = by_label((await world.observe()).surfaces)
        serial = world.server.index.serial
    pages = [f"{n} ({e})" for n in ("simple-json", "simple-html") for e in ("gzip", "identity")]
    assert set(seen) == {
        *pages,
        "cdn-json (gzip)",
        "cdn-html (gzip)",
        "legacy-project",
        f"legacy-release {BROKEN}",
        f"legacy-release {FIXED}",
        f"metadata {WHEEL}",
        f"provenance brokenpkg-{BROKEN}-py3-none-any.whl",
        f"provenance {WHEEL}",
    }
    assert not {n: s.detail for n, s in seen.items() if s.outcome is not PageOutcome.OBSERVED}
    for name in (*pages, "cdn-json (gzip)", "cdn-html (gzip)", "legacy-project"):
        found = seen[name]
        assert (found.lists_broken, found.lists_fix, found.yanked) == (True, True, Yank.YES), name
        assert found.evidence, name
    places = {n: set(seen[n].serials) for n in ("simple-json (identity)", "simple-html (gzip)")}
    assert places == {
        "simple-json (identity)": {"meta", "header"},
        "simple-html (gzip)": {"comment", "header"},
    }
    assert set(seen["legacy-project"].serials) == {"last_serial", "header"}
    assert {n for s in seen.values() for n in s.serials.values()} == {serial}
    assert seen[f"metadata {WHEEL}"].facts["agrees"] == "yes"
    assert seen[f"provenance {WHEEL}"].facts["publisher"] == (
        "GitHub brokenpkg/brokenpkg release.yml"
    )


async def test_the_requests_are_few_and_are_the_servers_logs(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        world.server.attested = True
        observation = await world.observe()
        servers = (world.server.pages, world.server.files)
        logged = Counter((e.method, f"{s.url}{e.path}", e.status) for s in servers for e in s.log)
    sent = Counter((r.method, r.url, r.status) for r in observation.requests)
    assert logged == sent
    assert sent.total() <= 20
    assert {r.touch for r in observation.requests} == {Touch.REFRESHES_INDEX, Touch.INERT}
    files = {(e.method, e.path.endswith(".metadata")) for e in world.server.files.log}
    assert files == {("HEAD", False), ("GET", True)}


async def test_the_views_stay_literal_whatever_else_is_asked(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        observation = await world.observe()
    literal = {(c.accept, c.accept_encoding) for c in CLIENTS.values()}
    simple = [e for e in world.server.pages.log if e.path.startswith("/simple/")]
    first = {(e.headers["accept"], e.headers["accept-encoding"]) for e in simple[:4]}
    assert first == literal
    assert [e.headers["accept-encoding"] for e in simple[4:]].count("identity") == 2
    assert len(observation.pages) == 4


async def test_elsewhere_than_at_pips_built_in_address_no_file_and_no_debugging_is_asked_for(
    assign: MakeAssignment,
) -> None:
    async with played(assign) as world:
        world.server.attested = True
        observation = await world.observe(builtin=False)
        assert world.server.files.log == []
    seen = by_label(observation.surfaces)
    assert not any(name.startswith("cdn") for name in seen)
    for name in (f"metadata {WHEEL}", f"provenance {WHEEL}"):
        assert seen[name].outcome is PageOutcome.SKIPPED
        assert "built-in" in seen[name].detail
    assert seen["legacy-project"].outcome is PageOutcome.OBSERVED


async def test_the_true_age_of_each_node_is_read(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        network = world.server.network
        network.edge_age[Variant.JSON_GZIP] = timedelta(seconds=120)
        network.shield_age[Variant.JSON_GZIP] = timedelta(hours=5)
        seen = by_label((await world.observe()).surfaces)
    found = seen["cdn-json (gzip)"]
    assert found.age_s == 120 + 5 * 3600
    assert found.nodes == (
        NodeAge(node=network.EDGE, hit=True, age_s=120),
        NodeAge(node=network.SHIELD, hit=False, age_s=5 * 3600),
    )
    assert seen["cdn-html (gzip)"].age_s == 0


async def test_a_network_that_keeps_its_age_to_itself_leaves_it_unknown(
    assign: MakeAssignment,
) -> None:
    async with played(assign) as world:
        world.server.network.answers_debug = False
        seen = by_label((await world.observe()).surfaces)
    assert (seen["cdn-json (gzip)"].age_s, seen["cdn-json (gzip)"].nodes) == (None, ())


@pytest.mark.parametrize("variant", list(Variant))
async def test_each_object_of_the_network_can_be_stale_alone(
    variant: Variant, assign: MakeAssignment
) -> None:
    async with played(assign) as world:
        world.server.network.stale[variant] = world.story.before_fix
        seen = (await world.observe()).surfaces
    named = {
        Variant.JSON_GZIP: {"simple-json (gzip)", "cdn-json (gzip)"},
        Variant.JSON_IDENTITY: {"simple-json (identity)"},
        Variant.HTML_GZIP: {"simple-html (gzip)", "cdn-html (gzip)"},
        Variant.HTML_IDENTITY: {"simple-html (identity)"},
        Variant.LEGACY: {"legacy-project"},
    }
    assert {s.label for s in seen if s.lists_fix is False} == named[variant]


@pytest.mark.parametrize("gateway", [Gateway.STRIPS_HEADERS, Gateway.STRIPS_SERIALS])
async def test_a_gateway_that_strips_headers_is_recognised_and_nothing_is_asked_through_it(
    gateway: Gateway, assign: MakeAssignment
) -> None:
    async with played(assign) as world:
        world.server.gateway = gateway
        observation = await world.observe()
        assert world.server.files.log == []
        pages = [e for e in world.server.pages.log if e.path.startswith("/simple/")]
        assert len(pages) == 4 + 2  # the views, and the two forms without compression
    assert {s.stripped for s in observation.surfaces if s.name.startswith("simple")} == {True}
    assert not any(s.name.startswith("cdn") for s in observation.surfaces)
    assert all("strips" in h.how for h in observation.holdings)
    kept = gateway is Gateway.STRIPS_HEADERS
    serials = by_label(observation.surfaces)["simple-json (gzip)"].serials
    assert set(serials) == ({"meta"} if kept else set())
    assert by_label(observation.surfaces)["simple-html (gzip)"].serials == {}


async def test_without_a_gateway_nothing_is_stripped(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        surfaces = (await world.observe()).surfaces
    assert {s.stripped for s in surfaces if s.name.startswith("simple")} == {False}


@pytest.mark.parametrize("keep_files", [True, False])
async def test_the_file_of_a_deleted_release_is_asked_for_where_it_was(
    keep_files: bool, assign: MakeAssignment
) -> None:
    async with played(assign) as world:
        world.server.index.delete_release(BROKEN, keep_files=keep_files)
        observation = await world.observe(fingerprints=world.where(BROKEN))
    states = {h.state for h in observation.holdings}
    assert states == {HeldState.HELD if keep_files else HeldState.NOT_HELD}
    assert by_label(observation.surfaces)[f"legacy-release {BROKEN}"].facts == {
        "release": "not there"
    }


async def test_old_legacy_json_tells_where_a_deleted_file_was(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        world.server.network.stale[Variant.LEGACY] = world.story.fixed
        world.server.index.delete_release(BROKEN)
        observation = await world.observe()
    assert {h.state for h in observation.holdings} == {HeldState.HELD}
    assert all(h.version == BROKEN for h in observation.holdings)


async def test_one_file_that_is_held_settles_it_and_spares_the_rest(
    serve: Serve, assign: MakeAssignment
) -> None:
    files = await serve(lambda request: _answer(200))
    tags = [f"cp3{n}-cp3{n}-win_amd64" for n in range(8, 18)]

    async def index(request: web.Request) -> web.StreamResponse:
        entries = [entry(BROKEN, files.url), entry(FIXED, files.url)]
        for tag in tags:
            name = f"brokenpkg-{BROKEN}-{tag}.whl"
            entries.append({"filename": name, "url": f"{files.url}/{name}", "hashes": {}})
        return page_response(json_page(*entries), ETag='"1"')

    server = await serve(index)
    observation = await pypi.KIND.observe(
        assign(f"{server.url}/simple/", kind="pypi", settings=BUILTIN)
    )
    states = Counter(h.state for h in observation.holdings)
    assert states == {HeldState.HELD: 4, HeldState.UNKNOWN: 7}
    assert len(files.log) == 4


async def _answer(status: int) -> web.StreamResponse:
    return web.Response(status=status)


async def test_a_quarantined_and_an_archived_project_are_told_apart(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        world.server.index.quarantine()
        hidden = by_label((await world.observe()).surfaces)["simple-json (gzip)"]
        world.server.index.archive()
        shown = by_label((await world.observe()).surfaces)["simple-json (gzip)"]
    assert (hidden.facts["project status"], hidden.lists_fix) == ("quarantined", False)
    assert (shown.facts["project status"], shown.lists_fix) == ("archived", True)


async def test_a_project_that_is_gone_is_gone_on_every_surface(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        world.server.index.delete_project()
        surfaces = (await world.observe()).surfaces
    assert {s.outcome for s in surfaces} == {PageOutcome.ABSENT}


async def test_a_server_without_legacy_json_of_releases_says_nothing_of_them(
    assign: MakeAssignment,
) -> None:
    async def projects_only(request: web.Request) -> web.StreamResponse | None:
        one_release = request.path.startswith("/pypi/") and request.path.count("/") > 3
        return web.Response(status=404) if one_release else None

    async with played(assign) as world:
        world.server.pages.intercept = projects_only
        seen = by_label((await world.observe()).surfaces)
    assert seen["legacy-project"].outcome is PageOutcome.OBSERVED
    for version in (BROKEN, FIXED):
        assert seen[f"legacy-release {version}"].outcome is PageOutcome.ABSENT
        assert seen[f"legacy-release {version}"].facts == {}


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"releases": 3}', b"\xff", b"[" * 100_000]
)
async def test_nonsense_beside_the_pages_costs_that_surface_only(
    body: bytes, serve: Serve, assign: MakeAssignment
) -> None:
    async def index(request: web.Request) -> web.StreamResponse:
        if request.path != "/simple/brokenpkg/":
            return web.Response(body=body)
        return page_response(json_page(entry(FIXED, "http://files.example")))

    server = await serve(index)
    observation = await pypi.KIND.observe(assign(f"{server.url}/simple/", kind="pypi"))
    found = by_label(observation.surfaces)
    assert found["legacy-project"].outcome is PageOutcome.MALFORMED
    assert found["simple-json (gzip)"].lists_fix is True


async def test_a_page_cannot_send_us_anywhere_for_its_attestations(
    serve: Serve, assign: MakeAssignment
) -> None:
    elsewhere = await serve(lambda request: _answer(200))

    async def index(request: web.Request) -> web.StreamResponse:
        if request.path != "/simple/brokenpkg/":
            return web.Response(status=404)
        told = {"provenance": f"{elsewhere.url}/integrity/x/provenance"}
        return page_response(json_page(entry(FIXED, "http://files.example", **told)), ETag='"1"')

    server = await serve(index)
    observation = await pypi.KIND.observe(
        assign(f"{server.url}/simple/", kind="pypi", settings=BUILTIN)
    )
    found = by_label(observation.surfaces)[f"provenance {WHEEL}"]
    assert (found.outcome, elsewhere.log) == (PageOutcome.SKIPPED, [])
    assert "host of the index" in found.detail


async def test_a_surface_that_hangs_costs_neither_the_pages_nor_the_files(
    assign: MakeAssignment,
) -> None:
    async def hang(request: web.Request) -> web.StreamResponse | None:
        if request.path.startswith("/pypi/"):
            await asyncio.sleep(3600)
        return None

    async with played(assign) as world:
        world.server.pages.intercept = hang
        observation = await world.observe(timeout_s=2.0)
    seen = by_label(observation.surfaces)
    assert seen["legacy-project"].outcome is PageOutcome.UNREACHABLE
    assert seen["simple-json (identity)"].outcome is PageOutcome.OBSERVED
    assert HeldState.HELD in {h.state for h in observation.holdings}


async def test_inert_means_that_no_surface_is_asked_for(assign: MakeAssignment) -> None:
    async with played(assign) as world:
        observation = await world.observe(policy=GuardPolicy(inert=True))
        assert (observation.surfaces, world.server.pages.log) == ((), [])


async def test_a_sidecar_with_other_bytes_is_told(assign: MakeAssignment) -> None:
    async def other(request: web.Request) -> web.StreamResponse | None:
        return web.Response(body=b"other") if request.path.endswith(".metadata") else None

    async with played(assign) as world:
        world.server.files.intercept = other
        found = by_label((await world.observe()).surfaces)[f"metadata {WHEEL}"]
    assert found.facts["agrees"] == "no"


@pytest.mark.parametrize(
    ("path", "ttl", "age_s", "ages"),
    [
        ("(D a 1700000100) (F a 1700000000)", "", 100.0, [100.0]),
        ("", "(H a 500.000 0.000 46)", 46.0, [46.0]),
        ("(D a 1700000000) (F a 1700000100)", "", 0.0, [0.0]),  # clocks that disagree
        ("(D a 1700000000)", "(M a - - -)", None, [None]),
        (
            "(D a 1700000100) (F a 1700000090) (D b 1700000090) (F b 1700000000)",
            "(H a 1.0 0.0 10) (H b 1.0 0.0 90)",
            100.0,
            [10.0, 90.0],
        ),
    ],
)
def test_ages_are_read_from_what_the_nodes_say(
    path: str, ttl: str, age_s: float | None, ages: list[float | None]
) -> None:
    fields = (("Fastly-Debug-Path", path), ("Fastly-Debug-TTL", ttl))
    found = read_debug(Headers(tuple((k, v) for k, v in fields if v)))
    assert found is not None
    assert (found.age_s, [n.age_s for n in found.nodes]) == (age_s, ages)


@pytest.mark.parametrize("text", ["", "nonsense", "(D  1) (F", "(" * 5000, "(D a 99999999999999)"])
def test_nonsense_of_a_node_is_no_age(text: str) -> None:
    assert read_debug(Headers((("Fastly-Debug-Path", text),))) is None


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://index.example/simple/", "https://index.example"),
        ("https://index.example/simple", "https://index.example"),
        ("https://index.example/root/simple/", "https://index.example/root"),
        ("https://index.example/pypi/", None),
        ("https://index.example/simple/?x=1", None),
    ],
)
def test_legacy_json_lies_beside_the_simple_pages(url: str, root: str | None) -> None:
    assert legacy_root(url) == root
