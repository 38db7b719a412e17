"""`auditor schema`: the JSON Schema of a run."""

from __future__ import annotations

import argparse
import sys

from auditor.errors import UsageError

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Print the JSON Schema of a run as `--report json=FILE` writes it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "format", nargs="?", default="json", metavar="FORMAT", help="(default: json)"
    )


def run(args: argparse.Namespace) -> int:
    """Print; return 0 if the format has a schema."""
    from auditor.registry import load_format

    report_format = load_format(args.format)
    if report_format.schema is None:
        raise UsageError(f"format {args.format!r} has no schema; try `auditor schema json`")
    text = report_format.schema()
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    return 0
