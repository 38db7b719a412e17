"""Pages at which pip ends with an error, so that nobody installs from them, and odd readings."""

from __future__ import annotations

import json
from random import Random

import pytest
from pip._internal.index.collector import IndexContent, _get_encoding_from_headers

from auditor.model import Choice
from auditor.selection import choose, running_environment
from probes.kit.pages import parse_page
from tests.probes.kit.pages.pages import JSON, URL, entry, html
from tests.truth import pip_finder
from tests.truth.pip_finder import ask_pip

OLD, FIX = "foo-1.0-py3-none-any.whl", "foo-1.1-py3-none-any.whl"
ENVIRONMENT = running_environment()


def link(filename: str, attributes: str = "") -> str:
    return f'<a href="{filename}" {attributes}>x</a>'


TWO = link(OLD) + link(FIX)


def pip_takes(body: bytes, content_type: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Return the file that pip takes; raises what pip raises."""
    encoding = _get_encoding_from_headers({"Content-Type": content_type})

    def content(*args: object, **named: object) -> IndexContent:
        return IndexContent(body, content_type, encoding, URL, cache_link_parsing=False)

    monkeypatch.setattr(pip_finder, "IndexContent", content)
    return ask_pip(body, content_type, ENVIRONMENT, "foo").filename


def we_take(body: bytes, content_type: str) -> str | None:
    """Return the file that we say pip takes; "unknown" if the page does not tell."""
    page = parse_page(body, url=URL, content_type=content_type, project="foo")
    chosen = choose(page.candidates, ENVIRONMENT, "foo")
    if not page.complete or chosen.choice is Choice.UNKNOWN:
        return "unknown"
    return chosen.candidate.filename if chosen.candidate else None


STOPS_HTML = [
    (html(TWO, "grün").encode("latin-1"), "text/html"),
    (html(TWO, "grün").encode("latin-1"), "text/html; charset=utf-8"),
    (html(TWO, head="<meta charset=latin-1>", name="ü").encode("latin-1"), "text/html"),
    (html(TWO).encode("utf-16"), "text/html"),
    (html(TWO).encode(), "text/html; charset=foo-8"),
    (html(TWO).encode(), "text/html; charset=zip"),
    (html(TWO, "ü").encode(), "text/html; charset=ascii"),
    (html(TWO, '<a href="http://[bad/">x</a>').encode(), "text/html"),
    (html(TWO, '<a href="//[bad/">x</a>').encode(), "text/html"),
    (html(TWO, '<a href="https://[zz]/x">x</a>').encode(), "text/html"),
    (html(TWO, '<a href="https://a\u2100.example/">x</a>').encode(), "text/html"),
    (html(TWO, '<a href="https://h.example/tip#egg=~">x</a>').encode(), "text/html"),
    (html(TWO, head='<base href="http://[bad/">').encode(), "text/html"),
]
STOPS_JSON = [
    {"hashes": "x"},
    {"hashes": []},
    {"hashes": 5},
    {"requires_python": 3},
    {"requires_python": True},
    {"requires_python": [">=3"]},
    {"upload_time": "yesterday"},
    {"upload_time": 5},
    {"upload_time": "2026-11-20t10:00:00z"},
    {"url": 5},
    {"url": "https://[bad/foo-1.1.zip"},
    {"size": 10**4400},
]


@pytest.mark.parametrize(("body", "content_type"), STOPS_HTML)
def test_where_pip_stops_at_a_page_in_html_nothing_is_on_offer(
    body: bytes, content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match=r"."):
        pip_takes(body, content_type, monkeypatch)
    page = parse_page(body, url=URL, content_type=content_type, project="foo")
    assert not page.complete
    assert any("pip stops at this page" in fault.problem for fault in page.faults)


def as_json(*files: object) -> bytes:
    # By hand, as Python refuses to write a number that it would refuse to read.
    text = json.dumps({"files": files}, default=str)
    return text.encode()


@pytest.mark.parametrize("changes", STOPS_JSON, ids=lambda changes: str(next(iter(changes))))
def test_where_pip_stops_at_a_page_in_json_nothing_is_on_offer(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {key: "HUGE" if key == "size" else value for key, value in changes.items()}
    body = as_json(entry(OLD), entry(FIX, **changes)).replace(b'"HUGE"', b"9" * 4400)
    with pytest.raises(Exception, match=r"."):
        pip_takes(body, JSON, monkeypatch)
    page = parse_page(body, url=URL, content_type=JSON, project="foo")
    assert not page.complete
    if "url" not in changes:
        assert any("pip stops at this page" in fault.problem for fault in page.faults)


def test_invalid_utf_8_stops_pip_in_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    body = as_json(entry(OLD), entry(FIX, yanked="X")).replace(b'"X"', b'"\xff"')
    with pytest.raises(UnicodeDecodeError):
        pip_takes(body, JSON, monkeypatch)
    assert we_take(body, JSON) == "unknown"


@pytest.mark.parametrize(
    "odd",
    [
        f'<a href="{FIX}" href="{OLD}">x</a>',
        f"<a href='{FIX}' HREF={OLD}>x</a>",
        link(FIX, 'data-requires-python=">=3" data-requires-python=">=9"'),
        link(FIX, 'data-yanked data-yanked="x"'),
        f'<a href="{FIX}"href=="{OLD}">x</a>',
        f'<!-- <a x=" --><a href="{FIX}" href="{OLD}"> "',
    ],
)
def test_an_attribute_that_pip_reads_otherwise_is_never_taken_for_the_fix(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = html(link(OLD), odd).encode()
    assert pip_takes(body, "text/html", monkeypatch) == OLD
    assert we_take(body, "text/html") == "unknown"


@pytest.mark.parametrize(
    "plain",
    [
        link(FIX, 'data-requires-python="&gt;=3"'),
        link(FIX, 'data-requires-python=">=3,<9" title="href= href="'),
        link(FIX, "data-yanked"),
        f"<A HREF='{FIX}'>x</A>",
        f'<a href={FIX} class="a=&quot;b&quot;">x</a>',
    ],
)
def test_other_odd_anchors_are_read_as_pip_reads_them(
    plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = html(link(OLD), plain).encode()
    assert pip_takes(body, "text/html", monkeypatch) == FIX == we_take(body, "text/html")


@pytest.mark.parametrize("yanked", ["", 0, [], {}, 0.0, 1, [1], 1.5, "why", True, False, None])
def test_yanks_of_any_type_are_read_as_pip_reads_them(
    yanked: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = as_json(entry(OLD), entry(FIX, yanked=yanked))
    assert pip_takes(body, JSON, monkeypatch) == we_take(body, JSON)
    assert we_take(body, JSON) == (OLD if yanked else FIX)


@pytest.mark.parametrize(
    "text",
    [
        "<html>\n<head><title>Index of /simple/foo/</title></head>\n"
        '<body><h1>Index of /simple/foo/</h1><hr><pre><a href="../">../</a></pre></body></html>',
        "<html><head><title>Index of /simple/Foo</title></head></html>",
        "<html><head><title>Directory listing for /simple/foo/</title></head></html>",
        "<html><body></body></html>",
    ],
)
def test_what_a_deletion_leaves_is_an_index_without_files(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pip_takes(text.encode(), "text/html", monkeypatch) is None
    page = parse_page(text.encode(), url=URL, content_type="text/html", project="foo")
    assert (page.candidates, page.complete) == ((), True)


def test_a_listing_of_another_directory_is_no_index() -> None:
    for path in ("/", "/simple/bar/", "/foo/old/"):
        text = f"<html><head><title>Index of {path}</title></head></html>"
        with pytest.raises(Exception, match="no index"):
            parse_page(text.encode(), url=URL, content_type="text/html", project="foo")


def test_random_odd_markup_never_hides_what_pip_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [*'<>"=/ \n', "<a ", "href=", f'"{OLD}"', f'"{FIX}"', f" href={FIX}", "'", ">x</a>"]
    for seed in range(400):
        random = Random(seed)
        odd = "".join(random.choices(pieces, k=random.randrange(1, 12)))
        body = html(link(OLD), link(FIX), odd, link(OLD)).encode()
        ours = we_take(body, "text/html")
        if ours != "unknown":
            assert ours == pip_takes(body, "text/html", monkeypatch), odd
