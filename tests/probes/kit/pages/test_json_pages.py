"""Whole JSON pages: what they say of themselves, and bodies that are hostile or no page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import Malformed
from probes.kit.pages import ParsedPage, json_page, parse_page
from probes.kit.pages.parsed import FaultLog
from tests.probes.kit.pages.pages import JSON, PROJECTS, SHA, URL, document, entry, read_json


def read(body: bytes, content_type: str | None = JSON) -> ParsedPage:
    return parse_page(body, url=URL, content_type=content_type, project="Foo")


def test_a_page_says_what_the_project_is() -> None:
    page = read_json(
        entry(),
        meta={"api-version": "1.4", "_last-serial": 28, "tracks": ["https://a.example/foo/"]},
        versions=["1.0", "1.1"],
        project_status={"status": "archived", "reason": "moved"},
        alternate_locations=["https://b.example/foo/"],
    )
    assert page.api_version == "1.4"
    assert page.serial == 28
    assert page.name == "foo"
    assert page.versions == ("1.0", "1.1")
    assert (page.project_status, page.project_status_reason) == ("archived", "moved")
    assert page.tracks == ("https://a.example/foo/",)
    assert page.alternate_locations == ("https://b.example/foo/",)
    assert page.faults == ()


def test_a_silent_page_is_active_and_has_no_versions() -> None:
    page = read(b'{"files": []}')
    assert page.project_status == "active"
    assert page.versions is None
    assert (page.api_version, page.serial, page.name) == (None, None, None)
    assert page.complete
    assert page.faults == ()


@pytest.mark.parametrize(("serial", "expected"), [(5, 5), ("5", 5), (0, 0), (None, None)])
def test_a_serial_is_a_number_or_digits(serial: object, expected: int | None) -> None:
    page = read_json(meta={"_last-serial": serial})
    assert page.serial == expected
    assert page.faults == ()


@pytest.mark.parametrize(
    ("key", "value", "attribute", "expected"),
    [
        ("meta", {"_last-serial": True}, "serial", None),
        ("meta", {"_last-serial": "-5"}, "serial", None),
        ("meta", {"_last-serial": "٣"}, "serial", None),
        ("meta", {"_last-serial": 2**70}, "serial", None),
        ("meta", [], "api_version", None),
        ("meta", {"api-version": 1.0}, "api_version", None),
        ("meta", {"api-version": "one"}, "api_version", None),
        ("meta", {"api-version": "1.99"}, "api_version", "1.99"),
        ("meta", {"tracks": "x"}, "tracks", ()),
        ("name", 5, "name", None),
        ("name", "bar", "name", "bar"),
        ("versions", {}, "versions", None),
        ("versions", ["1.0", 7], "versions", ("1.0",)),
        ("project_status", "archived", "project_status", None),
        ("project_status", {"status": 1}, "project_status", None),
        ("project_status", {"status": "odd"}, "project_status", "odd"),
        ("project_status", {"reason": 5}, "project_status_reason", None),
        ("alternate_locations", 1, "alternate_locations", ()),
    ],
)
def test_a_wrong_detail_of_the_page_loses_no_entry(
    key: str, value: object, attribute: str, expected: object
) -> None:
    page = read_json(entry(), **{key: value})
    assert getattr(page, attribute) == expected
    assert [f.loses_entry for f in page.faults] == [False]
    assert len(page.candidates) == 1
    assert page.complete


def test_a_version_without_a_file_is_no_fault() -> None:
    page = read_json(entry(), versions=["1.0", "9.9"])
    assert page.faults == ()
    assert page.complete


@pytest.mark.parametrize("version", ["2.0", "0.9", "17.3"])
def test_another_major_api_version_is_not_interpreted(version: str) -> None:
    with pytest.raises(Malformed, match="API version"):
        read_json(entry(), meta={"api-version": version})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"files"',
        b'{"files": null}',
        b'{"files": {}}',
        b'{"files": [{"filename": "foo-1',
        b"<!DOCTYPE html><html></html>",
        b"[" * 200_000,
        b'{"files": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b"\xff\xfe\x00",
    ],
)
def test_a_body_that_is_no_page_says_why(body: bytes) -> None:
    with pytest.raises(Malformed, match="JSON") as caught:
        read(body)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.pypi.simple.v1+json; charset=utf-8",
        "APPLICATION/VND.PyPI.Simple.V1+JSON",
        "application/vnd.pypi.simple.v1+json;q=1",
        "  application/vnd.pypi.simple.v1+json ",
    ],
)
def test_content_types_may_have_parameters_and_any_case(content_type: str) -> None:
    page = read(json.dumps(document(entry())).encode(), content_type)
    assert len(page.candidates) == 1
    assert page.faults == ()


def test_the_alias_latest_is_read_and_noted() -> None:
    page = read(b'{"files": []}', "application/vnd.pypi.simple.latest+json")
    assert ["latest" in f.problem for f in page.faults] == [True]
    assert page.complete


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        " ",
        "application/json",
        "text/plain",
        "text/htmlx",
        "application/octet-stream",
        "application/vnd.pypi.simple.v2+json",
        "application/vnd.pypi.simple.v1+xml",
    ],
)
def test_other_content_types_are_no_index_page(content_type: str | None) -> None:
    with pytest.raises(Malformed, match=r"Content-Type|API v2"):
        read(b'{"files": []}', content_type)


def test_hostile_numbers_cost_their_field_only() -> None:
    nines = "9" * 4_000
    file = f'{{"filename": "foo-1.0.zip", "url": "foo-1.0.zip", "size": {nines}}}'
    page = read(f'{{"files": [{file}], "x": NaN}}'.encode())
    assert [c.filename for c in page.candidates] == ["foo-1.0.zip"]
    assert page.candidates[0].size is None
    assert page.complete


def test_a_version_of_ten_thousand_digits_is_no_version() -> None:
    page = read_json(entry(f"foo-{'1' * 1_000}.zip"), entry(f"foo-{'9' * 10_000}.zip"))
    assert [c.version for c in page.candidates] == [None]
    assert not page.complete


def test_of_equal_keys_the_last_one_counts() -> None:
    file = b'{"url": "foo-1.0.zip", "url": "foo-2.0.zip", "filename": "foo-2.0.zip"}'
    body = b'{"files": 5, "files": [' + file + b"]}"
    assert [c.version for c in read(body).candidates] == ["2.0"]


def test_a_byte_order_mark_and_utf_16_are_read() -> None:
    text = json.dumps(document(entry(yanked="grün"), name="foo"), ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        page = read(text.encode(encoding))
        assert page.candidates[0].yank_reason == "grün"
        assert page.faults == ()


def test_invalid_utf_8_is_replaced_and_noted() -> None:
    body = json.dumps(document(entry(yanked="Grund"))).encode().replace(b"Grund", b"Gr\xffnd")
    page = read(body)
    assert page.candidates[0].yank_reason == "Gr\ufffdnd"
    assert ["utf-8" in f.problem for f in page.faults] == [True]


def test_half_a_surrogate_pair_can_be_stored_afterwards() -> None:
    page = read_json(
        entry(yanked="\ud800", hashes={"\ud800": SHA}), name="\ud800", versions=["\ud800"]
    )
    repr(page).encode()
    for candidate in page.candidates:
        assert candidate.yank_reason == "?"
    assert len(page.faults) == 4


def test_more_entries_than_the_bound_are_a_lost_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_page, "MAX_ENTRIES", 3)
    page = read_json(*[entry(f"foo-{n}.zip") for n in range(5)])
    assert len(page.candidates) == 3
    assert not page.complete


def both(body: bytes, url: str = URL) -> tuple[Any, Any]:
    """The outcome of the fast and of the slow way; the fast one may decline."""
    outcomes = []
    for parse in (json_page.parse_typed, json_page.parse_leniently):
        try:
            outcomes.append(parse(body, url=url, project="foo", faults=FaultLog()))
        except Malformed as error:
            outcomes.append(str(error))
    return outcomes[0], outcomes[1]


@given(PROJECTS)
def test_well_formed_pages_take_the_fast_way_and_both_agree(files: list[dict[str, Any]]) -> None:
    fast, slow = both(json.dumps(document(*files)).encode())
    assert fast is not None
    assert fast == slow
    assert len(fast.candidates) == len(files)
    assert fast.complete


ODD_TEXTS = st.one_of(
    st.sampled_from(
        ["", ".", "..", "//", "a b", "x/../y", "a%2Fb", "ü", "#egg=foo-9", "?a=1", "\ud800"]
    ),
    st.text(max_size=8),
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ODD_TEXTS, inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        "url",
        "filename",
        "hashes",
        "requires-python",
        "yanked",
        "size",
        "upload-time",
        "core-metadata",
        "dist-info-metadata",
        "provenance",
        "extra",
    ]
)
BEGINNINGS = [
    "https://",
    "http://h.example",
    "HTTPS://h.example/",
    "//h/",
    "../",
    "/",
    "file:///d/",
    "https://u:p@h.example/",
    "https://h.example:0/",
    "https://h.example:99999/",
    "ftp://h/",
    "https://h.example:8/a//",
    "https://h.example/./",
    "./",
    "../../../../",
    "https://-h/",
    "https://h.example/a:b/",
    "https://[::1]/",
    "javascript:",
    "\\h",
]
ODD_URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", *BEGINNINGS]),
    st.sampled_from(["foo-1.0.zip", "foo-1.0+x.whl", "a/../foo-1.0.zip", "foo 1.zip", "", "a/"])
    | ODD_TEXTS,
    st.sampled_from(
        ["", f"#sha256={SHA}", "#sha256=x", "?q#md5=1", "#md5=" + SHA[:32], "#egg=foo-2"]
    ),
)


@pytest.mark.slow
@given(PROJECTS, st.data())
def test_mutated_pages_read_alike_on_both_ways(files: list[dict[str, Any]], data: Any) -> None:
    files.append(entry())
    for _ in range(data.draw(st.integers(1, 3))):
        target = data.draw(st.sampled_from(files))
        key = data.draw(KEYS)
        target[key] = data.draw(ODD_URLS if key in {"url", "provenance"} else ODD)
        if key == "url" and data.draw(st.booleans()):
            target["filename"] = target["url"].partition("#")[0].rpartition("/")[2]
    page = document(*files)
    if data.draw(st.booleans()):
        page[data.draw(st.sampled_from(["meta", "name", "versions", "project-status"]))] = (
            data.draw(ODD)
        )
    fast, slow = both(json.dumps(page).encode())
    assert fast is None or fast == slow
    assert not isinstance(slow, ParsedPage) or len(slow.candidates) <= len(files)
    repr(slow).encode()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_a_page_or_say_why_not(body: bytes) -> None:
    for content_type in (JSON, "text/html"):
        try:
            page = read(body, content_type)
        except Malformed:
            continue
        assert page.candidates == ()


def test_invalid_utf_8_in_a_field_that_nobody_reads_is_noted_too() -> None:
    page = read(b'{"files": [], "extra": "\xff"}')
    assert ["utf-8" in f.problem for f in page.faults] == [True]


def test_an_odd_entry_deep_in_a_large_page_is_found_at_its_position() -> None:
    files = [entry(f"foo-{n}.zip") for n in range(600)]
    files[300]["filename"], files[300]["url"] = "", "ftp://h.example/foo-300.zip"
    page = read_json(*files)
    assert [f.subject for f in page.faults] == ["files[300]"]
    assert [c.version for c in page.candidates] == [str(n) for n in range(600) if n != 300]
