"""What the judge knows beyond one location: the source, the references, who else carries what."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from packaging.version import Version

from auditor.model import (
    Candidate,
    Candidates,
    Environment,
    Gets,
    Incident,
    KindFacts,
    Location,
    Observation,
    PageOutcome,
    Plan,
    StatedLag,
    Yank,
    parse_version,
)
from auditor.model.file_table import FileTable, listed_with, lists_version, versions_of
from auditor.model.filename import version_in
from auditor.model.source import find_source
from auditor.selection.policies import PIP, UV, applicable_to
from auditor.verdict.clocks import clock_differences
from auditor.verdict.line import ReleaseLine
from auditor.verdict.references import References
from auditor.verdict.sights import Sight, sights_of
from auditor.verdict.source_state import SourceState, have_broken, source_state

__all__ = ["FAKE_SERIALS", "Context", "candidates_of", "find_source"]

# pulp_python answers this constant as the serial of every project (pulp_python issue 1254).
FAKE_SERIALS = frozenset({1_000_000_000})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything about one incident that several rows share.

    Attributes:
        plan: the resolved configuration.
        incident, line: the question, and its versions made concrete.
        environments: the matrix.
        source: the root of the copies; None if there is none.
        source_files: what the source lists, by file name; empty if it was not observed.
        source_observed: whether the source was seen, and every page of it read to its end.
        source_serial: highest serial that the source showed; None if it shows none.
        other_serial: highest believable serial that any other location showed.
        others_list_fix: names of other locations that list a file of the fix.
        references: the digests that a file name should have.
        conflicts: file names without reference on which locations disagree.
        broken_sha256: digests that identify broken bytes under any name.
        counting: ids of the environments in which a broken or fixed file is applicable to pip.
        counting_uv: the same for uv, which excludes fewer files by `requires-python`.
        fix_published_at: when the fix appeared at the source; None if nobody says.
        offline: whether no network location answered at connect level.
        stated_lags: how far behind places say that they may be, by name of the location.
        source_state: what became of the broken release at the source.
        others_have_broken: names of other locations that list or hold it.
        broken_names: names of broken files that any place lists, those with rebuilds left out.
        sights: what was seen of a place from each vantage, where several looked.
        clock_differences: what must be added to the times of a vantage whose clock is off.
        page_gets, changed_pages: what pages give to whoever asks, and what deeds make of them:
            worked out once, as places share their pages.
    """

    plan: Plan
    incident: Incident
    line: ReleaseLine
    environments: tuple[Environment, ...]
    source: Location | None
    source_files: Mapping[str, Candidate]
    source_observed: bool
    source_serial: int | None
    other_serial: int | None
    others_list_fix: tuple[str, ...]
    references: References
    conflicts: frozenset[str]
    broken_sha256: frozenset[str]
    counting: frozenset[str]
    counting_uv: frozenset[str]
    fix_published_at: datetime | None
    offline: bool
    stated_lags: Mapping[str, StatedLag]
    source_state: SourceState
    others_have_broken: tuple[str, ...]
    broken_names: frozenset[str]
    sights: Mapping[str, tuple[Sight, ...]]
    clock_differences: Mapping[str, timedelta]
    page_gets: dict[Hashable, tuple[Candidates, Gets]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    changed_pages: dict[Hashable, tuple[Candidates, Candidates]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _picked: dict[tuple[str, int], tuple[Candidates, list[Candidate]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def counts(self, client: str, environment: str) -> bool:
        """Say whether an environment counts for a client."""
        return environment in (self.counting_uv if client == UV else self.counting)

    def kind_of(self, location: Location) -> KindFacts:
        """What is known of a location's kind; a bare default for a kind that nobody declared."""
        return self.plan.kinds.get(location.kind) or KindFacts(
            name=location.kind, role=location.role
        )

    def is_source(self, location: Location) -> bool:
        """Say whether a location is the source."""
        return self.source is not None and location.name == self.source.name

    def is_broken_file(self, candidate: Candidate) -> bool:
        """Say whether a file is broken, by its version or by its bytes."""
        return self.is_broken_name(candidate.version, candidate.filename) or (
            candidate.hashes.get("sha256") in self.broken_sha256
        )

    def broken_files(self, files: Candidates) -> list[Candidate]:
        """Return the broken ones, in page order. Places share their pages: done once."""
        return self._once("broken", files, self._broken_files)

    def fix_files(self, files: Candidates) -> list[Candidate]:
        """Return the files of the fix, in page order, likewise."""
        return self._once("fix", files, lambda files: listed_with(files, self.line.is_fix))

    def _once(
        self, what: str, files: Candidates, pick: Callable[[Candidates], list[Candidate]]
    ) -> list[Candidate]:
        key = what, id(files)  # which are kept, so that no others get their id
        if key not in self._picked:
            self._picked[key] = (files, pick(files))
        return self._picked[key][1]

    def _broken_files(self, files: Candidates) -> list[Candidate]:
        if not isinstance(files, FileTable) or files.project != self.incident.project:
            return [file for file in files if self.is_broken_file(file)]
        # Its versions are those of the file names.
        return listed_with(files, self.line.is_broken, self.broken_sha256)

    def is_broken_name(self, version: str | None, filename: str) -> bool:
        """Say whether a version is broken; where nobody states it, the file name does."""
        return self.line.is_broken(version or version_in(filename, self.incident.project))

    def seen_at(self, observation: Observation) -> datetime:
        """Say when a place was seen, by the clock that is taken to be right."""
        return observation.finished_at + self.clock_differences.get(
            observation.vantage, timedelta()
        )

    def source_lists_fix(self) -> bool:
        """Say whether the source lists a file of the fix."""
        return any(self.line.is_fix(c.version) for c in self.source_files.values())

    def source_yanked(self) -> bool:
        """Say whether the source lists broken files and marks every one of them as yanked."""
        broken = [c for c in self.source_files.values() if self.is_broken_file(c)]
        return bool(broken) and all(c.yanked is Yank.YES for c in broken)

    @classmethod
    def of(
        cls,
        plan: Plan,
        incident: Incident,
        observations: Sequence[Observation],
        environments: tuple[Environment, ...],
    ) -> Context:
        """Gather what the rows of one incident share."""
        source = find_source(plan.locations)
        at_source = [o for o in observations if source and o.location == source.name]
        elsewhere = [o for o in observations if not source or o.location != source.name]
        line = ReleaseLine.of(incident, _versions(observations))
        files = _by_name(at_source)
        references = References.of(incident, at_source)
        return cls(
            plan=plan,
            incident=incident,
            line=line,
            environments=environments,
            source=source,
            source_files=files,
            source_observed=any(map(_read_whole, at_source)),
            source_serial=_highest_serial(at_source),
            other_serial=_highest_serial(elsewhere),
            others_list_fix=tuple(
                sorted({o.location for o in elsewhere if _lists_fix(o, line)}),
            ),
            references=references,
            conflicts=references.conflicts(_not_rebuilt(plan, observations)),
            broken_sha256=_broken_digests(incident, line, files, elsewhere),
            counting=_counting(PIP, incident, line, files, observations, environments),
            counting_uv=_counting(UV, incident, line, files, observations, environments),
            fix_published_at=_published_at(incident, files),
            offline=_offline(observations),
            stated_lags={o.location: o.stated_lag for o in observations if o.stated_lag},
            source_state=source_state(at_source, elsewhere, files, incident, line),
            others_have_broken=have_broken(elsewhere, incident, line),
            broken_names=frozenset(
                c.filename
                for listing in listings_of(_not_rebuilt(plan, observations))
                for c in listed_with(listing, line.is_broken)
            ),
            sights=sights_of(plan.locations, observations, line),
            clock_differences=clock_differences(observations),
        )


def candidates_of(observations: Iterable[Observation]) -> Iterable[Candidate]:
    """Every file that any page of these observations lists."""
    return chain.from_iterable(listings_of(observations))


def listings_of(observations: Iterable[Observation]) -> Iterable[Candidates]:
    """What the pages of these observations list. Many share one listing, which comes once."""
    return {id(p.candidates): p.candidates for o in observations for p in o.pages}.values()


def _read_whole(observation: Observation) -> bool:
    """Say whether every page asked for was read to its end, and one of them lists files."""
    settled = (PageOutcome.ABSENT, PageOutcome.REFUSED)
    unread = [p for p in observation.pages if p.outcome not in settled and not p.complete]
    return not unread and any(p.complete for p in observation.pages)


def _not_rebuilt(plan: Plan, observations: Sequence[Observation]) -> list[Observation]:
    rebuilds = {loc.name for loc in plan.locations if loc.rebuilds}
    return [o for o in observations if o.location not in rebuilds]


def _versions(observations: Sequence[Observation]) -> Iterable[Version]:
    texts = set(chain.from_iterable(map(versions_of, listings_of(observations))))
    texts.update(h.version for o in observations for h in o.holdings)
    return (v for text in texts if text and (v := parse_version(text)) is not None)


def _by_name(observations: Sequence[Observation]) -> dict[str, Candidate]:
    found: dict[str, Candidate] = {}
    for candidate in candidates_of(observations):
        known = found.get(candidate.filename)
        if known is None or (known.uploaded_at is None and candidate.uploaded_at is not None):
            found[candidate.filename] = candidate
    return found


def _highest_serial(observations: Sequence[Observation]) -> int | None:
    believed = (o for o in observations if all(h.code != "serial-fake" for h in o.hints))
    serials = {p.freshness.serial for o in believed for p in o.pages} - FAKE_SERIALS - {None}
    return max((s for s in serials if s is not None), default=None)


def _lists_fix(observation: Observation, line: ReleaseLine) -> bool:
    return any(lists_version(listing, line.is_fix) for listing in listings_of([observation]))


def _broken_digests(
    incident: Incident,
    line: ReleaseLine,
    files: Mapping[str, Candidate],
    elsewhere: Sequence[Observation],
) -> frozenset[str]:
    """Digests of the broken bytes, by the source; by everybody else where it lists them no more.

    No place can make a good file broken by listing its digest under a broken name.
    """
    learnt = {c.hashes.get("sha256") for c in files.values() if line.is_broken(c.version)}
    if not learnt:
        union = list(candidates_of(elsewhere))
        learnt = {c.hashes.get("sha256") for c in union if line.is_broken(c.version)}
        good = (c for c in (*files.values(), *union) if not line.is_broken(c.version))
        learnt -= {c.hashes.get("sha256") for c in good}
    return incident.broken_sha256 | {digest for digest in learnt if digest}


def _counting(
    client: str,
    incident: Incident,
    line: ReleaseLine,
    files: Mapping[str, Candidate],
    observations: Sequence[Observation],
    environments: tuple[Environment, ...],
) -> frozenset[str]:
    """Environments in which a broken or fixed file is applicable (design section 4, *Cells*).

    Each of the two is looked up at the source first, and over all locations where the source does
    not list it: deleting a release must not make the cells vanish in which it is still installed.
    Where no such file is known at all, nothing can be ruled out, so every environment counts.
    """
    union = _by_name(observations).values()
    ours: list[Candidate] = []
    for wanted in (line.is_broken, incident.is_named_fixed):
        at_source = [c for c in files.values() if wanted(c.version)]
        ours += at_source or [c for c in union if wanted(c.version)]
    if ours:
        return frozenset(
            e.id for e in environments if applicable_to(client, ours, e, incident.project)
        )
    return frozenset(e.id for e in environments)


def _published_at(incident: Incident, files: Mapping[str, Candidate]) -> datetime | None:
    uploads = [
        c.uploaded_at
        for c in files.values()
        if c.uploaded_at is not None and incident.is_named_fixed(c.version)
    ]
    return incident.published_at or min(uploads, default=None) or incident.fix_seen_at


def _offline(observations: Sequence[Observation]) -> bool:
    reached = [o.connected for o in observations if o.connected is not None]
    return bool(reached) and not any(reached)
