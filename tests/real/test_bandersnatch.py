"""Real bandersnatch, synced from the embedded PyPI, served by real nginx and read from its disk.

Traps are numbered as in section 10 of the account of index servers.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from auditor.lab.artifacts import build_release
from auditor.lab.drive.bandersnatch import BandersnatchMirror
from auditor.lab.drive.driver import Played, audit_places, play_story
from auditor.lab.drive.pip_client import pip_download
from auditor.lab.drive.steps import Script, Step
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT
from auditor.model import HeldState, Run, Status, Verdict, View, YankState

pytestmark = [pytest.mark.real, pytest.mark.real_program("bandersnatch", "nginx", "pip")]

PLACES = ("over http", "on disk", "both")


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that an unprivileged web server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-mirror-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


Mirror = Callable[..., BandersnatchMirror]


@pytest.fixture
def mirror(real_program: Callable[[str], Path]) -> Mirror:
    def make(
        settings: dict[str, str] | None = None, filters: str = "", serve_as: str = "root"
    ) -> BandersnatchMirror:
        return BandersnatchMirror(
            command=real_program("bandersnatch"),
            nginx=real_program("nginx"),
            settings=settings or {},
            filters=filters,
            serve_as=serve_as,
        )

    return make


@dataclass
class World:
    """One mirror and its upstream, at the step where a test left them."""

    upstream: Upstream
    script: Script
    mirror: BandersnatchMirror

    async def take(self, *steps: Step, sync: bool = True) -> None:
        for step in steps:
            await self.script.take(step)
        if sync:
            await self.mirror.refresh()

    async def audit(self) -> tuple[Run, dict[str, Verdict]]:
        run, _ = await audit_places(self.upstream, self.mirror.places())
        return run, {verdict.location.name: verdict for verdict in run.verdicts}


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a mirror that has synced these steps; by default the good and the broken release."""
    async with AsyncExitStack() as stack:

        async def begin(
            mirror: BandersnatchMirror,
            directory: Path,
            steps: tuple[Step, ...] = (Step.WARM, Step.BROKEN),
        ) -> World:
            upstream = await stack.enter_async_context(serving(EmbeddedIndex(PROJECT)))
            world = World(upstream, Script.at(upstream), mirror)
            await world.take(*steps, sync=False)
            await stack.enter_async_context(mirror.running(upstream, directory))
            return world

        yield begin


def snapshot(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Name, size, time and mode of everything below a directory."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        name = str(path.relative_to(directory))
        found[name] = (status.st_size, status.st_mtime_ns, status.st_mode)
    return found


def statuses(played: Played, place: str) -> list[Status]:
    return [record.said.status for record in played.records if record.place == place]


def without_walk(place: Place) -> Place:
    table = {key: value for key, value in place.table.items() if key != "orphans"}
    return replace(place, table=table)


async def test_the_whole_story_agrees_with_pip_and_with_the_disk(
    mirror: Mirror, tmp_path: Path
) -> None:
    played = await play_story(mirror(), tmp_path)

    assert played.disagreements == ()
    assert played.harm == ()
    expected = [
        Status.BEHIND,  # warm: the fix does not exist yet
        Status.EXPOSED,  # broken
        Status.EXPOSED,  # fix published, not synced
        Status.ROLLED_FORWARD,
        Status.ROLLED_FORWARD,  # yanked
        Status.ROLLED_FORWARD,  # deleted: an orphan remains
        Status.TAMPERED,  # bytes replaced
        Status.TAMPERED,  # upstream down
    ]
    assert dict.fromkeys(PLACES, expected) == {place: statuses(played, place) for place in PLACES}
    held = {(r.step, r.said.held) for r in played.records if r.step is not Step.WARM}
    assert {step for step, state in held if state is HeldState.SHADOWED} == {Step.DELETED}
    assert {state for _, state in held} == {HeldState.HELD, HeldState.SHADOWED}


@pytest.mark.parametrize("held", [True, False])
async def test_an_audit_changes_nothing_in_the_tree_and_fetches_nothing(
    held: bool, mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """With the broken files held, and with the good ones alone while the source lists them."""
    world = await start(mirror(), tmp_path, (Step.WARM,))
    await world.take(Step.BROKEN, sync=held)
    known = tuple(
        replace(artifact.fingerprint(), url=world.upstream.url_of(artifact))
        for artifact in world.script.releases["1.2.3"]
    )
    before = snapshot(world.mirror.directory)
    asked = len(world.upstream.artifact_requests())

    run, _ = await audit_places(world.upstream, world.mirror.places(), known)

    assert before == snapshot(world.mirror.directory)
    assert asked == len(world.upstream.artifact_requests())
    heads = [line.status for line in world.mirror.access_log() if line.method == "HEAD"]
    assert heads == ([200, 200] if held else [404, 404])
    states = {v.broken.held for v in run.verdicts if not v.is_source}
    assert states == {HeldState.HELD if held else HeldState.NOT_HELD}


async def test_trap_5_a_deleted_release_is_not_listed_and_still_served(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """Trap 5: "not listed" and "not held" are independent."""
    world = await start(mirror(), tmp_path)
    await world.take(Step.FIX_PUBLISHED, Step.DELETED)

    _, rows = await world.audit()

    assert rows["on disk"].broken.listed is False
    assert rows["on disk"].broken.held is HeldState.SHADOWED
    assert "broken-orphaned" in {reason.code for reason in rows["on disk"].reasons}
    wheel = world.script.releases["1.2.3"][0]
    url = world.mirror.simple_url.replace("/simple/", wheel.path)
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert await answer.read() == wheel.content


async def test_trap_9_a_project_deleted_at_the_source_stays_for_ever(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """Trap 9: deleting a project upstream never clears bandersnatch."""
    world = await start(mirror(), tmp_path)
    world.upstream.index.delete_project(project=PROJECT)
    world.upstream.index.publish(*build_release("other", "1.0"))
    await world.mirror.refresh()

    _, rows = await world.audit()

    for place in PLACES:
        assert (rows[place].status, rows[place].broken.listed) == (Status.EXPOSED, True), place
        assert rows[place].broken.held is HeldState.HELD, place
    got = await pip_download(world.mirror.simple_url, PROJECT)
    assert got.version == "1.2.3"


async def test_trap_11_only_the_serial_of_the_page_is_evidence(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """Trap 11: status, root serial, exit code and last-modified all mislead in some case."""
    world = await start(mirror(), tmp_path)
    await world.take(Step.FIX_PUBLISHED, sync=False)
    wanted = world.upstream.index.serial

    async def project_is_gone(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=404) if request.path.startswith("/pypi/") else None

    world.upstream.pages.intercept = project_is_gone
    refused = await world.mirror.call("mirror")
    world.upstream.pages.intercept = None
    _, rows = await world.audit()

    assert refused.returncode == 0
    assert (world.mirror.directory / "status").read_text() == str(wanted)
    root = json.loads((world.mirror.directory / "web/simple/index.v1_json").read_text())
    assert root["meta"]["_last-serial"] < wanted
    for place in PLACES:
        assert rows[place].status is Status.EXPOSED, place
        assert "serial-behind" in {reason.code for reason in rows[place].reasons}, place
        assert rows[place].freshness.serial == wanted - 2, place

    (world.mirror.directory / "status").write_text(str(wanted - 1))
    marks = (world.mirror.directory / "web" / "last-modified").read_text()
    await world.mirror.call("sync", PROJECT)
    _, rows = await world.audit()

    assert (world.mirror.directory / "status").read_text() == str(wanted - 1)
    assert (world.mirror.directory / "web" / "last-modified").read_text() == marks
    for place in PLACES:
        assert rows[place].status is Status.ROLLED_FORWARD, place
        assert rows[place].freshness.serial == wanted, place
    assert any(str(wanted - 1) in n and "proves nothing" in n for n in rows["on disk"].notes)


async def test_trap_12_a_reason_that_json_loses_is_no_split(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """Trap 12: bandersnatch's JSON drops the yank reason, its HTML keeps it."""
    world = await start(mirror(), tmp_path)
    await world.take(Step.FIX_PUBLISHED, Step.YANKED)

    _, observations = await audit_places(world.upstream, world.mirror.places())
    _, rows = await world.audit()

    for observation in observations[1:]:
        reasons = {
            page.view: {c.yank_reason for c in page.candidates if c.version == "1.2.3"}
            for page in observation.pages
        }
        assert reasons[View.PIP_HTML] == {"broken: use 1.2.4"}
        assert reasons[View.PIP] == reasons[View.UV] == {None}
    for place in PLACES:
        assert rows[place].broken.yanked is YankState.REASON
        codes = {reason.code for reason in rows[place].reasons}
        assert not codes & {"split-view", "yank-lost", "flapping"}, place


async def test_trap_13_a_serial_is_a_serial_in_whatever_type_it_comes(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """Trap 13: int on PyPI, string in bandersnatch's JSON, comment in its HTML."""
    world = await start(mirror(), tmp_path)

    _, observations = await audit_places(world.upstream, world.mirror.places())

    page = world.mirror.directory / "web" / "simple" / PROJECT / "index.v1_json"
    serial = world.upstream.index.serial
    assert f'"_last-serial": "{serial}"' in page.read_text()
    serials = {page.freshness.serial for o in observations for page in o.pages}
    assert serials == {serial}


async def test_what_the_web_server_may_not_read_is_unreadable_and_not_absent(
    mirror: Mirror, start: Start, public_directory: Path
) -> None:
    world = await start(mirror(serve_as="nobody nogroup"), public_directory)
    mark = world.mirror.directory / "web" / "last-modified"
    mode = mark.stat().st_mode & 0o777
    if os.geteuid() != 0:  # then nginx runs as the owner
        mark.chmod(0)

    _, rows = await world.audit()

    assert mode == 0o600
    assert any("answers 403" in note and "not absent" in note for note in rows["over http"].notes)
    assert rows["over http"].status is Status.EXPOSED


async def test_hashed_and_kept_pages_are_found_and_tell_of_an_orphan_without_a_walk(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """`hash-index` and `keep_index_versions`; versions sorted as text choose nothing (1.2.10)."""
    made = mirror({"hash-index": "true", "keep_index_versions": "5"})
    world = await start(made, tmp_path)
    await world.take(Step.FIX_PUBLISHED, Step.DELETED)
    world.upstream.index.publish(*build_release(PROJECT, "1.2.10"))
    await world.mirror.refresh()

    directory = world.mirror.directory
    places = [without_walk(p) for p in world.mirror.places() if p.name != "over http"]
    run, _ = await audit_places(world.upstream, places)
    rows = {verdict.location.name: verdict for verdict in run.verdicts}

    assert (directory / "web/simple/b" / PROJECT / "index.html").is_symlink()
    got = await pip_download(world.mirror.simple_url, PROJECT)
    for place in places:
        row = rows[place.name]
        assert {cell.version for cell in row.selections} == {got.version} == {"1.2.10"}
        assert (row.broken.listed, row.broken.held) == (False, HeldState.SHADOWED)


async def test_a_release_that_a_filter_hides_is_still_held(
    mirror: Mirror, start: Start, tmp_path: Path
) -> None:
    """`json/PROJECT` is saved before release filters, so it says what is held and not listed."""
    allow = f"allowlist_project\n[allowlist]\npackages =\n    {PROJECT}"
    both = f"blocklist_release\n    {allow}\n[blocklist]\npackages =\n    {PROJECT}==1.2.3"
    world = await start(mirror(), tmp_path)
    conf = tmp_path / "bandersnatch.conf"
    conf.write_text(conf.read_text().replace(allow, both))
    await world.take(Step.FIX_PUBLISHED)

    places = [without_walk(p) for p in world.mirror.places() if p.name == "on disk"]
    run, _ = await audit_places(world.upstream, places)
    (row,) = [v for v in run.verdicts if v.location.name == "on disk"]

    assert (row.broken.listed, row.broken.held) == (False, HeldState.SHADOWED)
    assert any("json/brokenpkg names it" in reason.observed for reason in row.reasons)
