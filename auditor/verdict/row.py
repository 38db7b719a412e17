"""The facts of one row, derived from one observation: what the rules look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from auditor.model import (
    BrokenFacts,
    Bundle,
    Candidate,
    Choice,
    FileHosting,
    FixChosen,
    FixFacts,
    Freshness,
    HeldState,
    Holding,
    KindFacts,
    Location,
    Observation,
    Page,
    PageOutcome,
    Role,
    Selection,
    Yank,
    YankState,
)
from auditor.model.file_table import filenames_of, lists_version
from auditor.verdict.bundles import broken_since, may_hold
from auditor.verdict.context import Context
from auditor.verdict.references import Identity, identities

__all__ = ["Row", "Signature"]

_STRENGTH = list(HeldState)  # declared strongest first

Signature = tuple[PageOutcome, frozenset[tuple[str, Yank]], frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One location seen from one vantage, with everything that the rules ask of it.

    Attributes:
        location, kind: what was looked at.
        observation: the facts.
        context: what the rows of this incident share.
        cells: what each client in each environment would choose.
        bare_cells: the same without the settings of those who install from here; empty if they
            have none.
        members: the places of a group; empty for a place.
        held_by_members: whether they hold the broken bytes; None for a place.
    """

    location: Location
    kind: KindFacts
    observation: Observation
    context: Context
    cells: tuple[Selection, ...]
    bare_cells: tuple[Selection, ...] = ()
    members: tuple[Location, ...] = ()
    held_by_members: HeldState | None = None

    @property
    def is_source(self) -> bool:
        """Whether this is the source."""
        return self.context.is_source(self.location)

    @property
    def is_index(self) -> bool:
        """Whether this place decides what installers choose."""
        return self.location.role is Role.INDEX

    @cached_property
    def usable_pages(self) -> tuple[Page, ...]:
        """Every page but those that the server refuses by negotiation."""
        return tuple(p for p in self.observation.pages if p.outcome is not PageOutcome.REFUSED)

    @cached_property
    def unread_pages(self) -> tuple[Page, ...]:
        """Pages that should have been read to their end and were not."""
        return tuple(
            p
            for p in self.usable_pages
            if p.outcome is not PageOutcome.ABSENT
            and not (p.outcome is PageOutcome.OBSERVED and p.complete)
        )

    @cached_property
    def missing_views(self) -> tuple[str, ...]:
        """Views and samples that should have been asked for and of which there is no answer."""
        wanted = self.kind.views
        samples = self.location.samples if len(wanted) > 1 else 1
        samples = self.observation.samples_asked or samples
        asked = {(p.view, p.sample) for p in self.observation.pages}
        return tuple(
            view.value if samples == 1 else f"{view.value} (sample {sample})"
            for view in wanted
            for sample in range(1, samples + 1)
            if (view, sample) not in asked
        )

    @cached_property
    def all_pages_read(self) -> bool:
        """Whether every view that a client can use was read to its end."""
        return bool(self.usable_pages) and not self.unread_pages and not self.missing_views

    @cached_property
    def counting(self) -> tuple[Selection, ...]:
        """The cells that count."""
        return tuple(cell for cell in self.cells if cell.counts)

    @cached_property
    def undelivered(self) -> tuple[Selection, ...]:
        """Counting cells that choose the fix, and do not get its file here."""
        files = {name for hint in self.observation.hints for name in hint.undeliverable}
        return tuple(c for c in self.counting if c.is_fix and c.filename in files)

    @cached_property
    def is_kept_back_by_settings(self) -> bool:
        """Whether everybody would get the fix here but for settings of their own."""
        kept = self.is_index and self.fix.chosen in (FixChosen.SOME, FixChosen.NONE)
        bare = [cell for cell in self.bare_cells if cell.counts]
        return kept and _chosen(bare) is FixChosen.ALL

    @cached_property
    def trusted_cells(self) -> tuple[Selection, ...]:
        """Counting cells of pages that a client keeps and may still trust, asking nobody.

        A page of which it is not known how long it is trusted may be trusted now.
        """
        at = self.observation.finished_at
        trusted = {
            (p.view, p.sample)
            for p in self.usable_pages
            if p.freshness.expires_at is None or p.freshness.expires_at > at
        }
        return tuple(c for c in self.counting if (c.view, c.sample) in trusted)

    @cached_property
    def identities(self) -> tuple[tuple[str, Identity], ...]:
        """Every file name that is seen here, and what is stated of the bytes behind it."""
        return tuple(identities([self.observation]))

    @cached_property
    def broken_candidates(self) -> tuple[Candidate, ...]:
        """Broken files that any view lists."""
        return tuple(c for p in self.usable_pages for c in self.context.broken_files(p.candidates))

    @cached_property
    def broken(self) -> BrokenFacts:
        """What is known of the broken release here."""
        held_files = {h.filename for h in self._broken_holdings() if _is_here(h.state)}
        listed = self._listed(bool(self.broken_candidates))
        return BrokenFacts(
            listed=listed,
            yanked=_yank_state(self.broken_candidates) if listed else None,
            held=self._held(),
            files=tuple(sorted(self._listed_files() | held_files)),
        )

    @cached_property
    def fix(self) -> FixFacts:
        """What is known of the fix here."""
        if not self.is_index:
            return FixFacts(listed=None, chosen=None)
        line = self.context.line
        listings = {id(p.candidates): p.candidates for p in self.usable_pages}.values()
        listed = set(chain.from_iterable(map(filenames_of, listings)))
        wanted = {
            name
            for name, c in self.context.source_files.items()
            if self.context.incident.is_named_fixed(c.version)
        }
        any_fix = any(lists_version(listing, line.is_fix) for listing in listings)
        return FixFacts(
            listed=self._listed(any_fix),
            chosen=_chosen(self.counting),
            missing_files=tuple(sorted(wanted - listed)) if self.all_pages_read else (),
        )

    @cached_property
    def freshness(self) -> Freshness:
        """Freshness of the page that is furthest behind, the first one where they agree."""
        pages = [p for p in self.usable_pages if p.outcome is PageOutcome.OBSERVED]
        with_serial = [p for p in pages if p.freshness.serial is not None]
        if with_serial:
            return min(with_serial, key=lambda p: p.freshness.serial or 0).freshness
        return pages[0].freshness if pages else Freshness()

    @cached_property
    def signatures(self) -> dict[tuple[str, int], Signature]:
        """What each view and sample says about this incident, ready to compare."""
        return {(p.view.value, p.sample): self._signature(p) for p in self.usable_pages}

    @cached_property
    def suspect_bundles(self) -> tuple[Bundle, ...]:
        """Bundles that nobody can look into, and that are not older than the broken release."""
        if not self.observation.bundles:
            return ()
        since = broken_since(self.context)
        return tuple(b for b in self.observation.bundles if may_hold(b, since))

    @cached_property
    def everywhere_lists_fix(self) -> bool:
        """Whether every view was read and lists a file of the fix."""
        line = self.context.line
        return self.all_pages_read and all(
            lists_version(page.candidates, line.is_fix) for page in self.usable_pages
        )

    def _listed_files(self) -> set[str]:
        """Broken files on offer. A page that a client keeps offers nothing to anybody else."""
        return {c.filename for c in self.broken_candidates} if self.is_index else set()

    def _listed(self, any_page_lists: bool) -> bool | None:
        if not self.is_index:
            return None
        if any_page_lists:
            return True
        return False if self.all_pages_read else None

    def _broken_holdings(self) -> Iterable[Holding]:
        digests = self.context.broken_sha256
        return (
            h
            for h in self.observation.holdings
            if self.context.is_broken_name(h.version, h.filename)
            or (h.sha256 and h.sha256 in digests)
        )

    def _held(self) -> HeldState:
        """The strongest of what is known of broken bytes at this location."""
        if self.held_by_members is not None:
            return self.held_by_members
        states = [h.state for h in self._broken_holdings()]
        if states:
            strongest = min(states, key=_STRENGTH.index)
            if strongest is not HeldState.NOT_HELD or self._holdings_cover_listed():
                return strongest
            return HeldState.UNKNOWN
        if self.suspect_bundles or any(p.is_of_unknown_code for p in self.observation.pins):
            return HeldState.UNKNOWN
        if self.observation.holdings_complete:
            return HeldState.NOT_HELD
        elsewhere = self.observation.file_hosting is FileHosting.ELSEWHERE
        if elsewhere and not self.kind.hosts_files_elsewhere_itself:
            return HeldState.NOT_HELD
        return HeldState.UNKNOWN

    def _holdings_cover_listed(self) -> bool:
        """Whether each listed broken file has a holding of its own.

        At a source that no longer lists them, the files that others list are those to ask for.
        """
        asked = {h.filename for h in self._broken_holdings()}
        listed = {c.filename for c in self.broken_candidates}
        if not listed and self.is_source:
            listed = set(self.context.broken_names)
        return listed <= asked

    def _signature(self, page: Page) -> Signature:
        broken = {(c.filename, c.yanked) for c in self.context.broken_files(page.candidates)}
        fixed = {c.filename for c in self.context.fix_files(page.candidates)}
        return (page.outcome, frozenset(broken), frozenset(fixed))


def _is_here(state: HeldState) -> bool:
    return state in (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)


def _yank_state(files: Sequence[Candidate]) -> YankState | None:
    states = {c.yanked for c in files}
    if Yank.UNKNOWN in states:
        return None
    if len(states) > 1:
        return YankState.MIXED
    if states == {Yank.NO}:
        return YankState.NO
    return YankState.REASON if any(c.yank_reason for c in files) else YankState.YES


def _chosen(cells: Sequence[Selection]) -> FixChosen:
    """Sum up the counting cells (design section 8, `fix.chosen`)."""
    determined = [c for c in cells if c.choice in (Choice.CHOSEN, Choice.NOTHING)]
    with_fix = sum(1 for c in determined if c.is_fix)
    if with_fix and with_fix < len(determined):
        return FixChosen.SOME
    if not cells or len(determined) < len(cells):
        return FixChosen.UNKNOWN
    return FixChosen.ALL if with_fix else FixChosen.NONE
