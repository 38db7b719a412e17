"""What the settings of those who install from a place leave of its pages, and what they choose.

Measured with pip 26.3 and uv 0.13.9, read in Poetry 2.5.1; how each treats the age of uploads:

- pip's `--uploaded-prior-to` demands an upload time of every file from an index that fits the
  platform, and gives up where one has none. Files of a directory need no age.
- pip before 22.2, for which the view `pip-html` stands, has no such option (pip 26.0 brought it).
- uv's `exclude-newer` leaves out files without an upload time; those of `--find-links` need none.
- Poetry's `min-release-age` leaves out releases with a file that is too young, and takes files
  without an upload time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import structs

from auditor.model import (
    Candidate,
    Environment,
    Location,
    Page,
    PageOutcome,
    Rejection,
    RejectionCode,
    View,
)
from auditor.selection.constraints import Constraint, admitted
from auditor.selection.cooldown import Cooldown, parse_cooldown
from auditor.selection.policies import PIP, applicable_to
from auditor.verdict.context import Context
from auditor.verdict.markers import holds_in, is_decided

__all__ = ["FLAT_KINDS", "Left", "Settings", "leave", "parts_of", "settings_of"]

# Kinds that a client is given by --find-links.
FLAT_KINDS = frozenset({"wheelhouse"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What those install with who use a place, as far as it concerns one project.

    Attributes:
        cooldown: the age or time that uploads must have; None: none.
        age: the same as it was written.
        constraints: what the constraints file says of the project.
        unread: what of that file may concern it and could not be read.
        path: of the constraints file; "" if there is none.
        is_directory: whether the place is a directory on this machine.
        is_flat: whether a client is given it by `--find-links`.
    """

    cooldown: Cooldown | None
    age: str
    constraints: tuple[Constraint, ...]
    unread: tuple[str, ...]
    path: str
    is_directory: bool
    is_flat: bool

    @property
    def matter(self) -> bool:
        """Whether they can change what is chosen."""
        return bool(self.cooldown or self.constraints or self.unread)

    def held(self, environment: Environment) -> tuple[Constraint, ...]:
        """The constraints that certainly hold in an environment."""
        return tuple(
            each
            for each in self.constraints
            if holds_in(each.marker, (environment,)) and is_decided(each.marker, environment)
        )

    def doubtful(self, environment: Environment) -> tuple[Constraint, ...]:
        """The constraints of which an environment does not tell whether they hold."""
        return tuple(each for each in self.constraints if not is_decided(each.marker, environment))

    def demands_age(self, view: View) -> bool:
        """Say whether the client of a view looks at the age of uploads here."""
        if self.cooldown is None or view is View.PIP_HTML:
            return False
        return not (self.is_flat if view is View.UV else self.is_directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What settings leave of a page.

    Attributes:
        page: with the files that are left.
        seen: number of files before.
        refused: every file that the settings leave out, and why.
        stopped: why the client gives up on the whole project; "" if it does not.
        doubts: what could not be read of the settings.
        doubtful: constraints of which it is not known whether they hold.
    """

    page: Page
    seen: int
    refused: tuple[Rejection, ...] = ()
    stopped: str = ""
    doubts: tuple[str, ...] = ()
    doubtful: tuple[Constraint, ...] = ()


def settings_of(location: Location, project: str) -> Settings:
    """Return what those install with who use a place."""
    age = location.settings.get("exclude_newer")
    lines = _lines(location, "constrained")
    url = location.url
    return Settings(
        cooldown=parse_cooldown(age) if isinstance(age, str) else None,
        age=str(age or ""),
        constraints=tuple(c for c in map(Constraint.of, lines) if c.project == project),
        unread=_lines(location, "constraints_unread"),
        path=str(location.settings.get("constraints") or "the constraints"),
        is_directory=url is None or url.lower().startswith("file:"),
        is_flat=location.kind in FLAT_KINDS,
    )


def leave(
    page: Page, settings: Settings, at: datetime, environment: Environment, project: str
) -> Left:
    """Return what settings leave of a page in an environment."""
    files, seen = page.candidates, len(page.candidates)
    if page.outcome is not PageOutcome.OBSERVED or not settings.matter:
        return Left(page=page, seen=seen)
    refused: dict[str, tuple[Candidate, RejectionCode, str]] = {}
    stopped = ""
    if settings.demands_age(page.view):
        stopped = _stops(page, settings, environment, project)
        young = _too_young(page, settings, at)
        refused = {
            c.filename: (c, RejectionCode.TOO_YOUNG, young[c.filename])
            for c in files
            if c.filename in young
        }
    kept = tuple(c for c in files if c.filename not in refused)
    left = admitted(kept, settings.held(environment))
    names = {candidate.filename for candidate in left}
    for lost in (c for c in kept if c.filename not in names):
        refused[lost.filename] = (
            lost,
            RejectionCode.CONSTRAINED,
            _cap(lost, settings, environment),
        )
    return Left(
        page=_with_files(page, () if stopped else left, settings, environment),
        seen=seen,
        refused=tuple(
            Rejection(filename=c.filename, version=c.version, code=code, text=text)
            for c, code, text in refused.values()
        ),
        stopped=stopped,
        doubts=settings.unread,
        doubtful=settings.doubtful(environment),
    )


def parts_of(
    context: Context, places: Sequence[tuple[Settings, Sequence[Page]]]
) -> tuple[tuple[Environment, ...], ...]:
    """Put environments together in which the settings of places leave the same of their pages."""
    project = context.incident.project
    parts: defaultdict[Hashable, list[Environment]] = defaultdict(list)
    for environment in context.environments:
        key = tuple(
            (
                settings.held(environment),
                settings.doubtful(environment),
                tuple(bool(_stops(page, settings, environment, project)) for page in pages),
            )
            for settings, pages in places
        )
        parts[key].append(environment)
    return tuple(map(tuple, parts.values()))


def _stops(page: Page, settings: Settings, environment: Environment, project: str) -> str:
    """Why pip gives up: a file that fits the platform has no upload time. "" if it does not."""
    if page.view is not View.PIP or not settings.demands_age(page.view):
        return ""
    timeless = [c for c in page.candidates if c.uploaded_at is None]
    if not timeless:
        return ""
    files = [structs.replace(c, requires_python="") for c in timeless]
    all_alike = len(timeless) == len(page.candidates)
    if all_alike or applicable_to(PIP, files, environment, project):
        return f"no upload time is stated for {timeless[0].filename}, and pip gives up there"
    return ""


def _too_young(page: Page, settings: Settings, at: datetime) -> Mapping[str, str]:
    """Return which files the age of uploads leaves out, and why."""
    cooldown = settings.cooldown
    if cooldown is None:
        return {}
    limit = f"exclude_newer = {settings.age} admits what was uploaded before"
    until = f"{limit} {cooldown.cutoff(at):%Y-%m-%dT%H:%M:%SZ}"
    found: dict[str, str] = {}
    young_versions = set()
    for c in page.candidates:
        if c.uploaded_at is not None and not cooldown.admits(c, at):
            found[c.filename] = f"uploaded {c.uploaded_at:%Y-%m-%dT%H:%M:%SZ}; {until}"
            young_versions.add(c.version)
        elif c.uploaded_at is None and page.view is not View.POETRY:
            found[c.filename] = f"no upload time is stated; {until}"
    if page.view is View.POETRY:
        for c in page.candidates:
            if c.version in young_versions:
                found.setdefault(c.filename, f"another file of {c.version} is too young; {until}")
    return found


def _cap(lost: Candidate, settings: Settings, environment: Environment) -> str:
    """Say which constraint leaves a file out."""
    held = settings.held(environment)
    why = next((c for c in held if c.filename is not None or not c.admits(lost)), None)
    return f"{settings.path} admits only {why.told if why else 'another file'}"


def _with_files(
    page: Page, files: Sequence[Candidate], settings: Settings, environment: Environment
) -> Page:
    """Return a page of which only these files are left; told apart from the one with its digest."""
    policy = f"{settings.age} {' '.join(map(str, settings.held(environment)))}"
    body = f"{page.body_sha256} left by {policy}" if page.body_sha256 else None
    return replace(page, candidates=tuple(files), body_sha256=body)


def _lines(location: Location, key: str) -> tuple[str, ...]:
    text = location.settings.get(key)
    return tuple(text.splitlines()) if isinstance(text, str) else ()
