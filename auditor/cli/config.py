"""`auditor config init|check|show`: write, check or show a configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from auditor.cli.arguments import add_common, add_looking, add_question
from auditor.errors import UsageError
from auditor.model.written_path import written_path

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Write a configuration to start from, check one, or show what an audit would use."
DEFAULT_FILE = "auditor.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="init|check|show", required=True)
    init = actions.add_parser("init", help="write a configuration to start from")
    _add_init(init)
    check = actions.add_parser("check", help="check a configuration without asking anybody")
    check.add_argument("file", nargs="?", default=None, metavar="FILE")
    check.add_argument("--config", metavar="FILE", help="the same")
    show = actions.add_parser("show", help="show each value and where it comes from")
    add_question(show)
    add_looking(show)
    show.add_argument("--fail-on", action="append", metavar="STATUS", help="statuses that fail")
    for action in (init, check, show):
        add_common(action)


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument(
        "file",
        nargs="?",
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"where to (default: {DEFAULT_FILE}); - for stdout",
    )
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.add_argument(
        "--bare", action="store_true", help="propose nothing of what this machine is configured for"
    )
    init.add_argument(
        "--devpi-clientdir", metavar="DIR", help="of devpi's client (default: as that finds it)"
    )
    init.add_argument(
        "--bandersnatch-conf", metavar="FILE", help="(default: /etc/bandersnatch.conf)"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; return 0 when it worked and, with `check`, nothing is wrong."""
    actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "init": _init,
        "check": _check,
        "show": _show,
    }
    return actions[args.action](args)


def _init(args: argparse.Namespace) -> int:
    from auditor.config.starter import STARTER

    to_stdout = args.file == "-"
    if not to_stdout:
        _check_target(args)
    text = STARTER if args.bare else _proposed(args)
    if to_stdout:
        sys.stdout.write(text)
    else:
        _write(Path(args.file), text)
    return 0


def _check_target(args: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, or should not be, before looking around."""
    from auditor.cli.outputs import check_file

    if Path(args.file).exists() and not args.force:
        raise UsageError(f"{args.file} is there already; name another file, or say --force")
    try:
        check_file(args.file)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _write(path: Path, text: str) -> None:
    from auditor.cli.messages import say
    from auditor.observations import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; name another") from error
    say(f"wrote {path}; edit it, then run `auditor config check {path}`")


def _proposed(args: argparse.Namespace) -> str:
    """Look at what this machine is configured for, say what was found where, and write it down."""
    from auditor.cli.messages import complain, say
    from auditor.config.machine import Machine, look_around, propose
    from auditor.config.pip_settings import builtin_index
    from auditor.config.starter import starter_for

    machine = Machine(
        environ=os.environ,
        home=Path.home(),
        directory=Path.cwd(),
        devpi_clientdir=_path(args.devpi_clientdir),
        bandersnatch_conf=_path(args.bandersnatch_conf),
    )
    proposal = propose(look_around(machine), machine, builtin_index())
    if not args.quiet:
        for place in proposal.places:
            say(f"found {place.where} ({place.kind}): {'; '.join(place.origins)}")
        for note in proposal.notes:
            complain(f"warning: {note}")
    return starter_for(proposal, {name for name, value in os.environ.items() if value})


def _path(text: str | None) -> Path | None:
    return written_path(text).absolute() if text else None


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
    for text in dict.fromkeys((*resolved.warnings, *plan.notes)):
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
