"""Plays one scenario on one program: predict first, then play, then ask, then compare."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditor.errors import UsageError
from auditor.lab.drive.driver import observe_places, remembered
from auditor.lab.drive.subject import Place, Subject
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.asking import OFFLINE, ask, download, warm
from auditor.lab.experiment.client_caches import ClientCache
from auditor.lab.experiment.outcome import Cell, Prediction, Seen, compare, contradictions
from auditor.lab.experiment.scenarios import begin, broken_wheel, play
from auditor.lab.experiment.variants import Variant
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT
from auditor.model import Counterfactual, Fingerprint, Status, When
from auditor.verdict import judge
from auditor.verdict.aftermath import World, foreseen_of
from auditor.verdict.behaviour import ByUrl, Deed, behaviour_of
from auditor.verdict.gets import HERE, as_observed
from auditor.verdict.judge import rows_of
from auditor.verdict.row import Row

__all__ = ["Result", "play_variant"]

# Kinds whose clients work on the very directory.
_LOCAL = ("-cache", "wheelhouse")
# Clocks and timers of servers count whole seconds.
_SLACK = timedelta(seconds=1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One place of one variant in one scenario.

    Attributes:
        variant, scenario, place, kind: which.
        prediction: written down before the deed.
        measured_by: the measurement that it rests on; "" if none.
        seen: what clients got and the disk showed.
        cells: the two, compared.
        status: what an audit said of it afterwards.
        contradicted: where that audit and what was seen differ.
    """

    variant: Variant
    scenario: str
    place: str
    kind: str
    prediction: Prediction
    measured_by: str
    seen: Seen
    cells: tuple[Cell, ...]
    status: Status
    contradicted: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foreseen:
    prediction: Prediction
    measured_by: str
    file_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Audited:
    status: Status
    said: Counterfactual


async def play_variant(
    variant: Variant, scenario: str, deed: Deed, directory: Path
) -> tuple[Result, ...]:
    """Play one scenario on a program that is started for it, with an empty memory.

    Args:
        variant: the program and its settings.
        scenario: its name.
        deed: what happens at the source.
        directory: for all its files.

    Raises:
        ProgramFailed: it did not start, or its tools failed.
    """
    async with variant.serve(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        subject = variant.make()
        async with subject.running(upstream, directory):
            places = [_completed(place, variant) for place in subject.places()]
            if variant.warm:
                for url in dict.fromkeys(place.index_url for place in places):
                    await warm(url)
            foreseen, known = await _predict(variant, deed, upstream, places)
            await play(deed, upstream)
            await _settle(variant, subject, [f.prediction for f in foreseen.values()])
            if variant.waits:
                # devpi gives the old page to all who ask while it reads the new one, and Varnish
                # to the first: what counts is what is true after that.
                for url in dict.fromkeys(place.index_url for place in places):
                    await download("--index-url", url, PROJECT)
            audited = await _audit(upstream, places, known)
            held = await _held(subject, audited)
            return await _look(variant, scenario, subject, places, foreseen, audited, held)


def _completed(place: Place, variant: Variant) -> Place:
    return replace(place, table={**place.table, **(variant.table or {})})


async def _predict(
    variant: Variant, deed: Deed, upstream: Upstream, places: Sequence[Place]
) -> tuple[Mapping[str, _Foreseen], tuple[Fingerprint, ...]]:
    """Say what will be true of each place, and remember the broken files, as a history does."""
    plan, observations = await observe_places(upstream, places)
    rows = {row.location.name: row for row in rows_of(plan, observations)}
    world = World(rows=rows, traits={place.name: variant.traits for place in places})
    found: dict[str, _Foreseen] = {}
    for place in places:
        row = rows[place.name]
        now = as_observed(row)
        behaviour = behaviour_of(row.location.kind, (*row.observation.traits, *variant.traits))
        found[place.name] = _Foreseen(
            prediction=Prediction(deed=deed, now=now, after=foreseen_of(row, deed, world, now)),
            measured_by=behaviour.source if behaviour else "",
            file_url=_file_url(row, place),
        )
    return found, remembered((), observations, plan.incidents[0])


def _file_url(row: Row, place: Place) -> str | None:
    """Return the address of the broken file at a place, as a lock made there has it."""
    name = broken_wheel().filename
    if row.location.kind == "s3":
        # The audit reads with credentials, which another address may want than clients are given.
        return f"{place.index_url}{PROJECT}/{name}"
    urls = (c.url for c in row.broken_candidates if c.filename == name)
    return next((url for url in urls if url), None)


async def _settle(variant: Variant, subject: Subject, predictions: Sequence[Prediction]) -> None:
    """Give it the time that the predictions name."""
    if not variant.waits:
        return
    if variant.catches_up:
        await subject.refresh()
    times = [p.after.when for p in predictions if not isinstance(p.after.when, When)]
    if times:
        left = max(times) + _SLACK - datetime.now(UTC)
        await asyncio.sleep(max(left.total_seconds(), 0))


async def _audit(
    upstream: Upstream, places: Sequence[Place], known: tuple[Fingerprint, ...]
) -> Mapping[str, _Audited]:
    """Audit as anybody would now; what the source no longer tells is in the history."""
    plan, observations = await observe_places(upstream, places, known)
    try:
        (run,) = judge(plan, observations)
    except UsageError:
        # Where nobody has heard of the project any more, that is all that an audit says.
        nothing = _Audited(status=Status.ABSENT, said=Counterfactual())
        return dict.fromkeys((place.name for place in places), nothing)
    statuses = {verdict.location.name: verdict.status for verdict in run.verdicts}
    return {
        row.location.name: _Audited(status=statuses[row.location.name], said=_said(row))
        for row in rows_of(plan, observations)
    }


def _said(row: Row) -> Counterfactual:
    """What an audit says of a place; what a page lists is no promise for its upstream's files."""
    said = as_observed(row)
    behaviour = behaviour_of(row.location.kind, row.observation.traits)
    redirects = behaviour is not None and behaviour.by_url is ByUrl.UPSTREAM
    context = row.context
    if not redirects or any(map(context.is_broken_file, context.source_files.values())):
        return said
    return Counterfactual(listed=said.listed, held=said.held)


async def _held(subject: Subject, audited: Mapping[str, _Audited]) -> bool:
    """Whether the very bytes are on disk; what a client keeps only its kind can read."""
    if isinstance(subject, ClientCache):
        return any(audited[place.name].said.held in HERE for place in subject.places())
    inventory = await asyncio.to_thread(subject.inventory)
    return broken_wheel().sha256 in inventory.get(broken_wheel().filename, ())


def _asked_here(place: Place, seen: Seen) -> Seen:
    """Leave out clients without a network where a directory was asked over HTTP."""
    if not str(place.table["kind"]).endswith(_LOCAL) and "url" not in place.table:
        kept = {how: got for how, got in seen.gets.items() if how != OFFLINE}
        return replace(seen, gets=kept)
    return seen


def _can_look(place: Place) -> bool:
    return place.checks_held or (
        str(place.table["kind"]).endswith("-cache") and "path" in place.table
    )


async def _look(
    variant: Variant,
    scenario: str,
    subject: Subject,
    places: Sequence[Place],
    foreseen: Mapping[str, _Foreseen],
    audited: Mapping[str, _Audited],
    held: bool,
) -> tuple[Result, ...]:
    results: list[Result] = []
    asked: dict[tuple[str, str | None], Seen] = {}
    for place in places:
        known = foreseen[place.name]
        way_in = place.index_url, known.file_url
        if way_in not in asked:
            began_at = datetime.now(UTC)
            gets = await (subject.ask() if isinstance(subject, ClientCache) else ask(*way_in))
            asked[way_in] = Seen(
                gets=gets, held=None, began_at=began_at, ended_at=datetime.now(UTC)
            )
        seen = replace(_asked_here(place, asked[way_in]), held=held if _can_look(place) else None)
        results.append(
            Result(
                variant=variant,
                scenario=scenario,
                place=place.name,
                kind=str(place.table["kind"]),
                prediction=known.prediction,
                measured_by=known.measured_by,
                seen=seen,
                cells=compare(known.prediction, seen),
                status=audited[place.name].status,
                contradicted=contradictions(known.prediction.deed, audited[place.name].said, seen),
            )
        )
    return tuple(results)
