"""Bodies seen before."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from auditor.errors import Malformed
from probes.kit.pages import ParsedPage, parse_page
from probes.kit.pages import memory as memory_module
from probes.kit.pages.memory import PageMemory
from tests.bench.pages import JSON_TYPE, Shape, make_page

PAGE = make_page(Shape("requests", 30, 20)).json
RELATIVE = PAGE.replace(b"https://files.example/", b"../../")


def parse(
    memory: PageMemory, body: bytes = PAGE, host: str = "a", project: str = "requests"
) -> ParsedPage:
    url = f"https://{host}.example/simple/requests/"
    return memory.parse(body, url=url, content_type=JSON_TYPE, project=project)


def test_the_same_body_at_another_place_is_the_same_page() -> None:
    memory = PageMemory()
    assert parse(memory) is parse(memory, host="b")


def test_relative_addresses_mean_other_files_at_another_place() -> None:
    memory = PageMemory()
    here, there = parse(memory, RELATIVE), parse(memory, RELATIVE, host="b")
    assert (here.candidates[0].url or "").startswith("https://a.example/packages/")
    assert (there.candidates[0].url or "").startswith("https://b.example/packages/")
    assert parse(memory, RELATIVE) is here


def test_another_body_or_project_is_read_anew() -> None:
    memory = PageMemory()
    assert parse(memory).candidates[0].version is not None
    assert parse(memory, project="other").candidates[0].version is None
    assert parse(memory, PAGE.replace(b"1.0.1", b"1.0.9")) != parse(memory)


def test_what_is_no_page_is_refused_each_time() -> None:
    memory = PageMemory()
    for _ in range(2):
        with pytest.raises(Malformed):
            parse(memory, b"{}")


def test_the_oldest_is_forgotten_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_REMEMBERED_BYTES", 2 * len(PAGE))
    memory = PageMemory()
    first = parse(memory)
    for number in range(3):
        parse(memory, PAGE.replace(b"1.0.1", b"1.0.9%d" % number))
    assert parse(memory) is not first


async def read(memory: PageMemory, body: bytes, host: str = "a") -> ParsedPage:
    return await memory.read(
        body,
        url=f"https://{host}.example/simple/requests/",
        content_type=JSON_TYPE,
        project="requests",
        digest=sha256(body).hexdigest(),
    )


@pytest.fixture
def parsed_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note in which thread each page is read."""
    threads: list[int] = []

    def note(body: bytes, **page: str) -> ParsedPage:
        threads.append(threading.get_ident())
        return parse_page(body, **page)

    monkeypatch.setattr(memory_module, "parse_page", note)
    return threads


async def test_a_large_page_is_read_beside_the_event_loop_and_once_for_all_who_want_it(
    parsed_in: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "THREAD_BYTES", len(PAGE))
    memory = PageMemory()
    pages = await asyncio.gather(*(read(memory, PAGE) for _ in range(9)))
    assert len({id(page) for page in pages}) == 1
    assert len(parsed_in) == 1
    assert parsed_in[0] != threading.get_ident()
    assert await read(memory, PAGE, "b") is pages[0]
    assert len(parsed_in) == 1


async def test_a_small_page_is_read_at_once(parsed_in: list[int]) -> None:
    await read(PageMemory(), PAGE)
    assert parsed_in == [threading.get_ident()]


async def test_whoever_gives_up_takes_the_page_from_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(body: bytes, **page: str) -> ParsedPage:
        assert given_up.wait(timeout=10)
        return parse_page(body, **page)

    given_up = threading.Event()
    monkeypatch.setattr(memory_module, "parse_page", slow)
    monkeypatch.setattr(memory_module, "THREAD_BYTES", 0)
    memory = PageMemory()
    first, second = (asyncio.create_task(read(memory, PAGE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    given_up.set()
    assert (await second).candidates


async def test_a_large_body_that_is_no_page_is_refused_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "THREAD_BYTES", 0)
    memory = PageMemory()
    refused = await asyncio.gather(*(read(memory, b"{}") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in refused] == [Malformed] * 3


def test_what_follows_from_a_page_is_worked_out_once_for_as_long_as_it_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "MAX_REMEMBERED_BYTES", len(PAGE))
    memory, made = PageMemory(), list[str]()

    def derived(page: ParsedPage, key: str) -> str:
        def make() -> str:
            made.append(key)
            return f"{key} {len(made)}"

        return memory.derived(page, key, make)

    page = parse(memory)
    assert [derived(page, key) for key in "aaba"] == ["a 1", "a 1", "b 2", "a 1"]
    other = parse(memory, PAGE.replace(b"1.0.1", b"1.0.9"))  # pushes the first one out
    assert [derived(page, "a"), derived(page, "a"), derived(other, "a")] == ["a 3", "a 4", "a 5"]
    assert parse(memory) is not page


def test_two_threads_that_read_one_page_count_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def together(body: bytes, **page: str) -> ParsedPage:
        both.wait(timeout=10)
        return parse_page(body, **page)

    monkeypatch.setattr(memory_module, "parse_page", together)
    memory = PageMemory()
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda host: parse(memory, host=host), "ab")
    assert one is other
    assert memory._bytes == len(PAGE)


def test_of_projects_that_are_over_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_OTHERS_BYTES", 2 * len(PAGE))
    memory = PageMemory()
    first, second = parse(memory, project="first"), parse(memory, project="second")
    third = [parse(memory, PAGE + b" " * number, project="third") for number in range(3)]
    assert parse(memory, project="first") is first
    assert parse(memory, project="second") is second
    assert [parse(memory, PAGE + b" " * n, project="third") for n in range(3)] == third
    fourth = parse(memory, project="fourth")  # now the others are four bodies and more
    assert parse(memory, project="fourth") is fourth
    assert parse(memory, project="first") is not first
