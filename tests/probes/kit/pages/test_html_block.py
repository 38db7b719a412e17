"""The reader of plain lists of anchors, against the one that makes a tree of the whole page."""

from __future__ import annotations

import re
from random import Random

import pytest

from auditor.errors import Malformed
from probes.kit.pages import ParsedPage, html_page, parse_page
from probes.kit.pages.html_block import find_block
from tests.bench.pages import HTML_TYPE, Shape, make_page
from tests.probes.kit.pages.pages import SHA, URL, anchor, entry, html
from tests.truth.pages import as_html
from tests.truth.pages import make_page as make_odd_page

SHAPE = Shape("numpy", 6, 3, binary=True, sidecars=True)
# What makes a page another one, or only look so. Quotes, comments and elements with contents of
# their own decide what is an anchor behind them.
PIECES = (
    *("<", ">", '"', "'", "=", "==", "&", "&gt;", "&amp;amp;", "&quot;", "&#39;", "&notin", "&lt"),
    *("\r", "\r\n", "\t", "\f", "\v", "\0", "\n", " ", "/", "é", "\u212a", "\x1c", "\xa0"),
    *("<!--", "-->", "<script>", "</script>", "<style>", "<title>", "</title>", "<textarea>"),
    *("<a>", "</a>", "<A ", "<a href", '<a href="x">', "<a\n", "<b>", "</p>", "<p>", "<pre>"),
    *("<table>", "<select>", "<svg>", "<template>", "<noscript>", "<base href='/x/'>"),
    *('<base href="https://b.example/">', '<base href="/b/">', "<html>", "<body>", "</body>"),
    *('<meta name="pypi:project-status" content="archived">', "<h1>Links for x</h1>", "<br/>"),
    *(' data-yanked=""', " data-yanked", ' data-yanked="a &lt; b"', ' data-yanked="again"'),
    *(' rel="internal"', ' rel="a" rel="b"', ' data-core-metadata="true"', ' class="x"'),
    *(' data-requires-python="&gt;=3"', ' data-requires-python=">=3"', ' data-provenance=""'),
    *(' HREF="y"', " href='y'", ' data-gpg-sig="true"', "#sha256=", "#md5=" + "0" * 32, "?a=b"),
    *("<br>text<br>", "<hr>", "<frameset>", "<plaintext>", "<iframe>", "</html>", "</head>"),
)


def read(body: bytes, *, as_tree: bool, project: str) -> ParsedPage | str:
    with pytest.MonkeyPatch.context() as patch:
        if as_tree:
            patch.setattr(html_page, "find_block", lambda _: None)
        try:
            return parse_page(body, url=URL, content_type="text/html", project=project)
        except Malformed as error:
            return str(error)


def assert_same(body: bytes, project: str) -> None:
    assert read(body, as_tree=True, project=project) == read(body, as_tree=False, project=project)


# These leave a list a list, now and then.
MILD = tuple(piece for piece in PIECES if piece.startswith((" ", "&", "?", "#", "é", "a")))


def disturbed(random: Random, text: str) -> str:
    """Put pieces into a page, take some of it away, or repeat some."""
    if random.random() < 0.4:
        ends = [match.end() for match in re.finditer('"', text)]
        at = random.choice(ends) - random.randrange(2)
        return text[:at] + random.choice(MILD) + text[at:]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(text))
        cut = random.choice((0, 0, 0, 1, 1, 5, 40, 300))
        piece = random.choice(PIECES) if random.random() < 0.9 else text[at : at + 200]
        text = text[:at] + piece + text[at + cut :]
    return text


def run_disturbed(seed: str, cases: int) -> int:
    """Compare so many disturbed pages; return how many of them were still taken for a block."""
    blocks = 0
    for case in range(cases):
        random = Random(f"{seed}:{case}")
        if random.random() < 0.7:
            page, project = make_page(SHAPE).html.decode(), SHAPE.project
        else:
            odd = make_odd_page(random)
            page, project = as_html(odd).decode(), odd.project
        body = disturbed(random, page).encode()
        blocks += find_block(body) is not None
        assert_same(body, project)
    return blocks


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_disturbed_pages_read_the_same_in_both_ways(part: int) -> None:
    blocks = run_disturbed(f"disturbed {part}", 750)
    # Else the comparison would be of the tree with itself.
    assert blocks > 100


@pytest.mark.parametrize("seed", range(100))
def test_odd_pages_read_the_same_in_both_ways(seed: int) -> None:
    page = make_odd_page(Random(f"block {seed}"))
    assert_same(as_html(page), page.project)


@pytest.mark.parametrize(
    "shape", [Shape("requests", 60, 40), Shape("numpy", 2100, 90, binary=True, sidecars=True)]
)
def test_pages_as_real_ones_are_blocks_and_read_the_same(shape: Shape) -> None:
    body = make_page(shape).html
    block = find_block(body)
    assert block is not None
    assert shape.files == len(block.anchors.href)
    assert_same(body, shape.project)
    parsed = parse_page(body, url=URL, content_type=HTML_TYPE, project=shape.project)
    assert parsed.complete


ANCHOR = f'<a href="foo-1.0.zip#sha256={SHA}">foo-1.0.zip</a>'


@pytest.mark.parametrize(
    "page",
    [
        f"<!-- {ANCHOR} --><html><body>{ANCHOR}</body></html>",
        f"<html><body><script>{ANCHOR}</script></body></html>",
        f"<html><body><textarea>{ANCHOR}</body></html>",
        f"<html><title>{ANCHOR}</body></html>",
        f'<html><body class="x>{ANCHOR}</body></html>',
        f"<html><body><table>{ANCHOR}</table></body></html>",
        f"<html><body>{ANCHOR}<b>{ANCHOR}</b></body></html>",
        f"<html><body>{ANCHOR.replace('<a ', '<a rel=x ')}</body></html>",
        "<html><body>" + ANCHOR.replace("<a ", '<a href="y" ') + "</body></html>",
        f"<html><body>{ANCHOR}{ANCHOR.replace('</a>', '')}</body></html>",
        f"<html><body>{ANCHOR.replace('1.0.zip<', '1.0.zip&lt;<')}</body></html>\0",
    ],
)
def test_what_is_not_only_a_list_is_read_the_same(page: str) -> None:
    assert_same(page.encode(), "foo")


def test_references_in_values_are_resolved_and_others_make_a_tree() -> None:
    page = html(anchor(entry(requires_python=">=3.8,<4", yanked='a & "b"')))
    block = find_block(page.encode())
    assert block is not None
    assert block.anchors.requires_python == [">=3.8,<4"]
    assert block.anchors.yanked == ['a & "b"']
    assert find_block(page.replace("&gt;", "&GT;").encode()) is None


def test_an_address_longer_than_any_server_takes_is_lost_in_both_ways() -> None:
    page = html(anchor(entry(url=f"https://files.example/{'a' * 9_000}/foo-1.0.tar.gz"))).encode()
    assert_same(page, "foo")
    parsed = read(page, as_tree=False, project="foo")
    assert isinstance(parsed, ParsedPage)
    assert not parsed.complete
