"""From single facts to one observation: the outcome of a location from those of its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from auditor.contracts import Assignment
from auditor.model import (
    Evidence,
    FileHosting,
    Hint,
    Holding,
    Incident,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Pin,
    StatedLag,
    parse_version,
)
from auditor.model.file_table import versions_of
from probes.kit.guard import is_asked_once
from probes.kit.redaction import Redactor

__all__ = ["conclude", "has_fix", "outcome_of_pages"]

# The best first: one view that was read makes the location observed; what became of the others
# stays visible in their pages. A refusal by negotiation in *every* view means that no client can
# read the place, which is malformed.
_OUTCOMES = {
    PageOutcome.OBSERVED: Outcome.OBSERVED,
    PageOutcome.ABSENT: Outcome.ABSENT,
    PageOutcome.DENIED: Outcome.DENIED,
    PageOutcome.MALFORMED: Outcome.MALFORMED,
    PageOutcome.REFUSED: Outcome.MALFORMED,
    PageOutcome.UNREACHABLE: Outcome.UNREACHABLE,
    PageOutcome.SKIPPED: Outcome.SKIPPED,
}
_RANK = {outcome: rank for rank, outcome in enumerate(_OUTCOMES)}


def outcome_of_pages(pages: Iterable[Page]) -> tuple[Outcome, str]:
    """Return the best outcome, and the cause in words if nothing was observed."""
    ordered = sorted(pages, key=lambda page: _RANK[page.outcome])
    if not ordered:
        return Outcome.SKIPPED, "no page was asked for"
    best = _OUTCOMES[ordered[0].outcome]
    if best is Outcome.OBSERVED:
        return best, ""
    causes = (page.detail for page in reversed(ordered) if page.detail)
    return best, next(causes, "")


def has_fix(pages: Iterable[Page], incident: Incident) -> bool:
    """Say whether any page lists a file of the fix, or of whatever came after it."""
    named = {v for rule in incident.fixed_rules for v in rule.named_versions()}

    def is_fix(version: str) -> bool:
        if incident.is_named_fixed(version):
            return True
        parsed = parse_version(version)
        return (
            parsed is not None
            and not incident.is_broken(version)
            and any(fixed <= parsed for fixed in named)
        )

    listings = {id(page.candidates): page.candidates for page in pages}  # many views share one
    versions = set(chain.from_iterable(map(versions_of, listings.values())))
    return any(version and is_fix(version) for version in versions)


def _samples_asked(assignment: Assignment, pages: Sequence[Page]) -> int | None:
    """Tell how many samples were to be asked for, if not as many as the location says.

    Each address of a name that has several is asked as often as the location says.

    A copy that lists the fix before its source does is not explained by waiting for the source: one
    answer of several nodes is then too little to call it rolled forward.
    """
    samples = assignment.location.samples
    nodes = max(1, len({page.address for page in pages if page.address}))
    once = is_asked_once(assignment) and all(page.sample <= nodes for page in pages)
    if samples > 1 and once and not has_fix(pages, assignment.incident):
        return nodes
    return nodes * samples if nodes > 1 else None


def conclude(
    assignment: Assignment,
    *,
    outcome: Outcome,
    started_at: datetime,
    detail: str = "",
    connected: bool | None = None,
    pages: Sequence[Page] = (),
    holdings: Sequence[Holding] = (),
    holdings_complete: bool | None = None,
    hosting: FileHosting = FileHosting.UNKNOWN,
    proxy: str | None = None,
    evidence: Sequence[Evidence] = (),
    notes: Sequence[str] = (),
    hints: Sequence[Hint] = (),
    stated_lag: StatedLag | None = None,
    pins: Sequence[Pin] = (),
    traits: Sequence[str] = (),
    redactor: Redactor | None = None,
) -> Observation:
    """Make the observation, with every request that the ledger holds.

    The redactor's last look covers what no single field can: a server that echoes our password in
    a file name, a header or a type.
    """
    observation = Observation(
        location=assignment.location.name,
        vantage=assignment.vantage.id,
        incident=assignment.incident.id,
        outcome=outcome,
        detail=detail,
        connected=connected,
        pages=tuple(pages),
        samples_asked=_samples_asked(assignment, pages),
        holdings=tuple(holdings),
        holdings_complete=holdings_complete,
        file_hosting=hosting,
        proxy=proxy,
        evidence=tuple(evidence),
        requests=assignment.ledger.records(),
        started_at=started_at,
        finished_at=assignment.now(),
        notes=tuple(notes),
        hints=tuple(hints),
        stated_lag=stated_lag,
        pins=tuple(pins),
        traits=tuple(traits),
    )
    return redactor.scrub(observation) if redactor else observation
