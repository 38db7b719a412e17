"""Bodies seen before."""

from __future__ import annotations

import pytest

from auditor.errors import Malformed
from probes.kit.pages import ParsedPage
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
