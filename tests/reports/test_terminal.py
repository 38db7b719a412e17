"""The terminal report: answer first, fits its width, says everything without colour."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from auditor.model import Run, Status
from reports.terminal import render
from tests.conftest import Golden
from tests.reports import sample_runs

RUNS = pytest.mark.parametrize("make", sample_runs.ALL, ids=lambda f: f.__name__)


@RUNS
def test_the_report_stays_as_it_is(make: Callable[[], Run], golden: Golden) -> None:
    golden.check(f"{make.__name__}.80.txt", render(make(), {"width": 80}))


def test_the_wide_report_stays_as_it_is(golden: Golden) -> None:
    golden.check("world.132.txt", render(sample_runs.world(), {"width": 132}))


@RUNS
@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 200])
def test_no_line_but_a_command_is_wider_than_the_terminal(
    make: Callable[[], Run], width: int
) -> None:
    lines = render(make(), {"width": width}).splitlines()

    assert not [line for line in lines if len(line) > width and not line.startswith("    $ ")]


@RUNS
def test_colour_adds_nothing_but_colour(make: Callable[[], Run]) -> None:
    coloured = render(make(), {"width": 80, "colour": True})

    plain = re.sub(r"\x1b\[[0-9;]+m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == [
        line.rstrip() for line in render(make(), {"width": 80}).splitlines()
    ]
    assert "\x1b[" in coloured


def test_the_answer_is_what_comes_first() -> None:
    lines = render(sample_runs.world(), {}).splitlines()

    assert lines[0] == "✖ Not rolled forward"
    assert lines[1].startswith("7 of 15 places still fail")


def test_the_worst_row_is_on_top() -> None:
    report = render(sample_runs.world(), {})
    order = [report.index(f" {word} ") for word in ("tampered", "exposed", "behind", "unknown")]

    assert order == sorted(order)


def test_a_command_is_printed_whole_however_narrow_the_terminal() -> None:
    report = render(sample_runs.world(), {"width": 40})

    assert "    $ bandersnatch --config mirror.conf sync brokenpkg\n" in report


def test_a_waived_failure_is_shown_with_its_waiver() -> None:
    report = render(sample_runs.with_findings(), {})

    assert "Waived: is switched off on 2026-12-31." in report
    assert "What to do now" not in report


def test_many_places_that_are_fine_are_summed_up() -> None:
    run = sample_runs.all_clean()
    fine = run.verdicts[0]
    late = next(v for v in sample_runs.world().verdicts if v.status is Status.EXPOSED)
    many = [replace(fine, location=replace(fine.location, name=f"m{n:03}")) for n in range(200)]
    report = render(replace(run, verdicts=(*many, late)), {})

    assert "  and 200 more clean\n" in report
    assert late.location.name in report
    assert "m001" not in report


def test_wide_characters_take_two_columns() -> None:
    run = sample_runs.all_clean()
    fine = run.verdicts[0]
    wide = replace(fine, location=replace(fine.location, name="鏡" * 30))
    row = next(
        line
        for line in render(replace(run, verdicts=(wide,)), {"width": 80}).splitlines()
        if "鏡" in line
    )

    assert "…" in row
    assert sum(2 if char == "鏡" else 1 for char in row) <= 80
