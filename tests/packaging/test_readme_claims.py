"""Each sentence on what the auditor trusts, sends, stores and never does names a test that runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs import readme

ROOT = Path(__file__).parents[2]
HEADING = "What the auditor trusts, sends, stores and never does"
PARTS = ("Trusts", "Sends", "Stores", "Never does")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
# Markers by which a test is left out of `make test`, or is not expected to pass.
_LEFT_OUT = frozenset({"skip", "skipif", "xfail", "live", "heavy"})


def named(cell: str) -> list[tuple[str, str]]:
    return _TEST.findall(cell)


def markers(decorated: ast.AST) -> set[str]:
    """The attribute names below a decorator or an assignment, such as `skip` of a marker."""
    return {node.attr for node in ast.walk(decorated) if isinstance(node, ast.Attribute)}


def why_it_proves_nothing(file: str, name: str) -> str:
    """Return why a test backs no sentence; "" if it does."""
    path = ROOT / file
    if not path.is_file():
        return "there is no such file"
    module = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [n for n in module.body if isinstance(n, functions) and n.name == name]
    if len(found) != 1:
        return f"there are {len(found)} tests of that name"
    of_module = [
        statement.value
        for statement in module.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in statement.targets)
    ]
    marked = set().union(*map(markers, (*found[0].decorator_list, *of_module)))
    if marked & _LEFT_OUT:
        return f"it is marked {', '.join(sorted(marked & _LEFT_OUT))}"
    asserts = any(isinstance(n, ast.Assert | ast.With | ast.AsyncWith) for n in ast.walk(found[0]))
    calls = any(isinstance(n, ast.Call) for n in ast.walk(found[0]))
    return "" if asserts or calls else "it asserts nothing"


def test_every_part_has_its_sentences() -> None:
    parts = [row[0] for row in readme.rows(HEADING)]
    assert tuple(dict.fromkeys(parts)) == PARTS
    assert all(row[1].endswith(".") for row in readme.rows(HEADING))


def test_each_sentence_names_a_test_that_runs() -> None:
    table = readme.rows(HEADING)
    assert table
    problems = [
        f"{sentence}: {file}::{name}: {problem}"
        for _, sentence, cell in table
        for file, name in named(cell) or [("", "no test is named")]
        if (problem := why_it_proves_nothing(file, name) if file else name)
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def test_a(): assert 1", ""),
        ("async def test_a(): assert 1", ""),
        ("def test_b(): assert 1", "there are 0 tests of that name"),
        ("@pytest.mark.skip\ndef test_a(): assert 1", "it is marked skip"),
        ("pytestmark = [pytest.mark.live]\ndef test_a(): assert 1", "it is marked live"),
        ("def test_a(): pass", "it asserts nothing"),
    ],
)
def test_what_backs_no_sentence_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    (tmp_path / "test_it.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr("tests.packaging.test_readme_claims.ROOT", tmp_path)
    assert why_it_proves_nothing("test_it.py", "test_a") == problem
