"""Is it my upload, PyPI's delivery network, or your mirror? The first question, answered first."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model import Finding, Outcome, Role, Severity, Verdict, Whose
from auditor.verdict.context import Context
from auditor.verdict.rules_settings import CLIENT_SETTINGS
from auditor.verdict.ruling import names
from auditor.verdict.source_state import SourceState

__all__ = ["whose_of"]

# Reasons that show pages of the source itself to be of different age.
_STALE = {"source-stale", "surfaces-disagree", "split-view", "flapping"}


def whose_of(
    context: Context, verdicts: Sequence[Verdict], findings: Sequence[Finding]
) -> tuple[Whose, str]:
    """Say where the trouble is, and why in one sentence ("" if there is none).

    The source is judged first: a copy cannot be better than what it copies.
    """
    source = [v for v in verdicts if v.is_source]
    failing = [v for v in verdicts if v.status.severity is Severity.FAIL and v.waived is None]
    if not source:
        return Whose.UNKNOWN, ""
    if context.source_state in (SourceState.PROJECT_GONE, SourceState.QUARANTINED):
        gone = context.source_state is SourceState.PROJECT_GONE
        what = "the whole project is gone there" if gone else "the project is in quarantine there"
        return Whose.UPLOAD, f"It is the source, before any mirror: {what}."
    if all(v.outcome is not Outcome.OBSERVED for v in source):
        return Whose.UNKNOWN, "The source could not be read, so the fault cannot be placed."
    if _is_cdn(context, source, failing):
        return Whose.CDN, _cdn_text(source)
    at_source = [v for v in source if v in failing and not _is_by_settings(v)]
    if at_source or any(f.failing for f in findings):
        return Whose.UPLOAD, _upload_text(at_source, findings)
    return _of_copies(context, failing)


def _is_cdn(context: Context, source: Sequence[Verdict], failing: Sequence[Verdict]) -> bool:
    """Whether somebody already has what some page of the source does not show yet."""
    stale = any(r.code in _STALE for v in source for r in v.reasons)
    published = (
        context.source_lists_fix()
        or bool(context.others_list_fix)
        or any(s.lists_fix for v in source for s in v.surfaces)
    )
    pages = (s for v in source for s in v.surfaces if s.name.partition("-")[0] in ("simple", "cdn"))
    lacking = any(s.lists_fix is False for s in pages)
    return stale and published and (lacking or any(v in failing for v in source))


def _cdn_text(source: Sequence[Verdict]) -> str:
    observed = next(r.observed for v in source for r in v.reasons if r.code in _STALE)
    return (
        "It is the delivery network of the source, neither the upload nor a mirror: the fix is "
        f"published, and some of the source's own pages are older ({observed.rstrip('.')})."
    )


def _upload_text(at_source: Sequence[Verdict], findings: Sequence[Finding]) -> str:
    failing = next((f.text for f in findings if f.failing), None)
    why = failing or at_source[0].reasons[0].text
    return f"It is the upload, before any mirror: {why.rstrip('.')}."


def _of_copies(context: Context, failing: Sequence[Verdict]) -> tuple[Whose, str]:
    mirrors = [v for v in failing if _copies(v, context) and not _is_by_settings(v)]
    clients = [v for v in failing if v not in mirrors]
    source = context.source.name if context.source else "the source"
    if mirrors:
        count, be = ("one copy", "is") if len(mirrors) == 1 else (f"{len(mirrors)} copies", "are")
        also = f"; {len(clients)} more on the side of clients" if clients else ""
        return Whose.MIRROR, (
            f"It is neither the upload nor the source ({source}), where everybody gets the fix: "
            f"{count} {be} not in step with it ({names(_names(mirrors))}){also}."
        )
    by_settings = [v for v in clients if _is_by_settings(v)]
    if by_settings and len(by_settings) == len(clients):
        return Whose.CLIENT, (
            "Neither the upload nor a mirror is at fault: only settings of those who install keep "
            f"the fix from them ({names(_names(clients))})."
        )
    if clients:
        return Whose.CLIENT, (
            "Neither the upload nor a mirror is at fault: only places that clients keep for "
            f"themselves fail ({names(_names(clients))})."
        )
    return Whose.NONE, ""


def _is_by_settings(verdict: Verdict) -> bool:
    """Whether a place has the fix for everybody, but for what they have set themselves."""
    return any(reason.code == CLIENT_SETTINGS for reason in verdict.reasons)


def _copies(verdict: Verdict, context: Context) -> bool:
    """Whether a place gets what it has from another one by itself."""
    location = verdict.location
    syncs = context.kind_of(location).syncs or location.upstream is not None
    return location.role is Role.INDEX and syncs


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    return [v.location.name for v in verdicts]
