"""Speed without truth is worth nothing: how often pip and we disagree on made pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from tests.bench.measure import Goal
from tests.truth.compare import compare_case, failing_cases

__all__ = ["agreement_goals"]

CASES = 1_000


def agreement_goals(*, quick: bool = False) -> Iterator[Goal]:
    """Compare some new pages; `make truth` compares ten thousand, and with uv as well."""
    seed, count = secrets.token_hex(4), 20 if quick else CASES
    cases = [*failing_cases(), *((seed, number) for number in range(count))]
    answers = [answer for case in cases for answer in compare_case(*case)]
    differ = sum(not answer.agree for answer in answers)
    yield Goal(
        name=f"answers about {len(cases):,} made pages in which pip and we differ",
        ratio=differ,
        gate=0,
        floor="pip: parse_links + evaluate_links + compute_best_candidate (`make truth`: 10,000)",
        note=f"{len(answers):,} answers, seed {seed}",
    )
