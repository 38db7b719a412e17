"""Every renderer gets every nasty text in every field."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import html, json_, terminal
from reports.safe_text import MAX_CHARS, json_text, one_line, visible
from tests.reports.embedded import embedded
from tests.reports.hostile import NASTY, hostile_run
from tests.reports.sample_runs import world

pytestmark = pytest.mark.slow

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
COLOUR_CODE = re.compile(r"\x1b\[[0-9;]+m")


class Elements(HTMLParser):
    """Collects what a browser would build."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_html_builds_no_element_attribute_or_link_out_of_hostile_text(text: str) -> None:
    found, calm = parsed(html.render(hostile_run(text), {})), parsed(html.render(world(), {}))

    assert found.tags.count("script") == 2
    drawn = {"svg", "rect", "figure", "figcaption"}
    assert set(found.tags) - drawn <= set(calm.tags) | {"h3", "em"}
    assert not [name for name in found.attributes if name.startswith("on")]
    assert "style" not in found.attributes
    assert all(link.startswith("#") or link == "data:," for link in found.links)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_html_shows_no_hidden_character(text: str) -> None:
    page = html.render(hostile_run(text), {})

    shown = page[: page.index('<script type="application/zlib"')]
    assert not {c for c in shown if unicodedata.category(c) in HIDDEN} - {"\n", "\t"}
    page.encode("utf-8")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_embedded_json_stays_in_its_element_and_can_be_read(text: str) -> None:
    page = html.render(hostile_run(text), {})

    names = [row["name"] for row in embedded(page)["locations"]]
    assert text.replace("\udce9", "\\udce9") in names


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_writes_no_escape_sequence_but_its_own_colours(text: str, width: int) -> None:
    plain = terminal.render(hostile_run(text), {"width": width})
    colour = terminal.render(hostile_run(text), {"width": width, "colour": True})

    assert not {c for c in plain if unicodedata.category(c) in HIDDEN} - {"\n"}
    assert "\x1b" not in COLOUR_CODE.sub("", colour)
    assert "\n::error::" not in plain


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_json_is_valid_and_loses_nothing_but_surrogates(text: str) -> None:
    written = json_.render(hostile_run(text), {})

    document = json.loads(written.encode("utf-8"))
    assert text.replace("\udce9", "\\udce9") in {row["name"] for row in document["locations"]}


def test_template_syntax_in_hostile_text_is_not_evaluated() -> None:
    page = html.render(hostile_run("{{ 7 * 7 }}"), {})

    assert "{{ 7 * 7 }}" in page
    assert "<h1>49" not in page


def test_a_hidden_character_is_written_as_its_code_point() -> None:
    assert visible("evil\u202egnp.whl") == "evil\\u{202e}gnp.whl"
    assert visible("\x1b[31m") == "\\u{1b}[31m"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert one_line("a\nb") == "a b"


def test_long_text_is_cut_and_says_so() -> None:
    shown = visible("x" * (MAX_CHARS + 1_234))

    assert shown == "x" * MAX_CHARS + "… (1,234 more characters)"


def test_harmless_text_of_any_script_is_left_alone() -> None:
    assert visible("Grüße, 日本語, עברית") == "Grüße, 日本語, עברית"


@given(st.text(st.characters(codec=None)))
def test_no_text_leaves_a_hidden_character_visible_only_to_machines(text: str) -> None:
    assert not {c for c in visible(text) if unicodedata.category(c) in HIDDEN}


@given(st.text(st.characters(codec=None)))
def test_json_text_can_always_be_encoded(text: str) -> None:
    written = json_text(json.dumps(text, ensure_ascii=False))

    written.encode("utf-8")
    assert isinstance(json.loads(written), str)
