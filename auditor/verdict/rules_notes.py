"""Rules that decide nothing and explain much: why a place is as it is."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import (
    Choice,
    Page,
    PageOutcome,
    RejectionCode,
    Selection,
    Yank,
    parse_version,
)
from auditor.model.file_table import lists_version, versions_of
from auditor.verdict.context import FAKE_SERIALS
from auditor.verdict.row import Row, Signature
from auditor.verdict.ruling import Ruling, evidence_of, names, ruling

__all__ = [
    "broken_listed",
    "fix_not_listed",
    "fix_rejected",
    "flapping",
    "redirected",
    "serial_behind",
    "serial_fake",
    "serial_missing",
    "source_stale",
    "split_view",
    "stale_page",
    "yank_lost",
]

# Why a listed fix is not chosen, by the rule that rejected it.
_REJECTED_FIX = {
    RejectionCode.YANKED: ("fix-yanked", "is yanked"),
    RejectionCode.PRERELEASE: ("fix-prerelease", "is a pre-release"),
    RejectionCode.REQUIRES_PYTHON: ("fix-requires-python", "requires another Python"),
    RejectionCode.NO_MATCHING_TAG: ("fix-no-matching-file", "has no file for this platform"),
}


def flapping(row: Row) -> Iterator[Ruling]:
    """The same view gives different answers when asked again."""
    for view, said in _answers(row).items():
        if len(said) > 1:
            yield ruling(
                "flapping",
                f"The {view} view gives different answers when it is asked again: several nodes "
                "behind one name do not agree.",
                expected="the same files in every sample",
                observed=_per_address(row, view) or _differences(said),
                evidence=evidence_of(p for p in row.usable_pages if p.view.value == view),
            )


def split_view(row: Row) -> Iterator[Ruling]:
    """Client classes are served different pages."""
    answers = _answers(row)
    if len(set(map(frozenset, answers.values()))) > 1:
        told = "; ".join(f"{view}: {_differences(said)}" for view, said in answers.items())
        yield ruling(
            "split-view",
            "Clients that ask in different ways get different answers here.",
            expected="the same files in every view",
            observed=told,
            evidence=evidence_of(row.usable_pages),
        )


def source_stale(row: Row) -> Iterator[Ruling]:
    """The source's own page is older than what others already have."""
    context = row.context
    if not row.is_source or not context.source_observed:
        return
    ours, theirs = context.source_serial, context.other_serial
    if ours is not None and theirs is not None and theirs > ours:
        yield _stale_source(row, f"serial {theirs} or later", f"serial {ours}")
    # A source that lists nothing at all was emptied or is in quarantine: that is no old page.
    if context.others_list_fix and context.source_files and not context.source_lists_fix():
        where = names(context.others_list_fix)
        yield _stale_source(row, f"the fix, which {where} already lists", "no file of the fix")
    serials = {p.freshness.serial for p in row.usable_pages if p.freshness.serial is not None}
    if len(serials) > 1:
        told = names(str(s) for s in sorted(serials))
        yield _stale_source(row, "one serial in every view", f"serials {told}")


def serial_behind(row: Row) -> Iterator[Ruling]:
    """The page carries an older serial than the source."""
    wanted = row.context.source_serial
    old = [p for p in row.usable_pages if _is_older(p.freshness.serial, wanted)]
    if old and row.is_index and not row.is_source:
        seen = names(str(p.freshness.serial) for p in old)
        yield ruling(
            "serial-behind",
            f"The page here is from serial {seen}, the source is at {wanted}.",
            expected=f"serial {wanted} or later",
            observed=f"serial {seen}",
            evidence=evidence_of(old),
        )


def serial_fake(row: Row) -> Iterator[Ruling]:
    """The serial is a constant that says nothing."""
    fake = [p for p in row.usable_pages if p.freshness.serial in FAKE_SERIALS]
    if fake:
        yield ruling(
            "serial-fake",
            "The serial here is a constant that says nothing about freshness.",
            expected="the serial of the last change",
            observed=f"serial {fake[0].freshness.serial}",
            evidence=evidence_of(fake),
        )


def serial_missing(row: Row) -> Iterator[Ruling]:
    """The source shows serials, this place does not."""
    read = [p for p in row.usable_pages if p.outcome is PageOutcome.OBSERVED]
    if row.location.url is None or row.is_source or row.context.source_serial is None or not read:
        return
    if all(p.freshness.serial is None for p in read):
        yield ruling(
            "serial-missing",
            "This place shows no serial, so only the files themselves tell how fresh it is.",
            expected=f"a serial, as the source has ({row.context.source_serial})",
            observed="none",
            evidence=evidence_of(read),
        )


def stale_page(row: Row) -> Iterator[Ruling]:
    """The page is an older one of the source's."""
    if row.is_source or not row.kind.syncs or not row.context.source_lists_fix():
        return
    old = [p for p in _complete(row) if not _lists_fix(p, row)]
    if old:
        yield ruling(
            "stale-page",
            "The page here is an older one: the source has listed the fix since.",
            expected=f"the files that {_source_name(row)} lists",
            observed=f"no file of {row.context.line.fixed_text} in {_views(old)}",
            evidence=evidence_of(old),
        )


def fix_not_listed(row: Row) -> Iterator[Ruling]:
    """A view that was read lists no file of the fix."""
    without = [p for p in _complete(row) if not _lists_fix(p, row)]
    if row.is_index and without:
        yield ruling(
            "fix-not-listed",
            f"No file of the fix {row.context.line.fixed_text} is listed in {_views(without)}.",
            expected=f"a file of {row.context.line.fixed_text} or later",
            observed=f"newest: {_newest(without[0])}",
            evidence=evidence_of(without),
        )


def fix_rejected(row: Row) -> Iterator[Ruling]:
    """The fix is listed, and an installer passes over it all the same."""
    found: dict[str, tuple[Selection, str, str]] = {}
    for cell in row.counting:
        if cell.is_fix or cell.choice not in (Choice.CHOSEN, Choice.NOTHING):
            continue
        for rejection in cell.rejected:
            known = _REJECTED_FIX.get(rejection.code)
            if known and row.context.line.is_fix(rejection.version):
                code, words = known
                text = f"{rejection.filename} {words}: {rejection.text}"
                found.setdefault(code, (cell, f"The fix {words}.", text))
    for code, (cell, text, observed) in found.items():
        yield ruling(
            code,
            text,
            expected="a file of the fix that an unpinned install chooses",
            observed=f"{observed} (in {cell.environment})",
        )


def yank_lost(row: Row) -> Iterator[Ruling]:
    """The broken release is yanked at the source and not here, though the page is not older."""
    if row.is_source or not row.context.source_yanked():
        return
    wanted = row.context.source_serial
    pages = [
        p
        for p in _complete(row)
        if _lists_fix(p, row) and not _is_older(p.freshness.serial, wanted) and _unyanked(p, row)
    ]
    if pages:
        yield ruling(
            "yank-lost",
            "The broken release is yanked at the source, but not here.",
            expected="the source's yank",
            observed=f"not yanked: {names(c for p in pages for c in _unyanked(p, row))}",
            evidence=evidence_of(pages),
        )


def broken_listed(row: Row) -> Iterator[Ruling]:
    """The broken release is on offer here."""
    if row.broken.listed:
        marked = row.broken.yanked.value if row.broken.yanked else "not known"
        yield ruling(
            "broken-listed",
            f"The broken release is still listed here (yanked: {marked}).",
            expected="not listed",
            observed=names(c.filename for c in row.broken_candidates),
            evidence=evidence_of(p for p in row.usable_pages if p.candidates),
        )


def redirected(row: Row) -> Iterator[Ruling]:
    """The answer came from another place than the one that was asked."""
    moved = [p for p in row.usable_pages if p.final_url and p.final_url != p.url]
    if moved:
        yield ruling(
            "redirected",
            "This place answers with a redirect; what was judged is the place it points to.",
            expected=moved[0].url,
            observed=names(p.final_url or "" for p in moved),
            evidence=evidence_of(moved),
        )


def _answers(row: Row) -> dict[str, set[Signature]]:
    """What each view said over all samples, of the pages that were read to their end."""
    answers: dict[str, set[Signature]] = {}
    unread = {(p.view.value, p.sample) for p in row.unread_pages}
    for (view, sample), signature in row.signatures.items():
        if (view, sample) not in unread:
            answers.setdefault(view, set()).add(signature)
    return answers


def _per_address(row: Row, view: str) -> str:
    """What each address of the name says; "" if they were not asked apart."""
    said: dict[str, set[Signature]] = {}
    for page in row.usable_pages:
        if page.address and page.view.value == view and page not in row.unread_pages:
            said.setdefault(page.address, set()).add(row.signatures[view, page.sample])
    return "; ".join(f"{address}: {_differences(each)}" for address, each in said.items())


def _differences(said: set[Signature]) -> str:
    return " or ".join(sorted(_tell(signature) for signature in said))


def _tell(signature: Signature) -> str:
    outcome, broken, fixed = signature
    if outcome is not PageOutcome.OBSERVED:
        return outcome.value
    yanked = {yank for _, yank in broken}
    mark = ", yanked" if yanked == {Yank.YES} else ""
    listed = f"broken listed{mark}" if broken else "broken not listed"
    return f"{listed}, fix {'listed' if fixed else 'not listed'}"


def _stale_source(row: Row, expected: str, observed: str) -> Ruling:
    return ruling(
        "source-stale",
        "The source's own page is stale; mirrors that copy it cannot know better.",
        expected=expected,
        observed=observed,
        evidence=evidence_of(row.usable_pages),
    )


def _is_older(serial: int | None, wanted: int | None) -> bool:
    return serial is not None and wanted is not None and serial < wanted


def _complete(row: Row) -> list[Page]:
    return [p for p in row.usable_pages if p.outcome is PageOutcome.OBSERVED and p.complete]


def _lists_fix(page: Page, row: Row) -> bool:
    return lists_version(page.candidates, row.context.line.is_fix)


def _unyanked(page: Page, row: Row) -> list[str]:
    broken = row.context.broken_files(page.candidates)
    return [c.filename for c in broken if c.yanked is Yank.NO]


def _views(pages: list[Page]) -> str:
    return f"view {names(p.view.value for p in pages)}"


def _newest(page: Page) -> str:
    versions = set(versions_of(page.candidates))
    parsed = {v for text in versions if text and (v := parse_version(text))}
    return str(max(parsed)) if parsed else "no file at all"


def _source_name(row: Row) -> str:
    return row.context.source.name if row.context.source else "the source"
