"""From runs to an exit code, in our own style or that of a monitoring system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from auditor.cli.messages import one_line
from auditor.model import LagState, Run, Verdict
from auditor.verdict import exit_code

__all__ = ["conclude", "print_summary_line"]

FAILING, INCONCLUSIVE = 1, 3
_NAGIOS_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def conclude(args: argparse.Namespace, runs: Sequence[Run]) -> int:
    """Return the exit code of an audit."""
    code = exit_code(runs)
    if any(run.interrupted for run in runs) and code == 0:
        code = INCONCLUSIVE
    if args.exit_zero and code in (FAILING, INCONCLUSIVE):
        return 0
    return _nagios_code(runs, code) if args.exit_style == "nagios" else code


def print_summary_line(runs: Sequence[Run]) -> None:
    """Print the line that a monitoring system shows, with its performance data."""
    code = _nagios_code(runs, exit_code(runs))
    sentence = " ".join(run.summary.sentence for run in runs)
    # The bar separates text from numbers: https://nagios-plugins.org/doc/guidelines.html#AEN197
    text = one_line(sentence).replace("|", "/")
    numbers = {
        "locations": sum(run.summary.locations for run in runs),
        "failing": len(list(_failing(runs))),
        "unknown": sum(run.summary.unknown for run in runs),
    }
    data = " ".join(f"{label}={number}" for label, number in numbers.items())
    sys.stdout.write(f"PROPAGATION {_NAGIOS_WORDS[code]} - {text} | {data}\n")


def _nagios_code(runs: Sequence[Run], code: int) -> int:
    """0 ok, 1 within lag, 2 failing, 3 unknown."""
    if code != FAILING:
        return code
    is_late_only = all(v.lag.state is LagState.WITHIN_LAG for v in _failing(runs))
    has_finding = any(finding.failing for run in runs for finding in run.findings)
    return 1 if is_late_only and not has_finding else 2


def _failing(runs: Sequence[Run]) -> Iterable[Verdict]:
    return (verdict for run in runs for verdict in run.verdicts if verdict.failing)
