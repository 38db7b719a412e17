from __future__ import annotations

import pytest

from auditor.lab.artifacts import Artifact
from auditor.lab.world import World

from .conftest import Ask


def broken_wheel(world: World) -> Artifact:
    return world.story.releases["1.2.3"][0]


async def test_a_file_is_served_as_immutable_from_another_host_than_the_pages(
    world: World, ask: Ask
) -> None:
    wheel = broken_wheel(world)
    answer = await ask(world.url_at_source(wheel))
    assert (answer.status, answer.body) == (200, wheel.content)
    assert answer.headers["Cache-Control"] == "max-age=365000000, immutable, public"
    assert answer.headers["X-PyPI-File-Version"] == "1.2.3"
    assert (await ask(f"{world.servers['source'].url}{wheel.path}")).status == 404


async def test_head_of_a_file_sends_its_size_and_no_bytes(world: World, ask: Ask) -> None:
    wheel = broken_wheel(world)
    answer = await ask(world.url_at_source(wheel), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert str(wheel.size) == answer.headers["Content-Length"]


async def test_a_wheel_has_a_metadata_sidecar_and_a_source_has_none(world: World, ask: Ask) -> None:
    wheel, sdist = world.story.releases["1.2.3"]
    assert wheel.metadata == (await ask(f"{world.url_at_source(wheel)}.metadata")).body
    assert (await ask(f"{world.url_at_source(sdist)}.metadata")).status == 404


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=10-", 10, -1), ("bytes=-4", -4, -1), ("bytes=5-99999", 5, -1)],
)
async def test_a_range_is_answered_with_that_part(
    world: World, ask: Ask, wanted: str, first: int, last: int
) -> None:
    wheel = broken_wheel(world)
    answer = await ask(world.url_at_source(wheel), Range=wanted)
    start, end = first % wheel.size, last % wheel.size
    assert (answer.status, answer.body) == (206, wheel.content[start : end + 1])
    assert f"bytes {start}-{end}/{wheel.size}" == answer.headers["Content-Range"]


async def test_a_range_beyond_the_end_is_416(world: World, ask: Ask) -> None:
    answer = await ask(world.url_at_source(broken_wheel(world)), Range="bytes=999999-")
    assert answer.status == 416


@pytest.mark.parametrize("wanted", ["bytes=-", "lines=1-2", "bytes=0-1,3-4"])
async def test_a_range_that_cannot_be_read_gets_the_whole_file(
    world: World, ask: Ask, wanted: str
) -> None:
    wheel = broken_wheel(world)
    answer = await ask(world.url_at_source(wheel), Range=wanted)
    assert (answer.status, answer.body) == (200, wheel.content)


async def test_the_log_tells_artifact_requests_by_any_method_from_others(
    world: World, ask: Ask
) -> None:
    url = world.url_at_source(broken_wheel(world))
    await ask(f"{url}.metadata")
    assert world.file_requests() == []
    await ask(url, method="HEAD", User_Agent="probe/1", Range="bytes=0-0")
    (entry,) = world.file_requests()
    assert (entry.method, entry.status) == ("HEAD", 206)
    assert dict(entry.headers) == {"range": "bytes=0-0", "user-agent": "probe/1"}
    assert [entry] == world.servers["source-files"].file_requests()
