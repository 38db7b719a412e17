"""The broken release should be yanked after the fix is out, with a reason that names the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditor.model import Candidate, Yank
from auditor.verdict.release_check.finding import Level, ReleaseFinding
from auditor.verdict.release_check.offer import Offer
from auditor.verdict.ruling import names

__all__ = ["check_yanks"]

_SHOWN_CHARS = 160


def check_yanks(offer: Offer) -> Iterator[ReleaseFinding]:
    """Look at how the broken files are marked."""
    open_ = [c for c in offer.broken if c.yanked is Yank.NO]
    yanked = [c for c in offer.broken if c.yanked is Yank.YES]
    is_out = any(c.filename in offer.published for c in offer.fixed)
    if open_:
        yield _not_yanked(open_, offer, is_out=is_out)
    if yanked and not is_out:
        yield _too_early(yanked, offer)
    unnamed = [c for c in yanked if not _names_fix(c.yank_reason, offer)]
    if unnamed:
        yield _reason(unnamed, offer)


def _not_yanked(files: Sequence[Candidate], offer: Offer, *, is_out: bool) -> ReleaseFinding:
    versions = names(c.version or "?" for c in files)
    command = f"yank {versions} with the reason “{_good_reason(offer)}”"
    when = "" if is_out else ", once the fix is out and chosen"
    return ReleaseFinding(
        code="broken-not-yanked",
        level=Level.WARN if is_out else Level.NOTE,
        text=(
            f"{versions} is not yanked: whoever the fix leaves behind, or caps below it, gets "
            "the broken release without a word."
            if is_out
            else f"{versions} is not yanked yet, which is the right order: first the fix."
        ),
        expected="yanked, after the fix is chosen everywhere",
        observed="not yanked",
        next_step=command + when,
    )


def _too_early(files: Sequence[Candidate], offer: Offer) -> ReleaseFinding:
    versions = names(c.version or "?" for c in files)
    older = offer.last_good_version
    instead = f"get {older}" if older else "find nothing"
    return ReleaseFinding(
        code="yanked-before-fix",
        level=Level.NOTE,
        text=f"{versions} is yanked before the fix is out: unpinned installs {instead}, and "
        "machines that have the broken release already are offered no upgrade.",
        expected="the fix first, then the yank",
        observed="yanked, without a fix",
        next_step=f"publish {offer.fix_text} soon; a yank alone moves nobody forward",
    )


def _reason(files: Sequence[Candidate], offer: Offer) -> ReleaseFinding:
    versions = names(c.version or "?" for c in files)
    reason = next((c.yank_reason for c in files if c.yank_reason), None)
    said = f"“{reason[:_SHOWN_CHARS].strip()}”" if reason else "no reason"
    return ReleaseFinding(
        code="yank-reason",
        level=Level.WARN,
        text=f"The yank of {versions} does not name the fix: installers print {said} to whoever "
        "pins it, and nothing of where to go.",
        expected=f"a reason that names {offer.fix_text}",
        observed=said,
        next_step=f"yank it again with a reason such as “{_good_reason(offer)}”",
    )


def _good_reason(offer: Offer) -> str:
    return f"broken: use {offer.fix_text} or later"


def _names_fix(reason: str | None, offer: Offer) -> bool:
    """Say whether a reason names a fixed version, as a number of its own."""
    found = re.findall(r"\d+(?:\.\w+)+", reason or "")
    return any(offer.context.line.is_fix(text) for text in found)
