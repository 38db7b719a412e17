"""`auditor check-release`: is the fix a good one? Before it is uploaded, or afterwards."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_looking, add_question
from auditor.errors import UsageError
from auditor.model.written_path import written_path

if TYPE_CHECKING:
    from auditor.model import Plan
    from auditor.verdict.release_check import (
        Proposed,
        ReleaseCheck,
        ReleaseFinding,
        Wanted,
    )

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "Say whether the fix is a good one: who gets it, who stays behind, and what to do."
EXIT_INTERRUPTED = 3
_WIDTH = 100
_SIGNS = {"fail": "✗", "unknown": "?", "warn": "!", "note": "·"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_question(parser)
    group = parser.add_argument_group("the release")
    group.add_argument(
        "--candidate",
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="wheels and source archives that are going to be uploaded: checked as if they were "
        "published already; repeat for several",
    )
    group.add_argument(
        "--requirement",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help="what a dependant asks for, such as 'brokenpkg<1.2.4'; repeat for several (lock files "
        "are locations: --location lockfile=PATH)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="what to print (default: text)"
    )
    add_looking(parser)


def run(args: argparse.Namespace) -> int:
    """Check; return 0 if it is ready, 1 if a finding fails, 3 if what decides is not known."""
    from auditor.cli.looking import look_now
    from auditor.cli.question import resolve_question
    from auditor.registry import load_kinds
    from auditor.verdict.release_check import check_release

    kinds = load_kinds()
    resolved = resolve_question(args, kinds)
    proposed, wanted = _given(args, resolved.plan)
    seen = look_now(args, resolved, kinds)
    checks = check_release(resolved.plan, seen.observations, proposed=proposed, wanted=wanted)
    code = _exit_code(checks, interrupted=seen.interrupted)
    if args.format == "json":
        sys.stdout.write(_json(checks, code))
    else:
        sys.stdout.write("\n".join(map(_text, checks)))
    return code


def _given(args: argparse.Namespace, plan: Plan) -> tuple[tuple[Proposed, ...], tuple[Wanted, ...]]:
    """Read what the command line gives of the release itself."""
    from auditor.releasing import read_proposed, read_wanted

    if not (args.candidate or args.requirement):
        return (), ()
    projects = {incident.project for incident in plan.incidents}
    if len(projects) != 1 or len(plan.incidents) != 1:
        raise UsageError(
            "--candidate and --requirement need one incident; say which with --incident ID"
        )
    (project,) = projects
    paths = [written_path(text) for text in args.candidate]
    return read_proposed(paths, project), read_wanted(args.requirement, project)


def _exit_code(checks: Sequence[ReleaseCheck], *, interrupted: bool) -> int:
    codes = {check.exit_code for check in checks}
    if 1 in codes:
        return 1
    return 3 if 3 in codes or interrupted else 0


def _json(checks: Sequence[ReleaseCheck], code: int) -> str:
    import json

    from auditor.verdict.release_check import as_document

    return json.dumps(as_document(checks, code), indent=1, sort_keys=True) + "\n"


def _text(check: ReleaseCheck) -> str:
    head = f"{check.project}: {check.fixed} in place of {check.broken}"
    files = f", with {len(check.proposed)} files not yet published" if check.proposed else ""
    where = f"at {check.source}{files}; last good release: {check.last_good or 'none listed'}"
    blocks = ["\n".join(_finding(finding)) for finding in check.findings]
    return "\n\n".join([f"{_safe(head)}\n{_safe(where)}", *blocks, _safe(check.sentence)]) + "\n"


def _finding(finding: ReleaseFinding) -> Iterator[str]:
    """A finding on a few lines: what, what was seen, what to do."""
    sign = _SIGNS[finding.level.value]
    yield _filled(f"{sign} {finding.level.value} {finding.code}: {finding.text}", "")
    if finding.expected:
        yield _filled(f"expected: {finding.expected}", "  ")
    if finding.observed:
        yield _filled(f"observed: {finding.observed}", "  ")
    if finding.next_step:
        yield _filled(f"next: {finding.next_step}", "  ")


def _filled(text: str, indent: str) -> str:
    return fill(
        _safe(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _safe(text: str) -> str:
    from auditor.cli.messages import one_line

    return one_line(text)
