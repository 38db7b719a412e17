"""Judges observations and tells the result: files, stdout, exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from auditor.cli.conclusion import conclude, print_summary_line
from auditor.cli.messages import say
from auditor.cli.outputs import Outputs
from auditor.model import Observation, Plan
from auditor.verdict import judge

__all__ = ["judge_and_tell"]


def judge_and_tell(
    args: argparse.Namespace,
    plan: Plan,
    observations: Sequence[Observation],
    interrupted: bool,
    outputs: Outputs,
    *,
    must_be_known: bool = True,
) -> int:
    """Judge, write every report, and return the exit code."""
    runs = outputs.shown(
        judge(plan, observations, interrupted=interrupted, must_be_known=must_be_known)
    )
    if args.exit_style == "nagios":
        print_summary_line(runs)  # its reader takes the first line of all
    for path in outputs.write(runs):
        if not args.quiet:
            say(f"wrote {path}")
    return conclude(args, runs)
