"""uv itself reads and chooses from made pages, and we must do the same (see tests/truth)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.truth.pip_command import compare_with_command_line
from tests.truth.uv_command import UvIndex, uv_index
from tests.truth.uv_compare import UV_ENVIRONMENTS, compare_uv_case, uv_seeds

pytestmark = [pytest.mark.real, pytest.mark.slow]

FIXED_SEED = "a tree"


@pytest.fixture(scope="module")
def index() -> Iterator[UvIndex]:
    with uv_index() as made:
        yield made


def _disagreements(index: UvIndex, seed: str, cases: range) -> list[str]:
    print(f"seed {seed!r}, cases {cases}")
    return [
        f"{seed} {case}: {c.question}: we {c.ours}, uv {c.pips}"
        for case in cases
        for c in compare_uv_case(index, seed, case)
        if not c.agree
    ]


@pytest.mark.real_program("uv")
def test_uv_chooses_the_same_from_made_pages(
    index: UvIndex, real_program: Callable[[str], Path]
) -> None:
    real_program("uv")

    assert _disagreements(index, FIXED_SEED, range(120)) == []


@pytest.mark.real_program("uv")
def test_uv_chooses_the_same_from_pages_never_made_before(
    index: UvIndex, real_program: Callable[[str], Path]
) -> None:
    real_program("uv")

    assert _disagreements(index, secrets.token_hex(4), range(40)) == []


@pytest.mark.real_program("uv")
def test_pages_that_once_were_chosen_from_differently_stay_right(
    index: UvIndex, real_program: Callable[[str], Path]
) -> None:
    real_program("uv")
    found = [_disagreements(index, seed, range(case, case + 1)) for seed, case in uv_seeds()]

    assert found == [[]] * len(found)


@pytest.mark.real_program("pip")
def test_the_command_line_of_pip_confirms_its_finder(real_program: Callable[[str], Path]) -> None:
    real_program("pip")
    comparisons = list(compare_with_command_line(secrets.token_hex(4), 60))

    assert [c for c in comparisons if not c.agree] == []


def test_uv_is_asked_in_a_dozen_environments() -> None:
    assert len({environment.id for environment in UV_ENVIRONMENTS}) >= 12
