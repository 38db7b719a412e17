"""`auditor trace`: where in the world did this copy come from?"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_looking
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.config import Document, Resolved
    from auditor.contracts import ProbeKind
    from auditor.model import Location, Observation
    from auditor.tracing import Copy, Trace

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Tell which places list or hold a copy, and which of them a client most likely used."

_DIGEST = re.compile(r"^sha256:([0-9a-fA-F]{64})$")
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*===?\s*(\S+)$")
# A version that no release has: the copy is known by its bytes alone.
_NO_VERSION = "0.dev0"
# A project that nobody has, where only bytes are looked for.
_NO_PROJECT = "project-that-is-not-known"
# A wheel or source archive of more is not read to its end to see whether it is whole.
_MAX_CHECKED_BYTES = 256 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "subject",
        metavar="FILE | sha256:HEX | PROJECT==VERSION",
        help="a distribution on disk, a digest, or a line of a CI log",
    )
    parser.add_argument(
        "--project",
        help="of a digest, or of a file with a name of its own (default: those of the "
        "configuration; without any, only stores are searched)",
    )
    group = parser.add_argument_group("where")
    group.add_argument(
        "--location",
        action="append",
        default=[],
        metavar="[NAME:]KIND=LOCATOR",
        help="a place to look at, in the order in which the client asks them (default: what pip "
        "is configured to ask, and this user's caches)",
    )
    group.add_argument("--config", metavar="FILE", help="configuration (TOML) with the places")
    group.add_argument("--vantage", metavar="ID", help="from where we look (default: host name)")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="what to print (default: text)"
    )
    add_looking(parser)


def run(args: argparse.Namespace) -> int:
    """Trace; return 0: it does not judge."""
    from auditor.registry import load_kinds
    from auditor.tracing import as_document

    copy = _copy(args.subject, args.project)
    kinds = load_kinds()
    args.incident, args.broken, args.fixed = [], [], []
    args.project = None
    found, seen = _look(args, kinds, copy)
    if copy.project is None and (named := _named(copy, seen)) is not None:
        # Some place has these bytes under a name: so the others can be asked for them as well.
        found, _ = _look(args, kinds, named)
    if args.format == "json":
        import json

        sys.stdout.write(json.dumps(as_document(found), indent=1, sort_keys=True) + "\n")
    else:
        sys.stdout.write(_text(found))
    return 0


def _look(
    args: argparse.Namespace, kinds: Mapping[str, ProbeKind], copy: Copy
) -> tuple[Trace, Sequence[Observation]]:
    from auditor.cli.looking import look_now
    from auditor.cli.question import document_of, resolve_question

    document = document_of(args)
    copies = _copies(copy, document)
    document = document.without("incidents")
    for each in copies:
        document = _with_incident(document, each)
    resolved = resolve_question(args, kinds, document=document, needs_incident=False)
    asked, unasked = _asked(resolved, copies)
    seen = (*look_now(args, asked, kinds).observations, *unasked)
    return _traced(copies, resolved.plan.locations, seen), seen


def _named(copy: Copy, seen: Sequence[Observation]) -> Copy | None:
    """The same bytes with the name under which some place has them; None if none has."""
    holdings = (h for o in seen for h in o.holdings if h.sha256 == copy.sha256)
    for filename in sorted({h.filename for h in holdings}):
        if named := _read_name(filename):
            project, version = named
            return replace(copy, project=project, version=version, filename=filename)
    return None


def _copies(copy: Copy, document: Document) -> list[Copy]:
    """Bytes without a project may be of any that the configuration names."""
    from auditor.model import normalise_project

    if copy.project is not None:
        return [copy]
    tables = document.data.get("incidents")
    named = (
        [t.get("project") for t in tables if isinstance(t, Mapping)]
        if isinstance(tables, Sequence)
        else []
    )
    projects = dict.fromkeys(normalise_project(p) for p in named if isinstance(p, str))
    return [replace(copy, project=project) for project in projects] or [copy]


def _asked(resolved: Resolved, copies: Sequence[Copy]) -> tuple[Resolved, list[Observation]]:
    """Leave out what cannot be asked without a project, and say so of each."""
    from auditor.model import Observation, Outcome
    from auditor.tracing import by_bytes_alone

    plan = resolved.plan
    if copies[0].project is not None:
        return resolved, []
    why = {each.name: by_bytes_alone(each) for each in plan.locations}
    unasked = [
        Observation(
            location=name,
            vantage=plan.vantage.id,
            incident=incident.id,
            outcome=Outcome.SKIPPED,
            detail=detail,
            started_at=plan.created_at,
            finished_at=plan.created_at,
        )
        for name, detail in why.items()
        for incident in plan.incidents
        if detail
    ]
    asked = replace(plan, locations=tuple(each for each in plan.locations if not why[each.name]))
    return replace(resolved, plan=asked), unasked


def _traced(
    copies: Sequence[Copy], locations: Sequence[Location], seen: Sequence[Observation]
) -> Trace:
    from auditor.tracing import best_of, trace
    from auditor.verdict.context import find_source

    source = find_source(locations)
    return best_of(
        [
            trace(copy, locations, [o for o in seen if o.incident == _id_of(copy)], source)
            for copy in copies
        ]
    )


def _id_of(copy: Copy) -> str:
    return f"trace-{copy.project or _NO_PROJECT}"


def _with_incident(document: Document, copy: Copy) -> Document:
    """Ask every place for that version and those bytes, as if they were broken."""
    version = copy.version or _NO_VERSION
    element: dict[str, object] = {
        "id": _id_of(copy),
        "project": copy.project or _NO_PROJECT,
        "broken": [version],
        "fixed": [f">{version}"],
    }
    if copy.sha256:
        element["broken_hashes"] = [f"sha256:{copy.sha256}"]
    return document.with_element("incidents", element, "the command line")


def _copy(subject: str, project: str | None) -> Copy:
    """Read what is to be traced.

    Raises:
        UsageError: it cannot be understood.
    """
    from auditor.model import normalise_project, parse_version
    from auditor.tracing import Copy

    named = normalise_project(project) if project else None
    if digest := _DIGEST.match(subject):
        return Copy(project=named, sha256=digest[1].lower())
    if Path(subject).is_file():
        return _copy_of_file(Path(subject), named)
    if pinned := _PINNED.match(subject):
        if parse_version(pinned[2]) is None:
            raise UsageError(f"{pinned[2]!r} is no version; write PROJECT==1.2.3")
        return Copy(project=normalise_project(pinned[1]), version=pinned[2])
    raise UsageError(
        f"{subject!r} is no file here, no sha256:HEX and no PROJECT==VERSION; check the spelling"
    )


def _copy_of_file(path: Path, project: str | None) -> Copy:
    import hashlib

    from auditor.tracing import Copy

    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    fault = _fault_of(path)
    named = _read_name(path.name)
    if named is None:
        # Its bytes are known all the same.
        return Copy(project=project, sha256=digest, fault=fault)
    return Copy(
        project=project or named[0],
        version=named[1],
        filename=path.name,
        sha256=digest,
        fault=fault,
    )


def _read_name(filename: str) -> tuple[str, str] | None:
    """Project and version in the name of a distribution; None if it is none."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return str(name), str(version)


def _fault_of(path: Path) -> str:
    """What shows that a file is no copy that anybody could have installed; "" if nothing does."""
    import gzip
    import zipfile
    import zlib

    if path.stat().st_size == 0:
        return "is empty"
    if path.suffix in (".whl", ".zip"):
        return "" if zipfile.is_zipfile(path) else "does not open: it is cut, or no archive"
    if path.name.endswith(".tar.gz"):
        try:
            with gzip.open(path) as stream:
                for _ in range(_MAX_CHECKED_BYTES // 2**20):
                    if not stream.read(2**20):
                        break
        except (OSError, EOFError, zlib.error):
            return "does not open: it is cut, or no archive"
    return ""


def _text(found: Trace) -> str:
    lines = [found.copy.label, found.sentence, f"At the source: {found.at_source}.", ""]
    for place in found.places:
        rank = f"{place.rank}." if place.rank else "-"
        lines.append(f"{rank:<3} {place.location.name} ({place.location.kind})")
        lines.append(f"    lists: {place.lists.value}; holds: {place.holds.value}; {place.why}")
        lines += [f"    {url}" for url in place.urls[:3]]
    return "\n".join(map(_printable, lines)) + "\n"


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)
