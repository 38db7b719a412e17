"""Notices with this audit's own facts: for the index, the changelog, operators and users."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from auditor.model import HeldState, LagState, Reason, Role, Status, Verdict
from auditor.model.notice import Notice, NoticeKind
from auditor.verdict.context import Context
from auditor.verdict.grouping import is_group

__all__ = ["notices_of"]

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)
# A page of an index shows the reason on one line, and pip prints all of it.
_MAX_EVIDENCE = 3
_FAILING = (Status.EXPOSED, Status.BEHIND, Status.TAMPERED)


def notices_of(context: Context, verdicts: Sequence[Verdict]) -> tuple[Notice, ...]:
    """Write every notice that this audit gives a reason for.

    Args:
        context: the incident.
        verdicts: its rows.
    """
    if not context.line.broken_text or not context.line.fixed_text:
        return ()
    return (
        _yank_reason(context),
        _release_note(context),
        _advisory(context, verdicts),
        *_to_operators(context, verdicts),
        _migration(context, verdicts),
    )


def _yank_reason(context: Context) -> Notice:
    line = context.line
    return Notice(
        kind=NoticeKind.YANK_REASON,
        title="Reason to give when yanking",
        text=f"{line.broken_text} is broken; use {line.fixed_text} or later",
    )


def _release_note(context: Context) -> Notice:
    line, project = context.line, context.incident.project
    return Notice(
        kind=NoticeKind.RELEASE_NOTE,
        title=f"Release note of {line.fixed_text}",
        text=(
            f"## {project} {line.fixed_text}\n\n"
            f"Fixes what is broken in {line.broken_text}. Please upgrade:\n\n"
            f"    pip install --upgrade '{project}>={_first(context)}'\n\n"
            f"{line.broken_text} {_what_became_of_it(context)}\n"
        ),
    )


def _what_became_of_it(context: Context) -> str:
    """What is true of the broken release at its source, so that nobody announces what is not."""
    if context.source_state.gone:
        return (
            "is no longer on the index. Whoever pinned it gets an error there, and copies of it "
            "that are kept elsewhere install as before: move on from it."
        )
    traceable = (
        "whoever pinned it can still install it, and everybody can still see where their copy "
        "came from."
    )
    if context.source_yanked():
        return f"is yanked, not deleted: {traceable}"
    return f"stays where it is, to be yanked and not deleted: {traceable}"


def _advisory(context: Context, verdicts: Sequence[Verdict]) -> Notice:
    line, project = context.line, context.incident.project
    places = [v for v in verdicts if not is_group(v.location)]
    exposed = sum(v.status is Status.EXPOSED for v in places)
    number = f"{len(places)} place" if len(places) == 1 else f"{len(places)} places"
    looked_at = max(
        (v.freshness.fetched_at for v in verdicts if v.freshness.fetched_at), default=None
    )
    seen = f" on {_day(looked_at)}" if looked_at else ""
    digests = "".join(f"- `sha256:{d}`\n" for d in sorted(context.broken_sha256))
    return Notice(
        kind=NoticeKind.ADVISORY,
        title=f"{project} {line.broken_text} is broken",
        text=(
            f"**Affected:** {project} {line.broken_text}\n"
            f"**Fixed in:** {line.fixed_text}\n\n"
            f"Of {number} looked at{seen}, {exposed} still gave the broken release "
            "to installs without a pin. Caches and mirrors catch up at their own pace; pinned "
            "installs do not catch up at all.\n"
            + (f"\nDigests of the broken files:\n\n{digests}" if digests else "")
        ),
    )


def _to_operators(context: Context, verdicts: Sequence[Verdict]) -> Iterator[Notice]:
    """One for each index place that fails and that time alone will not mend."""
    for verdict in verdicts:
        late = verdict.lag.state is LagState.WITHIN_LAG
        is_index = verdict.location.role is Role.INDEX and not verdict.is_source
        if is_index and verdict.status in _FAILING and not late:
            yield _to_operator(context, verdict)


def _to_operator(context: Context, verdict: Verdict) -> Notice:
    line, project = context.line, context.incident.project
    return Notice(
        kind=NoticeKind.OPERATOR,
        location=verdict.location.name,
        title=f"{verdict.location.name}: {_trouble(context, verdict)}",
        text=(
            f"Hello,\n\n{project} {line.broken_text} is broken and {line.fixed_text} fixes it. "
            f"Seen from `{verdict.vantage}`, what you serve at {verdict.location.locator} "
            f"is *{verdict.status.value}*:\n\n"
            + "".join(f"- {_told(reason)}\n" for reason in verdict.reasons[:_MAX_EVIDENCE])
            + _shown(verdict)
            + _helps(verdict)
            + "\nThank you for running it.\n"
        ),
    )


def _trouble(context: Context, verdict: Verdict) -> str:
    project, fixed = context.incident.project, context.line.fixed_text
    if verdict.status is Status.TAMPERED:
        return f"a file of {project} has other bytes than the release"
    if verdict.fix.listed:
        return f"{project} {fixed} does not reach everybody"
    return f"{project} {fixed} has not arrived"


def _helps(verdict: Verdict) -> str:
    """The first remedy: a command to paste, or what is asked for in so many words."""
    command = next((r.command for r in verdict.remedies), "")
    if not command:
        return ""
    if not command.startswith("# "):
        return f"\nThis should help:\n\n    {command}\n"
    # It is the reader of this notice who is addressed.
    addressed = f"to the operator of {shlex.quote(verdict.location.url or '')}: "
    asked = command.removeprefix("# ").removeprefix(addressed)
    return f"\nWhat should help: {asked}\n"


def _told(reason: Reason) -> str:
    sides = f"\n  (expected: {reason.expected}; observed: {reason.observed})"
    return f"{reason.text}{sides if reason.expected and reason.observed else ''}"


def _shown(verdict: Verdict) -> str:
    wanted = {name for reason in verdict.reasons for name in reason.evidence}
    commands = [e.reproduce for e in verdict.evidence if e.reproduce and e.id in wanted]
    lines = "".join(f"    {c}\n" for c in dict.fromkeys(commands[:_MAX_EVIDENCE]))
    return f"\nTo see it:\n\n{lines}" if lines else ""


def _migration(context: Context, verdicts: Sequence[Verdict]) -> Notice:
    line, project = context.line, context.incident.project
    excluded = ",".join(f"!={version}" for version in map(str, line.broken))
    kept = [v.location.name for v in verdicts if _is_clients(v)]
    where = f"This audit found it at: {', '.join(kept)}.\n\n" if kept else ""
    return Notice(
        kind=NoticeKind.MIGRATION,
        title=f"For CI and for whoever pinned {project} {line.broken_text}",
        text=(
            f"{where}1. Exclude it wherever a range admits it: `{project}{excluded or ''}`.\n"
            f"2. Write lock files anew, so that they name {line.fixed_text} or later, and check "
            f"that {line.broken_text} is in none of them.\n"
            "3. Build images and environments anew, without the layers and caches of before.\n"
            "4. Delete CI caches by their key; a cache that is restored brings its locks and its "
            "files back.\n"
            f"5. Do not wait for a deletion: bytes with a matching hash install for as long as any "
            "place still has them.\n"
        ),
    )


def _is_clients(verdict: Verdict) -> bool:
    """Whether a client's own cache, directory, lock or image has it."""
    if verdict.location.role is Role.INDEX and verdict.location.url is not None:
        return False
    return verdict.status is Status.PINNED or verdict.broken.held in _HERE


def _first(context: Context) -> str:
    fixed = context.line.fixed
    return str(fixed[0]) if fixed else context.line.fixed_text


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
