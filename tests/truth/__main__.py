"""`python -m tests.truth --cases N --seed S`: print the agreement with pip and uv; exit 1 without.

Pip's finder answers in this process; its command line confirms some pages, and uv is only asked by
its command line.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.truth.compare import Comparison, compare_case, failing_cases, keep_failing
from tests.truth.pip_command import compare_with_command_line
from tests.truth.uv_command import uv_index
from tests.truth.uv_compare import UV_ENVIRONMENTS, compare_uv_case, keep_uv_seed, uv_seeds

MAX_SHOWN = 20
UV_THREADS = 4

_Case = tuple[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="pages that pip's finder reads")
    parser.add_argument("--uv-cases", type=int, default=5000, help="pages that uv reads")
    parser.add_argument("--commands", type=int, default=200, help="pages for pip's command line")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="printed if not given")
    arguments = parser.parse_args()
    seed = arguments.seed
    print(f"seed {seed}")
    disagreements = _ask_pip([*failing_cases(), *((seed, n) for n in range(arguments.cases))])
    disagreements += _ask_command_line(seed, arguments.commands)
    disagreements += _ask_uv([*uv_seeds(), *((seed, n) for n in range(arguments.uv_cases))])
    return 1 if disagreements else 0


def _ask_pip(cases: Sequence[_Case]) -> int:
    answers = (((seed, case), compare_case(seed, case)) for seed, case in cases)
    return _report("pip", answers, keep_failing)


def _ask_command_line(seed: str, count: int) -> int:
    answers = [((seed, 0), compare_with_command_line(seed, count))]
    return _report("the command line of pip", answers, lambda seed, case: None)


def _ask_uv(cases: Sequence[_Case]) -> int:
    with uv_index() as index, ThreadPoolExecutor(UV_THREADS) as threads:
        answers = threads.map(lambda case: (case, list(compare_uv_case(index, *case))), cases)
        return _report(f"uv, {len(UV_ENVIRONMENTS)} environments", answers, keep_uv_seed)


def _report(
    whom: str,
    answers: Iterable[tuple[_Case, Iterable[Comparison]]],
    keep: Callable[[str, int], None],
) -> int:
    """Count and print what disagrees; return how much does."""
    counts: Counter[str] = Counter()
    started = time.monotonic()
    for (seed, case), comparisons in answers:
        counts["pages"] += 1
        for comparison in comparisons:
            counts["asked"] += 1
            counts["unknown"] += comparison.unknown and comparison.agree
            if comparison.agree:
                continue
            counts["disagree"] += 1
            keep(seed, case)
            if counts["disagree"] <= MAX_SHOWN:
                print(f"{seed} {case}: {comparison.question}")
                print(f"    we:   {comparison.ours}\n    they: {comparison.pips}")
    agree = counts["asked"] - counts["disagree"]
    print(
        f"{whom}: {counts['pages']} pages, {counts['asked']} questions in "
        f"{time.monotonic() - started:.1f} s: {agree} agree, of which {counts['unknown']} unknown "
        f"on purpose; {counts['disagree']} disagree"
    )
    return counts["disagree"]


if __name__ == "__main__":
    sys.exit(main())
