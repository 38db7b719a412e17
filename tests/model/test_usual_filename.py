"""Names read by one pattern, against the same names read part by part as pip reads them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.model.filename import (
    MAX_FILENAME_CHARS,
    NamedFile,
    fits_of,
    read_filename,
    version_in,
    versions_in,
)
from auditor.model.orders import FINAL, orders_of
from auditor.model.usual_filename import usual_names_of
from auditor.model.version import are_plain_versions, parse_version, plain_order, version_order

PROJECTS = ("foo", "foo-bar", "a", "3to2", "foo-1", "k", "x" * 300, "fo\u00f6", "-", "foo-1.0")
VERSIONS = (
    "1",
    "1.0",
    "1.2.3",
    "01.02",
    "1.0rc1",
    "1!2.0+local.3",
    "1.0.tar",
    "1..0",
    "1.0-RC.1",
    "1+a.tar",
)
TAGS = (
    *("py3-none-any", "Py2.py3-none-Any", "cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"),
    *("3-none-any", "py3..py2-none-any", "py3-none", "py3-none-any-x", "py\u0663-none-any"),
)
BUILDS = ("", "-1", "-12abc", "-x1", "-1_2", f"-{'9' * 300}", "-\u0663")
ENDS = (".tar.gz", ".zip", ".tgz", ".TAR.GZ", ".tar.zip", ".tar.bz2", ".ZIP", ".exe", "", "\n.zip")
SPELLINGS = st.sampled_from(["-", "_", ".", "__", "--", "-_"])


@st.composite
def _names(draw: st.DrawFn, projects: Sequence[str] = PROJECTS) -> tuple[str, str]:
    project = draw(st.sampled_from(projects))
    spelled = project.replace("-", draw(SPELLINGS))
    spelled = draw(st.sampled_from([spelled, spelled.upper(), f"{spelled}-", spelled[:-1]]))
    version = draw(st.sampled_from(VERSIONS)) + draw(st.sampled_from(["", " ", "0" * 300, "/"]))
    start = f"{spelled}-{version}"
    if draw(st.booleans()):
        end = f"{draw(st.sampled_from(BUILDS))}-{draw(st.sampled_from(TAGS))}"
        return project, start + end + draw(st.sampled_from([".whl", ".WHL", ".tar.whl"]))
    suffix = draw(st.sampled_from(["", "-py2.7", "-py3.11"]))
    return project, start + suffix + draw(st.sampled_from(ENDS))


@given(_names())
@example(("k", "\u212a-1.0.zip"))  # the sign of Kelvin, which is a "k" in lower case
@example(("foo-1", "foo-1-1.0.zip"))
@example(("foo", "foo-1-1.0.zip"))
@example(("foo", "foo-1-py3-none-any.tar.whl"))
@example(("foo", "foo-1.0+a.tar.zip"))
@example(("foo", "foo-1.0+a.TAR.zip"))
@example(("foo", "foo-1.0+a.tar.tar.gz"))
def test_what_the_pattern_reads_is_what_pip_reads(named: tuple[str, str]) -> None:
    project, filename = named
    read = read_filename(filename, project)
    usual = usual_names_of(project).read(filename)

    if usual is not None:
        assert isinstance(read, NamedFile)
        assert len(filename) <= MAX_FILENAME_CHARS
        tags = read.tags.text if read.tags else None
        assert usual == (read.version, (tags, read.py_version))
    assert versions_in([filename], project) == (version_in(filename, project),)
    if isinstance(read, NamedFile):
        tags = read.tags.text if read.tags else None
        assert fits_of(project)[filename] == (tags, read.py_version)


@given(st.data(), st.sampled_from(PROJECTS))
def test_names_read_at_once_are_read_as_each_alone(data: st.DataObject, project: str) -> None:
    mine = _names([project]).map(lambda named: named[1])
    usual = usual_names_of(project)
    names = data.draw(st.lists(mine, min_size=1, max_size=6, unique=True))
    alone = [usual.read(name) for name in names]
    at_once = usual.versions(names)

    if None not in alone:
        assert at_once == [read[0] for read in alone if read]
    else:
        assert at_once is None


@pytest.mark.parametrize(
    "names",
    [
        ["foo-1.0.zip\nfoo-2.0.zip"],
        ["foo-1.0.zip\n", "foo-2.0.zip"],
        ["foo-1.0.zip", "\nfoo-2.0.zip"],
        ["foo-1.0.zip", ""],
        ["foo-1.0.zip", "foo-1.0.zip\r"],
        ["foo-1.0.zip", "foo-1.0.exe"],
        ["foo-1.0.zip", "foo-1..0.zip"],
        ["foo-1.0.zip", "foo-1.0-py3..py2-none-any.whl"],
    ],
)
def test_one_unusual_name_leaves_all_to_whoever_reads_them_singly(names: list[str]) -> None:
    assert usual_names_of("foo").versions(names) is None
    assert usual_names_of("foo").versions(["foo-1.0.zip", "foo-2.0.zip"]) == ["1.0", "2.0"]
    assert versions_in(names, "foo") == tuple(version_in(name, "foo") for name in names)


@pytest.mark.parametrize(
    ("filename", "project"),
    [
        ("requests-2.32.5-py3-none-any.whl", "requests"),
        ("requests-2.32.5.tar.gz", "requests"),
        ("Zope.Interface-5.0.zip", "zope-interface"),
        ("zope_interface-5.0-1-cp39-cp39-win_amd64.whl", "zope-interface"),
        ("tf_nightly-2.20.0.dev20250101-cp39-cp39-macosx_12_0_arm64.whl", "tf-nightly"),
    ],
)
def test_the_usual_names_need_no_second_look(filename: str, project: str) -> None:
    assert usual_names_of(project).read(filename) is not None


@given(st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,12}){0,11}", fullmatch=True))
@example("0")
@example("0.0")
@example("1.0.00")
@example("00.10")
def test_plain_versions_sort_by_the_text_of_their_parsed_ones(text: str) -> None:
    version = parse_version(text)
    assert version is not None
    order = version_order(version)

    assert not are_plain_versions([text]) or plain_order(text) == order
    assert orders_of([text]) == (order + FINAL,)


@given(st.lists(st.from_regex(r"[0-9.]{1,12}|[0-9.a!+\n]{1,4}", fullmatch=True), min_size=1))
@example(["1", "1\n2"])
@example(["1\n", "2"])
@example(["1", "1a1", "1.0"])
def test_orders_found_at_once_are_those_of_each_alone(texts: list[str]) -> None:
    at_once = tuple(orders_of(texts))

    for text, order in zip(texts, at_once, strict=True):
        version = parse_version(text)
        assert (order is None) == (version is None)
        assert version is None or (order or "")[:-1] == version_order(version)
    assert are_plain_versions(texts) == all(are_plain_versions([text]) for text in texts)


@pytest.mark.parametrize(
    "text", ["", "1.", ".1", "1..2", "1a1", "1 ", "1\n", "\u0663", "v1", "1!2"]
)
def test_whatever_has_more_than_numbers_is_no_plain_version(text: str) -> None:
    assert not are_plain_versions([text])
