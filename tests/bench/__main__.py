"""`python -m tests.bench`: measure every promise about speed; exit 1 if one is not kept."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable

from tests.bench.fanning_out import fan_out_goals
from tests.bench.listing_s3 import bucket_goals
from tests.bench.measure import Goal
from tests.bench.reading import reading_goals
from tests.bench.reading_disk import disk_goals
from tests.bench.starting import starting_goals

PARTS = ("start", "page", "fan-out", "bucket", "disk")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (default: 7)")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part only; repeatable")
    parser.add_argument(
        "--quick", action="store_true", help="run everything once on small sizes, and fail nothing"
    )
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # pip logs every link that it passes over
    parts = arguments.only or PARTS
    rounds = 1 if arguments.quick else arguments.rounds
    missed = 0
    print(f"{'goal':<62} {'gate':>8} {'measured':>9}  floor")
    if "start" in parts:
        missed += _show(starting_goals(rounds))
    if "page" in parts:
        missed += _show(reading_goals(rounds, quick=arguments.quick))
    if "fan-out" in parts:
        missed += _show(fan_out_goals(min(rounds, 3), quick=arguments.quick))
    if "bucket" in parts:
        missed += _show(bucket_goals(rounds, quick=arguments.quick))
    if "disk" in parts:
        missed += _show(disk_goals(rounds, quick=arguments.quick))
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
