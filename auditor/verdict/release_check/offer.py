"""What installers are or will be offered: the source's pages, with the proposed files in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from packaging.version import Version

from auditor.model import (
    Candidate,
    Environment,
    Incident,
    Location,
    Observation,
    Page,
    PageOutcome,
    Plan,
    Yank,
    parse_version,
)
from auditor.verdict.context import Context
from auditor.verdict.release_check.environments import everybody
from auditor.verdict.release_check.finding import Proposed

__all__ = ["Offer", "offer_of", "wheels"]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The facts that the checks share.

    Attributes:
        context: as it will be once the proposed files are published.
        pages: of the source, likewise; those that were read to their end.
        unread: pages of the source that were not.
        files: what these pages list, by file name once.
        fixed, broken, last_good: the files of each.
        fix_versions: fixed versions that have files, or are named, ascending.
        last_good_version: the newest final version below the broken ones; None if none is listed.
        everybody: who could install any of these files.
        proposed: files that are not yet published.
        published: names of the files that the source lists already.
        observations: as they were seen.
        at_source: those of the source.
        source: where the release is or will be; None if there is no such place.
        now: when all this was seen, UTC.
    """

    context: Context
    pages: tuple[Page, ...]
    unread: tuple[Page, ...]
    files: tuple[Candidate, ...]
    fixed: tuple[Candidate, ...]
    broken: tuple[Candidate, ...]
    last_good: tuple[Candidate, ...]
    fix_versions: tuple[Version, ...]
    last_good_version: Version | None
    everybody: tuple[Environment, ...]
    proposed: tuple[Proposed, ...]
    published: frozenset[str]
    observations: tuple[Observation, ...]
    at_source: tuple[Observation, ...]
    source: Location | None
    now: datetime

    @property
    def project(self) -> str:
        """The project's normalised name."""
        return self.context.incident.project

    @property
    def fix_text(self) -> str:
        """The fix, as a reader would name it."""
        return ", ".join(map(str, self.fix_versions)) or self.context.line.fixed_text

    @cached_property
    def before_and_after(self) -> tuple[Candidate, ...]:
        """The files of the broken, the last good and the fixed releases."""
        return (*self.fixed, *self.broken, *self.last_good)

    @cached_property
    def broken_wheels(self) -> tuple[Candidate, ...]:
        """The wheels of the broken releases."""
        return wheels(self.broken)

    @cached_property
    def last_good_wheels(self) -> tuple[Candidate, ...]:
        """The wheels of the last good release."""
        return wheels(self.last_good)

    def next_free(self, version: Version | None = None) -> str:
        """Return the number after a version, or after the fix and all that is broken.

        A number that is listed is not free.
        """
        newest = version or max((*self.fix_versions, *self.context.line.broken), default=None)
        if newest is None:
            return "a higher version"
        taken = {*_versions(self.files), *self.fix_versions, *self.context.line.broken}
        release = [*newest.release, 0, 0][: max(3, len(newest.release))]
        epoch = f"{newest.epoch}!" if newest.epoch else ""
        while True:
            release[-1] += 1
            following = Version(epoch + ".".join(map(str, release)))
            if following not in taken:
                return str(following)

    @property
    def is_pypi(self) -> bool:
        """Whether the rules of PyPI's uploads hold."""
        return self.source is not None and self.source.kind == "pypi"

    @property
    def broken_is_yanked(self) -> bool:
        """Whether every broken file on offer is yanked."""
        return bool(self.broken) and all(c.yanked is Yank.YES for c in self.broken)


def offer_of(
    plan: Plan,
    incident: Incident,
    observations: Sequence[Observation],
    environments: tuple[Environment, ...],
    source: Location | None,
    proposed: Sequence[Proposed],
) -> Offer:
    """Put the proposed files where they would be, and sort out what is on offer then."""
    ours = tuple(o for o in observations if o.incident == incident.id)
    seen = tuple(o for o in ours if source and o.location == source.name)
    files = tuple(p.candidate for p in proposed)
    after = [_with_files(o, files) if o in seen else o for o in ours]
    context = Context.of(_rooted(plan, source), incident, after, environments)
    pages = [p for o in after if source and o.location == source.name for p in o.pages]
    listed = tuple(context.source_files.values())
    broken = tuple(c for c in listed if context.line.is_broken(c.version))
    named = tuple(c for c in listed if incident.is_named_fixed(c.version))
    versions = _meant(_versions(named) or context.line.fixed, context)
    fixed = tuple(c for c in named if parse_version(c.version or "") in versions)
    good = _last_good(listed, context, versions)
    before = tuple(c for c in listed if good and parse_version(c.version or "-") == good)
    return Offer(
        context=context,
        pages=tuple(p for p in pages if p.outcome is PageOutcome.OBSERVED and p.complete),
        unread=tuple(p for p in pages if _is_unread(p)),
        files=listed,
        fixed=fixed,
        broken=broken,
        last_good=before,
        fix_versions=versions,
        last_good_version=good,
        everybody=context.environments
        if incident.environments  # then nobody else is asked for
        else everybody(context.environments, (*broken, *before), incident.project),
        proposed=tuple(proposed),
        published=frozenset(c.filename for o in seen for p in o.pages for c in p.candidates),
        observations=ours,
        at_source=seen,
        source=source,
        now=max((o.finished_at for o in ours), default=plan.created_at),
    )


def wheels(files: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the wheels among these files."""
    return tuple(c for c in files if c.filename.endswith(".whl"))


def _rooted(plan: Plan, source: Location | None) -> Plan:
    """Make that place the source of the plan, even if it is an index of its own."""
    if source is None:
        return plan
    root = replace(source, kind="pypi", upstream=None)
    return replace(plan, locations=(root,))


def _with_files(observation: Observation, files: Sequence[Candidate]) -> Observation:
    """Add files to every page that was read; one of the same name is the one that is meant."""
    names = {c.filename for c in files}
    pages = tuple(
        replace(
            page,
            candidates=(*(c for c in page.candidates if c.filename not in names), *files),
            body_sha256=None,
        )
        if page.outcome is PageOutcome.OBSERVED
        else page
        for page in observation.pages
    )
    # Another page than the one that was seen, and whole.
    return replace(observation, pages=pages, extent=None)


def _is_unread(page: Page) -> bool:
    settled = (PageOutcome.REFUSED, PageOutcome.ABSENT)
    return page.outcome not in settled and not page.complete


def _versions(files: Sequence[Candidate]) -> tuple[Version, ...]:
    return tuple(sorted({v for c in files if c.version and (v := parse_version(c.version))}))


def _meant(fixed: Sequence[Version], context: Context) -> tuple[Version, ...]:
    """Return the versions that are the fix: those named one by one, and the first of each range.

    A range such as `>=1.2.4` names every release to come; the one that must be good is the first
    final one above each broken release.
    """
    rules = context.incident.fixed_rules
    meant = {v for v in fixed if any(rule.version == v for rule in rules)}
    if len(meant) < len(fixed):
        for broken in context.line.broken:
            above = [v for v in fixed if v > broken]
            final = [v for v in above if not v.is_prerelease]
            meant.update((final or above)[:1])
    return tuple(sorted(meant))


def _last_good(
    files: Sequence[Candidate], context: Context, fixed: Sequence[Version]
) -> Version | None:
    """What people had before: the newest final release below the newest broken one that is fixed.

    One that is yanked itself was no good one.
    """
    ceiling = max((b for b in context.line.broken if not fixed or b < fixed[-1]), default=None)
    kept = [c for c in files if c.yanked is not Yank.YES and not context.line.is_broken(c.version)]
    below = (v for v in _versions(kept) if ceiling is not None and v < ceiling)
    return max((v for v in below if not v.is_prerelease and v not in fixed), default=None)
