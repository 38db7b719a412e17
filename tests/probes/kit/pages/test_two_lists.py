"""Pages with the key `files` twice: found by a quick look at the brackets, as by a slow one."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.errors import Malformed
from probes.kit.pages import parse_page
from probes.kit.pages.json_page import may_hold_two_lists
from tests.probes.kit.pages.pages import JSON, URL, entry

ENTRY = json.dumps(entry())
LIST = st.lists(st.just(ENTRY), max_size=2).map(lambda entries: f"[{','.join(entries)}]")
BLANKS = st.text("  \t\r\n", max_size=3) | st.sampled_from(["", " " * 70])
FILES = st.tuples(st.sampled_from(['"files"', '"fil\\u0065s"']), LIST)
OTHERS = st.sampled_from(
    [
        ('"versions"', '["1.0", "1.1"]'),
        ('"name"', '"foo"'),
        ('"meta"', '{"tracks": [], "note": "\\"files\\": [[[["}'),
        ('"_x"', "[" * 20 + "]" * 20),
        ('"_x"', '"files"'),
        ('"_y"', '["files", "files", ["files"]]'),
    ]
)
NO_LIST = st.tuples(st.just('"files"'), st.sampled_from(["null", "{}", '"files"']))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    keys = draw(st.lists(FILES | OTHERS | NO_LIST, max_size=5))
    keys.insert(draw(st.integers(0, len(keys))), draw(FILES))
    pairs = [f"{k}{draw(BLANKS)}:{draw(BLANKS)}{v}" for k, v in keys]
    return f"{draw(BLANKS)}{{{draw(BLANKS)}{','.join(pairs)}}}".encode()


def lists_twice(body: bytes) -> bool:
    objects: list[list[str]] = []
    json.loads(body, object_pairs_hook=lambda pairs: objects.append([key for key, _ in pairs]))
    return objects[-1].count("files") > 1  # the outermost one ends last


@given(body=bodies())
@example(body=b'{"files":[],"files":[]}')
@example(body=b'{"files":[],"files":null}')
@example(body=b'{"files":[]' + b',"_x":[]' * 20 + b',"files":[]}')
@example(body=b'{"files":[],"files"' + b" " * 70 + b":" + b" " * 70 + b"[]}")
def test_no_page_with_two_lists_is_overlooked_and_no_other_accused(body: bytes) -> None:
    try:
        page = parse_page(body, url=URL, content_type=JSON, project="foo")
    except Malformed:
        return  # the last one is no list
    noted = [fault for fault in page.faults if "is there twice" in fault.problem]
    assert len(noted) == lists_twice(body)
    assert page.complete is not bool(noted)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_usual_page_is_not_doubted(separators: tuple[str, str]) -> None:
    page = {"files": [entry()] * 3, "meta": {"_last-serial": 3}, "versions": ["1.0"]}
    assert not may_hold_two_lists(json.dumps(page, separators=separators).encode())
