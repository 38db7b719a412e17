"""From runs to an exit code, in our own style or that of a monitoring system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from auditor.cli.messages import one_line
from auditor.model import Run
from auditor.model.monitoring import monitoring_code, monitoring_line
from auditor.verdict import exit_code

__all__ = ["conclude", "masked", "print_summary_line"]

FAILING, INCONCLUSIVE = 1, 3


def conclude(args: argparse.Namespace, runs: Sequence[Run]) -> int:
    """Return the exit code of an audit."""
    code = exit_code(runs)
    if any(run.interrupted for run in runs) and code == 0:
        code = INCONCLUSIVE
    return masked(args, runs, code)


def masked(args: argparse.Namespace, runs: Sequence[Run], code: int) -> int:
    """Return an exit code as `--exit-zero` and `--exit-style` want it."""
    if args.exit_zero and code in (FAILING, INCONCLUSIVE):
        return 0
    return monitoring_code(runs, code) if args.exit_style == "nagios" else code


def print_summary_line(runs: Sequence[Run]) -> None:
    """Print the line that a monitoring system shows, with its performance data."""
    sys.stdout.write(monitoring_line(runs, exit_code(runs), one_line) + "\n")
