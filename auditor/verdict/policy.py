"""What the settings of those who install from a place leave of its pages, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from auditor.model import Candidate, FixChosen, Lag, LagState, Location, Observation, Page
from auditor.selection.constraints import constrained
from auditor.selection.cooldown import Cooldown, parse_cooldown
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, names, ruling

__all__ = ["cap_of", "capped", "cooldown_of", "cooling_down", "policed", "policed_lag"]


def cooldown_of(location: Location) -> Cooldown | None:
    """Return the age or time that `exclude_newer` demands at a place; None if nothing does."""
    text = location.settings.get("exclude_newer")
    return parse_cooldown(text) if isinstance(text, str) else None


def cap_of(location: Location, project: str) -> str | None:
    """Return what the constraints of a place say of a project; None if they say nothing."""
    text = location.settings.get("constrained")
    lines = text.splitlines() if isinstance(text, str) else []
    found = (line.partition(" ") for line in lines)
    return next((specifier for name, _, specifier in found if name == project), None)


def policed(observation: Observation, location: Location, project: str) -> Observation:
    """Return an observation as those see it who install with the settings of a place."""
    cooldown, cap = cooldown_of(location), cap_of(location, project)
    if cooldown is None and cap is None:
        return observation
    at = observation.finished_at
    pages = tuple(_policed_page(page, cooldown, cap, at) for page in observation.pages)
    return replace(observation, pages=pages)


def _policed_page(page: Page, cooldown: Cooldown | None, cap: str | None, at: datetime) -> Page:
    candidates = page.candidates
    if cooldown is not None:
        candidates = cooldown.filtered(candidates, at)
    if cap is not None:
        candidates = constrained(candidates, cap)
    # No longer the page with that digest.
    return replace(page, candidates=candidates, body_sha256=None)


def cooling_down(row: Row) -> Iterator[Ruling]:
    """The fix is listed here, and too young for those who install from here."""
    cooldown, listed = cooldown_of(row.location), _listed_fix(row)
    at = row.observation.finished_at
    if cooldown is None or not listed or any(cooldown.admits(file, at) for file in listed):
        return
    accepted = _accepted_from(row, cooldown)
    dated = [file.uploaded_at for file in listed if file.uploaded_at is not None]
    if accepted is not None:
        until = f"is accepted from {accepted:%Y-%m-%dT%H:%M:%SZ}"
    elif dated:
        until = "is never accepted: the moment that exclude_newer names does not move"
    else:
        until = "is never accepted: no upload time is stated here"
    yield ruling(
        "fix-cooling-down",
        f"The fix is listed here, but those who install with exclude_newer = "
        f"{row.location.settings['exclude_newer']} do not get it yet: it {until}.",
        expected=f"files uploaded before {cooldown.cutoff(at):%Y-%m-%dT%H:%M:%SZ}",
        observed=f"the fix, uploaded {min(dated):%Y-%m-%dT%H:%M:%SZ}"
        if dated
        else "files of the fix without an upload time",
    )


def capped(row: Row) -> Iterator[Ruling]:
    """The fix is listed here, and a constraints file does not admit it."""
    cap, listed = cap_of(row.location, row.context.incident.project), _listed_fix(row)
    if cap is None or not listed or constrained(listed, cap):
        return
    path = row.location.settings.get("constraints", "the constraints")
    yield ruling(
        "fix-capped",
        f"The fix is listed here, but {path} admits only {row.context.incident.project} {cap}.",
        expected=f"a constraint that admits {names(_versions(listed))}",
        observed=cap,
    )


def policed_lag(row: Row, lag: Lag) -> Lag:
    """Correct the lag of a place for the time that a fix listed there still has to wait."""
    cooldown = cooldown_of(row.location)
    waits = lag.state is LagState.CURRENT and row.fix.chosen is not FixChosen.ALL
    if cooldown is None or not waits or not any(True for _ in cooling_down(row)):
        return lag
    accepted = _accepted_from(row, cooldown)
    setting = f"{row.location.name}: exclude_newer = {row.location.settings['exclude_newer']}"
    if accepted is None:
        return Lag(state=LagState.NEVER, basis=f"{setting} never accepts the fix")
    return Lag(state=LagState.WITHIN_LAG, latest_by=accepted, basis=setting)


def _accepted_from(row: Row, cooldown: Cooldown) -> datetime | None:
    """Return when the first file of the fix is old enough; None: never."""
    times = (
        cooldown.accepted_from(file.uploaded_at)
        for file in _listed_fix(row)
        if file.uploaded_at is not None
    )
    return min((time for time in times if time is not None), default=None)


def _listed_fix(row: Row) -> list[Candidate]:
    if not row.is_index:
        return []
    files = (file for page in row.usable_pages for file in page.candidates)
    return [
        file
        for file in files
        if row.context.line.is_fix(file.version) and not row.context.is_broken_file(file)
    ]


def _versions(files: list[Candidate]) -> list[str]:
    return [file.version for file in files if file.version is not None]
