"""The way of a copy in four stages, and at which of them the trouble is.

"Is it my upload, PyPI's delivery, or your mirror?" The judge answers in a sentence; here it is a
row of four signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditor.model import LagState, Outcome, Role, Run, Severity, Status, Verdict, Whose
from reports.words import Tone, plural

__all__ = ["STAGES", "Stage", "Station", "stage_of", "stations"]

# Built-in kinds that fetch a page when somebody asks for it, rather than on a schedule.
_PULL_THROUGH = frozenset({"http-cache", "proxpi"})


class Stage(StrEnum):
    """Where on its way a copy is, in the order of the way."""

    SOURCE = "source"
    MIRROR = "mirror"
    CACHE = "cache"
    CLIENT = "client"


STAGES = {
    Stage.SOURCE: "Source",
    Stage.MIRROR: "Mirrors and indexes",
    Stage.CACHE: "Proxies and caches",
    Stage.CLIENT: "On the clients' side",
}


@dataclass(frozen=True, slots=True)
class Station:
    """One stage, and how it stands.

    Attributes:
        name: of the stage.
        sign, word: how it stands.
        tone: for colour.
        detail: a few words more.
    """

    name: str
    sign: str
    word: str
    tone: Tone
    detail: str


def stage_of(verdict: Verdict) -> Stage:
    """Where a place stands on the way of a copy."""
    location = verdict.location
    if verdict.is_source:
        return Stage.SOURCE
    if location.role is not Role.INDEX or location.url is None:
        return Stage.CLIENT
    return Stage.CACHE if location.kind in _PULL_THROUGH else Stage.MIRROR


def stations(run: Run) -> tuple[Station, ...]:
    """Upload, delivery, copies, clients; the judge's `whose` decides the first two."""
    source = [v for v in run.verdicts if v.is_source]
    copies = [v for v in run.verdicts if stage_of(v) in (Stage.MIRROR, Stage.CACHE)]
    clients = [v for v in run.verdicts if stage_of(v) is Stage.CLIENT]
    return (
        _upload(run, source),
        _delivery(run, source),
        _many("Mirrors and caches", copies, "in step", "out of step"),
        _many("Clients", clients, "free of it", "affected"),
    )


def _unseen(name: str, source: Sequence[Verdict]) -> Station | None:
    """Say that nobody could look at the source; None if somebody did."""
    if not source:
        return Station(name, "–", "not audited", Tone.PLAIN, "no source is configured")
    if all(v.outcome is not Outcome.OBSERVED for v in source):
        return Station(name, "?", "not known", Tone.UNKNOWN, "the source could not be read")
    return None


def _upload(run: Run, source: Sequence[Verdict]) -> Station:
    name, whose = "The upload", run.summary.whose
    if unseen := _unseen(name, source):
        return unseen
    if whose is Whose.UPLOAD:
        return Station(name, "✖", "at fault", Tone.BAD, "before any mirror")
    if any(f.failing for f in run.findings):
        return Station(name, "✖", "at fault", Tone.BAD, "see below")
    fixed = any(v.fix.listed for v in source)
    if fixed or whose is Whose.CDN:
        return Station(name, "✔", "fine", Tone.GOOD, "the fix is published")
    return Station(name, "?", "not known", Tone.UNKNOWN, "the fix was not seen there")


def _delivery(run: Run, source: Sequence[Verdict]) -> Station:
    name, whose = "The source's delivery", run.summary.whose
    if unseen := _unseen(name, source):
        return unseen
    if whose is Whose.CDN:
        return Station(name, "✖", "at fault", Tone.BAD, "some of its pages are older")
    if whose is Whose.UPLOAD or not any(v.fix.listed for v in source):
        return Station(name, "?", "not known", Tone.UNKNOWN, "there is no good fix to deliver")
    return Station(name, "✔", "fine", Tone.GOOD, "its pages show the fix")


def _many(name: str, verdicts: Sequence[Verdict], fine: str, trouble: str) -> Station:
    total = len(verdicts)
    if not total:
        return Station(name, "–", "not audited", Tone.PLAIN, "none is configured")
    failing = [v for v in verdicts if v.status.severity is Severity.FAIL and v.waived is None]
    unknown = sum(v.status.severity is Severity.INCONCLUSIVE for v in verdicts)
    rest = f", {unknown} not known" if failing and unknown else ""
    if failing and all(v.lag.state is LagState.WITHIN_LAG for v in failing):
        return Station(name, "…", "on its way", Tone.WARN, f"{len(failing)} of {total}{rest}")
    if failing:
        return Station(name, "✖", trouble, Tone.BAD, f"{len(failing)} of {total}{rest}")
    if unknown:
        return Station(name, "?", "not known", Tone.UNKNOWN, f"{unknown} of {total}")
    latent = sum(v.status is Status.LATENT for v in verdicts)
    if latent:
        return Station(name, "◆", "latent", Tone.WARN, f"{latent} of {total} only hold it")
    return Station(name, "✔", "fine", Tone.GOOD, f"{plural(total, 'place')} {fine}")
