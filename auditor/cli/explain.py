"""`auditor explain [CODE]`: what a status, a reason or a lag means, why, and what to do."""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING

from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.verdict import Explanation

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Say what a status, a reason or a lag means, what usually causes it, and what to do."
_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="such as exposed (default: all)")


def run(args: argparse.Namespace) -> int:
    """Print; return 0 when the code is known."""
    from auditor.verdict import explain, explanations

    if args.code is None:
        sys.stdout.write(_list(explanations()))
        return 0
    found = explain(args.code)
    if found is None:
        raise UsageError(_unknown(args.code, explanations()))
    sys.stdout.write(_details(found))
    return 0


def _list(explanations: tuple[Explanation, ...]) -> str:
    """One line per code, by group, in the order of the table."""
    width = max(len(each.code) for each in explanations)
    groups = groupby(explanations, key=lambda each: each.group)
    blocks = (
        "\n".join(
            [f"{group}:", *(f"  {each.code:<{width}}  {each.meaning}" for each in members), ""]
        )
        for group, members in groups
    )
    return "\n".join(blocks)


def _details(found: Explanation) -> str:
    parts = {"cause": found.cause, "remedy": found.remedy}
    lines = [f"{found.code} ({found.group})", _filled("", found.meaning)]
    lines += [_filled(f"{name}: ", text) for name, text in parts.items() if text]
    return "\n".join(lines) + "\n"


def _filled(label: str, text: str) -> str:
    return fill(f"{label}{text}", _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _unknown(code: str, explanations: tuple[Explanation, ...]) -> str:
    from auditor.config.suggest import did_you_mean

    hint = did_you_mean(code, [each.code for each in explanations])
    return f"no code is called {code!r}; {hint or '`auditor explain` lists all of them'}".rstrip()
