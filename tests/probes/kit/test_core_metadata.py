"""Core metadata: what packaging's parser reads in three fields, in time linear in the size."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from probes.kit.core_metadata import CoreMetadata, read_core_metadata

WHOLE = b"""Metadata-Version: 2.1
name: BrokenPkg
VERSION: 1.2.3
Classifier: Topic :: Software
Requires-Python: >=3.9,
        <4
Description: Name: of another
        Version: 9.9

Name: in the text
Version: 8.8
"""
PARTS = [
    b"Name: brokenpkg",
    b"name : other",
    b"Version: 1.2.3",
    b"Version:",
    b"Requires-Python: >=3",
    b" folded",
    b"\tfolded: too",
    b"Name-Not: x",
    b"From somebody",
    b"no header at all",
    b"Name: \xc3\xa9",
    b"Version: \xff",
    b"",
]


def test_the_three_fields_are_read_as_they_stand() -> None:
    assert read_core_metadata(WHOLE) == CoreMetadata("BrokenPkg", "1.2.3", ">=3.9,\n        <4")


@given(
    lines=st.lists(st.sampled_from(PARTS), max_size=12),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
@example(lines=[b"Version:", b" folded"], ending=b"\n")
def test_it_reads_what_packaging_reads(lines: list[bytes], ending: bytes) -> None:
    content = ending.join(lines)
    raw, _ = parse_email(content)
    found = read_core_metadata(content)
    assert (found.name, found.version) == tuple(
        value.strip() if value is not None else None
        for value in (raw.get("name"), raw.get("version"))
    )
    assert found.requires_python == (raw.get("requires_python") or "").strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"".join(b"x%d:\n" % n for n in range(150_000)) + b"Version: 1.2.3\n",
        b"Version: 1.2.3\n" + b"x\n" * 500_000,
        b"Version: 1.2.3\n" + b" y\n" * 300_000,
        b"Name: a\n" * 125_000,
        b"Name: " + b"\xff" * 1_000_000,
    ],
)
def test_no_megabyte_takes_long(content: bytes) -> None:
    started = time.process_time()
    read_core_metadata(content)
    assert time.process_time() - started < 3


def test_a_python_range_of_any_length_stays_bounded_and_is_never_loosened() -> None:
    content = b"Requires-Python: " + b",".join([b">=3"] * 100_000)
    found = read_core_metadata(content).requires_python
    assert len(found) < 3_000
    assert found.endswith("…")
