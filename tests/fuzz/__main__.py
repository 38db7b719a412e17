"""`python -m tests.fuzz`: fuzz every reader for a while, then look for the bugs seeded on purpose.

Exits 1 if a reader crashed, hung or took too much memory, or if a seeded bug was not found.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.driver import HEAD, ROOT, Outcome, fuzz_all, replay_command, row

_WORK = ROOT / "build" / "fuzz"


def main() -> int:
    """Read the command line and do it."""
    wanted = _arguments()
    if importlib.util.find_spec("atheris") is None:
        print(
            "fuzz: atheris is not installed; it has wheels for Linux on x86_64 up to Python 3.13. "
            "Run `make fuzz` there."
        )
        return 2
    from tests.fuzz.registry import load_targets

    known = [target.name for target in load_targets()]
    names = wanted.target or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"fuzz: no such target: {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    code = 0
    if wanted.seconds:
        code = _told(fuzz_all(names, wanted.seconds, wanted.work, wanted.workers))
    if wanted.seeded:
        from tests.fuzz.seeded import find_all

        code = find_all(wanted.work / "seeded", wanted.workers) or code
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="in all; 0: none")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--seeded", action="store_true", help="then look for the seeded bugs")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--work", type=Path, default=_WORK, help="for corpora and what is found")
    return parser.parse_args()


def _told(running: Iterable[Outcome]) -> int:
    print(HEAD, flush=True)
    outcomes = []
    for outcome in running:
        print(row(outcome), flush=True)
        outcomes.append(outcome)
    for outcome in outcomes:
        if outcome.problem:
            print(f"\n{outcome.target} could not run:\n{outcome.problem}")
        for found in outcome.found:
            print(f"\n{outcome.target}: {found.finding.kind}: {found.finding.where}")
            print(found.finding.text.rstrip())
            print(f"replay: {replay_command(found, outcome.target)}")
    return int(any(outcome.found or outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
