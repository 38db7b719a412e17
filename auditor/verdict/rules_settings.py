"""Rules on what those who install from a place have set themselves: no fault of the place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta

from auditor.model import (
    Candidate,
    FixChosen,
    Lag,
    LagState,
    Page,
    RejectionCode,
    Remedy,
    Selection,
    Status,
)
from auditor.model.file_table import listed_with
from auditor.verdict.policy import Settings, settings_of
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, names, ruling, scope

__all__ = [
    "CLIENT_SETTINGS",
    "capped",
    "client_settings",
    "constraints_unread",
    "cooling_down",
    "policed_lag",
    "settings_remedies",
]

CLIENT_SETTINGS = "client-settings"


def cooling_down(row: Row) -> Iterator[Ruling]:
    """The fix is listed here, and too young for those who install from here."""
    cells = _kept_from_fix(row, RejectionCode.TOO_YOUNG)
    settings = next((s for s in _settings(row) if s.cooldown is not None), None)
    if settings is None or settings.cooldown is None or not cells:
        return
    at = row.observation.finished_at
    accepted, files = _accepted_from(row), _fix_files(row, _pages(row, cells))
    dated = [file.uploaded_at for file in files if file.uploaded_at is not None]
    if accepted is not None:
        until = f"is accepted from {accepted:%Y-%m-%dT%H:%M:%SZ}"
    elif dated and all(settings.cooldown.accepted_from(time) is None for time in dated):
        until = "is never accepted: the moment that exclude_newer names does not move"
    else:
        until = "is never accepted: no upload time is stated here"
    yield ruling(
        "fix-cooling-down",
        f"The fix is listed here, but those who install with exclude_newer = {settings.age} do "
        f"not get it yet{scope(cells, row.counting)}: it {until}.",
        expected=f"files uploaded before {settings.cooldown.cutoff(at):%Y-%m-%dT%H:%M:%SZ}",
        observed=f"the fix, uploaded {min(dated):%Y-%m-%dT%H:%M:%SZ}"
        if dated
        else "files of the fix without an upload time",
    )


def capped(row: Row) -> Iterator[Ruling]:
    """The fix is listed here, and a constraints file does not admit it."""
    cells = _kept_from_fix(row, RejectionCode.CONSTRAINED)
    lost = [r for c in cells for r in c.rejected if r.code is RejectionCode.CONSTRAINED]
    fixes = [r for r in lost if row.context.line.is_fix(r.version)]
    if fixes:
        yield ruling(
            "fix-capped",
            f"The fix is listed here, but {fixes[0].text}{scope(cells, row.counting)}.",
            expected=f"a constraint that admits {names(r.version or r.filename for r in fixes)}",
            observed=names(r.text for r in fixes),
        )


def constraints_unread(row: Row) -> Iterator[Ruling]:
    """A constraints file may keep the fix away, and is not known to its end."""
    unread = [line for settings in _settings(row) for line in settings.unread]
    if unread and any(cell.is_fix for cell in row.bare_cells if cell.counts):
        yield ruling(
            "constraints-unread",
            f"The constraints that clients install with are not known to their end: {unread[0]}.",
            status=Status.UNKNOWN,
            expected="every line that may speak of the project",
            observed=names(unread),
        )


def client_settings(row: Row) -> Iterator[Ruling]:
    """Everybody would get the fix from here without settings of their own."""
    if row.is_kept_back_by_settings:
        told = [t for s in _settings(row) for t in _told(s)]
        yield ruling(
            CLIENT_SETTINGS,
            "This place is not at fault: without what they set themselves, all who install from "
            "here would get the fix.",
            expected="settings that admit the fix",
            observed=names(told),
        )


def policed_lag(row: Row, lag: Lag) -> Lag:
    """Correct the lag of a place for the time that a fix listed there still has to wait."""
    waits = lag.state is LagState.CURRENT and row.fix.chosen is not FixChosen.ALL
    ages = [s.age for s in _settings(row) if s.cooldown is not None]
    if not ages or not waits or not _kept_from_fix(row, RejectionCode.TOO_YOUNG):
        return lag
    accepted = _accepted_from(row)
    setting = f"{row.location.name}: exclude_newer = {ages[0]}"
    if accepted is None:
        return Lag(state=LagState.NEVER, basis=f"{setting} never accepts the fix")
    return Lag(state=LagState.WITHIN_LAG, latest_by=accepted, basis=setting)


def settings_remedies(row: Row) -> Iterator[Remedy]:
    """Say what those who install from here can change themselves."""
    project, line = row.context.incident.project, row.context.line
    fixed = str(line.fixed[0]) if line.fixed else line.fixed_text
    if _kept_from_fix(row, RejectionCode.CONSTRAINED):
        paths = names(dict.fromkeys(s.path for s in _settings(row) if s.constraints))
        yield Remedy(
            command=f"# in {paths}: admit {project} {fixed}",
            effect="brings the fix to those who install with these constraints",
        )
    if not _kept_from_fix(row, RejectionCode.TOO_YOUNG):
        return
    accepted = _accepted_from(row)
    if accepted is not None:
        yield Remedy(
            command=f"# wait until {accepted:%Y-%m-%d %H:%M} UTC, then audit again",
            effect="from then on the fix is old enough for those who install from here",
        )
    # The fix may have been uploaded within the second in which it was seen.
    until = row.observation.finished_at + timedelta(seconds=1)
    exempt = shlex.quote(f"{project}={until:%Y-%m-%dT%H:%M:%SZ}")
    yield Remedy(
        command=f"uv lock --upgrade-package {shlex.quote(project)} --exclude-newer-package "
        f"{exempt}",
        effect="exempts this project from uv's exclude-newer",
        caution="pip has no exemption for one project: install the fix once without "
        "--uploaded-prior-to",
    )


def _settings(row: Row) -> list[Settings]:
    if not row.bare_cells:
        return []
    project = row.context.incident.project
    return [settings_of(location, project) for location in row.members or (row.location,)]


def _told(settings: Settings) -> Iterator[str]:
    if settings.cooldown is not None:
        yield f"exclude_newer = {settings.age}"
    for each in settings.constraints:
        yield f"{settings.path}: {each.told}"


def _kept_from_fix(row: Row, code: RejectionCode) -> list[Selection]:
    """Cells that do not get the fix, a file of which the settings leave out."""
    if not row.bare_cells:
        return []
    is_fix = row.context.line.is_fix
    return [
        cell
        for cell in row.counting
        if not cell.is_fix
        and any(lost.code is code and is_fix(lost.version) for lost in cell.rejected)
    ]


def _pages(row: Row, cells: list[Selection]) -> list[Page]:
    asked = {(cell.view, cell.sample) for cell in cells}
    return [page for page in row.usable_pages if (page.view, page.sample) in asked]


def _fix_files(row: Row, pages: list[Page]) -> list[Candidate]:
    line = row.context.line
    return [file for page in pages for file in listed_with(page.candidates, line.is_fix)]


def _accepted_from(row: Row) -> datetime | None:
    """Return when the fix is old enough in every view; None: never."""
    cooldowns = [s.cooldown for s in _settings(row) if s.cooldown is not None]
    times = [
        min(
            (
                time
                for file in _fix_files(row, [page])
                if file.uploaded_at is not None
                if (time := cooldowns[0].accepted_from(file.uploaded_at)) is not None
            ),
            default=None,
        )
        for page in _pages(row, _kept_from_fix(row, RejectionCode.TOO_YOUNG))
    ]
    known = [time for time in times if time is not None]
    # What was old enough before and is not taken never will be: another file has no time.
    never = len(known) < len(times) or any(time <= row.observation.finished_at for time in known)
    return None if never else max(known, default=None)
