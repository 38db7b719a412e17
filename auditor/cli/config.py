"""`auditor config init|check|show`: write, check or show a configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from auditor.cli.arguments import add_common, add_looking, add_question
from auditor.errors import UsageError

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Write a configuration to start from, check one, or show what an audit would use."
DEFAULT_FILE = "auditor.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="init|check|show", required=True)
    init = actions.add_parser("init", help="write a configuration to start from")
    init.add_argument("file", nargs="?", default=DEFAULT_FILE, metavar="FILE")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    check = actions.add_parser("check", help="check a configuration without asking anybody")
    check.add_argument("file", nargs="?", default=None, metavar="FILE")
    check.add_argument("--config", metavar="FILE", help="the same")
    show = actions.add_parser("show", help="show each value and where it comes from")
    add_question(show)
    add_looking(show)
    show.add_argument("--fail-on", action="append", metavar="STATUS", help="statuses that fail")
    for action in (init, check, show):
        add_common(action)


def run(args: argparse.Namespace) -> int:
    """Do it; return 0 when it worked and, with `check`, nothing is wrong."""
    actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "init": _init,
        "check": _check,
        "show": _show,
    }
    return actions[args.action](args)


def _init(args: argparse.Namespace) -> int:
    from auditor.cli.messages import say
    from auditor.cli.outputs import check_file
    from auditor.config.starter import STARTER
    from auditor.observations import write_text

    path = Path(args.file)
    if path.exists() and not args.force:
        raise UsageError(f"{path} is there already; name another file, or say --force")
    try:
        check_file(args.file)
        write_text(path, STARTER)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; name another") from error
    say(f"wrote {path}; edit it, then run `auditor config check {path}`")
    return 0


def _check(args: argparse.Namespace) -> int:
    from auditor.cli.messages import complain
    from auditor.config import apply_environment, read_document, resolve
    from auditor.registry import load_kinds

    file = args.file or args.config
    if file is None:
        raise UsageError("nothing to check; say `auditor config check FILE`")
    document = apply_environment(read_document(Path(file)), os.environ)
    resolved = resolve(document, load_kinds(), environ=os.environ)
    plan = resolved.plan
    for text in (*resolved.warnings, *plan.notes):
        if not args.quiet:
            complain(f"warning: {text}")
    sys.stdout.write(
        f"{file}: ok: incidents {len(plan.incidents)}, locations {len(plan.locations)}\n"
    )
    return 0


def _show(args: argparse.Namespace) -> int:
    from auditor.cli.question import resolve_question
    from auditor.config.show import show
    from auditor.registry import load_kinds

    resolved = resolve_question(args, load_kinds(), needs_incident=False)
    sys.stdout.write(show(resolved))
    return 0
