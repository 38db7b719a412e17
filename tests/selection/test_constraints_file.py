"""Constraints files: what they say of a project, and what cannot be read of them."""

from __future__ import annotations

import pytest

from auditor.selection.constraints import Constraint
from auditor.selection.constraints_file import ConstraintsFile, read_constraint_lines

FILES = {"inner.txt": "demo==1.0\n", "loop.txt": "-c loop.txt\ndemo<3\n"}


def include(_including: str, named: str) -> tuple[str, str]:
    if named not in FILES:
        raise ValueError("does not exist")
    return named, FILES[named]


def read(text: str) -> ConstraintsFile:
    return read_constraint_lines(text, ["demo", "foo-bar"], "c.txt", include)


def said(text: str) -> list[str]:
    found = read(text)
    assert found.unread == ()
    return [str(each) for each in found.constraints]


def test_constraints_are_those_of_the_projects_alone() -> None:
    text = """
    # a comment
    --index-url https://index.example/simple/
    Foo.Bar<2  # too new
    foo-bar!=1.5 ; python_version > "3"
    other==1
    other @ https://${TOKEN}@host.example/other-1.0.tar.gz
    https://host.example/other-1.0-py3-none-any.whl
    foo-bar
    """

    assert said(text) == ["foo-bar <2", 'foo-bar !=1.5 ; python_version > "3"']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb", "==1.0"),
        ("demo \\\n==1.0", "==1.0"),
        ("demo (<2)", "<2"),
        ("-c inner.txt", "==1.0"),
        ("-r inner.txt", "==1.0"),
        ("--constraint=loop.txt", "<3"),
    ],
)
def test_a_line_is_read_however_it_is_written(text: str, expected: str) -> None:
    (found,) = read(text).constraints

    assert found.specifier == expected
    assert read(text).unread == ()


def test_digests_are_kept_with_their_line() -> None:
    assert said("demo==1.0 --hash=sha256:aa --hash=sha256:bb") == [
        "demo ==1.0 --hash=sha256:aa --hash=sha256:bb"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "demo @ https://user:secret@host.example/demo-1.0-py3-none-any.whl#sha256=00",
        "https://host.example/demo-1.0-py3-none-any.whl",
        "./wheels/demo-1.0-py3-none-any.whl",
    ],
)
def test_an_address_is_the_file_that_it_names(text: str) -> None:
    assert said(text) == ["demo @ demo-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("demo==${VERSION}", "a variable"),
        ("${LINE}", "a variable"),
        ("-c ${HOME}/c.txt", "a variable"),
        ("-c missing.txt", "does not exist"),
        ("-c https://user:secret@host.example/c.txt", "not fetched"),
        ("demo=>1", "not understood"),
        ("other=>1", "not understood"),
        ("demo<2#c", "not understood"),
        ("demo[extra]<2", "refuses extras"),
        ("-e ./demo", "refuses editable"),
        ("--pre", "changes what is chosen"),
        ("--only-binary :all:", "changes what is chosen"),
        ("--nonsense", "no such option"),
        ("demo @ git+https://host.example/demo.git", "which version"),
        ("https://host.example/latest.zip", "names no project"),
        ("demo<2\n" * 20_001, "more than"),
        ("demo<" + "2" * 300_000, "characters"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, cause: str) -> None:
    unread = read(text).unread

    assert any(cause in line for line in unread)
    assert not any("secret" in line for line in unread)


@pytest.mark.parametrize(
    "line",
    [
        "demo <2",
        'demo >=1,!=1.5 ; python_version > "3"',
        "demo @ demo-1.0-py3-none-any.whl",
        'demo ==1.0 ; os_name == "nt" --hash=sha256:aa --hash=sha512:bb',
    ],
)
def test_a_line_means_the_same_after_it_was_written_down(line: str) -> None:
    assert str(Constraint.of(line)) == line
