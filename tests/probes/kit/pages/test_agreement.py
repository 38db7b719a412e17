"""Agreement with pip and pypi-simple, and of the two forms of one page with each other."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pip._internal.index.collector import IndexContent, parse_links
from pip._internal.models.link import Link
from pypi_simple import ProjectPage

from auditor.model import Candidate, Yank
from probes.kit.pages import parse_page
from probes.kit.pages.links import BadLink, LinkReader
from tests.probes.kit.pages.pages import (
    HTML,
    JSON,
    PROJECTS,
    SHA,
    URL,
    anchor,
    document,
    html,
    read_html,
)

pytestmark = pytest.mark.slow


def pip_links(body: bytes, content_type: str) -> list[Link]:
    content = IndexContent(body, content_type, "utf-8", URL, cache_link_parsing=False)
    return list(parse_links(content))


def as_pip_sees(link: Link) -> tuple[object, ...]:
    return (
        link.filename,
        link.url_without_fragment,
        dict(link._hashes),
        link.yanked_reason,
        link.requires_python or "",
        link.metadata_file_data is not None,
    )


def as_we_see(file: Candidate) -> tuple[object, ...]:
    reason = (file.yank_reason or "") if file.yanked is Yank.YES else None
    return (
        file.filename,
        file.url,
        file.hashes,
        reason,
        file.requires_python,
        file.has_metadata,
    )


@given(PROJECTS)
def test_pip_reads_the_same_from_a_json_page(files: list[dict[str, Any]]) -> None:
    body = json.dumps(document(*files)).encode()
    page = parse_page(body, url=URL, content_type=JSON, project="foo")
    assert [as_pip_sees(link) for link in pip_links(body, JSON)] == [
        as_we_see(file) for file in page.candidates
    ]


@given(PROJECTS)
def test_pip_reads_the_same_from_an_html_page(files: list[dict[str, Any]]) -> None:
    body = html(*map(anchor, files)).encode()
    page = read_html(body)
    assert [as_pip_sees(link) for link in pip_links(body, HTML)] == [
        as_we_see(file) for file in page.candidates
    ]


@given(PROJECTS)
def test_pypi_simple_reads_the_same_from_both_forms(files: list[dict[str, Any]]) -> None:
    data = document(*files, versions=["1.0"]) | {"project-status": {"status": "archived"}}
    theirs = ProjectPage.from_json_data(data, base_url=URL)
    ours = parse_page(json.dumps(data).encode(), url=URL, content_type=JSON, project="foo")
    for mine, other in zip(ours.candidates, theirs.packages, strict=True):
        assert (mine.filename, mine.hashes, mine.size) == (
            other.filename,
            other.digests,
            other.size,
        )
        assert mine.uploaded_at == other.upload_time
        assert (mine.yanked is Yank.YES) == other.is_yanked
        assert mine.provenance == (str(other.provenance_url) if other.provenance_url else None)
    assert ours.project_status == str(theirs.status.value if theirs.status else "")
    text = html(*map(anchor, files))
    theirs = ProjectPage.from_html("foo", text, base_url=URL)
    for mine, other in zip(read_html(text).candidates, theirs.packages, strict=True):
        assert (mine.filename, mine.url, mine.hashes) == (other.filename, other.url, other.digests)
        assert (mine.yanked is Yank.YES) == other.is_yanked
        assert mine.requires_python == (other.requires_python or "")


@given(PROJECTS)
def test_both_forms_of_one_project_agree(files: list[dict[str, Any]]) -> None:
    as_json = parse_page(
        json.dumps(document(*files)).encode(), url=URL, content_type=JSON, project="foo"
    )
    as_html = read_html(html(*map(anchor, files)))
    shorn = [msgspec.structs.replace(c, size=None, uploaded_at=None) for c in as_json.candidates]
    assert shorn == list(as_html.candidates)
    assert (as_json.name, as_json.api_version) == (as_html.name, as_html.api_version)


PARTS = st.text("abz019-_.+!%~:@;?&=# 25fF2éü", max_size=12)
HREFS = st.builds(
    "{}{}/{}{}".format,
    st.sampled_from(
        [
            "",
            "/",
            "..",
            "../..",
            "../../..",
            "//h.example",
            "https://h.example",
            "http://u:p@h.example:81",
        ]
    ),
    PARTS,
    st.one_of(PARTS, st.sampled_from(["foo-1.0.zip", "a%2Fb.zip", "a%252Fb.zip", "a@b.zip"])),
    st.sampled_from(["", "/", "#sha256=" + SHA, "?x#md5=" + SHA[:32], "#a&sha256=" + SHA, "%20"]),
)


@given(HREFS, st.sampled_from([URL, "https://h.example", "http://h.example/a/b?c#d"]))
def test_file_names_and_hashes_of_any_address_are_those_of_pip(href: str, base: str) -> None:
    try:
        ours = LinkReader(base).read(href)
    except BadLink:
        return
    theirs = Link.from_json({"url": href}, base)
    assert theirs is not None
    assert ours.filename == theirs.filename
    if not ours.bad_hash:
        assert ours.hashes == theirs._hashes
    assert "@" not in ours.url.split("/")[2]
    assert "#" not in ours.url


@given(HREFS)
def test_the_short_cut_for_plain_addresses_is_the_long_way(href: str) -> None:
    links = LinkReader(URL)
    plain = links.plain(href)
    if plain is not None:
        assert links.read_any(href) == plain


@pytest.mark.parametrize(
    ("href", "url", "filename"),
    [
        ("foo-1.0.zip", URL + "foo-1.0.zip", "foo-1.0.zip"),
        ("../../p/foo-1.0.zip", "https://index.example/p/foo-1.0.zip", "foo-1.0.zip"),
        ("../../../../p/x.zip", "https://index.example/p/x.zip", "x.zip"),
        ("//cdn.example/x.zip", "https://cdn.example/x.zip", "x.zip"),
        ("x%2B1.zip", URL + "x%2B1.zip", "x+1.zip"),
        ("a%2Fb.zip", URL + "a%2Fb.zip", "b.zip"),
        ("x.zip/", URL + "x.zip/", "x.zip"),
        ("x.zip?sig=1#frag", URL + "x.zip?sig=1", "x.zip"),
        ("x y.zip", URL + "x%20y.zip", "x y.zip"),
        ("file:///srv/x.zip", "file:///srv/x.zip", "x.zip"),
        ("https://u:p@h.example/x.zip", "https://h.example/x.zip", "x.zip"),
    ],
)
def test_addresses_become_absolute_and_clean(href: str, url: str, filename: str) -> None:
    link = LinkReader(URL).read(href)
    assert (link.url, link.filename) == (url, filename)


def test_the_page_address_may_carry_credentials_that_never_show() -> None:
    body = json.dumps(document({"filename": "foo-1.0.zip", "url": "foo-1.0.zip"})).encode()
    url = "https://user:hunter2@index.example/simple/foo/"
    page = parse_page(body, url=url, content_type=JSON, project="foo")
    assert page.candidates[0].url == URL + "foo-1.0.zip"
    assert re.search("hunter2", repr(page)) is None


@pytest.mark.parametrize(
    "href", ["a//x.zip", "a/../x.zip", "a/./x.zip", "../a//x.zip", "/a/..x.zip"]
)
def test_relative_addresses_are_normalised_as_pip_does(href: str) -> None:
    theirs = Link.from_json({"url": href}, URL)
    assert theirs is not None
    assert LinkReader(URL).read(href).url == theirs.url
