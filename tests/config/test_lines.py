from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config.lines import KeyPath, locate

TEXT = '''\
# a comment with [brackets] and key = "value"
title = "x = [y]"

[audit]
timeout_s = 30
fail_on = [
  "tampered",   # the worst
  "exposed",
]

[[locations]]
name = "a"
settings.depth = 3
password = {env = "X", "odd key" = 1}
text = """
[not a table]
key = 1
"""

[[locations]]
"name" = 'b'
dates = [2026-01-01 10:00:00Z, 2026-01-02]
[locations.extra]
deep = true
'''


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (2, ("title",)),
        (4, ("audit",)),
        (5, ("audit", "timeout_s")),
        (6, ("audit", "fail_on")),
        (7, ("audit", "fail_on", 0)),
        (8, ("audit", "fail_on", 1)),
        (11, ("locations",)),
        (11, ("locations", 0)),
        (12, ("locations", 0, "name")),
        (13, ("locations", 0, "settings", "depth")),
        (14, ("locations", 0, "password", "env")),
        (14, ("locations", 0, "password", "odd key")),
        (15, ("locations", 0, "text")),
        (20, ("locations", 1)),
        (21, ("locations", 1, "name")),
        (22, ("locations", 1, "dates", 1)),
        (23, ("locations", 1, "extra")),
        (24, ("locations", 1, "extra", "deep")),
    ],
)
def test_every_kind_of_key_has_its_line(line: int, path: KeyPath) -> None:
    assert line == locate(TEXT)[path]


def test_what_looks_like_a_key_inside_a_text_has_no_line() -> None:
    assert ("locations", 0, "key") not in locate(TEXT)
    assert ("not a table",) not in locate(TEXT)


@given(st.text(max_size=200))
def test_no_text_makes_the_scan_fail_or_hang(text: str) -> None:
    lines = text.count("\n") + 1
    assert all(1 <= line <= lines for line in locate(text).values())


_names = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
_values = st.one_of(
    st.integers(-99, 99).map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.text("ab[]{}=#,.'\n", max_size=8).map(
        lambda text: '"""' + text + ' """' if "\n" in text else f'"{text}"'
    ),
    st.lists(st.integers(0, 9), max_size=3).map(
        lambda items: "[\n" + ",\n".join(map(str, items)) + "]"
    ),
)


@given(
    st.lists(st.tuples(_names, st.dictionaries(_names, _values, max_size=4)), max_size=4),
    st.booleans(),
)
def test_every_key_that_tomllib_finds_is_found_on_a_line_that_names_it(
    tables: list[tuple[str, dict[str, str]]], comments: bool
) -> None:
    comment = "  # [x] = 1" if comments else ""
    blocks = [
        "\n".join([f"[[{name}]]{comment}", *(f"{key} = {value}" for key, value in pairs.items())])
        for name, pairs in tables
    ]
    text = "\n\n".join(blocks)
    found = locate(text)
    rows = text.split("\n")
    for path in _paths(tomllib.loads(text), ()):
        key = next(part for part in reversed(path) if isinstance(part, str))
        assert key in rows[found[path] - 1] or isinstance(path[-1], int)


def _paths(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from _paths(item, (*path, index))
