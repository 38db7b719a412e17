"""What the root page of a URL shows."""

from __future__ import annotations

import pytest

from probes.kit.rootpage import ROOT_PREFIX_BYTES, RootSign, recognise_root

SIMPLE = "application/vnd.pypi.simple.v1+"
FILES = '<a href="../../p/foo-1.0.tar.gz#sha256=00">foo-1.0.tar.gz</a>' * 3
MARK = '<meta name="pypi:repository-version" content="1.0">'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", FILES),
        ("text/html", MARK + FILES),
        (SIMPLE + "html", MARK + FILES),
        ("text/html", '<a href="../">../</a>' + "<a href='foo-1.0-py3-none-any.whl'>foo</a>"),
        (SIMPLE + "json", '{"meta": {}, "name": "foo", "files": [{"filename": "x"}]}'),
    ],
)
def test_a_project_page_given_as_the_index_is_told(content_type: str, body: str) -> None:
    reading = recognise_root(200, content_type, body.encode())
    assert reading.sign is RootSign.NO_INDEX
    assert "remove PROJECT/" in reading.text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", '<a href="/simple/foo/">foo</a>'),
        ("text/html", "<a class=x href='foo/' title=x>Foo</a>" + FILES),
        ("text/html", MARK),
        (SIMPLE + "html", ""),
        (SIMPLE + "json", '{"meta": {}, "projects": [{"name": "files"}]}'),
    ],
)
def test_an_index_is_recognised(content_type: str, body: str) -> None:
    assert recognise_root(200, content_type, body.encode()).sign is RootSign.INDEX


def test_a_page_above_the_index_says_what_to_add() -> None:
    reading = recognise_root(200, "text/html", b'<a href="/simple/">simple</a>')
    assert "add simple/" in reading.text


def test_only_the_beginning_of_a_decoded_body_is_looked_at() -> None:
    body = b" " * ROOT_PREFIX_BYTES + b'<a href="/simple/foo/">foo</a>'
    assert recognise_root(200, "text/html", body).sign is RootSign.NO_INDEX
