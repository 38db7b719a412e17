"""All checks of one fix, in one go; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from auditor.model import (
    Environment,
    Incident,
    Location,
    Observation,
    PageOutcome,
    Plan,
    Role,
    Run,
)
from auditor.model.source import find_source
from auditor.selection import parse_environment
from auditor.verdict.judge import judge
from auditor.verdict.release_check.caps import check_caps
from auditor.verdict.release_check.finding import (
    Level,
    Proposed,
    ReleaseCheck,
    ReleaseFinding,
    Wanted,
)
from auditor.verdict.release_check.moves import warn_of_moves
from auditor.verdict.release_check.numbers import check_numbers
from auditor.verdict.release_check.offer import Offer, offer_of
from auditor.verdict.release_check.proposals import check_proposals
from auditor.verdict.release_check.reach import check_reach
from auditor.verdict.release_check.reuse import check_reuse
from auditor.verdict.release_check.timing import check_timing
from auditor.verdict.release_check.yanks import check_yanks
from auditor.verdict.ruling import names

__all__ = ["check_release"]

# Two checks may come to one conclusion: the number of a pre-release, and that it is passed over.
_ONE_IS_ENOUGH = frozenset({"fix-prerelease"})


def check_release(
    plan: Plan,
    observations: Sequence[Observation],
    *,
    proposed: Sequence[Proposed] = (),
    wanted: Sequence[Wanted] = (),
) -> tuple[ReleaseCheck, ...]:
    """Check the fix of every incident of a plan, at the time of its observations.

    Args:
        plan: what was asked.
        observations: what was seen.
        proposed: files that are going to be uploaded, beside those that are published.
        wanted: requirements of dependants.

    Raises:
        UsageError: no place knows the project, and no file is proposed.
    """
    runs = judge(plan, observations, must_be_known=not proposed)
    source = find_source(plan.locations) or _first_index(plan.locations)
    return tuple(
        _check(plan, incident, observations, source, proposed, wanted, run)
        for incident, run in zip(plan.incidents, runs, strict=True)
    )


def _check(
    plan: Plan,
    incident: Incident,
    observations: Sequence[Observation],
    source: Location | None,
    proposed: Sequence[Proposed],
    wanted: Sequence[Wanted],
    run: Run,
) -> ReleaseCheck:
    environments = _environments(plan, incident)
    offer = offer_of(plan, incident, observations, environments, source, proposed)
    found = _once([*_checks(offer, wanted), *warn_of_moves(offer, run)])
    return ReleaseCheck(
        incident=incident.id,
        project=incident.project,
        broken=offer.context.line.broken_text,
        fixed=offer.fix_text,
        last_good=str(offer.last_good_version) if offer.last_good_version else None,
        proposed=tuple(p.candidate.filename for p in offer.proposed),
        source=source.name if source else None,
        environments=len(offer.everybody),
        findings=tuple(sorted(found, key=lambda f: f.level.rank)),
        sentence=_sentence(offer, found),
    )


def _checks(offer: Offer, wanted: Sequence[Wanted]) -> Iterator[ReleaseFinding]:
    yield from _undetermined(offer)
    yield from check_proposals(offer)
    if offer.fixed:
        yield from check_reach(offer)
    elif offer.pages:
        yield _not_listed(offer)
    yield from _absent_views(offer)
    yield from check_numbers(offer)
    yield from check_reuse(offer)
    yield from check_timing(offer)
    yield from check_yanks(offer)
    yield from check_caps(offer, wanted)


def _undetermined(offer: Offer) -> Iterator[ReleaseFinding]:
    """Without the source's pages, who gets the fix is not known."""
    if offer.pages and not offer.unread:
        return
    where = offer.source.name if offer.source else "no index"
    causes = [p.detail for p in offer.unread] or [o.detail for o in offer.at_source]
    observed = names(filter(None, causes)) or "no page of the project"
    yield ReleaseFinding(
        code="source-unread",
        level=Level.UNKNOWN,
        text=f"What installers are offered was not all to be read at {where}.",
        expected="every page of the project at the place where the fix is published",
        observed=observed,
        next_step="check again when it answers, or name it with --location",
    )


def _not_listed(offer: Offer) -> ReleaseFinding:
    where = offer.source.name if offer.source else "the source"
    return ReleaseFinding(
        code="fix-not-listed",
        level=Level.FAIL,
        text=f"{where} lists no file of the fix {offer.fix_text}.",
        expected=f"a file of {offer.fix_text} at the source",
        observed=f"{len(offer.files)} files, none of them the fix",
        next_step="publish it; to check the files first, name them with --candidate",
    )


def _absent_views(offer: Offer) -> Iterator[ReleaseFinding]:
    """Some clients are served the project, and others are told that there is none."""
    absent = [
        page.view.value
        for observation in offer.at_source
        for page in observation.pages
        if page.outcome is PageOutcome.ABSENT
    ]
    if absent and offer.pages:
        yield ReleaseFinding(
            code="fix-not-listed",
            level=Level.FAIL,
            text=f"The project is not there for whoever is served as {names(absent)}.",
            expected="a page that lists the fix for every client",
            observed=f"absent for {names(absent)}",
            next_step="wait for these pages to be made anew; if they stay, tell whoever runs it",
        )


def _first_index(locations: Iterable[Location]) -> Location | None:
    return next((loc for loc in locations if loc.role is Role.INDEX), None)


def _environments(plan: Plan, incident: Incident) -> tuple[Environment, ...]:
    if incident.environments:
        return tuple(parse_environment(text) for text in incident.environments)
    return plan.environments


def _once(findings: Iterable[ReleaseFinding]) -> list[ReleaseFinding]:
    kept: dict[tuple[str, str], ReleaseFinding] = {}
    for finding in findings:
        key = (finding.code, "" if finding.code in _ONE_IS_ENOUGH else finding.text)
        kept.setdefault(key, finding)
    return list(kept.values())


def _sentence(offer: Offer, findings: Sequence[ReleaseFinding]) -> str:
    """Say it in one sentence, the worst first."""
    fix, broken = offer.fix_text, offer.context.line.broken_text
    failing = [f.code for f in findings if f.level is Level.FAIL]
    unknown = [f.code for f in findings if f.level is Level.UNKNOWN]
    warnings = len([f for f in findings if f.level is Level.WARN])
    also = f"; {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if failing:
        return f"{fix} is not ready to replace {broken}: {names(failing)}{also}."
    if unknown:
        return f"Whether {fix} replaces {broken} everywhere is not known: {names(unknown)}{also}."
    tense = "will be" if any(c.filename not in offer.published for c in offer.fixed) else "is"
    return (
        f"{fix} {tense} what unpinned installs get wherever {broken} could be installed "
        f"({len(offer.everybody)} environments looked at){also}."
    )
