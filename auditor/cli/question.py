"""From parsed arguments to a resolved plan: file, then environment, then options."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.messages import complain
from auditor.contracts import ProbeKind
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.config import Document, Resolved

__all__ = ["document_of", "resolve_question"]

# Options that set a key of `[audit]`.
_AUDIT_OPTIONS = {
    "timeout_s": ("--timeout", "timeout"),
    "concurrency": ("--concurrency", "concurrency"),
    "history": ("--history", "history"),
}


def resolve_question(
    args: argparse.Namespace,
    kinds: Mapping[str, ProbeKind],
    *,
    needs_incident: bool = True,
    document: Document | None = None,
) -> Resolved:
    """Return the plan that the arguments ask for; say on stderr what should be changed.

    Args:
        args: as parsed.
        kinds: the installed ones.
        needs_incident: whether it is a mistake to ask for none.
        document: what the arguments say, if more was laid over it; None: as they say it.

    Raises:
        UsageError, ConfigError: with every problem.
    """
    from auditor.config import Options, resolve

    if needs_incident and not (args.config or args.project or args.broken or args.fixed):
        raise UsageError(
            "nothing to look for; say PROJECT --broken VERSION --fixed VERSION, or --config FILE "
            "(`auditor config init` writes one)"
        )
    if args.vantage and getattr(args, "celery", ()):
        raise UsageError("--vantage: with --celery, the workers say from where they look")
    resolved = resolve(
        document if document is not None else document_of(args),
        kinds,
        Options(
            incidents=tuple(args.incident),
            vantage=args.vantage,
            vantages=tuple(dict.fromkeys(getattr(args, "celery", ()))),
            grace=getattr(args, "grace", False),
            inert=getattr(args, "inert", False),
            allow_store=getattr(args, "allow_store", False),
            public_mirrors=getattr(args, "public_mirrors", False),
            needs_incident=needs_incident,
        ),
        environ=os.environ,
    )
    if not args.quiet:
        for warning in resolved.warnings:
            complain(f"warning: {warning}")
    return resolved


def document_of(args: argparse.Namespace) -> Document:
    """Lay the options over the environment over the file."""
    from auditor.config import apply_environment, read_document
    from auditor.config.command_line import Question, apply_question
    from auditor.config.document import Document

    document = read_document(Path(args.config)) if args.config else Document()
    return apply_question(
        apply_environment(document, os.environ),
        Question(
            project=args.project,
            broken=args.broken,
            fixed=args.fixed,
            locations=args.location,
            audit=_audit_options(args),
        ),
    )


def _audit_options(args: argparse.Namespace) -> dict[str, tuple[str, str]]:
    given = {
        key: (option, str(value))
        for key, (option, name) in _AUDIT_OPTIONS.items()
        if (value := getattr(args, name, None)) is not None
    }
    if fail_on := getattr(args, "fail_on", None):
        given["fail_on"] = ("--fail-on", ",".join(fail_on))
    return given
