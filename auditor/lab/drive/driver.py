"""Plays the incident on one real program, and audits, installs and compares after every step."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.drive.comparing import Seen, StepRecord, compare, said_of, seen_of
from auditor.lab.drive.pip_client import pip_download
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.steps import REFRESHED_AFTER, Script, Step
from auditor.lab.drive.subject import Inventory, Place, Subject
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, PROJECT, incident_toml
from auditor.model import Candidate, Fingerprint, Incident, Observation, Plan, Run, SettingValue
from auditor.registry import load_kinds
from auditor.verdict import judge

__all__ = ["Drive", "Played", "audit_places", "observe_places", "play_story", "remembered"]

SOURCE = "source"

Serve = Callable[[EmbeddedIndex], AbstractAsyncContextManager[Upstream]]

# Method, path with query, status.
_Line = tuple[str, str, int | None]

# What every request of an audit has in its User-Agent.
_OURS = "propagation-auditor"
# A server may write its log a moment after the client has its answer.
_LOG_WITHIN_S = 2.0
_LOG_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Everything that a story showed.

    Attributes:
        records: one per step and place.
        runs: the audit after each step.
        harm: what an audit changed or what it did not account for, in words; empty if nothing.
    """

    records: tuple[StepRecord, ...]
    runs: Mapping[Step, Run]
    harm: tuple[str, ...]

    @property
    def disagreements(self) -> tuple[str, ...]:
        """Every disagreement, with its step and place."""
        return tuple(f"{r.step}: {r.place}: {d}" for r in self.records for d in r.disagreements)


async def play_story(
    subject: Subject,
    directory: Path,
    *,
    steps: Sequence[Step] = tuple(Step),
    serve: Serve = serving,
) -> Played:
    """Play the incident on a program, from its first start to its upstream's end.

    Args:
        subject: the program.
        directory: for all its files.
        steps: to be taken, the first one always before it starts.
        serve: serves the upstream; by default pages on one host, files on another.
    """
    async with preloaded_pip(), serve(EmbeddedIndex(PROJECT)) as upstream:
        script = Script.at(upstream)
        await script.take(Step.WARM)
        async with subject.running(upstream, directory):
            drive = Drive(subject, upstream)
            for step in steps:
                if step is not Step.WARM:
                    await script.take(step)
                await drive.after(step)
            return Played(records=tuple(drive.records), runs=drive.runs, harm=tuple(drive.harm))


@dataclass
class Drive:
    """The driver: one audit, one round of clients and one comparison per step.

    Attributes:
        subject, upstream: what is driven.
        records, runs, harm: as in `Played`.
        known: the broken artifacts as every earlier audit saw them, which is what a history keeps.
    """

    subject: Subject
    upstream: Upstream
    records: list[StepRecord] = field(default_factory=list)
    runs: dict[Step, Run] = field(default_factory=dict)
    harm: list[str] = field(default_factory=list)
    known: tuple[Fingerprint, ...] = ()

    async def after(self, step: Step) -> None:
        """Let the program catch up if this step says so; then look, install and compare."""
        if step in REFRESHED_AFTER:
            await self.subject.refresh()
        run, inventory = await self._audit(step)
        self.runs[step] = run
        verdicts = {verdict.location.name: verdict for verdict in run.verdicts}
        seen: dict[tuple[str, str | None], Seen] = {}
        for place in self.subject.places():
            way = (place.index_url, place.proxy)
            if way not in seen:
                seen[way] = await _ask_client(place, inventory)
            truth = seen[way]
            truth = truth if place.checks_held else replace(truth, held=None)
            said = said_of(verdicts[place.name])
            self.records.append(
                StepRecord(
                    step=step,
                    place=place.name,
                    said=said,
                    seen=truth,
                    disagreements=compare(said, truth, demands_held=_demands(place, step)),
                )
            )

    async def _audit(self, step: Step) -> tuple[Run, Inventory]:
        """Audit, and note whatever that changed. The inventory is that of before any client."""
        before = await asyncio.to_thread(self.subject.inventory)
        asked_before = len(self.upstream.artifact_requests())
        log_before = self.subject.access_log() or ()
        run, observations = await audit_places(self.upstream, self.subject.places(), self.known)
        self.known = remembered(self.known, observations, run.incident)
        after = await asyncio.to_thread(self.subject.inventory)
        if before != after:
            self.harm.append(f"{step}: the audit changed what is held")
        asked = self.upstream.artifact_requests()[asked_before:]
        if asked:
            self.harm.append(f"{step}: the source was asked for {asked[0].path}")
        await self._check_log(step, run, len(log_before))
        return run, before

    async def _check_log(self, step: Step, run: Run, before: int) -> None:
        """Hold the requests that the run names against the program's own log."""
        places = self.subject.places()
        names = {place.name for place in places}
        # A place that sends its clients elsewhere has not been asked what was asked there.
        hosts = {
            urlsplit(str(place.table.get(key, ""))).netloc
            for place in places
            for key in ("url", "endpoint_url")
        }
        sent: Counter[_Line] = Counter(
            (r.method, _path(r.url), r.status)
            for r in run.requests
            if r.location in names and r.status is not None and urlsplit(r.url).netloc in hosts
        )
        logged = await self._logged(before, sum(sent.values()))
        if logged is not None and logged != sent:
            odd = [*(logged - sent), *(sent - logged)]
            self.harm.append(f"{step}: requests[] and the access log differ in {odd[:3]}")

    async def _logged(
        self, before: int, wanted: int
    ) -> Counter[tuple[str, str, int | None]] | None:
        deadline = asyncio.get_running_loop().time() + _LOG_WITHIN_S
        while True:
            log = self.subject.access_log()
            if log is None:
                return None
            ours = [line for line in log[before:] if _OURS in line.user_agent]
            if len(ours) >= wanted or asyncio.get_running_loop().time() > deadline:
                return Counter((line.method, line.path, line.status) for line in ours)
            await asyncio.sleep(_LOG_POLL_S)


async def audit_places(
    upstream: Upstream, places: Iterable[Place], known: tuple[Fingerprint, ...] = ()
) -> tuple[Run, tuple[Observation, ...]]:
    """Audit these places with the code that audits the real world.

    Args:
        upstream: the source.
        places: the other locations.
        known: broken artifacts as far as they are known before looking.
    """
    plan, observations = await observe_places(upstream, places, known)
    (run,) = judge(plan, observations)
    return run, observations


async def observe_places(
    upstream: Upstream, places: Iterable[Place], known: tuple[Fingerprint, ...] = ()
) -> tuple[Plan, tuple[Observation, ...]]:
    """Look at these places, and judge nothing; arguments as `audit_places`."""
    kinds = load_kinds()
    document = parse_document(_config(upstream, places), name="story", directory=Path.cwd())
    resolved = resolve(document, kinds, environ={})
    incidents = tuple(replace(i, fingerprints=known) for i in resolved.plan.incidents)
    plan = replace(resolved.plan, incidents=incidents)
    return plan, await Audit(plan, resolved.credentials, kinds).run()


def _config(upstream: Upstream, places: Iterable[Place]) -> str:
    source = {"kind": "pypi", "url": upstream.simple_url}
    tables = [_table({"name": SOURCE, **source})]
    tables += [_table({"name": p.name, "upstream": SOURCE, **p.table}) for p in places]
    return "\n".join([incident_toml(), *tables])


def _table(entries: Mapping[str, SettingValue]) -> str:
    # A JSON string, number or truth value is a TOML one too, in ASCII at least.
    return "\n".join(["[[locations]]", *(f"{k} = {json.dumps(v)}" for k, v in entries.items()), ""])


def _demands(place: Place, step: Step) -> bool:
    """Whether `held` must be known. Before the broken release is out, nobody knows its files."""
    return place.held_known and step is not Step.WARM


async def _ask_client(place: Place, inventory: Inventory) -> Seen:
    unpinned, pinned = await asyncio.gather(
        pip_download(place.index_url, PROJECT, proxy=place.proxy),
        pip_download(place.index_url, f"{PROJECT}=={BROKEN}", proxy=place.proxy),
    )
    return seen_of(unpinned, pinned, inventory, PROJECT, BROKEN)


def remembered(
    known: tuple[Fingerprint, ...], observations: Iterable[Observation], incident: Incident
) -> tuple[Fingerprint, ...]:
    """Add the broken files that the source lists; the first sight of a name is its reference."""
    found = {fingerprint.filename: fingerprint for fingerprint in known}
    for candidate in _listed_by_source(observations):
        if incident.is_broken(candidate.version):
            fingerprint = Fingerprint(
                filename=candidate.filename,
                version=candidate.version,
                sha256=candidate.hashes.get("sha256"),
                url=candidate.url,
            )
            found.setdefault(candidate.filename, fingerprint)
    return tuple(found.values())


def _listed_by_source(observations: Iterable[Observation]) -> Iterator[Candidate]:
    for observation in observations:
        if observation.location == SOURCE:
            for page in observation.pages:
                yield from page.candidates


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
