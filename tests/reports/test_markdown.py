"""Markdown: what a CommonMark reader makes of it, and that it fits where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from auditor.model import Run
from reports.markdown import MAX_CHARS, render
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.many_places import many_places
from tests.reports.small_run import small_run


def tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def table_rows(text: str) -> Iterator[list[str]]:
    """Cells of each row, as they are shown."""
    cells: list[str] = []
    found = tokens(text)
    for token, inner in pairwise(found):
        if token.type == "tr_open":
            cells = []
        elif token.type in ("td_open", "th_open"):
            cells.append("".join(child.content for child in inner.children or ()))
        elif token.type == "tr_close":
            yield cells


@pytest.mark.parametrize("make", [*sample_runs.ALL, small_run], ids=lambda f: f.__name__)
def test_the_table_has_a_row_for_each_place(make: Callable[[], Run]) -> None:
    run = make()
    head, *rows = table_rows(render(run, {}))

    assert head == ["status", "place", "broken", "bytes", "fix chosen", "delay"]
    assert sorted(row[1] for row in rows) == sorted(v.location.name for v in run.verdicts)
    assert all(len(row) == 6 for row in rows)


def test_the_answer_comes_first_and_details_are_folded() -> None:
    text = render(small_run(), {})
    found = tokens(text)

    assert found[0].type == "heading_open"
    assert found[1].content == "✖ brokenpkg: Not rolled forward"
    assert text.index("2 of 7 places still fail.") < text.index("| status |")
    assert text.index("| status |") < text.index("<details><summary>What to do now</summary>")
    assert text.count("<details>") == text.count("</details>") == 2


def test_a_command_can_be_copied_as_it_is() -> None:
    fences = [t for t in tokens(render(small_run(), {})) if t.type == "fence"]

    assert [(t.info, t.content) for t in fences] == [
        ("sh", "bandersnatch --config mirror.conf sync brokenpkg\n")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m", "m" * 90, "鏡" * 90], ids=["short", "long", "wide"])
def test_a_fleet_fits_into_a_comment_and_says_what_is_left_out(name: str) -> None:
    run = many_places()
    renamed = tuple(
        replace(v, location=replace(v.location, name=f"{name}-{v.location.name}"))
        for v in run.verdicts
    )
    text = render(replace(run, verdicts=renamed), {})

    assert len(text) <= MAX_CHARS
    assert len(text.encode()) < 1_048_576
    assert "more rows" in text
    assert text.count("<details>") == text.count("</details>") == 2
    assert "Would deleting 1.2.3 help?" in text


def test_the_text_stays_as_it_is(golden: Golden) -> None:
    golden.check("small.md", render(small_run(), {}))
