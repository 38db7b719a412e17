"""`auditor demo`: an incident played on embedded servers, audited as any other."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_colour
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.cli.outputs import Outputs
    from auditor.model import Run

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Play an incident on servers of this machine alone, audit them, and write the report."
DEFAULT_FILE = "auditor-demo.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=DEFAULT_FILE,
        help="the HTML report; the JSON goes beside it (default: %(default)s)",
    )
    add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """Play, audit, write; return 0 when that worked, whatever the verdict."""
    from auditor.cli.messages import say
    from auditor.eventloop import run as run_to_end

    outputs = _outputs(args)
    with tempfile.TemporaryDirectory(prefix="auditor-demo-") as directory:
        runs = run_to_end(_play(args, Path(directory)))
    written = outputs.write(runs)
    if not args.quiet:
        say("The servers of this incident ran on this machine only, and are gone again.")
    for path in written:
        say(f"wrote {path}")
    return 0


def _outputs(args: argparse.Namespace) -> Outputs:
    from auditor.cli.outputs import Outputs, Target, check_file, wants_colour
    from auditor.registry import find_format

    html = Path(args.output)
    files = {"html": html, "json": html.with_suffix(".json")}
    if files["html"] == files["json"]:
        raise UsageError(f"-o: {html} is the name of the JSON; name an .html file")
    try:
        check_file(args.output)
    except ValueError as error:
        raise UsageError(f"-o: {error}") from error
    return Outputs(
        targets=tuple(Target(format=find_format(n), file=str(f)) for n, f in files.items()),
        main=find_format("terminal"),
        colour=wants_colour(args.color),
    )


async def _play(args: argparse.Namespace, directory: Path) -> tuple[Run, ...]:
    """Audit the embedded world with the code that audits the real one."""
    from auditor.cli.looking import look
    from auditor.config import parse_document, resolve
    from auditor.lab.world import World
    from auditor.registry import load_kinds
    from auditor.verdict import judge

    kinds = load_kinds()
    async with World(directory) as world:
        document = parse_document(world.config_toml(), name="demo", directory=directory)
        resolved = resolve(document, kinds, environ=os.environ)
        seen = await look(args, resolved, kinds)
    return judge(resolved.plan, seen.observations, interrupted=seen.interrupted)
