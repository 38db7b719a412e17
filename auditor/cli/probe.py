"""`auditor probe`: only look, and write down what was seen."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_looking, add_question, add_vantages
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.cli.looking import Seen
    from auditor.model import Plan

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Look at every place and write down what was seen; `auditor judge` judges it, anywhere."
EXIT_PARTIAL = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_question(parser)
    add_looking(parser)
    add_vantages(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="observations, as JSON lines (default: stdout)"
    )
    parser.add_argument(
        "--history",
        metavar="FILE",
        help="look for what past runs saw as well; nothing is kept there (default: `history` of "
        "the configuration)",
    )


def run(args: argparse.Namespace) -> int:
    """Look; return 0 when everything was seen, 3 when it was interrupted."""
    from auditor.cli.looking import look_now
    from auditor.cli.memory import Memory
    from auditor.cli.outputs import check_file
    from auditor.cli.question import resolve_question
    from auditor.registry import load_kinds

    kinds = load_kinds()
    resolved = resolve_question(args, kinds)
    if args.output:
        try:
            check_file(args.output)
        except ValueError as error:
            raise UsageError(f"-o: {error}") from error
    # A file that is gone from the source is found elsewhere by what was known of it.
    memory = Memory(resolved.history)
    resolved = replace(resolved, plan=memory.recalled(resolved.plan))
    seen = look_now(args, resolved, kinds)
    _write(args.output, resolved.plan, seen)
    return memory.exit_code(EXIT_PARTIAL if seen.interrupted else 0)


def _write(file: str | None, plan: Plan, seen: Seen) -> None:
    from auditor.observations import write

    if file is not None:
        write(Path(file), plan, seen.observations, interrupted=seen.interrupted)
        return
    with tempfile.TemporaryDirectory(prefix="auditor-") as directory:
        path = Path(directory, "observations.jsonl")
        write(path, plan, seen.observations, interrupted=seen.interrupted)
        sys.stdout.write(path.read_text(encoding="utf-8"))
