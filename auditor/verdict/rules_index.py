"""Rules that decide the status of a place that decides what installers choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from auditor.model import (
    Choice,
    FixChosen,
    HeldState,
    Outcome,
    Page,
    PageOutcome,
    Selection,
    Status,
)
from auditor.model.extent import extent_of
from auditor.verdict.references import mismatch
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, evidence_of, names, ruling, scope, tell_cells

__all__ = [
    "absent",
    "behind",
    "clean",
    "digest_missing",
    "exposed",
    "facts_missing",
    "hash_conflict",
    "not_observed",
    "outcome_code",
    "required_absent",
    "rolled_forward",
    "tampered",
    "undecided",
    "undelivered",
]


def tampered(row: Row) -> Iterator[Ruling]:
    """A file here has the name of a known artifact but other bytes."""
    if row.location.rebuilds:
        return
    references = row.context.references.known
    # By name and digest: a damaged copy does not clear a whole one of the same name beside it.
    damaged = {(h.filename, h.sha256) for h in row.observation.holdings if h.intact is False}
    seen: set[str] = set()
    for filename, identity in row.identities:
        found = filename in references and mismatch(filename, references[filename], identity)
        excused = (filename, identity.hashes.get("sha256")) in damaged
        if found and not excused and filename not in seen:
            seen.add(filename)
            yield ruling(
                "tampered",
                f"{filename} has other bytes here than the release has.",
                status=Status.TAMPERED,
                expected=found.expected,
                observed=found.observed,
                evidence=evidence_of(row.observation.pages),
            )


def hash_conflict(row: Row) -> Iterator[Ruling]:
    """Locations disagree about a file's bytes and nothing says who is right."""
    if row.location.rebuilds or not row.context.conflicts:
        return
    ours = {name for name, identity in row.identities if identity.says_something}
    for filename in sorted(ours & row.context.conflicts):
        yield ruling(
            "hash-conflict",
            f"Places disagree about the bytes of {filename}, and no reference says who is right.",
            status=Status.UNKNOWN,
            expected="the same digest everywhere, or a reference in broken_hashes or at the source",
            observed="different digests",
            evidence=evidence_of(row.observation.pages),
        )


def digest_missing(row: Row) -> Iterator[Ruling]:
    """A broken or fixed file carries no digest at a place that states one for every other file.

    A place that never states digests is not suspected: nobody could compare there before either.
    """
    if row.location.rebuilds or not row.is_index:
        return
    stated: dict[str, bool] = {}
    for name, identity in row.identities:
        stated[name] = stated.get(name, False) or identity.says_something
    context = row.context
    matter = {
        c.filename
        for p in row.usable_pages
        for c in (
            *context.broken_files(p.candidates),
            *context.fix_files(p.candidates),
        )
    }
    silent = [
        n for n in sorted(matter) if not stated[n] and context.references.says_something_of(n)
    ]
    if silent and any(stated.values()):
        yield ruling(
            "digest-missing",
            f"No digest is stated for {names(silent)}, though other files here have one.",
            status=Status.UNKNOWN,
            expected="a digest to compare with the release's",
            observed="none",
            evidence=evidence_of(row.observation.pages),
        )


def facts_missing(row: Row) -> Iterator[Ruling]:
    """Versions or digests were stated when the observation was made, and are not there any more.

    Such as those by which a file would be accused, or known to be broken.
    """
    stated, left = row.observation.extent, extent_of(row.observation).facts
    if stated is not None and stated.facts > left:
        yield ruling(
            "facts-missing",
            "Facts are missing that were stated when this place was observed.",
            status=Status.UNKNOWN,
            expected=f"{stated.facts} versions, digests and sizes",
            observed=str(left),
        )


def exposed(row: Row) -> Iterator[Ruling]:
    """Some counting cell gets the broken release from an unpinned install."""
    if not row.is_index:
        return
    cells = [c for c in row.counting if c.choice is Choice.CHOSEN and c.is_broken]
    if cells:
        yield ruling(
            "exposed",
            f"An unpinned install from here gets the broken release {_versions(cells)}"
            f"{scope(cells, row.counting)}.",
            status=Status.EXPOSED,
            expected=_expected_fix(row),
            observed=tell_cells(cells, row.counting),
            evidence=_evidence(row, cells),
        )


def behind(row: Row) -> Iterator[Ruling]:
    """Some counting cell gets neither the broken release nor the fix."""
    if not row.is_index or row.observation.outcome is Outcome.ABSENT:
        return
    settled = (Choice.CHOSEN, Choice.NOTHING)
    cells = [c for c in row.counting if c.choice in settled and not c.is_fix and not c.is_broken]
    if cells:
        yield ruling(
            "behind",
            f"An unpinned install from here gets {_versions(cells)}, which is not the fix"
            f"{scope(cells, row.counting)}.",
            status=Status.BEHIND,
            expected=_expected_fix(row),
            observed=tell_cells(cells, row.counting),
            evidence=_evidence(row, cells),
        )


def undelivered(row: Row) -> Iterator[Ruling]:
    """Some counting cell chooses the fix, and this place refuses its file."""
    cells = row.undelivered
    if row.is_index and cells:
        hints = [h for h in row.observation.hints if h.undeliverable]
        yield ruling(
            "fix-undelivered",
            f"An unpinned install from here chooses the fix and fails{scope(cells, row.counting)}: "
            f"{names(sorted({c.filename or '' for c in cells}))} is not given to whoever asks.",
            status=Status.BEHIND,
            expected="the bytes of the file that is chosen",
            observed=names(hint.observed for hint in hints),
            evidence=tuple(dict.fromkeys(e for hint in hints for e in hint.evidence)),
        )


def required_absent(row: Row) -> Iterator[Ruling]:
    """A place that is required to carry the project does not."""
    absent_everywhere = row.observation.outcome is Outcome.ABSENT and not row.unread_pages
    if row.is_index and row.location.required and absent_everywhere:
        yield ruling(
            "required-absent",
            f"{row.context.incident.project} is not carried here, but this place is required.",
            status=Status.BEHIND,
            expected="the project's page (or required = false)",
            observed=row.observation.detail or "no such project",
            evidence=evidence_of(row.observation.pages),
        )


def not_observed(row: Row) -> Iterator[Ruling]:
    """A view that decides could not be read, or not to its end."""
    if not row.is_index:
        return
    if not row.usable_pages and row.observation.outcome is not Outcome.ABSENT:
        yield _not_looked_at(row)
    elif row.usable_pages and row.missing_views:
        yield ruling(
            "view-missing",
            f"There is no answer for {names(row.missing_views)}.",
            status=Status.UNKNOWN,
            expected="an answer for every client class, as often as it is asked for",
            observed=f"none for {names(row.missing_views)}",
        )
    alike: dict[tuple[str, str], list[Page]] = {}
    for page in row.unread_pages:
        code = _page_code(page.outcome, local=row.location.url is None)
        faults = names(f"{f.subject}: {f.problem}" for f in page.faults if f.loses_entry)
        alike.setdefault((code, page.detail or faults or page.outcome.value), []).append(page)
    for (code, seen), pages in alike.items():
        views = names(p.view.value for p in pages)
        cut = " to its end" if pages[0].outcome is PageOutcome.OBSERVED else ""
        yield ruling(
            code,
            f"The page for {views} could not be read{cut}: {seen}",
            status=Status.UNKNOWN,
            expected="a complete index page",
            observed=seen,
            evidence=evidence_of(pages),
        )


def undecided(row: Row) -> Iterator[Ruling]:
    """A fact is missing that decides what an installer chooses."""
    if not row.is_index:
        return
    read = {(p.view, p.sample) for p in row.usable_pages if p not in row.unread_pages}
    cells = [c for c in row.counting if c.choice is Choice.UNKNOWN and (c.view, c.sample) in read]
    if cells:
        yield ruling(
            "undecided",
            f"A fact is missing that decides what an installer gets here: "
            f"{names(c.reason for c in cells)}.",
            status=Status.UNKNOWN,
            expected="version, yank and requires-python of every file that could win",
            observed=names(c.reason for c in cells),
            evidence=_evidence(row, cells),
        )


def rolled_forward(row: Row) -> Iterator[Ruling]:
    """Every counting cell gets the fix; traces of the broken release may remain."""
    if _all_get_fix(row) and not _no_trace(row):
        yield ruling(
            "rolled-forward",
            f"Every unpinned install from here gets the fix: {_versions(row.counting)}.",
            status=Status.ROLLED_FORWARD,
            expected=_expected_fix(row),
            observed=tell_cells(row.counting, row.counting),
            evidence=_evidence(row, row.counting),
        )


def absent(row: Row) -> Iterator[Ruling]:
    """The project is not carried here at all: every view says so."""
    if row.observation.outcome is Outcome.ABSENT and not row.unread_pages:
        yield ruling(
            "absent",
            f"{row.context.incident.project} is not carried here.",
            status=Status.ABSENT,
            expected="-",
            observed=row.observation.detail or "no such project",
            evidence=evidence_of(row.observation.pages),
        )


def clean(row: Row) -> Iterator[Ruling]:
    """Every counting cell gets the fix and no trace of the broken artifact is here."""
    if _all_get_fix(row) and _no_trace(row):
        yield ruling(
            "clean",
            f"Every unpinned install from here gets the fix: {_versions(row.counting)}; "
            "no trace of the broken release.",
            status=Status.CLEAN,
            expected=f"{_expected_fix(row)}; broken files neither listed nor held",
            observed=f"{tell_cells(row.counting, row.counting)}; neither listed nor held",
            evidence=_evidence(row, row.counting),
        )


def _all_get_fix(row: Row) -> bool:
    chosen = row.is_index and row.all_pages_read and row.fix.chosen is FixChosen.ALL
    return chosen and not row.undelivered


def _no_trace(row: Row) -> bool:
    return row.broken.listed is False and row.broken.held is HeldState.NOT_HELD


def _not_looked_at(row: Row) -> Ruling:
    outcome = row.observation.outcome
    return ruling(
        outcome_code(outcome, local=row.location.url is None),
        f"This place could not be looked at: {row.observation.detail or outcome.value}",
        status=Status.UNKNOWN,
        expected="an index page",
        observed=row.observation.detail or outcome.value,
        evidence=(e.id for e in row.observation.evidence),
    )


def outcome_code(outcome: Outcome, *, local: bool) -> str:
    """The reason code for a place that could not be looked at."""
    match outcome:
        case Outcome.DENIED:
            return "unreadable" if local else "denied"
        case Outcome.UNREACHABLE:
            return "unreachable"
        case Outcome.SKIPPED:
            return "skipped"
        case Outcome.MALFORMED | Outcome.OBSERVED | Outcome.ABSENT:
            return "malformed"
        case _:
            assert_never(outcome)


def _page_code(outcome: PageOutcome, *, local: bool) -> str:
    if outcome in (PageOutcome.REFUSED, PageOutcome.OBSERVED):
        return "malformed"
    return outcome_code(Outcome(outcome.value), local=local)


def _expected_fix(row: Row) -> str:
    return f"{row.context.line.fixed_text}, or a later version that contains it"


def _versions(cells: list[Selection] | tuple[Selection, ...]) -> str:
    found = names(c.version or "nothing" for c in cells)
    return found or "nothing"


def _evidence(row: Row, cells: list[Selection] | tuple[Selection, ...]) -> list[str]:
    asked = {(c.view, c.sample) for c in cells}
    return evidence_of(p for p in row.observation.pages if (p.view, p.sample) in asked)
