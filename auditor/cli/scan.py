"""`auditor scan`: recognise what lies in directories, and audit all of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_judging, add_looking, add_reporting, add_scope
from auditor.model.written_path import written_path

if TYPE_CHECKING:
    from auditor.config import Document
    from auditor.contracts import ProbeKind
    from auditor.model import Observation, Plan
    from auditor.scanning import Scan

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Recognise the caches, wheelhouses, locks and images in directories, and audit them."
# How the origin of each place begins that was recognised.
_ORIGIN = "scan of "
# The row of what was not looked into.
_UNREAD = "not looked into"
# What is told of directories that could not be listed.
_MOST_TOLD = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a directory or a file")
    parser.add_argument("--project", metavar="PROJECT", help="project that was released")
    add_scope(parser, places="what is recognised, alone")
    add_looking(parser)
    add_judging(parser)
    add_reporting(parser)


def run(args: argparse.Namespace) -> int:
    """Scan and audit; return the exit code of an audit.

    What was passed over, and what could not be read, makes it inconclusive.
    """
    from auditor.cli.looking import look_now
    from auditor.cli.messages import say
    from auditor.cli.outputs import plan_outputs
    from auditor.cli.question import document_of, resolve_question
    from auditor.cli.telling import judge_and_tell
    from auditor.errors import UsageError
    from auditor.registry import load_kinds
    from auditor.scanning import scan

    kinds = load_kinds()
    missing = [path for path in args.paths if not written_path(path).exists()]
    if missing:
        raise UsageError("\n".join(f"{path} does not exist; check the path" for path in missing))
    document = document_of(args)
    tops = [written_path(path).absolute() for path in args.paths]
    found = scan(tops, kinds)
    resolved = resolve_question(args, kinds, document=_with_places(document, found, tops))
    outputs = plan_outputs(args, [incident.id for incident in resolved.plan.incidents])
    if not found.places:
        nothing = _nothing(found)
        say(nothing)
        plan = replace(resolved.plan, notes=(*resolved.plan.notes, nothing))
        resolved = replace(resolved, plan=plan)
    elif not args.quiet:
        places = _counted(len(found.places), "place", "places")
        within = _counted(found.directories, "directory", "directories")
        say(f"recognised {places} in {within}")
    seen = look_now(args, resolved, kinds)
    plan = _requiring(resolved.plan, seen.observations)
    left = [*found.unread] if found.places else [*found.unread, _nothing(found)]
    plan, observations = _with_unread(plan, seen.observations, left, kinds)
    code = judge_and_tell(args, plan, observations, seen.interrupted, outputs, must_be_known=False)
    _tell_of_unread(found)
    return code


def _requiring(plan: Plan, observations: Sequence[Observation]) -> Plan:
    """Demand an answer of every place, unless it has nothing to do with the project.

    A place that was recognised and cannot be read may hold anything.
    """
    from auditor.model import Outcome

    absent = {o.location for o in observations if o.outcome is Outcome.ABSENT}
    locations = (
        replace(each, required=each.name not in absent)
        if (each.declared_at or "").startswith(_ORIGIN)
        else each
        for each in plan.locations
    )
    return replace(plan, locations=tuple(locations))


def _with_unread(
    plan: Plan,
    observations: Sequence[Observation],
    unread: Sequence[str],
    kinds: Mapping[str, ProbeKind],
) -> tuple[Plan, Sequence[Observation]]:
    """Make what was not looked into a row of its own, so that no report calls the whole clean."""
    from auditor.model import Location, Observation, Outcome

    doubting = next((kind for kind in kinds.values() if kind.doubts is not None), None)
    if not unread or doubting is None:
        return plan, observations
    name = _name_beside(_UNREAD, plan)
    place = Location(
        name=name, kind=doubting.name, role=doubting.role, path=_path_of(unread), required=True
    )
    more = len(unread) - _MOST_TOLD
    told = "; ".join([*unread[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])
    rows = (
        Observation(
            location=name,
            vantage=plan.vantage.id,
            incident=incident.id,
            outcome=Outcome.SKIPPED,
            detail=told,
            started_at=plan.created_at,
            finished_at=plan.created_at,
        )
        for incident in plan.incidents
    )
    plan = replace(
        plan,
        locations=(*plan.locations, place),
        kinds={**plan.kinds, doubting.name: doubting.facts()},
    )
    return plan, (*observations, *rows)


def _path_of(unread: Sequence[str]) -> str:
    """A path for a reader: that of the first."""
    return unread[0].partition(": ")[0]


def _name_beside(name: str, plan: Plan) -> str:
    taken = {location.name for location in plan.locations}
    return next(
        n for n in (name, *(f"{name} ({i})" for i in range(2, len(taken) + 3))) if n not in taken
    )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _nothing(found: Scan) -> str:
    return (
        f"nothing was recognised in {_counted(found.directories, 'directory', 'directories')} and "
        f"{_counted(found.files, 'file', 'files')}; name a place yourself with `auditor audit "
        "--location KIND=PATH`"
    )


def _with_places(document: Document, found: Scan, tops: Sequence[Path]) -> Document:
    taken: set[str] = set()
    # Without any, an audit would look at the indexes of this machine: nobody asked for these.
    document = replace(document, data={"locations": [], **document.data})
    for place in found.places:
        element = {
            "name": _name(place.kind, _shown(place.path, tops), taken),
            "kind": place.kind,
            "path": str(place.path),
            "required": False,
        }
        document = document.with_element("locations", element, f"{_ORIGIN}{place.path}")
    return document


def _shown(path: Path, tops: Sequence[Path]) -> str:
    """A path as someone writes it who stands where the scan begins: the end tells most."""
    for top in tops:
        if path.is_relative_to(top):
            is_alone = len(tops) == 1 and path != top
            return path.relative_to(top if is_alone else top.parent).as_posix()
    return path.as_posix()


def _name(kind: str, shown: str, taken: set[str]) -> str:
    """A name for a reader: the kind and the path, once each."""
    safe = "".join(c if c.isprintable() else "?" for c in shown)
    name = base = f"{kind} {safe[-80:]}"
    number = 1
    while name in taken:
        number += 1
        name = f"{base} ({number})"
    taken.add(name)
    return name


def _tell_of_unread(found: Scan) -> None:
    from auditor.cli.messages import complain

    for text in found.unread[:_MOST_TOLD]:
        complain(f"not looked into: {text}")
    if len(found.unread) > _MOST_TOLD:
        complain(f"not looked into: {len(found.unread) - _MOST_TOLD} more")
