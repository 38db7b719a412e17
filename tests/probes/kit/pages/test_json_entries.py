"""Entries of a JSON page: each field, and each way in which one can be wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.model import Yank
from tests.probes.kit.pages.pages import SHA, entry, read_json


def test_a_full_entry_is_read_field_by_field() -> None:
    made = entry(
        requires_python=">=3.9",
        yanked="breaks imports",
        size=1234,
        upload_time="2026-11-20T10:00:00.500000Z",
        core_metadata={"sha256": SHA},
        provenance="https://index.example/integrity/foo/provenance",
    )
    page = read_json(made)
    (file,) = page.candidates
    assert page.faults == ()
    assert page.complete
    assert file.filename == "foo-1.0.tar.gz"
    assert file.version == "1.0"
    assert file.url == "https://files.example/packages/foo-1.0.tar.gz"
    assert file.hashes == {"sha256": SHA}
    assert (file.yanked, file.yank_reason) == (Yank.YES, "breaks imports")
    assert file.requires_python == ">=3.9"
    assert file.size == 1234
    assert file.uploaded_at == datetime(2026, 11, 20, 10, 0, 0, 500000, tzinfo=UTC)
    assert file.has_metadata is True
    assert file.provenance == "https://index.example/integrity/foo/provenance"


def test_a_bare_entry_says_nothing_that_the_page_does_not_say() -> None:
    page = read_json({"filename": "foo-1.0.zip", "url": "foo-1.0.zip"})
    (file,) = page.candidates
    assert page.faults == ()
    assert file.hashes == {}
    assert (file.yanked, file.yank_reason) == (Yank.NO, None)
    assert file.requires_python == ""
    assert (file.size, file.uploaded_at, file.provenance) == (None, None, None)
    assert file.has_metadata is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, (Yank.YES, None)),
        ("why", (Yank.YES, "why")),
        (False, (Yank.NO, None)),
        (None, (Yank.NO, None)),
    ],
)
def test_yanked_is_a_boolean_or_a_reason(value: object, expected: tuple[Yank, str | None]) -> None:
    page = read_json(entry(yanked=value))
    assert (page.candidates[0].yanked, page.candidates[0].yank_reason) == expected
    assert page.faults == ()


@pytest.mark.parametrize("value", [1, 0, [], {}, 1.5, ""])
def test_a_yank_on_which_installers_disagree_is_read_as_pip_does_and_noted(value: object) -> None:
    page = read_json(entry(yanked=value))
    assert page.candidates[0].yanked is (Yank.YES if value else Yank.NO)
    assert [f.loses_entry for f in page.faults] == [False]
    assert page.complete


@pytest.mark.parametrize(
    ("key", "value", "attribute", "expected"),
    [
        ("requires_python", 0, "requires_python", ""),
        ("requires_python", ">=3," * 1000, "requires_python", None),
        ("requires_python", "\ud800", "requires_python", None),
        ("size", -1, "size", None),
        ("size", True, "size", None),
        ("size", "12", "size", None),
        ("size", 1.5, "size", None),
        ("size", 2**63, "size", None),
        ("upload_time", "2026-11-20", "uploaded_at", None),
        ("upload_time", 0, "uploaded_at", None),
        ("upload_time", "0001-01-01T00:00:00+09:00", "uploaded_at", None),
        ("hashes", {"sha256": "zz" * 32}, "hashes", {}),
        ("hashes", {"sha256": SHA[:-2]}, "hashes", {}),
        ("hashes", {"md5": 5}, "hashes", {}),
        ("hashes", {"": SHA}, "hashes", {}),
        ("hashes", {"sha256": SHA, "md5": "no"}, "hashes", {"sha256": SHA}),
        ("core_metadata", "yes", "has_metadata", None),
        ("provenance", "/relative", "provenance", None),
        ("provenance", "javascript:alert(1)", "provenance", None),
        ("provenance", 7, "provenance", None),
        ("filename", "bar-9.9.tar.gz", "filename", "foo-1.0.tar.gz"),
        ("filename", None, "filename", "foo-1.0.tar.gz"),
    ],
)
def test_a_field_that_is_wrong_costs_that_field_only(
    key: str, value: object, attribute: str, expected: object
) -> None:
    page = read_json(entry(**{key: value}) if key != "filename" else entry() | {"filename": value})
    assert getattr(page.candidates[0], attribute) == expected
    assert [f.loses_entry for f in page.faults] == [False]
    assert page.complete


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "foo-2.0.tar.gz",
        [],
        {},
        {"filename": "foo-2.0.tar.gz"},
        entry(url=None),
        entry(url=""),
        entry(url=5),
        entry(url="https://files.example/"),
        entry(url="https://files.example/a/.."),
        entry(url="https:///foo-2.0.tar.gz"),
        entry(url="https://[::1/foo-2.0.tar.gz"),
        entry(url="https://files.example:port/foo-2.0.tar.gz"),
        entry(url="javascript:alert(1)//foo-2.0.tar.gz"),
        entry(url="data:,foo-2.0.tar.gz"),
        entry(url="ftp://files.example/foo-2.0.tar.gz"),
        entry(url="https://files.example/\ud800.whl"),
        entry(url="https://files.example/" + "a" * 9000),
        entry(url="https://files.example/" + "a" * 2000),
        entry(url="https://files.example/master.zip#egg=foo-3.0"),
    ],
)
def test_an_entry_without_a_usable_file_is_a_fault_and_the_page_survives(bad: object) -> None:
    page = read_json(entry(), bad, entry("foo-1.1.tar.gz"))
    names = [c.filename for c in page.candidates]
    assert names[0] == "foo-1.0.tar.gz"
    assert names[-1] == "foo-1.1.tar.gz"
    assert any(f.loses_entry for f in page.faults)
    assert not page.complete


def test_a_fault_names_the_file_or_else_its_position() -> None:
    page = read_json(entry(), 7, {"filename": "foo-2.0.tar.gz"})
    assert [f.subject for f in page.faults] == ["files[1]", "foo-2.0.tar.gz"]
    assert page.faults[0].excerpt == "7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20 10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00.123456789Z", datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T12:00:00+02:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_upload_times_come_in_many_spellings(text: str | None, expected: datetime | None) -> None:
    page = read_json(entry(upload_time=text))
    assert page.candidates[0].uploaded_at == expected
    assert page.faults == ()


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (None, None, False),
        (False, True, False),
        (True, False, True),
        (None, {"sha256": SHA}, True),
        ({}, None, True),
        (False, None, False),
    ],
)
def test_core_metadata_wins_over_its_older_name(new: Any, old: Any, expected: bool) -> None:
    page = read_json(entry(core_metadata=new, dist_info_metadata=old))
    assert page.candidates[0].has_metadata is expected


def test_hashes_are_lower_case_and_of_every_kind() -> None:
    page = read_json(
        entry(hashes={"SHA256": SHA.upper(), "blake2b_256": SHA, "shake9": "abcd1234"})
    )
    assert page.candidates[0].hashes == {"sha256": SHA, "blake2b_256": SHA, "shake9": "abcd1234"}
    assert page.faults == ()


def test_a_hash_in_the_url_wins_as_in_pip() -> None:
    made = entry()
    made["url"] += "#sha256=" + "b" * 64
    page = read_json(made)
    assert page.candidates[0].hashes == {"sha256": "b" * 64}
    assert "disagree" in page.faults[0].problem


def test_credentials_never_leave_the_parser() -> None:
    made = entry(provenance="https://u:hunter2@index.example/p")
    made["url"] = "https://user:hunter2@files.example/foo-1.0.tar.gz?X=1#md5=nonsense"
    bad = {"url": "ftp://user:hunter2@files.example/foo-2.0.tar.gz"}
    worse = {"url": "https://user:hunter2@[files.example/foo-2.0.tar.gz"}
    nfkc = {"url": "https://user:hunter2@files\u2100.example/foo-2.0.tar.gz"}
    page = read_json(made, bad, worse, nfkc)
    assert page.candidates[0].url == "https://files.example/foo-1.0.tar.gz?X=1"
    assert "hunter2" not in repr(page)
    assert len(page.faults) >= 2


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("foo-1.0.linux-x86_64.tar.gz", None),
        ("Foo-1.0.zip", "1.0"),
        ("foo-1.0-py2.7.egg", None),
        ("foo-1.0.win32-py2.7.exe", None),
        ("foo-1.0-1.noarch.rpm", None),
        ("foo-1.0.tgz", "1.0"),
        ("bar-1.0.tar.gz", None),
        ("foo-1.0-py3-none-any.whl", "1.0"),
    ],
)
def test_legacy_file_names_stay_on_the_page(filename: str, version: str | None) -> None:
    page = read_json(entry(filename))
    assert [(c.filename, c.version) for c in page.candidates] == [(filename, version)]
    assert page.complete


def test_faults_are_bounded_in_number_and_length() -> None:
    page = read_json(*[{"filename": "x" * 5000}] * 3000)
    assert len(page.faults) == 1000
    assert "2001 more" in page.faults[-1].problem
    assert max(len(f.excerpt) + len(f.subject) for f in page.faults) <= 400


def test_a_lost_entry_is_not_forgotten_over_a_later_detail() -> None:
    page = read_json(7, entry(size=-1))
    assert [f.loses_entry for f in page.faults] == [True, False]
    assert not page.complete
