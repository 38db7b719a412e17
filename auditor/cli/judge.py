"""`auditor judge`: judge what was seen, here or elsewhere, now or long ago."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_history, add_judging, add_reporting
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.model import Plan

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Judge observations that `auditor probe` wrote; several files are put side by side."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "observations", nargs="+", metavar="FILE", help="what `auditor probe` wrote"
    )
    parser.add_argument(
        "--incident",
        action="append",
        default=[],
        metavar="ID",
        help="only this incident; repeat for several",
    )
    add_judging(parser)
    add_history(parser)
    add_reporting(parser)


def run(args: argparse.Namespace) -> int:
    """Judge; return the exit code of design section 5."""
    from auditor.cli.memory import Memory
    from auditor.cli.outputs import plan_outputs
    from auditor.cli.telling import judge_and_tell
    from auditor.observations import read

    plan, observations, interrupted = read([Path(file) for file in args.observations])
    plan = _as_asked(args, plan)
    outputs = plan_outputs(args, [incident.id for incident in plan.incidents])
    memory = Memory.of(args, None)
    plan = memory.recalled(plan)
    return judge_and_tell(args, plan, observations, interrupted, outputs, memory=memory)


def _as_asked(args: argparse.Namespace, plan: Plan) -> Plan:
    """Let this command's options win over the plan of the time of observation."""
    from auditor.config.suggest import did_you_mean
    from auditor.config.values import parse_status

    known = {incident.id: incident for incident in plan.incidents}
    for wanted in args.incident:
        if wanted not in known:
            hint = did_you_mean(wanted, known) or f"known: {', '.join(known)}"
            raise UsageError(f"--incident: there is no incident {wanted!r}; {hint.rstrip()}")
    chosen = tuple(i for i in plan.incidents if not args.incident or i.id in args.incident)
    plan = replace(plan, incidents=chosen, grace=plan.grace or args.grace)
    if not args.fail_on:
        return plan
    words = [word.strip() for word in ",".join(args.fail_on).split(",") if word.strip()]
    try:
        return replace(plan, fail_on=tuple(parse_status(word) for word in words))
    except ValueError as error:
        raise UsageError(f"--fail-on: {error}") from error
