"""HTML pages: anchors, attributes, encodings, cut pages and pages that are no index."""

from __future__ import annotations

import time

import pytest

from auditor.errors import Malformed
from auditor.model import Yank
from tests.probes.kit.pages.pages import SHA, URL, anchor, entry, html, read_html

FILE = f'<a href="foo-1.0.tar.gz#sha256={SHA}">foo-1.0.tar.gz</a>'


def test_a_full_anchor_is_read_attribute_by_attribute() -> None:
    page = read_html(
        html(
            f'<a href="../../p/foo-1.0.tar.gz#sha256={SHA}" data-requires-python="&gt;=3.8,&lt;4"'
            ' data-yanked="a &amp; b" data-core-metadata="sha256=ab"'
            ' data-provenance="https://index.example/i">foo</a>'
        )
    )
    (file,) = page.candidates
    assert file.filename == "foo-1.0.tar.gz"
    assert file.version == "1.0"
    assert file.url == "https://index.example/p/foo-1.0.tar.gz"
    assert file.hashes == {"sha256": SHA}
    assert file.requires_python == ">=3.8,<4"
    assert (file.yanked, file.yank_reason) == (Yank.YES, "a & b")
    assert file.has_metadata is True
    assert file.provenance == "https://index.example/i"
    assert (file.size, file.uploaded_at) == (None, None)
    assert page.faults == ()
    assert page.complete


def test_a_bare_anchor_says_nothing_that_the_page_does_not_say() -> None:
    (file,) = read_html(html('<a href="foo-1.0.zip">foo</a>')).candidates
    assert (file.yanked, file.requires_python, file.has_metadata) == (Yank.NO, "", False)
    assert file.hashes == {}


def test_an_empty_yank_is_a_yank_without_reason() -> None:
    (file,) = read_html(html('<a href="foo-1.0.zip" data-yanked="">foo</a>')).candidates
    assert (file.yanked, file.yank_reason) == (Yank.YES, None)


def test_a_yank_without_value_is_none_to_pip_and_is_noted() -> None:
    page = read_html(html('<a href="foo-1.0.zip" data-yanked>foo</a>'))
    assert page.candidates[0].yanked is Yank.NO
    assert [f.loses_entry for f in page.faults] == [False]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", False),
        ('data-core-metadata="true"', True),
        ('data-dist-info-metadata="sha256=ab"', True),
        ('data-core-metadata="odd"', True),
        ("data-core-metadata", False),
    ],
)
def test_metadata_is_announced_by_either_attribute(attributes: str, expected: bool) -> None:
    (file,) = read_html(html(f'<a href="foo-1.0.zip" {attributes}>foo</a>')).candidates
    assert file.has_metadata is expected


def test_the_page_says_what_the_project_is() -> None:
    page = read_html(
        html(
            FILE,
            head='<meta name="pypi:project-status" content="deprecated">'
            '<meta name="pypi:project-status-reason" content="use bar">'
            '<meta name="pypi:tracks" content="https://a.example/foo/">'
            '<meta name="pypi:alternate-locations" content="https://b.example/foo/">',
        )
        + "<!--SERIAL 1028-->"
    )
    assert page.api_version == "1.4"
    assert page.serial == 1028
    assert page.name == "foo"
    assert (page.project_status, page.project_status_reason) == ("deprecated", "use bar")
    assert page.tracks == ("https://a.example/foo/",)
    assert page.alternate_locations == ("https://b.example/foo/",)
    assert page.versions is None
    assert page.faults == ()


def test_the_page_of_another_project_is_noted() -> None:
    page = read_html(html(FILE, name="bar"))
    assert page.name == "bar"
    assert [f.loses_entry for f in page.faults] == [False]


def test_another_major_version_is_not_interpreted() -> None:
    with pytest.raises(Malformed, match="API version"):
        read_html('<meta name="pypi:repository-version" content="2.0">' + FILE)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://cdn.example/x/", "https://cdn.example/x/foo-1.0.zip"),
        ("/y/", "https://index.example/y/foo-1.0.zip"),
        ("", URL + "foo-1.0.zip"),
    ],
)
def test_a_base_element_moves_relative_addresses(base: str, expected: str) -> None:
    page = read_html(html('<a href="foo-1.0.zip">x</a>', head=f'<base href="{base}">'))
    assert page.candidates[0].url == expected
    # pip doesn't resolve a relative base and then has no host to fetch from.
    assert page.complete is (base != "/y/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<html><head><title>Sign in</title></head><body><form><input type=password></form></html>",
        '<html><title>Welcome</title><a href="/terms">T</a> <a href="mailto:x@y.example"></html>',
        '<html><title>Get our VPN</title><a href="vpn-client-3.2.exe">VPN</a></html>',
        "<html><title>403</title><h1>Forbidden</h1></html>",
        '{"files": []}',
    ],
)
def test_a_web_page_that_is_no_index_is_not_an_empty_project(text: str) -> None:
    with pytest.raises(Malformed, match="no index"):
        read_html(text)


@pytest.mark.parametrize(
    "text",
    [
        '<meta name="pypi:repository-version" content="1.0">',
        "<title>Links for foo</title>",
        "<title>root/pypi: links for foo</title>",
        "<h1 class=x>Links for foo</h1>",
        "<title>Simple Index</title>",
    ],
)
def test_an_index_page_may_list_no_file(text: str) -> None:
    page = read_html(f"<html><head>{text}</head><body><a href='..'>up</a></body></html>")
    assert page.candidates == ()
    assert page.complete
    assert page.project_status == "active"


def test_a_directory_listing_with_files_of_the_project_is_an_index() -> None:
    page = read_html(
        '<html><h1>Index of /</h1><a href="../">../</a><a href="foo-1.0.zip">f</a></html>'
    )
    assert [c.version for c in page.candidates] == ["1.0"]
    assert page.complete


def test_ways_to_elsewhere_are_no_files() -> None:
    page = read_html(
        html(
            '<a href="../">up</a><a>none</a><a href="">self</a><a href="mailto:a@b.example">m</a>'
            '<a href="javascript:void(0)">j</a><a href="https://foo.example/">home</a>',
            FILE,
        )
    )
    assert [c.filename for c in page.candidates] == ["foo-1.0.tar.gz"]
    assert page.faults == ()


@pytest.mark.parametrize(
    "bad",
    [
        '<a data-requires-python="">lost</a>',
        '<a href="https://[/foo-2.0.zip">x</a>',
        '<a href="ftp://h.example/foo-2.0.zip">x</a>',
        '<a href="data:foo-2.0.zip#sha256=a">x</a>',
        '<a href="https:///x" data-yanked="">x</a>',
        f'<a href="{"x" * 9000}.zip">x</a>',
        '<a href="master.zip#egg=foo-2.0">x</a>',
        '<a href="https://h.example/tip#egg=foo-2.0">x</a>',
        '<a href="ftp://h.example/foo-2.0.zip?x=1#y">x</a>',
        '<template><a href="foo-2.0.zip">x</a></template>',
        '<textarea><a href="foo-2.0.zip">x</a></textarea>',
    ],
)
def test_a_bad_anchor_is_a_fault_and_the_page_survives(bad: str) -> None:
    page = read_html(html(FILE, bad, FILE.replace("1.0", "1.1")))
    assert {"foo-1.0.tar.gz", "foo-1.1.tar.gz"} <= {c.filename for c in page.candidates}
    assert [f.loses_entry for f in page.faults] == [True]
    assert not page.complete


def test_anchors_in_comments_and_scripts_are_seen_by_nobody() -> None:
    page = read_html(
        html(
            FILE,
            '<!-- <a href="foo-2.0.zip">x</a> --><script>"<a href=foo-3.0.zip>"</script>'
            "<STYLE><a href=foo-4.0.zip></style>",
        )
    )
    assert [c.version for c in page.candidates] == ["1.0"]
    assert page.complete


def test_a_bad_hash_costs_the_hash() -> None:
    page = read_html(html('<a href="foo-1.0.zip#sha256=nonsense">x</a>'))
    assert page.candidates[0].hashes == {}
    assert [f.loses_entry for f in page.faults] == [False]


def test_hashes_of_other_kinds_are_read() -> None:
    page = read_html(html(f'<a href="foo-1.0.zip#md5={SHA[:32].upper()}">x</a>'))
    assert page.candidates[0].hashes == {"md5": SHA[:32]}


@pytest.mark.parametrize(
    "cut",
    [
        html(FILE, FILE)[:-5],
        html(FILE, FILE)[:-30],
        html(FILE, FILE).rpartition("#sha256")[0],
        html(FILE).replace("</html>", "").replace("</body>", ""),
        f"<title>Links for foo</title>{FILE}<a href='foo-1.1.zip'>foo-1.1",
        html(FILE) + "<!--SERIAL 12",
        html(FILE).replace("</html>", '<!-- > <a href="foo-2.0.zip">'),
    ],
)
def test_a_cut_page_is_not_complete(cut: str) -> None:
    page = read_html(cut)
    assert not page.complete
    assert "foo-1.0.tar.gz" in {c.filename for c in page.candidates}


def test_a_page_may_omit_the_end_tag_of_html_as_the_standard_allows() -> None:
    assert read_html(html(FILE).replace("</html>", "")).complete


def test_a_page_without_an_html_element_need_not_close_it() -> None:
    page = read_html(f"<title>Links for foo</title>{FILE}")
    assert page.complete


def test_xhtml_and_capitals_are_read() -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN">'
        '<HTML xmlns="http://www.w3.org/1999/xhtml"><HEAD><TITLE>Links for foo</TITLE></HEAD>'
        f'<BODY><A HREF="foo-1.0.zip#sha256={SHA}" DATA-YANKED="x">foo</A><BR/></BODY></HTML>'
    )
    page = read_html(text)
    assert [c.yank_reason for c in page.candidates] == ["x"]
    assert page.faults == ()


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", "text/html"),
        ("utf-8-sig", "text/html"),
        ("utf-16", "text/html; charset=utf-16"),
        ("latin-1", "text/html; charset=ISO-8859-1"),
        ("latin-1", 'text/html; Charset="latin1"'),
        ("gbk", "application/vnd.pypi.simple.v1+html;charset=gbk"),
    ],
)
def test_encodings_are_followed(encoding: str, content_type: str) -> None:
    reason = "坏" if encoding == "gbk" else "grün"
    body = html(anchor(entry(yanked=reason))).encode(encoding)
    page = read_html(body, content_type=content_type)
    assert page.candidates[0].yank_reason == reason
    assert page.faults == ()


def test_a_charset_that_only_the_page_names_is_followed_and_noted() -> None:
    body = html(anchor(entry(yanked="grün")), head="<meta charset=latin-1>").encode("latin-1")
    page = read_html(body)
    assert page.candidates[0].yank_reason == "grün"
    assert [f.loses_entry for f in page.faults] == [True]


@pytest.mark.parametrize("charset", ["zip", "unicode_escape", "utf-7", "rot13", "nonsense"])
def test_a_charset_that_is_unsafe_is_not_used(charset: str) -> None:
    page = read_html(html(FILE), content_type=f"text/html; charset={charset}")
    assert len(page.candidates) == 1
    assert ["charset" in f.problem for f in page.faults] == [True]


def test_invalid_bytes_are_replaced_and_make_the_page_incomplete() -> None:
    body = html(anchor(entry(yanked="X"))).encode().replace(b'"X"', b'"\xff"')
    page = read_html(body)
    assert page.candidates[0].yank_reason == "\ufffd"
    assert not page.complete
    assert len(page.faults) == 1


def test_a_list_or_a_table_of_anchors_reads_like_a_plain_page() -> None:
    anchors = [anchor(entry(f"foo-{n}.zip", requires_python="<4,>=3")) for n in range(100)]
    plain = read_html(html(*anchors))
    rows = read_html(html(*[f"<tr><td><b>{a}</b><td><code>x</code></tr>" for a in anchors]))
    assert len(plain.candidates) == 100
    assert plain == rows


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 200_000,
        '<div x="<">' * 100_000,
        "".join(f'<html x{n}="<">' for n in range(50_000)),
        "<p>" + "".join(f"<font color={n}>" for n in range(20_000)) + "</p>" + "<p>x" * 20_000,
        "<!--" * 200_000,
        "<script>" * 100_000 + "</",
        "<" * 500_000,
    ],
)
def test_hostile_markup_does_not_keep_the_parser_busy(markup: str) -> None:
    started_s = time.process_time()
    page = read_html(html(FILE, markup))
    # Read naively, the first of these takes minutes; the bound leaves room for slow machines.
    assert time.process_time() - started_s < 15
    assert page.candidates[0].filename == "foo-1.0.tar.gz"


@pytest.mark.parametrize(
    "markup",
    [
        "<a " + " ".join(f"a{n}=1" for n in range(100_000)) + ">",
        "<p " + " ".join(f'a{n}="<a </a>"' for n in range(50_000)) + ">",
        "<a " * 100_000,
    ],
)
def test_a_tag_with_masses_of_attributes_is_refused(markup: str) -> None:
    started_s = time.process_time()
    with pytest.raises(Malformed, match=r"attributes|tags in"):
        read_html(html(FILE, markup))
    assert time.process_time() - started_s < 15


@pytest.mark.parametrize("others", [0, 60])
@pytest.mark.parametrize("odd", ["<b/x", "f<me16/p#s=5", "</div", "<span"])
def test_what_looks_like_a_tag_within_an_anchor_is_a_part_of_it(odd: str, others: int) -> None:
    files = f'<a href="foo-1.0.zip" {odd} data-yanked="bad">foo</a><a href="foo-2.0.zip">foo</a>'
    page = read_html(html(f"{'<div></div>' * others}{files}"))
    assert [(file.version, file.yanked) for file in page.candidates] == [
        ("1.0", Yank.YES),
        ("2.0", Yank.NO),
    ]


def test_an_anchor_hidden_behind_a_script_is_still_noticed() -> None:
    hidden = '<script>1</script><textarea><a href="foo-2.0.zip">x</a></textarea>'
    assert not read_html(html(FILE, hidden)).complete
