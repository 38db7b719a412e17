"""From runs to an exit code, in our own style or that of a monitoring system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from auditor.cli.messages import one_line
from auditor.model import Run
from auditor.model.monitoring import monitoring_code, monitoring_line
from auditor.verdict import exit_code

__all__ = ["concluded", "masked", "print_summary_line"]

FAILING, INCONCLUSIVE = 1, 3


def concluded(runs: Sequence[Run]) -> int:
    """Return the exit code of an audit, in our own style."""
    code = exit_code(runs)
    return INCONCLUSIVE if code == 0 and any(run.interrupted for run in runs) else code


def masked(args: argparse.Namespace, runs: Sequence[Run], code: int) -> int:
    """Return an exit code as `--exit-zero` and `--exit-style` want it."""
    if args.exit_zero and code in (FAILING, INCONCLUSIVE):
        return 0
    return monitoring_code(runs, code) if args.exit_style == "nagios" else code


def print_summary_line(
    runs: Sequence[Run], code: int, problem: str = "", *, redact: bool = False
) -> None:
    """Print the line that a monitoring system shows, with its performance data.

    Args:
        runs: one per incident.
        code: the exit code in our own style.
        problem: what went wrong beside the audit; "" if nothing did.
        redact: whether the line is for the public, to whom no path of ours is shown.
    """
    if problem and redact:
        problem = "Something beside the audit went wrong."
    sys.stdout.write(monitoring_line(runs, code, one_line, problem=problem) + "\n")
