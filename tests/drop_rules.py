"""Drops each judging rule in turn and demands that a test turns red.

A rule whose absence no test notices is a rule that nobody can rely on. Run it as
`python -m tests.drop_rules`; it exits 1 and names the rules that nothing guards.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from auditor.verdict import RULES

TESTS = ["tests/verdict"]


def main() -> int:
    """Try every rule and print what guards it."""
    if not passes(None):
        print("the tests fail with every rule in place; mend that first")
        return 1
    with ThreadPoolExecutor(max_workers=2) as pool:
        survived = dict(zip(RULES, pool.map(passes, RULES), strict=True))
    for rule, unnoticed in survived.items():
        print(f"{'NOT GUARDED' if unnoticed else 'guarded':12} {rule}")
    unguarded = [rule for rule, unnoticed in survived.items() if unnoticed]
    print(f"{len(RULES) - len(unguarded)} of {len(RULES)} rules are guarded by a test")
    return 1 if unguarded else 0


def passes(rule: str | None) -> bool:
    """Say whether the judge's tests pass without this rule."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
    if rule is not None:
        command.append(f"--drop-rule={rule}")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
