"""From observations to runs: pure, and the only place that says what facts mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from auditor.errors import UsageError
from auditor.model import (
    Environment,
    Incident,
    Location,
    Observation,
    Outcome,
    PageOutcome,
    Plan,
    Reason,
    RequestRecord,
    Run,
    Vantage,
    Verdict,
)
from auditor.selection import parse_environment
from auditor.verdict.aftermath import World
from auditor.verdict.cells import ChoiceCache, cells_of
from auditor.verdict.context import Context
from auditor.verdict.counterfactual import counterfactuals_of
from auditor.verdict.grouping import group_cells, group_lag, group_rows, is_group
from auditor.verdict.incident_check import check_incident
from auditor.verdict.lag import lag_of
from auditor.verdict.missing import as_known
from auditor.verdict.notices import notices_of
from auditor.verdict.policed_cells import policed_cells
from auditor.verdict.policy import settings_of
from auditor.verdict.remedies import remedies_of
from auditor.verdict.roles import with_seen_roles
from auditor.verdict.row import Row
from auditor.verdict.rules import RULES, Ruling, apply_rules
from auditor.verdict.rules_settings import policed_lag
from auditor.verdict.rules_vantages import vantage_findings
from auditor.verdict.summary import fails, summarise, summarise_deletion

__all__ = ["exit_code", "judge", "rows_of"]


def judge(
    plan: Plan,
    observations: Sequence[Observation],
    *,
    interrupted: bool = False,
    rules: Mapping[str, Callable[[Row], Iterator[Ruling]]] = RULES,
    must_be_known: bool = True,
) -> tuple[Run, ...]:
    """Judge every incident of a plan, at the time of its observations.

    Args:
        plan: what was asked.
        observations: what was seen.
        interrupted: whether looking was stopped early.
        rules: to apply.
        must_be_known: whether it is a mistake of the user if no place knows the project.

    Raises:
        UsageError: no location at all knows the project, so the question is about nothing.
    """
    return tuple(
        # A copy remembers what it met, and the plan's own, which stays, does not.
        _judge_incident(plan, replace(incident), observations, interrupted, rules, must_be_known)
        for incident in plan.incidents
    )


def rows_of(plan: Plan, observations: Sequence[Observation]) -> tuple[Row, ...]:
    """Return the facts of each row of a plan's first incident, before anything is judged."""
    incident = plan.incidents[0]
    ours = [as_known(o) for o in _about(incident, plan, observations)]
    rows, _ = _rows(plan, incident, ours)
    return tuple(rows)


def exit_code(runs: Iterable[Run]) -> int:
    """The exit code over all incidents: 2 > 4 > 1 > 3 > 0 (design section 5)."""
    codes = {run.summary.exit_code for run in runs}
    return next((code for code in (2, 4, 1, 3) if code in codes), 0)


def _judge_incident(
    plan: Plan,
    incident: Incident,
    observations: Sequence[Observation],
    interrupted: bool,
    rules: Mapping[str, Callable[[Row], Iterator[Ruling]]],
    must_be_known: bool,
) -> Run:
    ours = [as_known(o) for o in _about(incident, plan, observations)]
    if must_be_known:
        _demand_known(incident, ours)
    ours = [*ours, *_unobserved(plan, incident, ours)]
    plan = with_seen_roles(plan, ours)
    rows, context = _rows(plan, incident, ours)
    worlds = _worlds(rows)
    judged = [
        _verdict(row, rules, worlds[row.observation.vantage]) for row in sorted(rows, key=_row_key)
    ]
    judged += _groups(rows, judged, rules, worlds)
    verdicts = tuple(replace(v, failing=fails(v, plan)) for v in judged)
    findings = (*check_incident(context), *vantage_findings(context))
    return Run(
        incident=replace(incident, published_at=context.fix_published_at),
        findings=findings,
        vantages=_vantages(plan, ours),
        verdicts=verdicts,
        summary=summarise(
            context,
            verdicts,
            findings,
            interrupted=interrupted,
            notes=(*plan.notes, *_waiver_notes(plan, incident, verdicts, _last(plan, ours))),
        ),
        deletion=summarise_deletion(context, verdicts),
        notices=notices_of(context, verdicts),
        requests=tuple(sorted((r for o in ours for r in o.requests), key=_request_key)),
        tool_version=plan.tool_version,
        tool_versions=plan.tool_versions,
        started_at=min((o.started_at for o in ours), default=plan.created_at),
        finished_at=_last(plan, ours),
        interrupted=interrupted,
    )


def _about(
    incident: Incident, plan: Plan, observations: Iterable[Observation]
) -> list[Observation]:
    """Those of one incident, sorted: no order of files or answers may show in a report."""
    places = {location.name: number for number, location in enumerate(plan.locations)}
    return sorted(
        (o for o in observations if o.incident == incident.id),
        key=lambda o: (places.get(o.location, len(places)), o.location, o.vantage, o.finished_at),
    )


def _request_key(record: RequestRecord) -> tuple[str, str, str, int, str, datetime]:
    """By place and address: requests that leave together have no order of their own."""
    status = record.status or 0
    return record.location, record.url, record.method, status, record.touch, record.sent_at


def _rows(
    plan: Plan, incident: Incident, observations: Sequence[Observation]
) -> tuple[list[Row], Context]:
    context = Context.of(plan, incident, observations, _environments(plan, incident))
    cache = ChoiceCache()
    locations = {loc.name: loc for loc in plan.locations}
    known = [o for o in observations if o.location in locations]
    return [_row(locations[o.location], o, context, cache) for o in known], context


def _worlds(rows: Sequence[Row]) -> Mapping[str, World]:
    """By vantage: what it saw of each place, and what others saw where it did not look."""
    anywhere = {row.location.name: row for row in rows}
    own: dict[str, dict[str, Row]] = {}
    for row in rows:
        own.setdefault(row.observation.vantage, dict(anywhere))[row.location.name] = row
    return {vantage: World(rows=seen, traits={}) for vantage, seen in own.items()}


def _groups(
    rows: Sequence[Row],
    judged: Sequence[Verdict],
    rules: Mapping[str, Callable[[Row], Iterator[Ruling]]],
    worlds: Mapping[str, World],
) -> list[Verdict]:
    """Judge what one client gets from several places together."""
    lags = {(v.location.name, v.vantage): v.lag for v in judged}
    found, cache = [], ChoiceCache()
    for bare, members in group_rows(rows):
        cells = cells_of(bare.observation, bare.context, cache)
        policed = group_cells(bare, members, cache)
        row = replace(bare, cells=policed or cells, bare_cells=cells if policed else ())
        verdict = _verdict(row, rules, worlds[row.observation.vantage])
        lag = group_lag(verdict.lag, [lags[_row_key(member)] for member in members])
        found.append(replace(verdict, lag=lag))
    return found


def _row(location: Location, observation: Observation, context: Context, cache: ChoiceCache) -> Row:
    cells = cells_of(observation, context, cache) if observation.pages else ()
    row = Row(
        location=location,
        kind=context.kind_of(location),
        observation=observation,
        context=context,
        cells=cells,
    )
    if not cells or not settings_of(location, context.incident.project).matter:
        return row
    policed = policed_cells(observation, location, context, cache)
    return replace(row, cells=policed, bare_cells=cells)


def _verdict(
    row: Row, rules: Mapping[str, Callable[[Row], Iterator[Ruling]]], world: World
) -> Verdict:
    judgement = apply_rules(row, rules.values())
    status, observation = judgement.status, row.observation
    waiver = _waiver(row) if status in row.context.plan.fail_on else None
    reasons = judgement.reasons
    if waiver is not None:
        reasons = (*reasons, waiver)
    return Verdict(
        location=row.location,
        vantage=observation.vantage,
        is_source=row.is_source,
        outcome=observation.outcome,
        detail=observation.detail,
        status=status,
        waived=waiver.observed if waiver else None,
        broken=row.broken,
        fix=row.fix,
        selections=row.cells,
        freshness=row.freshness,
        lag=policed_lag(row, lag_of(row)),
        # Nothing is done to a group; what becomes of its members is in their rows.
        counterfactuals={} if is_group(row.location) else counterfactuals_of(row, status, world),
        reasons=reasons,
        remedies=remedies_of(row, status),
        evidence=observation.evidence,
        proxy=observation.proxy,
        notes=observation.notes,
        surfaces=observation.surfaces,
        pins=observation.pins,
    )


def _waiver(row: Row) -> Reason | None:
    """The waiver that holds for this row on the day of its observation."""
    day, incident = row.observation.finished_at.date(), row.context.incident.id
    for waiver in row.context.plan.waivers:
        if (
            waiver.location == row.location.name
            and waiver.incident in (None, incident)
            and day <= waiver.until
        ):
            return Reason(
                code="waived",
                text=f"This failure is waived until {waiver.until}: {waiver.reason}",
                expected="a waiver that still holds",
                observed=waiver.reason,
            )
    return None


def _waiver_notes(
    plan: Plan, incident: Incident, verdicts: Sequence[Verdict], at: datetime
) -> Iterator[str]:
    used = {v.location.name for v in verdicts if v.waived is not None}
    for waiver in plan.waivers:
        if waiver.incident not in (None, incident.id):
            continue
        if waiver.until < at.date():
            yield f"The waiver for {waiver.location} expired on {waiver.until}."
        elif waiver.location not in used:
            yield f"The waiver for {waiver.location} is not used: nothing fails there."


def _unobserved(
    plan: Plan, incident: Incident, seen: Sequence[Observation]
) -> Iterator[Observation]:
    """A place of which nobody has an observation is a row all the same: an unknown one."""
    have = {o.location for o in seen}
    at = _last(plan, seen)
    for location in plan.locations:
        if location.name not in have:
            yield Observation(
                location=location.name,
                vantage=plan.vantage.id,
                incident=incident.id,
                outcome=Outcome.SKIPPED,
                detail="there is no observation of this place",
                started_at=at,
                finished_at=at,
            )


def _demand_known(incident: Incident, observations: Sequence[Observation]) -> None:
    """Stop if every place answered that there is no such project: the name must be wrong."""
    if observations and all(map(_is_absent, observations)):
        places = ", ".join(sorted({o.location for o in observations}))
        raise UsageError(
            f"no location knows a project called {incident.project!r} (asked: {places}); check "
            "the name and the addresses, or add the index that carries it with --location"
        )


def _is_absent(observation: Observation) -> bool:
    """Whether nothing here may still know the project: one page without answer may."""
    settled_outcomes = {PageOutcome.ABSENT, PageOutcome.REFUSED}
    settled = all(page.outcome in settled_outcomes for page in observation.pages)
    return observation.outcome is Outcome.ABSENT and settled


def _environments(plan: Plan, incident: Incident) -> tuple[Environment, ...]:
    if incident.environments:
        return tuple(parse_environment(text) for text in incident.environments)
    return plan.environments


def _row_key(row: Row) -> tuple[str, str]:
    return row.location.name, row.observation.vantage


def _vantages(plan: Plan, observations: Sequence[Observation]) -> tuple[Vantage, ...]:
    known = {plan.vantage.id: plan.vantage}
    ids = sorted({o.vantage for o in observations} | set(known))
    return tuple(known.get(name) or Vantage(id=name) for name in ids)


def _last(plan: Plan, observations: Sequence[Observation]) -> datetime:
    last = max((o.finished_at for o in observations), default=plan.created_at)
    return last.astimezone(UTC)
