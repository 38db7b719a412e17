"""The answer in one sentence, with the numbers of this audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from packaging.version import Version

from auditor.model import Finding, FixChosen, Role, Severity, Status, Verdict, parse_version
from auditor.verdict.context import Context
from auditor.verdict.persisting import persists, undetermined
from auditor.verdict.ruling import names

__all__ = ["places_in_words", "sentence_of"]


def sentence_of(context: Context, verdicts: Sequence[Verdict], findings: Sequence[Finding]) -> str:
    """The answer to *is it rolled forward everywhere?*, with this audit's numbers."""
    project, line = context.incident.project, context.line
    failing = [v for v in verdicts if v.waived is None and v.status.severity is Severity.FAIL]
    unknown = [v for v in verdicts if v.status is Status.UNKNOWN and v.location.required]
    if failing:
        text = (
            f"{project} {line.broken_text} is not rolled forward: of "
            f"{places_in_words(len(verdicts))}, {_failing(failing)}{_more_waived(verdicts)}"
        )
    elif findings:
        text = f"{project}: {findings[0].text.rstrip('.')}"
    elif unknown:
        nothing = "" if any(v.failing for v in unknown) else "Nothing failed, but "
        return (
            f"{nothing}{len(unknown)} of {places_in_words(len(verdicts))} could not be determined: "
            f"{names(v.location.name for v in unknown)}."
        )
    elif not any(v.location.role is Role.INDEX for v in verdicts):
        return _without_index(context, verdicts)
    elif (waived := _waived_failures(verdicts)) and not _gets_fix_anywhere(verdicts):
        return (
            f"{project} {line.broken_text} is not rolled forward at {names(waived)}, "
            f"which {'is' if len(waived) == 1 else 'are'} waived."
        )
    elif not _gets_fix_anywhere(verdicts):
        return f"Nothing is known of what installers get of {project}: no index could be read."
    else:
        but = _but(verdicts)
        text = (
            f"{project} is rolled forward{but}: every {'other ' if but else ''}unpinned install "
            f"gets {_chosen(context, verdicts)}; {line.broken_text} {_kept(verdicts)}"
        )
    if unknown:
        text += f"; {len(unknown)} could not be determined"
    return text + "."


def _kept(verdicts: Sequence[Verdict]) -> str:
    """Where the broken release still is, for all that the fix is what installers get."""
    kept = sum(map(persists, verdicts))
    if kept:
        return f"still listed or held at {kept} of {places_in_words(len(verdicts))}"
    unsure = any(map(undetermined, verdicts))
    return "is not known to be listed or held anywhere" if unsure else "is nowhere listed or held"


def _but(verdicts: Sequence[Verdict]) -> str:
    """The places for which a good sentence does not speak."""
    waived = _waived_failures(verdicts)
    unknown = [v.location.name for v in verdicts if v.status is Status.UNKNOWN]
    parts = [f"{names(waived)} (waived)"] if waived else []
    parts += [f"{names(unknown)} (not known)"] if unknown else []
    return f", except at {' and '.join(parts)}" if parts else ""


def _more_waived(verdicts: Sequence[Verdict]) -> str:
    """The failures that are silenced, so that the numbers do not hide them."""
    waived = len(_waived_failures(verdicts))
    return f"; {waived} more {'is' if waived == 1 else 'are'} waived" if waived else ""


def _gets_fix_anywhere(verdicts: Sequence[Verdict]) -> bool:
    return any(v.fix.chosen is FixChosen.ALL for v in verdicts)


def _waived_failures(verdicts: Sequence[Verdict]) -> list[str]:
    return [v.location.name for v in verdicts if v.waived is not None]


def _without_index(context: Context, verdicts: Sequence[Verdict]) -> str:
    """Where only caches, locks and the like were looked at: nothing here offers a choice."""
    broken = f"{context.incident.project} {context.line.broken_text}"
    kept = [v.location.name for v in verdicts if persists(v)]
    unknown = [v.location.name for v in verdicts if v.status is Status.UNKNOWN]
    parts = [f"{broken} is still at {names(kept)}"] if kept else []
    if unknown:
        parts.append(f"{names(unknown)} could not be determined")
    text = ", and ".join(parts) or f"No trace of {broken} at {places_in_words(len(verdicts))}"
    return f"{text}; no index was looked at, which alone decides what installers get."


def _failing(failing: Sequence[Verdict]) -> str:
    """Tell the failures by what they mean for somebody who installs."""
    words = {
        Status.EXPOSED: (
            "still gives it to unpinned installs",
            "still give it to unpinned installs",
        ),
        Status.TAMPERED: ("has files with other bytes", "have files with other bytes"),
        Status.PINNED: ("is pinned to it", "are pinned to it"),
        Status.BEHIND: ("does not offer the fix", "do not offer the fix"),
    }
    count = Counter(v.status for v in failing)
    return ", ".join(
        f"{count[status]} {one if count[status] == 1 else many}"
        for status, (one, many) in words.items()
        if count[status]
    )


def _chosen(context: Context, verdicts: Sequence[Verdict]) -> str:
    """The versions that installers get, that of the running interpreter first."""
    running = {e.id for e in context.environments if e.running}
    indexes = [v for v in verdicts if v.fix.chosen is FixChosen.ALL]
    cells = [c for v in indexes for c in v.selections if c.counts and c.version]
    here = {c.version for c in cells if c.environment in running and c.version}
    others = {c.version for c in cells if c.version} - here
    if not here or not others:
        return names(_ascending(here or others)) or "the fix"
    return (
        f"{names(_ascending(here))} on this interpreter and {names(_ascending(others))} on others"
    )


def _ascending(versions: set[str]) -> list[str]:
    return sorted(versions, key=lambda text: (parse_version(text) or Version("0"), text))


def places_in_words(number: int) -> str:
    """A number of places, in the right form of the word."""
    return f"{number} place" if number == 1 else f"{number} places"
