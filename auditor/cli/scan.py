"""`auditor scan`: recognise what lies in directories, and audit all of it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_judging, add_looking, add_reporting, add_scope

if TYPE_CHECKING:
    from auditor.config import Document
    from auditor.scanning import Scan

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Recognise the caches, wheelhouses, locks and images in directories, and audit them."
_INCONCLUSIVE = 3
# What is told of directories that could not be listed.
_MOST_TOLD = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a directory or a file")
    parser.add_argument("--project", metavar="PROJECT", help="project that was released")
    add_scope(parser)
    add_looking(parser)
    add_judging(parser)
    add_reporting(parser)


def run(args: argparse.Namespace) -> int:
    """Scan and audit; return the exit code of an audit, and 3 if a directory was not readable."""
    from auditor.cli.looking import look_now
    from auditor.cli.messages import say
    from auditor.cli.outputs import plan_outputs
    from auditor.cli.question import document_of, resolve_question
    from auditor.cli.telling import judge_and_tell
    from auditor.errors import UsageError
    from auditor.registry import load_kinds
    from auditor.scanning import scan

    kinds = load_kinds()
    missing = [path for path in args.paths if not Path(path).expanduser().exists()]
    if missing:
        raise UsageError("\n".join(f"{path} does not exist; check the path" for path in missing))
    document = document_of(args)
    found = scan([Path(path).expanduser().absolute() for path in args.paths], kinds)
    resolved = resolve_question(args, kinds, document=_with_places(document, found))
    outputs = plan_outputs(args, [incident.id for incident in resolved.plan.incidents])
    if not found.places:
        nothing = _nothing(found)
        say(nothing)
        plan = replace(resolved.plan, notes=(*resolved.plan.notes, nothing))
        resolved = replace(resolved, plan=plan)
    elif not args.quiet:
        say(f"recognised {len(found.places)} places in {found.directories} directories")
    seen = look_now(args, resolved, kinds)
    code = judge_and_tell(
        args, resolved.plan, seen.observations, seen.interrupted, outputs, must_be_known=False
    )
    _tell_of_unread(args, found)
    return code or (_INCONCLUSIVE if found.unread and not args.exit_zero else 0)


def _nothing(found: Scan) -> str:
    return (
        f"nothing was recognised in {found.directories} directories and {found.files} files; "
        "name a place yourself with `auditor audit --location KIND=PATH`"
    )


def _with_places(document: Document, found: Scan) -> Document:
    taken: set[str] = set()
    # Without any, an audit would look at the indexes of this machine: nobody asked for these.
    document = replace(document, data={"locations": [], **document.data})
    for place in found.places:
        element = {
            "name": _name(place.kind, place.path, taken),
            "kind": place.kind,
            "path": str(place.path),
            "required": False,
        }
        document = document.with_element("locations", element, f"scan of {place.path}")
    return document


def _name(kind: str, path: Path, taken: set[str]) -> str:
    """A name for a reader: the kind and the last parts of the path, once each."""
    shown = "".join(c if c.isprintable() else "?" for c in "/".join(path.parts[-3:]))
    name = base = f"{kind} {shown[-80:]}"
    number = 1
    while name in taken:
        number += 1
        name = f"{base} ({number})"
    taken.add(name)
    return name


def _tell_of_unread(args: argparse.Namespace, found: Scan) -> None:
    from auditor.cli.messages import complain

    for text in found.unread[:_MOST_TOLD]:
        complain(f"not looked into: {text}")
    if len(found.unread) > _MOST_TOLD:
        complain(f"not looked into: {len(found.unread) - _MOST_TOLD} more")
