"""The source changes while it serves, and each change shows at once."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from auditor.lab.artifacts import Artifact, build_release, build_wheel
from auditor.lab.files import FileSite
from auditor.lab.index import ConstantSerial, EmbeddedIndex
from auditor.lab.negotiation import HTML_ONLY, JSON_ONLY, Formats
from auditor.lab.server import LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.world import World

from .conftest import HTML, JSON, NOW, Ask, project_url
from .test_pages import page_of


async def listed(ask: Ask, world: World, accept: str = JSON) -> set[str]:
    page = await page_of(ask, world.servers["source"], accept)
    return {str(package.version) for package in page.packages}


def broken_wheel(world: World) -> Artifact:
    return world.story.releases["1.2.3"][0]


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_a_deleted_release_leaves_the_pages_while_its_urls_go_on(
    world: World, ask: Ask, accept: str
) -> None:
    world.index.delete_release("1.2.3")
    assert await listed(ask, world, accept) == {"1.2.2", "1.2.4"}
    wheel = broken_wheel(world)
    answer = await ask(world.url_at_source(wheel))
    assert (answer.status, answer.body) == (200, wheel.content)


async def test_a_release_deleted_with_its_files_is_gone_altogether(world: World, ask: Ask) -> None:
    world.index.delete_release("1.2.3", keep_files=False)
    assert await listed(ask, world) == {"1.2.2", "1.2.4"}
    url = world.url_at_source(broken_wheel(world))
    assert [(await ask(u)).status for u in (url, f"{url}.metadata")] == [404, 404]


@pytest.mark.parametrize(("keep_files", "status"), [(True, 200), (False, 404)])
async def test_a_deleted_project_is_404_on_every_surface(
    world: World, ask: Ask, keep_files: bool, status: int
) -> None:
    source = world.servers["source"]
    world.index.delete_project(keep_files=keep_files)
    assert (await ask(project_url(source))).status == 404
    assert (await ask(f"{source.url}/pypi/brokenpkg/json")).status == 404
    assert status == (await ask(world.url_at_source(broken_wheel(world)))).status


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_a_quarantined_project_offers_no_file_and_says_so(
    world: World, ask: Ask, accept: str
) -> None:
    world.index.quarantine()
    page = await page_of(ask, world.servers["source"], accept)
    assert (page.packages, str(page.status)) == ([], "quarantined")
    world.index.activate()
    assert len((await page_of(ask, world.servers["source"], accept)).packages) == 6


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_an_archived_project_offers_its_files_and_says_so(
    world: World, ask: Ask, accept: str
) -> None:
    world.index.archive()
    page = await page_of(ask, world.servers["source"], accept)
    assert (len(page.packages), str(page.status)) == (6, "archived")


async def test_a_yank_without_a_reason_is_true_in_json_and_empty_in_html(
    world: World, ask: Ask
) -> None:
    source = world.servers["source"]
    world.index.yank("1.2.4")
    files = json.loads((await ask(project_url(source), Accept=JSON)).body)["files"]
    assert [f["yanked"] for f in files if "1.2.4" in f["filename"]] == [True, True]
    assert 'data-yanked=""' in (await ask(project_url(source), Accept=HTML)).text


def test_every_change_raises_the_serial_of_its_project_only() -> None:
    index = EmbeddedIndex()
    index.publish(build_wheel("other", "1.0"), *build_release("brokenpkg", "1.2.3"))
    other = index.state("other").serial
    serials = [index.state().serial or 0]
    for change in (
        lambda: index.yank("1.2.3", "no good"),
        lambda: index.unyank("1.2.3"),
        lambda: index.publish(build_wheel("brokenpkg", "1.2.4")),
        index.archive,
        index.quarantine,
        index.activate,
        lambda: index.delete_release("1.2.3"),
    ):
        change()
        serials.append(index.state().serial or 0)
    assert sorted(set(serials)) == serials
    assert other == index.state("other").serial
    assert index.serial == serials[-1]


def test_a_file_name_can_never_be_used_again() -> None:
    index = EmbeddedIndex()
    index.publish(build_wheel("brokenpkg", "1.2.3"))
    index.delete_release("1.2.3", keep_files=False)
    with pytest.raises(ValueError, match="used before"):
        index.publish(build_wheel("brokenpkg", "1.2.3", body="x = 1"))


def test_a_project_that_is_gone_has_no_state() -> None:
    index = EmbeddedIndex()
    with pytest.raises(LookupError, match="brokenpkg"):
        index.state()


def test_files_are_ordered_by_version_and_not_by_text() -> None:
    index = EmbeddedIndex()
    index.publish(*(build_wheel("brokenpkg", v) for v in ("1.10", "1.9", "1.9rc1")), at=NOW)
    assert index.state().versions == ("1.9rc1", "1.9", "1.10")
    assert [f.artifact.version for f in index.state().files] == ["1.9rc1", "1.9", "1.10"]


def test_a_state_once_taken_never_changes() -> None:
    index = EmbeddedIndex()
    index.publish(build_wheel("brokenpkg", "1.2.3"), at=NOW - timedelta(days=1))
    before = index.state()
    index.yank("1.2.3")
    assert [f.yanked for f in before.files] == [False]
    assert [f.yanked for f in index.state().files] == [True]


async def test_a_mirror_shows_what_it_adopted_until_it_adopts_again(ask: Ask) -> None:
    source, mirror = EmbeddedIndex(), EmbeddedIndex()
    source.publish(build_wheel("brokenpkg", "1.2.3"), at=NOW)
    mirror.adopt(source.state())
    fix = build_wheel("brokenpkg", "1.2.4")
    source.publish(fix, at=NOW)
    async with LoopbackServer("mirror", IndexSite(mirror), FileSite(mirror.files)) as server:
        before = await page_of(ask, server, JSON)
        missing = await ask(f"{server.url}{fix.path}")
        mirror.adopt(source.state())
        after = await page_of(ask, server, JSON)
        present = await ask(f"{server.url}{fix.path}")
    assert (before.versions, missing.status) == (["1.2.3"], 404)
    assert (after.versions, present.body) == (["1.2.3", "1.2.4"], fix.content)


@pytest.mark.parametrize(
    ("formats", "accept", "status"),
    [(HTML_ONLY, JSON, 200), (JSON_ONLY, HTML, 406), (JSON_ONLY, JSON, 200)],
)
async def test_a_server_can_lack_a_form(
    ask: Ask, formats: Formats, accept: str, status: int
) -> None:
    index = EmbeddedIndex()
    index.publish(build_wheel("brokenpkg", "1.2.3"), at=NOW)
    async with LoopbackServer("old", IndexSite(index, formats=formats)) as server:
        answer = await ask(project_url(server), Accept=accept)
    assert status == answer.status


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_a_server_can_have_no_serials(ask: Ask, accept: str) -> None:
    index = EmbeddedIndex()
    index.publish(build_wheel("brokenpkg", "1.2.3"), at=NOW)
    async with LoopbackServer("mute", IndexSite(ConstantSerial(index, None))) as server:
        answer = await ask(project_url(server), Accept=accept)
    assert "X-PyPI-Last-Serial" not in answer.headers
    assert "serial" not in answer.text.lower()
