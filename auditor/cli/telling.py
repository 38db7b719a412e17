"""Judges observations and tells the result: files, stdout, exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from auditor.cli.conclusion import conclude, print_summary_line
from auditor.cli.memory import Memory
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
    memory: Memory | None = None,
) -> int:
    """Judge, write every report, and return the exit code.

    Args:
        memory: past runs, beside which these are kept; None: there are none.
    """
    memory = memory or Memory()
    plan = memory.with_first_sight(plan, observations)
    judged = judge(plan, observations, interrupted=interrupted, must_be_known=must_be_known)
    runs = outputs.shown(memory.keep(judged, observations, plan, redact=outputs.redact))
    if memory.is_silent:
        outputs = replace(outputs, main=None)
    if args.exit_style == "nagios" and not memory.is_silent:
        print_summary_line(runs)  # its reader takes the first line of all
    for path in outputs.write(runs):
        if not (args.quiet or memory.is_silent):
            say(f"wrote {path}")
    memory.tell()
    return memory.exit_code(conclude(args, runs))
