"""The files of a page as columns: in every respect the tuple of candidates that they stand for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import Candidate, Candidates, Observation, Outcome, Page, PageOutcome, View
from auditor.model.file_table import (
    FileTable,
    filenames_of,
    listed_with,
    lists_version,
    specifiers_of,
    urls_of,
    versions_of,
    yanks_of,
)
from auditor.observations import encode
from probes.kit.pages import parse_page
from tests.bench.pages import JSON_TYPE, Shape, make_page

SHAPE = Shape("demo", 40, 13, binary=True, sidecars=True)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def table(shape: Shape = SHAPE) -> FileTable:
    page = make_page(shape)
    url = f"https://index.example/simple/{shape.project}/"
    found = parse_page(page.json, url=url, content_type=JSON_TYPE, project=shape.project).candidates
    assert isinstance(found, FileTable)
    return found


def with_odd_facts() -> FileTable:
    """A table in which each fact takes every value that it may have."""
    document = json.loads(make_page(SHAPE).json)
    for number, file in enumerate(document["files"]):
        file["yanked"] = [False, True, "why"][number % 3]
        file["requires-python"] = [None, "", ">=3.9"][number // 3 % 3]
        file["core-metadata"] = [None, True, {"sha256": "0" * 64}][number // 9 % 3]
        file["dist-info-metadata"] = [True, False, None][number % 3]
        if number % 5 == 0:
            file["hashes"] = {"md5": "0" * 32, "sha256": f"{number:064x}"}
        if number % 4 == 0:
            del file["upload-time"], file["size"]
    body = json.dumps(document).encode()
    url = "https://index.example/simple/demo/"
    found = parse_page(body, url=url, content_type=JSON_TYPE, project="demo").candidates
    assert isinstance(found, FileTable)
    return found


def observation(candidates: Candidates) -> Observation:
    page = Page(
        view=View.PIP, outcome=PageOutcome.OBSERVED, url="https://i.example", candidates=candidates
    )
    return Observation(
        location="here",
        vantage="v",
        incident="i",
        outcome=Outcome.OBSERVED,
        pages=(page,),
        started_at=NOON,
        finished_at=NOON,
    )


@pytest.mark.parametrize("make", [table, with_odd_facts])
def test_a_candidate_made_alone_is_the_one_made_with_all(make: Callable[[], FileTable]) -> None:
    one_by_one, at_once = make(), make()
    assert [one_by_one[at] for at in range(len(one_by_one))] == list(at_once)


@pytest.mark.parametrize("make", [table, with_odd_facts])
def test_every_column_says_what_the_candidates_say(make: Callable[[], FileTable]) -> None:
    files = make()
    whole = files.whole()
    for column in (filenames_of, versions_of, urls_of, yanks_of, specifiers_of):
        assert list(column(whole)) == list(column(files)), column


def test_a_table_equals_the_tuple_of_its_candidates_on_either_side() -> None:
    files, whole = table(), table().whole()
    other = (*whole[:-1], msgspec.structs.replace(whole[-1], size=1))
    for same in (whole, table()):
        assert (files == same, same == files) == (True, True)
    for different in (whole[:-1], other, (), list(whole), table(replace(SHAPE, files=39))):
        assert (files != different, different != files) == (True, True)
    assert repr(whole) == repr(files)
    assert files == copy.deepcopy(files)


def test_it_is_indexed_and_cut_as_a_tuple_is() -> None:
    files, whole = table(), table().whole()
    assert (whole[-1], whole[3:7], whole[::-1]) == (files[-1], files[3:7], files[::-1])
    assert len(files) == 40
    assert whole[5] in files
    assert files.index(whole[5]) == 5
    for wrong in (40, -41):
        with pytest.raises(IndexError):
            files[wrong]


def test_a_candidate_is_made_once() -> None:
    files = table()
    third = files[3]
    assert files[3] is third
    assert list(files)[3] is third
    assert files[3] is third


def test_what_is_stored_of_it_is_what_is_stored_of_a_tuple() -> None:
    for files in (table(), with_odd_facts()):
        stored = encode(observation(files))
        assert stored == msgspec.json.encode(observation(files.whole()))
        again = msgspec.json.decode(stored, type=Observation)
        assert again == observation(files)
        assert isinstance(again.pages[0].candidates, tuple)


def test_nothing_else_finds_its_way_into_a_file_of_observations() -> None:
    odd = replace(observation(()), notes=(object(),))  # type: ignore[arg-type]  # the point
    with pytest.raises(NotImplementedError, match="object is no part of an observation"):
        encode(odd)


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 39)), st.booleans())
def test_files_are_found_by_version_and_digest_as_by_looking_at_each(
    wanted: set[int], marked: set[int], as_tuple: bool
) -> None:
    files: FileTable = TABLE
    known = sorted(set(filter(None, files.versions)))
    versions = {known[number] for number in wanted}
    digests = {files[at].hashes["sha256"] for at in marked}
    expected = [c for c in files if c.version in versions or c.hashes["sha256"] in digests]
    listing: Candidates = files.whole() if as_tuple else table()
    assert expected == listed_with(listing, versions.__contains__, digests)
    by_version: list[Candidate] = [c for c in files if c.version in versions]
    assert by_version == listed_with(listing, versions.__contains__)
    assert bool(by_version) is lists_version(listing, versions.__contains__)


TABLE = table()
