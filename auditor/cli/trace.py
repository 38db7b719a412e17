"""`auditor trace`: where in the world did this copy come from?"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_looking
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.config import Document
    from auditor.tracing import Copy, Trace

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Tell which places list or hold a copy, and which of them a client most likely used."

_DIGEST = re.compile(r"^sha256:([0-9a-fA-F]{64})$")
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*===?\s*(\S+)$")
# A version that no release has: the copy is known by its bytes alone.
_NO_VERSION = "0.dev0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "subject",
        metavar="FILE | sha256:HEX | PROJECT==VERSION",
        help="a distribution on disk, a digest, or a line of a CI log",
    )
    parser.add_argument("--project", help="of a digest, or of a file with a name of its own")
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
    from auditor.cli.looking import look_now
    from auditor.cli.question import document_of, resolve_question
    from auditor.registry import load_kinds
    from auditor.tracing import as_document, trace
    from auditor.verdict.context import find_source

    copy = _copy(args.subject, args.project)
    kinds = load_kinds()
    args.incident, args.broken, args.fixed = [], [], []
    args.project = None
    document = _with_incident(document_of(args).without("incidents"), copy)
    resolved = resolve_question(args, kinds, document=document, needs_incident=False)
    seen = look_now(args, resolved, kinds)
    locations = resolved.plan.locations
    found = trace(copy, locations, seen.observations, find_source(locations))
    if args.format == "json":
        import json

        sys.stdout.write(json.dumps(as_document(found), indent=1, sort_keys=True) + "\n")
    else:
        sys.stdout.write(_text(found))
    return 0


def _with_incident(document: Document, copy: Copy) -> Document:
    """Ask every place for that version and those bytes, as if they were broken."""
    version = copy.version or _NO_VERSION
    element: dict[str, object] = {
        "id": "trace",
        "project": copy.project,
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
        if named is None:
            raise UsageError("a digest names no project; say --project NAME")
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

    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    from auditor.tracing import Copy

    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        if path.suffix == ".whl":
            name, version, _, _ = parse_wheel_filename(path.name)
        else:
            name, version = parse_sdist_filename(path.name)
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        if project is None:
            raise UsageError(f"{path.name} names no release: {error}; say --project NAME") from None
        return Copy(project=project, sha256=digest)
    return Copy(
        project=project or str(name), version=str(version), filename=path.name, sha256=digest
    )


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
