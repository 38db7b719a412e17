"""The benchmarks themselves: they must not rot, and their arithmetic must be right."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench.measure import Goal, Measure, interleaved, median_ratio
from tests.bench.pages import SHAPES, Shape, make_page
from tests.bench.reading import reading_goals

pytestmark = pytest.mark.slow


def quick(*parts: str) -> str:
    command = [sys.executable, "-m", "tests.bench", "--quick"]
    command += [word for part in parts for word in ("--only", part)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.heavy
def test_every_benchmark_runs_once_and_asserts_nothing_about_speed() -> None:
    shown = quick()
    for part in ("auditor --help", "requests JSON", "tf-nightly HTML", "that hang", "start to rep"):
        assert part in shown
    for part in ("in which pip and we differ", "bare GET", "fleet: ", "peak memory", "history: "):
        assert part in shown
    for part in ("nothing known yet", "inflating it alone", "sha256sum", "after the imports"):
        assert part in shown


def test_a_part_can_be_measured_alone() -> None:
    shown = quick("page", "history")
    assert "tf-nightly HTML" in shown
    assert "history: every change of a status" in shown
    assert "auditor --help" not in shown


def test_pages_are_read_as_pip_reads_them_before_they_are_timed() -> None:
    names = [goal.name for goal in reading_goals(1, quick=True)]
    assert len(set(names)) == len(names)
    assert any("body seen before" in name for name in names)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.project)
def test_a_made_page_has_the_files_and_versions_of_its_shape(shape: Shape) -> None:
    page = make_page(shape)
    assert shape.files == page.json.count(b'"filename"') == page.html.count(b"<a href")
    assert page == make_page(shape)


@pytest.mark.parametrize(
    ("ratio", "gate", "at_least", "met"),
    [(4.9, 5, False, True), (5.1, 5, False, False), (20, 20, True, True), (19, 20, True, False)],
)
def test_a_gate_is_met_or_missed(ratio: float, gate: float, at_least: bool, met: bool) -> None:
    goal = Goal(name="x", ratio=ratio, gate=gate, at_least=at_least, floor="y")
    assert met is goal.met


def test_what_has_no_gate_is_shown_only() -> None:
    assert Goal(name="x", ratio=1e9, gate=None, floor="y").met


def test_cases_are_measured_in_turn_and_compared_round_by_round() -> None:
    order: list[str] = []

    def case(name: str, took: list[float]) -> Measure:
        def measure() -> float:
            order.append(name)
            return took.pop(0)

        return measure

    found = interleaved({"a": case("a", [1, 2, 30]), "b": case("b", [1, 1, 10])}, 3)
    assert order == ["a", "b"] * 3
    assert median_ratio(found["a"], found["b"]) == 2
