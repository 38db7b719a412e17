"""Judges observations and tells the result: files, stdout, exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from auditor.cli.conclusion import concluded, masked, print_summary_line
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
    is_silent = memory.is_silent
    memory.tell()  # first: a report that cannot be written costs no message
    code = memory.exit_code(concluded(runs))
    if is_silent:
        outputs = replace(outputs, main=None, lines=False)
    if args.exit_style == "nagios":
        # Its reader takes the first line of all, and a check that prints none is broken to it.
        print_summary_line(runs, code, memory.problem, redact=outputs.redact)
    for path in outputs.write(runs):
        if not (args.quiet or is_silent):
            say(f"wrote {path}")
    return masked(args, runs, code)
