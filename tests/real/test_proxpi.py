"""Real proxpi behind real gunicorn, filled from the embedded PyPI.

Traps are numbered as in section 10 of the account of index servers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.driver import audit_places, play_story
from auditor.lab.drive.pip_client import pip_download
from auditor.lab.drive.proxpi import ProxpiCache
from auditor.lab.drive.steps import Script, Step
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT, tampered_wheel
from auditor.model import Fingerprint, HeldState, LagState, Observation, Status, Verdict

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("proxpi", "pip"),
]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# With two workers, both are asked in some view with near certainty; what the log says is checked.
SAMPLES = 8


@dataclass
class World:
    """One proxpi and its upstream, which has the good and the broken release."""

    upstream: Upstream
    script: Script
    cache: ProxpiCache

    @property
    def broken(self) -> tuple[Artifact, Artifact]:
        return self.script.releases["1.2.3"]

    def known(self) -> tuple[Fingerprint, ...]:
        return tuple(artifact.fingerprint() for artifact in self.broken)

    def file_url(self, artifact: Artifact) -> str:
        return f"{self.cache.page_url}{artifact.filename}"

    async def audit(
        self, known: tuple[Fingerprint, ...] | None = None
    ) -> dict[str, tuple[Verdict, Observation]]:
        given = self.known() if known is None else known
        run, observations = await audit_places(self.upstream, self.cache.places(), given)
        seen = {observation.location: observation for observation in observations}
        return {v.location.name: (v, seen[v.location.name]) for v in run.verdicts}


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(real_program: Callable[[str], Path], tmp_path: Path) -> AsyncIterator[Start]:
    """Start a proxpi that holds the good release; every worker has read the page once."""
    async with AsyncExitStack() as stack:

        async def begin(*, workers: int = 1, samples: int = 1, **settings: str) -> World:
            upstream = await stack.enter_async_context(serving(EmbeddedIndex(PROJECT)))
            script = Script.at(upstream)
            await script.take(Step.WARM)
            command = real_program("proxpi")
            cache = ProxpiCache(
                command=command, workers=workers, samples=samples, settings=settings
            )
            await stack.enter_async_context(cache.running(upstream, tmp_path))
            await script.take(Step.BROKEN)
            await cache.refresh()
            return World(upstream, script, cache)

        yield begin


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    """Name, size and time of every file below a directory."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in paths}


@pytest.mark.parametrize(
    ("workers", "samples"), [(1, 1), pytest.param(2, 4, marks=pytest.mark.heavy)]
)
async def test_the_whole_story_agrees_with_pip_and_with_the_disk(
    workers: int, samples: int, real_program: Callable[[str], Path], tmp_path: Path
) -> None:
    """Several workers agree as long as the operator's refresh reaches each of them."""
    subject = ProxpiCache(command=real_program("proxpi"), workers=workers, samples=samples)

    played = await play_story(subject, tmp_path)

    assert played.disagreements == ()
    assert played.harm == ()
    said = {(r.step, r.place): (r.said.status, r.said.held) for r in played.records}
    assert [said[step, "with disk"] for step in Step] == [
        (Status.BEHIND, HeldState.NOT_HELD),  # warm
        (Status.EXPOSED, HeldState.NOT_HELD),  # listed, and nobody has asked for it yet
        (Status.EXPOSED, HeldState.HELD),  # the fix is out; pip has installed the broken one
        (Status.ROLLED_FORWARD, HeldState.HELD),
        (Status.ROLLED_FORWARD, HeldState.HELD),  # yanked
        (Status.ROLLED_FORWARD, HeldState.SHADOWED),  # deleted: 404, and kept
        (Status.TAMPERED, HeldState.HELD),  # bytes replaced
        (Status.TAMPERED, HeldState.HELD),  # upstream down, within the life of the page
    ]
    assert [said[step, "over http"][0] for step in Step] == [
        said[step, "with disk"][0] for step in Step
    ]
    assert {said[step, "over http"][1] for step in Step} == {HeldState.UNKNOWN}
    fix_published = played.runs[Step.FIX_PUBLISHED].verdicts
    lags = [v.lag for v in fix_published if not v.is_source]
    assert {lag.state for lag in lags} == {LagState.WITHIN_LAG}
    assert all("1800 s" in lag.basis for lag in lags)
    rows = [verdict for run in played.runs.values() for verdict in run.verdicts]
    assert not any("flapping" in codes(row) for row in rows)


@pytest.mark.parametrize("held", [True, False])
async def test_traps_1_and_2_every_request_for_a_file_stores_it_and_an_audit_sends_none(
    held: bool, start: Start
) -> None:
    """Traps 1 and 2: HEAD stores, and so does a conditional GET, which then answers 304."""
    world = await start()
    wheel, sdist = world.broken
    if held:
        await world.cache.fetch(wheel.filename)
    before = snapshot(world.cache.cache)
    asked_before = len(world.upstream.artifact_requests())

    rows = await world.audit()

    assert before == snapshot(world.cache.cache)
    assert asked_before == len(world.upstream.artifact_requests())
    # By who asked: what was asked before may be written down late.
    logged = [line for line in world.cache.access_log() if "propagation-auditor" in line.user_agent]
    assert {(line.method, line.path) for line in logged} == {("GET", f"/index/{PROJECT}/")}
    assert len(logged) == sum(len(rows[n][1].requests) for n in ("over http", "with disk"))
    assert rows["over http"][0].broken.held is HeldState.UNKNOWN
    assert "no-safe-probe" in codes(rows["over http"][0])
    expected = HeldState.HELD if held else HeldState.NOT_HELD
    assert rows["with disk"][0].broken.held is expected

    assert world.cache.inventory().keys() & {sdist.filename} == set()
    assert (await world.cache.call("HEAD", world.file_url(sdist)))[0] == 200
    assert sdist.filename in world.cache.inventory()
    (stored,) = world.cache.cache.rglob(sdist.filename)
    modified = "Thu, 01 Jan 2099 00:00:00 GMT"
    if not held:
        status, _ = await world.cache.call(
            "GET", world.file_url(wheel), **{"If-Modified-Since": modified}
        )
        assert status == 304
        assert wheel.sha256 in world.cache.inventory()[wheel.filename]
    assert stored.read_bytes() == sdist.content


async def test_a_source_that_no_longer_has_the_file_makes_no_question_safe(start: Start) -> None:
    """Of any other cache a file may be asked for once its source answers 404; never of proxpi."""
    world = await start()
    await world.script.take(Step.FIX_PUBLISHED)
    await world.script.take(Step.DELETED)
    for artifact in world.broken:
        world.upstream.index.files.remove(artifact)

    rows = await world.audit()

    verdict, seen = rows["over http"]
    assert verdict.broken.held is HeldState.UNKNOWN
    assert {r.url for r in seen.requests} == {world.cache.page_url}


async def test_trap_9_a_project_deleted_upstream_is_500_and_unknown_not_absent(
    start: Start,
) -> None:
    """Trap 9: where devpi keeps the old page for ever, proxpi answers 500 for the project."""
    world = await start()
    # While its list of projects is kept too, the project is believed to exist.
    await world.cache.call("GET", world.cache.simple_url)
    world.upstream.index.delete_project(project=PROJECT)
    await world.cache.reach_all("DELETE", f"{world.cache.url}/cache/{PROJECT}")

    rows = await world.audit()

    for name in ("over http", "with disk"):
        verdict, seen = rows[name]
        assert verdict.status is Status.UNKNOWN, name
        assert {page.status for page in seen.pages} == {500}
        assert any("project that its upstream deleted" in note for note in seen.notes)
    got = await pip_download(world.cache.simple_url, PROJECT)
    assert got.version is None


async def test_trap_10_a_forced_refresh_without_upstream_takes_everything_down(
    start: Start,
) -> None:
    """Trap 10: 500 for the page and for stored files; the remedy warns of it."""
    world = await start()
    wheel = world.broken[0]
    await world.cache.fetch(wheel.filename)
    rows = await world.audit()
    (refresh,) = [r for r in rows["over http"][0].remedies if "-X DELETE" in r.command]
    assert "first see that its upstream answers" in refresh.caution
    assert refresh.command.endswith(f"{world.cache.page_url}../../cache/{PROJECT}")
    await world.script.take(Step.UPSTREAM_DOWN)
    assert (await world.cache.call("GET", world.file_url(wheel)))[0] == 200

    await world.cache.call("DELETE", f"{world.cache.url}/cache/{PROJECT}")
    rows = await world.audit()

    assert (await world.cache.call("GET", world.file_url(wheel)))[0] == 500
    assert (await world.cache.call("GET", world.cache.page_url))[0] == 500
    verdict, _ = rows["with disk"]
    assert (verdict.status, verdict.broken.held) == (Status.UNKNOWN, HeldState.HELD)
    assert not any("-X DELETE" in remedy.command for remedy in verdict.remedies)


async def test_trap_10_one_delete_reaches_one_worker_and_samples_show_it(start: Start) -> None:
    """Trap 10: a refresh is partial with several workers; the place is then flapping."""
    world = await start(workers=2, samples=SAMPLES)
    await world.script.take(Step.FIX_PUBLISHED)
    await world.cache.call("DELETE", f"{world.cache.url}/cache/{PROJECT}")
    # Whichever worker was reached reads its page anew when it is next asked.
    await world.cache.reach_all("GET", world.cache.page_url)
    begin = len(world.cache.answered_by())

    rows = await world.audit()

    assert len(set(world.cache.answered_by()[begin:])) == 2, "both workers were asked"
    verdict, _ = rows["over http"]
    assert verdict.status is Status.EXPOSED
    assert "flapping" in codes(verdict)
    assert verdict.lag.state is LagState.WITHIN_LAG

    await world.cache.refresh()
    rows = await world.audit()
    assert rows["over http"][0].status is Status.ROLLED_FORWARD
    assert "flapping" not in codes(rows["over http"][0])


async def test_trap_13_nothing_tells_how_old_a_page_is(start: Start) -> None:
    """Trap 13: no serial, no ETag, no age: freshness is a comparison of content alone."""
    world = await start()
    await world.script.take(Step.FIX_PUBLISHED)

    verdict, seen = (await world.audit())["over http"]

    for page in seen.pages:
        assert page.freshness.serial is page.freshness.etag is page.freshness.age_s is None
        assert page.freshness.last_modified is None
    assert {"serial-missing", "stale-page"} <= codes(verdict)
    # Every client class names what it accepts: without that proxpi answers 406.
    assert (await world.cache.call("GET", world.cache.page_url, Accept=""))[0] == 406
    assert {page.status for page in seen.pages} == {200}


async def test_traps_8_and_18_a_charset_upstream_empties_the_page(start: Start) -> None:
    """Traps 8 and 18: a JSON type with a charset is read as HTML, and lists nothing with 200."""
    world = await start()

    async def with_charset(request: web.Request) -> web.StreamResponse | None:
        if "proxpi" not in request.headers.get("User-Agent", "") and not request.headers[
            "User-Agent"
        ].startswith("python-requests"):
            return None
        body = {"meta": {"api-version": "1.1"}, "name": PROJECT, "files": []}
        return web.Response(
            body=json.dumps(body).encode(), headers={"Content-Type": f"{JSON_TYPE}; charset=utf-8"}
        )

    world.upstream.pages.intercept = with_charset
    await world.cache.refresh()
    verdict, seen = (await world.audit())["over http"]
    got = await pip_download(world.cache.simple_url, PROJECT)

    assert {(page.status, page.candidates) for page in seen.pages} == {(200, ())}
    assert got.version is None
    assert verdict.status is Status.BEHIND
    assert {cell.version for cell in verdict.selections if cell.counts} == {None}
    assert any("charset" in note for note in seen.notes)


async def test_a_file_replaced_under_its_own_url_is_served_with_the_wrong_digest(
    start: Start,
) -> None:
    """The page is fetched again, the file is not: every install of it fails."""
    world = await start()
    wheel, other = world.broken[0], tampered_wheel()
    await world.cache.fetch(wheel.filename)

    async def new_page(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith(f"/simple/{PROJECT}"):
            return None
        entry = {
            "filename": wheel.filename,
            "url": world.upstream.url_of(wheel),
            "hashes": {"sha256": other.sha256},
        }
        page = {"meta": {"api-version": "1.0"}, "name": PROJECT, "files": [entry]}
        return web.Response(body=json.dumps(page).encode(), headers={"Content-Type": JSON_TYPE})

    world.upstream.pages.intercept = new_page
    await world.cache.refresh()
    verdict, seen = (await world.audit(known=()))["with disk"]
    got = await pip_download(world.cache.simple_url, f"{PROJECT}==1.2.3")

    assert "stored-bytes-differ" in codes(verdict)
    assert verdict.status is Status.TAMPERED
    (hint,) = seen.hints
    assert wheel.sha256 in hint.observed
    assert got.filename is None
    assert "DO NOT MATCH THE HASHES" in got.output
    (cure,) = [r for r in verdict.remedies if "stop proxpi" in r.command]
    assert "not while it runs" in cure.caution
    (kept,) = world.cache.cache.rglob(wheel.filename)
    kept.unlink()
    assert (await world.cache.call("GET", world.file_url(wheel)))[0] == 500
