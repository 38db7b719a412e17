"""`python -m tests.truth --cases N --seed S`: print the agreement with pip; exit 1 without it."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter

from tests.truth.compare import compare_case, failing_cases, keep_failing

MAX_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="number of made pages")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="printed if not given")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    cases = failing_cases() + [(arguments.seed, case) for case in range(arguments.cases)]
    started = time.monotonic()
    counts: Counter[str] = Counter()
    for seed, case in cases:
        _try_case(seed, case, counts)
    took_s = time.monotonic() - started
    print(
        f"{len(cases)} pages, {counts['asked']} questions in {took_s:.1f} s: "
        f"{counts['agree']} agree with pip, of which {counts['unknown']} unknown on purpose; "
        f"{counts['disagree']} disagree"
    )
    return 1 if counts["disagree"] else 0


def _try_case(seed: str, case: int, counts: Counter[str]) -> None:
    for comparison in compare_case(seed, case):
        counts["asked"] += 1
        counts["unknown"] += comparison.unknown and comparison.agree
        counts["agree" if comparison.agree else "disagree"] += 1
        if comparison.agree:
            continue
        keep_failing(seed, case)
        if counts["disagree"] <= MAX_SHOWN:
            print(f"{seed} {case}: {comparison.question}")
            print(f"    we:  {comparison.ours}\n    pip: {comparison.pips}")


if __name__ == "__main__":
    sys.exit(main())
