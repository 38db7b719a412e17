"""Pages as a client sees them, read by a parser that is not ours."""

from __future__ import annotations

import gzip
import json

import pytest
from pypi_simple import IndexPage, ProjectPage

from auditor.lab.artifacts import build_wheel
from auditor.lab.server import LoopbackServer
from auditor.lab.world import World

from .conftest import HTML, JSON, NOW, Answer, Ask, project_url

# accept and accept-encoding of each client, to the letter.
CLIENTS = {
    "pip": (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
        "text/html; q=0.01",
        "gzip, deflate",
    ),
    "pip-html": ("text/html", "gzip, deflate"),
    "uv": (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
        "text/html;q=0.01",
        "gzip, deflate, zstd",
    ),
    "poetry": ("application/vnd.pypi.simple.v1+json, */*;q=0.1", "gzip, deflate, zstd"),
}
FILES = [
    "brokenpkg-1.2.2-py3-none-any.whl",
    "brokenpkg-1.2.2.tar.gz",
    "brokenpkg-1.2.3-py3-none-any.whl",
    "brokenpkg-1.2.3.tar.gz",
    "brokenpkg-1.2.4-py3-none-any.whl",
    "brokenpkg-1.2.4.tar.gz",
]


def read_page(answer: Answer, url: str) -> ProjectPage:
    if answer.headers["Content-Type"] == JSON:
        return ProjectPage.from_json_data(json.loads(answer.body), url)
    return ProjectPage.from_html("brokenpkg", answer.text, url)


async def page_of(ask: Ask, server: LoopbackServer, accept: str) -> ProjectPage:
    url = project_url(server)
    return read_page(await ask(url, Accept=accept), url)


@pytest.mark.parametrize("client", CLIENTS)
async def test_each_client_gets_the_form_it_prefers(world: World, ask: Ask, client: str) -> None:
    accept, encoding = CLIENTS[client]
    url = project_url(world.servers["source"])
    answer = await ask(url, Accept=accept, Accept_Encoding=encoding)
    expected = "text/html; charset=utf-8" if client == "pip-html" else JSON
    assert expected == answer.headers["Content-Type"]
    assert [p.filename for p in read_page(answer, url).packages] == FILES


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_both_forms_say_the_same_of_each_file(world: World, ask: Ask, accept: str) -> None:
    page = await page_of(ask, world.servers["source"], accept)
    assert (page.repository_version, str(page.status)) == ("1.4", "active")
    by_name = {p.filename: p for p in page.packages}
    for file in world.story.fixed.files:
        artifact, seen = file.artifact, by_name[file.artifact.filename]
        assert {"sha256": artifact.sha256} == seen.digests
        assert artifact.requires_python == seen.requires_python
        assert world.url_at_source(artifact) == seen.url.partition("#")[0]
        assert (file.yanked, file.yank_reason or None) == (seen.is_yanked, seen.yanked_reason)
        assert bool(seen.has_metadata) is artifact.filename.endswith(".whl")
        if seen.has_metadata:
            assert {"sha256": artifact.metadata_sha256} == seen.metadata_digests


async def test_json_adds_sizes_upload_times_and_versions(world: World, ask: Ask) -> None:
    page = await page_of(ask, world.servers["source"], JSON)
    assert page.versions == ["1.2.2", "1.2.3", "1.2.4"]
    fixed = next(p for p in page.packages if p.version == "1.2.4")
    assert fixed.upload_time is not None
    assert (NOW - fixed.upload_time).total_seconds() == 3 * 3600
    assert len(world.story.releases["1.2.4"][0].content) == fixed.size


async def test_the_four_places_of_the_serial_agree(world: World, ask: Ask) -> None:
    source = world.servers["source"]
    as_json = await ask(project_url(source), Accept=JSON)
    as_html = await ask(project_url(source), Accept=HTML)
    legacy = await ask(f"{source.url}/pypi/brokenpkg/json")
    serial = world.index.serial
    assert serial == json.loads(as_json.body)["meta"]["_last-serial"]
    assert as_html.text.endswith(f"<!--SERIAL {serial}-->\n")
    assert serial == json.loads(legacy.body)["last_serial"]
    for answer in (as_json, as_html, legacy):
        assert str(serial) == answer.headers["X-PyPI-Last-Serial"]


async def test_headers_are_those_of_pypi(world: World, ask: Ask) -> None:
    answer = await ask(project_url(world.servers["source"]), Accept=JSON)
    assert answer.headers["Cache-Control"] == "max-age=600, public"
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert "Content-Encoding" not in answer.headers


async def test_a_known_etag_is_answered_with_304_and_a_change_makes_a_new_one(
    world: World, ask: Ask
) -> None:
    url = project_url(world.servers["source"])
    first = await ask(url, Accept=JSON)
    etag = first.headers["ETag"]
    again = await ask(url, Accept=JSON, If_None_Match=f'"other", W/{etag}')
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    other_form = await ask(url, Accept=HTML, If_None_Match=etag)
    assert other_form.status == 200
    world.index.unyank("1.2.3")
    changed = await ask(url, Accept=JSON, If_None_Match=etag)
    assert changed.status == 200
    assert etag != changed.headers["ETag"]


async def test_pages_are_compressed_for_who_accepts_it(world: World, ask: Ask) -> None:
    url = project_url(world.servers["source"])
    plain = await ask(url, Accept=JSON)
    refused = await ask(url, Accept=JSON, Accept_Encoding="gzip;q=0, identity")
    packed = await ask(url, Accept=JSON, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in refused.headers
    assert int(packed.headers["Content-Length"]) == len(gzip.compress(plain.body, mtime=0))
    assert plain.body == packed.body  # the client has unpacked it


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/simple/BrokenPkg/", "/simple/brokenpkg/"),
        ("/simple/brokenpkg", "/simple/brokenpkg/"),
        ("/simple/brokenpkg?format=x", "/simple/brokenpkg/?format=x"),
        ("/simple", "/simple/"),
        ("/pypi/BrokenPkg/json", "/pypi/brokenpkg/json"),
        ("/pypi/BrokenPkg/1.2.3/json", "/pypi/brokenpkg/1.2.3/json"),
    ],
)
async def test_other_spellings_are_redirected(
    world: World, ask: Ask, path: str, target: str
) -> None:
    answer = await ask(f"{world.servers['source'].url}{path}")
    assert (answer.status, answer.headers.get("Location")) == (301, target)


@pytest.mark.parametrize(
    "path", ["/simple/nothing/", "/pypi/nothing/json", "/pypi/brokenpkg/9/json"]
)
async def test_what_does_not_exist_is_404(world: World, ask: Ask, path: str) -> None:
    assert (await ask(f"{world.servers['source'].url}{path}")).status == 404


async def test_the_format_parameter_asks_for_json_without_a_header(world: World, ask: Ask) -> None:
    answer = await ask(f"{project_url(world.servers['source'])}?format={JSON}", Accept=HTML)
    assert answer.headers["Content-Type"] == JSON


@pytest.mark.parametrize("accept", [JSON, HTML])
async def test_the_root_lists_projects_but_no_quarantined_one(
    world: World, ask: Ask, accept: str
) -> None:
    async def projects() -> list[str]:
        answer = await ask(world.servers["source"].simple_url, Accept=accept)
        if accept == JSON:
            return IndexPage.from_json_data(json.loads(answer.body)).projects
        return IndexPage.from_html(answer.text).projects

    world.index.publish(build_wheel("other", "1.0"), at=NOW)
    assert await projects() == ["brokenpkg", "other"]
    world.index.quarantine()
    assert await projects() == ["other"]


async def test_legacy_json_tells_of_every_release_and_of_one(world: World, ask: Ask) -> None:
    base = f"{world.servers['source'].url}/pypi/brokenpkg"
    project = json.loads((await ask(f"{base}/json")).body)
    broken = json.loads((await ask(f"{base}/1.2.3/json")).body)
    assert project["info"]["version"] == "1.2.4"
    assert list(project["releases"]) == ["1.2.2", "1.2.3", "1.2.4"]
    assert broken["info"]["yanked_reason"] == "broken: use 1.2.4"
    wheel = world.story.releases["1.2.3"][0]
    assert [wheel.md5, wheel.blake2b_256] == [
        broken["urls"][0]["digests"]["md5"],
        broken["urls"][0]["digests"]["blake2b_256"],
    ]


async def test_the_legacy_page_of_a_project_is_about_no_yanked_or_early_release(
    world: World, ask: Ask
) -> None:
    async def about() -> str:
        answer = await ask(f"{world.servers['source'].url}/pypi/brokenpkg/json")
        return str(json.loads(answer.body)["info"]["version"])

    world.index.publish(build_wheel("brokenpkg", "1.3rc1"), at=NOW)
    assert await about() == "1.2.4"
    world.index.yank("1.2.4")
    assert await about() == "1.2.2"


async def test_mirrors_have_no_legacy_json(world: World, ask: Ask) -> None:
    fresh = world.servers["fresh-mirror"]
    assert (await ask(f"{fresh.url}/pypi/brokenpkg/json")).status == 404


async def test_head_of_a_page_is_its_headers_alone(world: World, ask: Ask) -> None:
    url = project_url(world.servers["source"])
    whole, head = await ask(url, Accept=JSON), await ask(url, method="HEAD", Accept=JSON)
    assert (head.status, head.body) == (200, b"")
    assert whole.headers["ETag"] == head.headers["ETag"]
