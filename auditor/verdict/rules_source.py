"""Rules that explain the source: its surfaces, what is in front of it, what was done to it.

None of them decides a status: the pages that installers read do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from auditor.model import HeldState, PageOutcome, Surface, Yank, parse_version
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, evidence_of, names, ruling
from auditor.verdict.source_state import SourceState

__all__ = [
    "headers_stripped",
    "source_archived",
    "source_deleted",
    "source_project_gone",
    "source_quarantined",
    "surface_stale",
    "surfaces_disagree",
]


def surfaces_disagree(row: Row) -> Iterator[Ruling]:
    """Surfaces of one index say different things of the incident."""
    surfaces = row.observation.surfaces
    read = [s for s in surfaces if s.name != "legacy-release"]
    told = [
        *_split("the fix", ((s.label, _lists(s, s.lists_fix)) for s in read)),
        *_split("the broken release", ((s.label, _lists(s, s.lists_broken)) for s in read)),
        *_split("the yank", ((s.label, _marked(s)) for s in read)),
        *(text for s in surfaces if (text := _release_differs(s, row)) is not None),
        *(f"{s.label} has other bytes than the page says" for s in surfaces if _differs(s)),
    ]
    if told:
        yield ruling(
            "surfaces-disagree",
            "The surfaces of this index disagree; installers read the simple pages, and each "
            "surface is purged apart.",
            expected="one answer on every surface",
            observed="; ".join(told),
            evidence=(id_ for s in surfaces for id_ in s.evidence),
        )


def surface_stale(row: Row) -> Iterator[Ruling]:
    """A page of the source is older than other surfaces of it, or than the fix."""
    if not row.is_source:
        return
    pages = {p.freshness.serial for p in row.usable_pages if p.freshness.serial is not None}
    surfaces = [s for s in row.observation.surfaces if s.outcome is PageOutcome.OBSERVED]
    serials = {s: n for s in range(len(surfaces)) if (n := surfaces[s].serial) is not None}
    newest = max(serials.values(), default=0)
    old = [surfaces[s] for s, serial in serials.items() if serial < newest]
    # Views that differ among themselves are told already (`source_stale`).
    if old and len(pages) < 2:
        told = names((f"{s.label}: serial {s.serial}" for s in old), most=8)
        yield _stale(f"serial {newest} on every surface", told, old)
    before_fix = [s for s in surfaces if s.lists_fix is False and _older_than_fix(s, row)]
    if before_fix:
        told = names(f"{s.label}: fetched {s.age_s:.0f} s ago by {_nodes(s)}" for s in before_fix)
        yield _stale("a page fetched after the fix was published", told, before_fix)


def headers_stripped(row: Row) -> Iterator[Ruling]:
    """Something in front takes away the headers that tell how old a page is."""
    known = [s for s in row.observation.surfaces if s.stripped is not None]
    if known and all(s.stripped for s in known):
        yield ruling(
            "headers-stripped",
            "A gateway in front of this index strips validators, serials and what the delivery "
            "network says, so that the age of its pages cannot be told; files and debug headers "
            "were not asked for through it.",
            expected="an ETag, a lifetime or a serial in the headers",
            observed=f"none of them in {names(s.label for s in known)}",
            evidence=(id_ for s in known for id_ in s.evidence),
        )


def source_deleted(row: Row) -> Iterator[Ruling]:
    """The broken release was deleted here: is its file still served?"""
    if not row.is_source or row.context.source_state is not SourceState.DELETED:
        return
    broken = row.context.line.broken_text
    asked = [h for h in row.observation.holdings if row.context.line.is_broken(h.version)]
    code, fate = _fate_of_file(row, asked=bool(asked))
    yield ruling(
        code,
        f"{broken} was deleted here, {fate}; {_elsewhere(row)}.",
        expected=f"{broken} yanked and still listed, with a higher version beside it",
        observed=f"not listed; {names(h.how for h in asked) or 'its file was not asked for'}",
        evidence=[*evidence_of(row.usable_pages), *(e for h in asked for e in h.evidence)],
    )


def source_project_gone(row: Row) -> Iterator[Ruling]:
    """The whole project is gone from the source, while others still carry it."""
    if row.is_source and row.context.source_state is SourceState.PROJECT_GONE:
        yield ruling(
            "source-project-gone",
            f"The whole project {row.context.incident.project} is gone from the source, the fix "
            f"with it; {_elsewhere(row)}. On PyPI its name is then free for anybody.",
            expected="the project's page",
            observed=row.observation.detail or "no such project",
            evidence=evidence_of(row.usable_pages),
        )


def source_quarantined(row: Row) -> Iterator[Ruling]:
    """The index's staff hides every file of the project (PEP 792)."""
    if row.is_source and row.context.source_state is SourceState.QUARANTINED:
        yield ruling(
            "source-quarantined",
            "The project is in quarantine: the source lists no file of it, neither the broken "
            f"release nor the fix; {_elsewhere(row)}.",
            expected="project status active",
            observed="project status quarantined",
            evidence=evidence_of(row.usable_pages),
        )


def source_archived(row: Row) -> Iterator[Ruling]:
    """The project takes no more releases (PEP 792)."""
    archived = [p for p in row.usable_pages if p.project_status == "archived"]
    if row.is_source and archived:
        yield ruling(
            "source-archived",
            "The project is archived: its files stay on offer, and no further fix can be published "
            "until that is undone.",
            expected="project status active",
            observed="project status archived",
            evidence=evidence_of(archived),
        )


def _fate_of_file(row: Row, *, asked: bool) -> tuple[str, str]:
    """The reason code, and what became of the bytes, in words."""
    held = row.broken.held
    if held is HeldState.HELD:
        return "source-deleted-file-served", "and its file is still served to whoever has the URL"
    if held is HeldState.NOT_HELD and (asked or row.observation.holdings_complete):
        return "source-deleted", "and its file is gone as well"
    return "source-deleted-file-unknown", "and whether its file is still served is not known"


def _elsewhere(row: Row) -> str:
    others = row.context.others_have_broken
    if not others:
        return "no other audited place is known to have it"
    verb = "lists or holds" if len(others) == 1 else "list or hold"
    return f"{len(others)} other audited {_place(len(others))} still {verb} it ({names(others)})"


def _place(number: int) -> str:
    return "place" if number == 1 else "places"


def _split(what: str, said: Iterable[tuple[str, bool | None]]) -> Iterator[str]:
    """Tell who says yes and who says no, if there are both."""
    answers = list(said)
    yes = [label for label, answer in answers if answer is True]
    no = [label for label, answer in answers if answer is False]
    if yes and no:
        yield f"{what} is in {names(yes, most=8)} and not in {names(no, most=8)}"


def _lists(surface: Surface, listed: bool | None) -> bool | None:
    """What a surface says; a simple page that is not there lists nothing."""
    gone = surface.outcome is PageOutcome.ABSENT
    if gone and surface.name.partition("-")[0] in ("simple", "cdn"):
        return False
    return listed


def _marked(surface: Surface) -> bool | None:
    if not surface.lists_broken or surface.yanked is Yank.UNKNOWN:
        return None
    return surface.yanked is Yank.YES


def _release_differs(surface: Surface, row: Row) -> str | None:
    """Compare the legacy JSON of one release with the pages that installers read."""
    if surface.name != "legacy-release" or not row.all_pages_read:
        return None
    there = surface.outcome is PageOutcome.OBSERVED and surface.facts.get("files") != "0"
    if not there and surface.facts.get("release") != "not there":
        return None
    version = parse_version(surface.subject)
    lists = {
        any(c.version and parse_version(c.version) == version for c in p.candidates)
        for p in row.usable_pages
    }
    if lists == {there}:
        return None
    pages = "some" if len(lists) > 1 else "all" if True in lists else "none"
    return f"{surface.label} {'has' if there else 'does not have'} it, {pages} of the views do"


def _differs(surface: Surface) -> bool:
    return surface.facts.get("agrees") == "no"


def _older_than_fix(surface: Surface, row: Row) -> bool:
    published = row.context.fix_published_at
    if surface.age_s is None or published is None:
        return False
    return row.observation.finished_at - timedelta(seconds=surface.age_s) < published


def _nodes(surface: Surface) -> str:
    return names(node.node for node in surface.nodes)


def _stale(expected: str, observed: str, surfaces: Iterable[Surface]) -> Ruling:
    return ruling(
        "source-stale",
        "A page of the source itself is stale; mirrors that copy it cannot know better.",
        expected=expected,
        observed=observed,
        evidence=(id_ for s in surfaces for id_ in s.evidence),
    )
