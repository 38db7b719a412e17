"""The table of real programs counts what was exercised, and CI accepts no gap in it."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from tests import real_programs

pytestmark = pytest.mark.slow


def test_every_program_has_a_row_and_an_unused_one_says_so() -> None:
    header, *rows = real_programs.table({"python": 3})

    assert header.split() == ["program", "version", "tests"]
    assert ["python", platform.python_version(), "3"] in [row.split() for row in rows]
    assert len(rows) == len(real_programs.PROGRAMS)
    assert next(row for row in rows if row.startswith("pip ")).endswith("NOT EXERCISED")


@pytest.mark.parametrize(("ci", "expected"), [("true", 1), ("", 0)])
def test_a_program_that_no_test_exercised_fails_in_ci_only(
    ci: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    used = tmp_path / "used.json"
    used.write_text(json.dumps({"python": 1}), encoding="utf-8")

    assert expected == real_programs.main(str(used))


def test_with_every_program_exercised_ci_is_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    used = tmp_path / "used.json"
    used.write_text(json.dumps(dict.fromkeys(real_programs.PROGRAMS, 1)), encoding="utf-8")

    assert real_programs.main(str(used)) == 0


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_a_missing_program_fails_a_test_in_ci_and_skips_it_elsewhere(
    ci: str, outcome: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    absent = real_programs.Program(find=lambda: None, ask_version=str, cure="apt-get install it")
    monkeypatch.setitem(real_programs.PROGRAMS, "absent", absent)

    with pytest.raises(outcome.Exception, match="apt-get install it"):  # type: ignore[attr-defined]  # pytest sets it
        real_programs.require("absent")
