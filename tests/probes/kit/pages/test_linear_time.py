"""Markup that is cheap to send must be cheap to read: work is counted, not timed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from auditor.errors import Malformed
from probes.kit.pages.html_tags import count_scanned

pytestmark = pytest.mark.slow

ATTACKS = ["<a", "</b", "<a x='", '<a x="', "<a =", "<a/", '<a x="<b y=', "<!-- <a x=", '<a "']


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_read_grows_with_the_page_and_no_faster(attack: str) -> None:
    for times in (10_000, 20_000, 40_000):
        page = (attack * times).encode()
        try:
            scanned = count_scanned(page)
        except Malformed:
            continue
        assert scanned <= 4 * len(page) + 2**16


READING = """
import sys
from auditor.errors import Malformed
from probes.kit.pages import parse_page
from probes.kit import reading
from probes.kit.rootpage import recognise_root
from probes.wheelhouse import _LINKED_FILE
attack = sys.argv[1].encode() * 500_000
try:
    parse_page(attack, url="https://h.example/", content_type="text/html", project="foo")
except Malformed:
    pass
recognise_root(200, "text/html", attack)
reading._PASSWORD_FIELD.search(attack)
_LINKED_FILE.findall(attack)
"""


@pytest.mark.parametrize(
    "attack",
    ["<a", "</b", "<input ", "aaa", "<a x=", "<a href=", "<a href='", "<a title ", '="<a '],
)
def test_half_a_million_tags_are_read_or_refused_soon(attack: str) -> None:
    # Quadratic patterns take an hour for these, linear ones a second.
    subprocess.run([sys.executable, "-c", READING, attack], check=True, timeout=60)


BLOCK = """
import sys
from probes.kit.pages.html_block import find_block
start, attack, end = (argument.encode() for argument in sys.argv[1:])
assert find_block(start + attack * 500_000 + end) is None
"""


@pytest.mark.parametrize(
    ("start", "attack", "end"),
    [
        ("", '<a href="', "</a>"),
        ("", '<a href="x">', "</a>"),
        ("", "<a ", "</a>"),
        ("", '<a href="x" rel="', "</a>"),
        ("<a ", " ", "</a>"),
        ("<a ", ' rel="x"', "></a>"),
        ('<a href="', "x", "</a>"),
        ('<a href="x">', "&", "=</a>"),
        ('<a href="', "&", '">x</a>'),
        ('<a href="x">x</a>', " ", '<a href="x>x</a>'),
        ('<a href="x">x</a>', "<br />", "</a>"),
    ],
)
def test_half_a_million_pieces_of_anchors_are_no_list_soon(
    start: str, attack: str, end: str
) -> None:
    command = [sys.executable, "-c", BLOCK, start, attack, end]
    subprocess.run(command, check=True, timeout=60)
