"""`auditor audit`: look, judge and report in a row."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.cli.arguments import (
    add_history,
    add_judging,
    add_looking,
    add_question,
    add_reporting,
    add_vantages,
)
from auditor.cli.messages import complain, print_unknown

if TYPE_CHECKING:
    from auditor.cli.memory import Memory
    from auditor.cli.outputs import Outputs
    from auditor.config import Resolved

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Look at every place that may hold a copy, judge what is there, and report it."
# Nothing was determined: another run is at it. It is the *unknown* of monitoring systems as well.
EXIT_OTHER_RUN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_question(parser)
    add_looking(parser)
    add_vantages(parser)
    add_judging(parser)
    add_history(parser)
    add_reporting(parser)


def _is_one_by_one(args: argparse.Namespace, resolved: Resolved, outputs: Outputs) -> bool:
    """Whether incidents are told one by one; a monitoring system wants all of them in a line."""
    is_line_first = args.exit_style == "nagios" and outputs.main is not None
    return len(resolved.plan.incidents) > 1 and not is_line_first and not args.celery


def _leave_it(args: argparse.Namespace, memory: Memory) -> int:
    """Say that another run is at it."""
    text = f"another run is working with {memory.path}; this one leaves without looking"
    complain(text)
    if args.exit_style == "nagios":
        print_unknown(text)
    return EXIT_OTHER_RUN


def run(args: argparse.Namespace) -> int:
    """Audit; return the exit code of design section 5."""
    from auditor.cli.looking import look_now
    from auditor.cli.memory import Memory
    from auditor.cli.outputs import plan_outputs
    from auditor.cli.question import resolve_question
    from auditor.registry import load_kinds

    kinds = load_kinds()
    resolved = resolve_question(args, kinds)
    outputs = plan_outputs(args, [incident.id for incident in resolved.plan.incidents])
    memory = Memory.of(args, resolved)
    with memory.alone() as is_alone:
        if not is_alone:
            return _leave_it(args, memory)
        resolved = replace(resolved, plan=memory.recalled(resolved.plan))
        if _is_one_by_one(args, resolved, outputs):
            from auditor.cli.fleet import audit_each

            return audit_each(args, resolved, kinds, outputs, memory)
        seen = look_now(args, resolved, kinds)

        from auditor.cli.telling import judge_and_tell  # no request has to wait for this

        return judge_and_tell(
            args, resolved.plan, seen.observations, seen.interrupted, outputs, memory=memory
        )
