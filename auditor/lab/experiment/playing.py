"""Plays one scenario on one program: predict first, then play, then ask, then compare."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditor.lab.drive.driver import observe_places
from auditor.lab.drive.subject import Place, Subject
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.asking import ask, warm
from auditor.lab.experiment.client_caches import ClientCache
from auditor.lab.experiment.outcome import Cell, Prediction, Seen, compare
from auditor.lab.experiment.scenarios import begin, broken_wheel, play
from auditor.lab.experiment.variants import Variant
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT
from auditor.model import When
from auditor.verdict.aftermath import World, foreseen_of
from auditor.verdict.behaviour import Deed, behaviour_of
from auditor.verdict.gets import HERE, as_observed
from auditor.verdict.judge import rows_of

__all__ = ["Result", "play_variant"]

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
    """

    variant: Variant
    scenario: str
    place: str
    kind: str
    prediction: Prediction
    measured_by: str
    seen: Seen
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foreseen:
    prediction: Prediction
    measured_by: str
    file_url: str | None


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
            foreseen = await _predict(variant, deed, upstream, places)
            await play(deed, upstream)
            await _settle(variant, subject, [f.prediction for f in foreseen.values()])
            held = await _held(subject, upstream, places)
            return await _look(variant, scenario, subject, places, foreseen, held)


def _completed(place: Place, variant: Variant) -> Place:
    return replace(place, table={**place.table, **(variant.table or {})})


async def _predict(
    variant: Variant, deed: Deed, upstream: Upstream, places: Sequence[Place]
) -> Mapping[str, _Foreseen]:
    plan, observations = await observe_places(upstream, places)
    rows = {row.location.name: row for row in rows_of(plan, observations)}
    world = World(rows=rows, traits={place.name: variant.traits for place in places})
    found: dict[str, _Foreseen] = {}
    for place in places:
        row = rows[place.name]
        now = as_observed(row)
        behaviour = behaviour_of(row.location.kind, (*row.observation.traits, *variant.traits))
        urls = (c.url for c in row.broken_candidates if c.filename == broken_wheel().filename)
        found[place.name] = _Foreseen(
            prediction=Prediction(deed=deed, now=now, after=foreseen_of(row, deed, world, now)),
            measured_by=behaviour.source if behaviour else "",
            file_url=next((url for url in urls if url), None),
        )
    return found


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


async def _held(subject: Subject, upstream: Upstream, places: Sequence[Place]) -> bool:
    """Whether the very bytes are on disk; what a client keeps only its kind can read."""
    if isinstance(subject, ClientCache):
        plan, observations = await observe_places(upstream, places)
        names = {place.name for place in places}
        rows = (row for row in rows_of(plan, observations) if row.location.name in names)
        return any(row.broken.held in HERE for row in rows)
    inventory = await asyncio.to_thread(subject.inventory)
    return broken_wheel().sha256 in inventory.get(broken_wheel().filename, ())


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
        seen = replace(asked[way_in], held=held if _can_look(place) else None)
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
            )
        )
    return tuple(results)
