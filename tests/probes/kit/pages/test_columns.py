"""The readers that take a page field by field, against those that take it entry by entry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.kit.pages import ParsedPage, fields, html_page, json_page, parse_page
from tests.bench.pages import HTML_TYPE, JSON_TYPE, Shape, make_page
from tests.probes.kit.pages.pages import HTML, JSON, URL
from tests.truth.pages import as_html, as_json
from tests.truth.pages import make_page as make_odd_page

SHAPES = (
    Shape("requests", 60, 40),
    Shape("tf-nightly", 300, 12, binary=True, every_prerelease=True),
    Shape("numpy", 2100, 90, binary=True, sidecars=True),
)


def read(body: bytes, content_type: str, project: str) -> ParsedPage:
    return parse_page(body, url=URL, content_type=content_type, project=project)


def read_slowly(
    monkeypatch: pytest.MonkeyPatch, body: bytes, content_type: str, project: str
) -> ParsedPage:
    with monkeypatch.context() as patch:
        patch.setattr(json_page, "read_columns", lambda *_: None)
        patch.setattr(html_page, "plain_anchors", lambda *_: None)
        return read(body, content_type, project)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.project)
def test_a_page_as_real_ones_are_reads_the_same_in_both_ways(
    shape: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make_page(shape)
    for body, content_type in ((page.json, JSON_TYPE), (page.html, HTML_TYPE)):
        quick = read(body, content_type, shape.project)
        assert read_slowly(monkeypatch, body, content_type, shape.project) == quick
        assert shape.files == len(quick.candidates)


@pytest.mark.parametrize("seed", range(150))
def test_an_odd_page_reads_the_same_in_both_ways(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make_odd_page(Random(seed))
    for body, content_type in ((as_json(page), JSON), (as_html(page), HTML)):
        quick = read(body, content_type, page.project)
        assert read_slowly(monkeypatch, body, content_type, page.project) == quick


def test_a_page_as_real_ones_are_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read entry by entry")

    monkeypatch.setattr(json_page, "_read_entries", never)
    monkeypatch.setattr(html_page, "_read_anchors", never)
    for shape in SHAPES:
        page = make_page(shape)
        for body, content_type in ((page.json, JSON_TYPE), (page.html, HTML_TYPE)):
            assert shape.files == len(read(body, content_type, shape.project).candidates)


ODD_VALUES: dict[str, list[object]] = {
    "url": ["https://other.example/p/requests-1.0.0.tar.gz", "../../p/%41.whl", "x", "", "a\nb"],
    "filename": ["", "..", "a/b", "other-1.0.tar.gz", "requests-9.9.tar.gz"],
    "hashes": [{}, {"md5": "0" * 32}, {"sha256": "A" * 64}, {"sha256": "0" * 63}, {"x": "y"}],
    "upload-time": ["", None, "2026-11-20T10:00:00", "2026-11-20T10:00:00+02:00", "ZZ", "never"],
    "yanked": [True, "why", "", None, 0],
    "requires-python": [None, "", ">=3", "\ud800"],
    "provenance": ["https://index.example/x", "x", "https://a/?b", "", None],
    "core-metadata": [True, {}, None, "yes"],
    "size": [None, -1, 2**70],
}


@given(st.data())
def test_one_odd_value_anywhere_reads_the_same_in_both_ways(data: st.DataObject) -> None:
    page = json.loads(make_page(SHAPES[0]).json)
    entry = page["files"][data.draw(st.integers(0, 59))]
    key = data.draw(st.sampled_from(sorted(ODD_VALUES)))
    entry[key] = data.draw(st.sampled_from(ODD_VALUES[key]))
    body = json.dumps(page).encode()
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert read_slowly(monkeypatch, body, JSON, "requests") == read(body, JSON, "requests")


_DAYS = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5))]))
_TIME_TEXTS = st.one_of(
    st.builds(datetime.isoformat, _DAYS, st.sampled_from(["T", " "])),
    _DAYS.map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S.%fZ}"),
    st.sampled_from(["", "2020-01-01", "2020-01-01T00:00:00.1234567Z", "2020-01-01t00:00:00z"]),
    st.text(alphabet="0123456789-:.TZ+", min_size=17, max_size=42),
)


@given(st.lists(_TIME_TEXTS, min_size=1, max_size=4))
def test_times_read_at_once_are_those_read_one_by_one(texts: list[str]) -> None:
    at_once = fields.parse_utc_times(texts)
    alone = [fields.parse_upload_time(text) for text in texts]

    assert at_once is None or at_once == alone
    assert at_once is None or all(time.tzinfo == UTC for time in at_once)


def test_the_times_of_an_index_are_read_at_once() -> None:
    texts = [f"2020-01-{day:02}T00:00:00.123456Z" for day in range(1, 32)]
    assert fields.parse_utc_times(texts) == [fields.parse_upload_time(text) for text in texts]
