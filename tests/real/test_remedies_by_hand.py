"""What is printed as a sentence is done as it says; the place rolls forward, and pip agrees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.drive.driver import audit_places, observe_places, remembered
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.proxpi import ProxpiCache
from auditor.lab.drive.pypiserver import PypiServer
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.experiment.asking import download
from auditor.lab.experiment.scenarios import begin, play
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.mirrors import mirror_of
from auditor.lab.server import LOOPBACK, LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.story import BROKEN, FIXED, GOOD, PROJECT, YANK_REASON, tampered_wheel
from auditor.model import Fingerprint, Gets, SettingValue, Status, Verdict, YankState
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import ROLLED_FORWARD, paste, printed

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]
GOOD_FILES, BROKEN_FILES, FIXED_FILES = (build_release(PROJECT, v) for v in (GOOD, BROKEN, FIXED))


@dataclass
class Story:
    """A place and its source; the broken release is out."""

    upstream: Upstream
    place: Place
    known: tuple[Fingerprint, ...] = ()

    async def remember(self) -> None:
        """Learn the broken files, as a history does."""
        plan, seen = await observe_places(self.upstream, [self.place])
        self.known = remembered((), seen, plan.incidents[0])

    async def audit(self, name: str = "place") -> Verdict:
        run, _ = await audit_places(self.upstream, [self.place], self.known)
        return next(v for v in run.verdicts if v.location.name == name)

    async def gets(self, requirement: str = PROJECT) -> Gets:
        return await download("--index-url", self.place.index_url, requirement)

    async def rolls_forward(self) -> Verdict:
        """Now, and after another client has asked."""
        assert (await self.audit()).status in ROLLED_FORWARD
        assert await self.gets() is Gets.FIX
        after = await self.audit()
        assert after.status in ROLLED_FORWARD
        return after


def place(table: Mapping[str, SettingValue], index_url: str) -> Place:
    return Place(name="place", table=table, index_url=index_url)


@asynccontextmanager
async def mirror(*files: Artifact) -> AsyncIterator[tuple[Story, EmbeddedIndex]]:
    """A mirror of unknown software that took over these files, and nothing since."""
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        index = mirror_of(upstream.index.state(PROJECT))
        pages, bytes_here = IndexSite(index), FileSite(index.files)
        async with LoopbackServer("mirror", pages, bytes_here) as server:
            table = {"kind": "simple", "url": server.simple_url}
            story = Story(upstream, place(table, server.simple_url))
            await story.remember()
            for artifact in files:
                state = index.state(PROJECT).substituting(artifact)
                index.adopt(state.at_serial(index.serial + 1))
            yield story, index


async def test_a_mirror_whose_operator_syncs_its_page_rolls_forward() -> None:
    async with mirror() as (story, index):
        await play(Deed.FIXED_THEN_YANKED, story.upstream)
        before = await story.audit()
        assert before.status is Status.EXPOSED
        assert "please sync or refresh" in printed(before, "does not reach every client")
        index.adopt(story.upstream.index.state(PROJECT))
        await story.rolls_forward()


async def test_until_then_a_client_keeps_off_the_broken_release_and_can_see_what_it_is_offered(
    tmp_path: Path,
) -> None:
    async with mirror() as (story, index):
        await play(Deed.FIXED_THEN_YANKED, story.upstream)
        before = await story.audit()
        settings = {"PIP_TRUSTED_HOST": LOOPBACK, "PIP_NO_CACHE_DIR": "1"}
        into = {"PIP_TARGET": str(tmp_path / "user"), "PIP_NO_DEPS": "1"}
        await paste(
            printed(before, "pip install --upgrade --index-url"), tmp_path, **settings, **into
        )
        assert (tmp_path / "user" / f"{PROJECT}-{GOOD}.dist-info").exists()
        look = printed(before, "pip index versions")
        assert FIXED not in await paste(look, tmp_path, **settings)
        index.adopt(story.upstream.index.state(PROJECT))
        assert FIXED in await paste(look, tmp_path, **settings)


async def test_other_bytes_that_an_operator_replaces_are_doubted_no_longer() -> None:
    async with mirror(tampered_wheel()) as (story, index):
        await play(Deed.FIXED_THEN_YANKED, story.upstream)
        before = await story.audit()
        assert before.status is Status.TAMPERED
        assert "please say where they come from" in printed(before, "has other bytes here")
        index.adopt(story.upstream.index.state(PROJECT))
        await story.rolls_forward()


async def test_a_yank_by_its_owner_takes_the_broken_release_from_unpinned_installs() -> None:
    async with mirror() as (story, _):
        before = await story.audit("source")
        assert before.status is Status.EXPOSED
        assert "Options > Yank" in printed(before, "as an owner")
        story.upstream.index.yank(BROKEN, YANK_REASON, project=PROJECT)
        after = await story.audit("source")
        assert (after.status, after.broken.yanked) == (Status.BEHIND, YankState.REASON)
        simple = ("--index-url", story.upstream.simple_url)
        assert await download(*simple, PROJECT) is Gets.OLDER
        # It is not the whole way: only the fix rolls everybody forward.
        await play(Deed.ROLLED_FORWARD, story.upstream)
        assert (await story.audit("source")).status in ROLLED_FORWARD
        assert await download(*simple, PROJECT) is Gets.FIX


def write(directory: Path, *artifacts: Artifact) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for artifact in artifacts:
        (directory / artifact.filename).write_bytes(artifact.content)


def write_index(directory: Path) -> None:
    """As whatever makes a static index of a directory does."""
    names = sorted(p.name for p in directory.iterdir() if p.name != "index.html")
    links = "".join(f'<a href="{name}">{name}</a><br>\n' for name in names)
    (directory / "index.html").write_text(f"<!DOCTYPE html>\n{links}", encoding="utf-8")


@asynccontextmanager
async def on_disk(table: Mapping[str, SettingValue], index_url: str) -> AsyncIterator[Story]:
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        story = Story(upstream, place(table, index_url))
        await story.remember()
        await play(Deed.FIXED_THEN_YANKED, upstream)
        yield story


async def test_an_index_on_disk_rolls_forward_with_its_files_and_its_page(tmp_path: Path) -> None:
    project = tmp_path / "simple" / PROJECT
    write(project, *GOOD_FILES, *BROKEN_FILES)
    write_index(project)
    table = {"kind": "simple", "path": str(project.parent)}
    async with on_disk(table, project.parent.as_uri()) as story:
        before = await story.audit()
        assert before.status is Status.EXPOSED
        assert "written anew" in printed(before, "index.html")
        write(project, *FIXED_FILES)
        # The files alone are offered to nobody.
        assert (await story.audit()).status is Status.EXPOSED
        write_index(project)
        await story.rolls_forward()


async def test_a_wheelhouse_with_other_bytes_is_put_right_by_the_digests_of_its_source(
    tmp_path: Path,
) -> None:
    house = tmp_path / "house"
    write(house, *GOOD_FILES, tampered_wheel(), *FIXED_FILES)
    async with on_disk({"kind": "wheelhouse", "path": str(house)}, "") as story:
        before = await story.audit()
        assert before.status is Status.TAMPERED
        assert "replace those that differ" in printed(before, "compare the files")
        write(house, *BROKEN_FILES)
        assert (await story.audit()).status is Status.ROLLED_FORWARD
        links = ("--no-index", "--find-links", str(house))
        assert await download(*links, f"{PROJECT}=={BROKEN}") is Gets.BROKEN
        assert await download(*links, PROJECT) is Gets.FIX


async def test_a_page_of_links_rolls_forward_once_its_operator_links_the_fix_alone(
    tmp_path: Path,
) -> None:
    house = tmp_path / "house"
    write(house, *GOOD_FILES, *BROKEN_FILES)
    write_index(house)

    class Page:
        """One page of links, and the files that it links."""

        def routes(self) -> list[web.RouteDef]:
            return [web.get("/{name:.*}", self.answer)]

        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.FileResponse(house / (request.match_info["name"] or "index.html"))

    async with LoopbackServer("house", Page()) as server:
        url = f"{server.url}/"
        async with on_disk({"kind": "wheelhouse", "url": url}, url) as story:
            before = await story.audit()
            assert before.status is Status.EXPOSED
            assert "no longer those of" in printed(before, "please link its files")
            for artifact in BROKEN_FILES:
                (house / artifact.filename).unlink()
            write(house, *FIXED_FILES)
            write_index(house)
            links = ("--no-index", "--find-links", url)
            for _ in range(2):
                assert (await story.audit()).status in ROLLED_FORWARD
                assert await download(*links, PROJECT) is Gets.FIX
                assert await download(*links, f"{PROJECT}=={BROKEN}") is Gets.NOTHING


@pytest.mark.heavy
async def test_somebody_elses_pypiserver_takes_an_upload_at_its_root(
    real_program: RealProgram, tmp_path: Path
) -> None:
    uploads = ("--passwords", ".", "--authenticate", ".")
    server = PypiServer(command=real_program("pypiserver"), name="server", options=uploads)
    commands = real_program("twine").parent
    write(tmp_path / "dist", *FIXED_FILES)
    async with server.running(f"http://{LOOPBACK}:9/", tmp_path):
        server.put(*GOOD_FILES, *BROKEN_FILES)
        table = {"kind": "pypiserver", "url": server.simple_url}
        async with on_disk(table, server.simple_url) as story:
            before = await story.audit()
            assert before.status is Status.EXPOSED
            assert "at its root, not at simple/" in printed(before, "pypiserver takes uploads")
            user = {"TWINE_USERNAME": "user", "TWINE_PASSWORD": "secret"}
            upload = "python -m twine upload --non-interactive --repository-url"
            there = f"{server.simple_url} dist/*"
            await paste(f"! {upload} {there}", tmp_path, path=commands, **user)
            assert await story.gets() is Gets.BROKEN
            await paste(f"{upload} {server.url} dist/*", tmp_path, path=commands, **user)
            await story.rolls_forward()


@pytest.mark.heavy
async def test_proxpi_recovers_by_itself_once_its_upstream_is_back(
    real_program: RealProgram, tmp_path: Path
) -> None:
    subject = ProxpiCache(command=real_program("proxpi"))

    async def failing(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        async with subject.running(upstream, tmp_path):
            (found, *_) = subject.places()
            story = Story(upstream, place(found.table, found.index_url))
            await story.remember()
            await play(Deed.FIXED_THEN_YANKED, upstream)
            upstream.pages.intercept = failing
            await subject.refresh()
            before = await story.audit()
            assert before.status is Status.UNKNOWN
            assert "PROXPI_INDEX_TTL" in printed(before, "bring the upstream of")
            assert await story.gets() is Gets.NOTHING
            upstream.pages.intercept = None
            await story.rolls_forward()
