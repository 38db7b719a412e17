"""`auditor report`: render a stored run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from auditor.cli.arguments import add_reporting

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Render a run that `--report json=FILE` stored, in any format, without asking anybody."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", metavar="FILE", help="what `--report json=FILE` wrote")
    add_reporting(parser)


def run(args: argparse.Namespace) -> int:
    """Render; return 0 when it did."""
    from auditor.cli.messages import say
    from auditor.cli.outputs import plan_outputs
    from auditor.runs import load_run

    stored = load_run(Path(args.run))
    outputs = plan_outputs(args, [stored.incident.id])
    for path in outputs.write(outputs.shown([stored])):
        if not args.quiet:
            say(f"wrote {path}")
    return 0
