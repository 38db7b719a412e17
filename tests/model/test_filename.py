"""What a file name says; pip's own reading of many more names is in tests/truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pip._internal.exceptions import InvalidWheelFilename
from pip._internal.index.package_finder import _extract_version_from_fragment
from pip._internal.models.wheel import Wheel
from pip._internal.utils.misc import splitext
from pip._internal.utils.unpacking import SUPPORTED_EXTENSIONS

from auditor.model import RejectionCode, parse_version
from auditor.model.filename import (
    ARCHIVE_EXTENSIONS,
    MAX_FILENAME_CHARS,
    FileKind,
    NamedFile,
    NameFault,
    read_filename,
    version_in,
)


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("requests-2.32.5-py3-none-any.whl", "requests", "2.32.5"),
        ("requests-2.32.5.tar.gz", "requests", "2.32.5"),
        ("zope.interface-5.0.zip", "zope-interface", "5.0"),
        ("Zope_Interface-5.0-py3-none-any.whl", "zope.interface", "5.0"),
        ("foo-bar-1.0.tar.gz", "foo_bar", "1.0"),
        ("foo-1.0-py2.7.tar.gz", "foo", "1.0"),
        ("foo-1.0-1.tar.gz", "foo", "1.0-1"),
        ("foo-1.0-RC.1.tar.gz", "foo", "1.0-RC.1"),
        ("foo-v1.0.tbz", "FOO", "v1.0"),
        ("foo-1!2.0+local.3-py3-none-any.whl", "foo", "1!2.0+local.3"),
    ],
)
def test_a_version_is_read_as_the_name_spells_it(filename: str, project: str, version: str) -> None:
    assert version == version_in(filename, project)


@pytest.mark.parametrize(
    ("filename", "code"),
    [
        ("foo-1.0.exe", RejectionCode.NOT_A_DISTRIBUTION),
        ("foo-1.0.TAR.GZ", RejectionCode.NOT_A_DISTRIBUTION),
        ("foo-1.0.tar.whl", RejectionCode.NOT_A_DISTRIBUTION),
        ("foo", RejectionCode.NOT_A_DISTRIBUTION),
        ("bar-1.0.tar.gz", RejectionCode.OTHER_PROJECT),
        ("foo_tools-1.0-py3-none-any.whl", RejectionCode.OTHER_PROJECT),
        ("foo.tar.gz", RejectionCode.OTHER_PROJECT),
        ("foo-tools-1.0.tar.gz", RejectionCode.INVALID_VERSION),
        ("foo-.tar.gz", RejectionCode.INVALID_VERSION),
        ("foo-1.0-py3.11.tar.gz", RejectionCode.INVALID_VERSION),
        ("foo-x-py3-none-any.whl", RejectionCode.INVALID_VERSION),
        ("foo-1.0-none-any.whl", RejectionCode.INVALID_NAME),
        ("foo__bar-1.0-py3-none-any.whl", RejectionCode.INVALID_NAME),
        ("foo-1.0-b1-py3-none-any.whl", RejectionCode.INVALID_NAME),
        ("foo-1.0-3py-none-any.whl", RejectionCode.INVALID_NAME),
        ("foo-1.0-py3--any.whl", RejectionCode.INVALID_NAME),
        (f"foo-1.0-{'9' * 201}-py3-none-any.whl", RejectionCode.INVALID_NAME),
        ("f" * (MAX_FILENAME_CHARS + 1) + ".whl", RejectionCode.INVALID_NAME),
    ],
)
def test_a_name_that_pip_passes_over_is_a_fault_with_its_rule(
    filename: str, code: RejectionCode
) -> None:
    fault = read_filename(filename, "foo")

    assert isinstance(fault, NameFault)
    assert code == fault.code
    assert fault.text
    assert version_in(filename, "foo") is None


def test_a_wheel_tells_its_build_and_its_compressed_tags() -> None:
    named = read_filename("foo-1.0-12abc-Py2.py3-none-Any.whl", "foo")

    assert isinstance(named, NamedFile)
    assert (named.kind, named.build) == (FileKind.WHEEL, (12, "abc"))
    assert named.tags is not None
    assert named.tags.text == "py2.py3-none-any"
    assert {"py2", "py3"} == named.tags.pythons
    assert ({"none"}, {"any"}) == (named.tags.abis, named.tags.platforms)


def test_an_old_suffix_restricts_an_archive_to_one_python() -> None:
    named = read_filename("foo-1.0-py3.9.tar.gz", "foo")

    assert isinstance(named, NamedFile)
    assert (named.kind, named.py_version, named.tags) == (FileKind.SDIST, "3.9", None)


def test_a_hostile_tag_set_is_not_multiplied_out() -> None:
    many = ".".join(f"x{n}" for n in range(80))
    named = read_filename(f"foo-1.0-{many}-{many}-{many}.whl", "foo")

    assert isinstance(named, NamedFile)
    assert named.tags is not None
    assert len(named.tags.platforms) == 80


def test_our_extensions_are_those_that_pip_installs() -> None:
    assert set(SUPPORTED_EXTENSIONS) == ARCHIVE_EXTENSIONS | {".whl"}


_NAMES = st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            [
                *("foo", "Foo", "_", "-", "--", ".", "1", "0", "1.0", "!", "+", "rc1", "a", "v"),
                *("py3", "none", "any", "py3-none-any", "-py2.7", ".tar", ".gz", ".whl", " "),
            ]
        ),
        max_size=9,
    ),
)


@given(_NAMES, st.sampled_from(["", ".tar.gz", ".whl", "-1.0.zip", "-py3-none-any.whl"]))
def test_every_name_is_read_as_pip_reads_it(start: str, end: str) -> None:
    filename = start + end
    expected = parse_version(_pips_version(filename) or "")

    assert expected == parse_version(version_in(filename, "foo") or "")


def _pips_version(filename: str) -> str | None:
    stem, extension = splitext(filename)
    if extension not in SUPPORTED_EXTENSIONS:
        return None
    if extension == ".whl":
        try:
            wheel = Wheel(filename)
        except InvalidWheelFilename:
            return None
        return str(wheel.version) if wheel.name == "foo" else None
    version = _extract_version_from_fragment(stem, "foo")
    return version.removesuffix("-py2.7") if version else None
