"""`python -m tests.bench`: measure every promise about speed; exit 1 if one is not kept."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Mapping

from tests.bench.agreeing import agreement_goals
from tests.bench.fanning_out import fan_out_goals
from tests.bench.fetching import fetching_goals
from tests.bench.fleet import fleet_goals
from tests.bench.holding import holding_goals
from tests.bench.listing_s3 import bucket_goals
from tests.bench.measure import Goal
from tests.bench.reading import reading_goals
from tests.bench.reading_disk import disk_goals
from tests.bench.remembering import history_goals
from tests.bench.starting import starting_goals

Part = Callable[[int, bool], Iterable[Goal]]
PARTS: Mapping[str, Part] = {
    "start": lambda rounds, quick: starting_goals(rounds),
    "truth": lambda rounds, quick: agreement_goals(quick=quick),
    "page": lambda rounds, quick: reading_goals(rounds, quick=quick),
    "fetch": lambda rounds, quick: fetching_goals(rounds, quick=quick),
    "fan-out": lambda rounds, quick: fan_out_goals(min(rounds, 3), quick=quick),
    "fleet": lambda rounds, quick: fleet_goals(quick=quick),
    "memory": lambda rounds, quick: holding_goals(quick=quick),
    "history": lambda rounds, quick: history_goals(rounds, quick=quick),
    "bucket": lambda rounds, quick: bucket_goals(rounds, quick=quick),
    "disk": lambda rounds, quick: disk_goals(rounds, quick=quick),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (default: 7)")
    parser.add_argument(
        "--only", choices=tuple(PARTS), action="append", help="this part only; repeatable"
    )
    parser.add_argument(
        "--quick", action="store_true", help="run everything once on small sizes, and fail nothing"
    )
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # pip logs every link that it passes over
    parts = arguments.only or PARTS
    rounds = 1 if arguments.quick else arguments.rounds
    missed = 0
    print(f"{'goal':<62} {'gate':>8} {'measured':>9}  floor")
    for part in PARTS:
        if part in parts:
            missed += _show(PARTS[part](rounds, arguments.quick))
    if arguments.quick:
        print("quick: the sizes are too small to say anything about speed")
        return 0
    print(f"{missed} not met" if missed else "all met")
    return 1 if missed else 0


def _show(goals: Iterable[Goal]) -> int:
    """Print each as soon as it is known; return how many were missed."""
    missed = 0
    for goal in goals:
        sign = " " if goal.met else "!"
        note = f" ({goal.note})" if goal.note else ""
        row = f"{sign}{goal.name:<61} {goal.wanted:>8} {goal.ratio:>9.3g}  {goal.floor}{note}"
        print(row, flush=True)
        missed += not goal.met
    return missed


if __name__ == "__main__":
    sys.exit(main())
