"""What a cache directory keeps that explains a row: old variants of the page, and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from auditor.model import Candidate, Hint, Incident, Page, PageOutcome, View
from auditor.model.file_table import listed_with
from probes.cache_server.directory import MAX_WITNESSED, DirectoryReading, times_of, until
from probes.cache_server.findings import KeptPage
from probes.cache_server.kept import KeptAnswer
from probes.kit.answer import shown
from probes.kit.conclusion import has_fix
from probes.kit.evidence import EvidenceRecorder, entries_that_matter

__all__ = ["kept_refusal", "variant_hints"]


def variant_hints(
    reading: DirectoryReading,
    pages: Iterable[Page],
    incident: Incident,
    recorder: EvidenceRecorder,
) -> list[Hint]:
    """Tell of kept variants that no client class was given just now, and of kept refusals.

    A variant whose list was purged is given to nobody, until some client makes the cache read the
    page again: then it is given as before. So it is told of, whether it is in use or not.
    """
    shown = {page.body_sha256 for page in pages}
    old = [
        kept
        for kept in reading.findings.pages
        if kept.body_sha256 not in shown and not _has_fix(kept, incident)
    ]
    hints = [_stale(old, reading, incident, recorder)] if old else []
    refusals = reading.findings.refusals
    if refusals:
        hints.append(_refused(refusals, reading, recorder, _in_the_way(refusals, pages, incident)))
    return hints


def _in_the_way(
    refusals: Sequence[tuple[str, KeptAnswer]], pages: Iterable[Page], incident: Incident
) -> tuple[str, ...]:
    """Name the files of the fix whose address, as a page gives it, is certainly refused now."""
    now = datetime.now(UTC)
    keys = [
        unquote(answer.key)
        for _, answer in refusals
        if not answer.variant and answer.expires_at is not None and answer.expires_at > now
    ]
    fixes = (
        file for page in pages for file in listed_with(page.candidates, incident.is_named_fixed)
    )
    names = (
        file.filename
        for file in fixes
        if any(key.endswith(unquote(urlsplit(file.url or "/").path)) for key in keys)
    )
    return tuple(dict.fromkeys(names))


def _has_fix(kept: KeptPage, incident: Incident) -> bool:
    listed = kept.parsed.candidates if kept.parsed else ()
    page = Page(view=View.PIP, outcome=PageOutcome.OBSERVED, url=kept.answer.key, candidates=listed)
    return has_fix([page], incident)


def _stale(
    old: Sequence[KeptPage],
    reading: DirectoryReading,
    incident: Incident,
    recorder: EvidenceRecorder,
) -> Hint:
    evidence = []
    for kept in old[:MAX_WITNESSED]:
        listed: Sequence[Candidate] = kept.parsed.candidates if kept.parsed else ()
        facts = {"key": kept.answer.shown_key, "program": kept.answer.program.value}
        evidence.append(
            recorder.of_disk(
                reading.path / kept.place,
                facts | times_of(kept.answer),
                digest=f"sha256:{kept.body_sha256}" if kept.body_sha256 else None,
                excerpt=entries_that_matter(listed, incident),
            )
        )
    told = "; ".join(_tell(kept) for kept in old[:5])
    return Hint(
        code="stale-variant",
        text=f"{len(old)} kept variants of the project's page list no file of the fix. Some client "
        "class gets one, now or as soon as the page is read again.",
        expected="the fix in every variant that is kept",
        observed=told,
        evidence=tuple(evidence),
    )


def _tell(kept: KeptPage) -> str:
    serial = kept.parsed.serial if kept.parsed else None
    said = "unreadable" if kept.parsed is None else f"serial {serial}" if serial else "no serial"
    variant = f", {kept.answer.variant[:120]}" if kept.answer.variant else ""
    return f"{shown(kept.place)}: {said}{until(kept.answer)}{variant}"


def _refused(
    refusals: Sequence[tuple[str, KeptAnswer]],
    reading: DirectoryReading,
    recorder: EvidenceRecorder,
    undeliverable: tuple[str, ...],
) -> Hint:
    evidence = [
        recorder.of_disk(
            reading.path / place,
            {"key": answer.shown_key, "status": str(answer.status)} | times_of(answer),
        )
        for place, answer in refusals[:MAX_WITNESSED]
    ]
    told = "; ".join(
        f"{answer.status} for {answer.filename or answer.shown_key}{until(answer)}"
        for _, answer in refusals[:5]
    )
    return kept_refusal(len(refusals), told, tuple(evidence), undeliverable)


def kept_refusal(
    count: int, told: str, evidence: tuple[str, ...], undeliverable: tuple[str, ...] = ()
) -> Hint:
    """Tell of refusals that are kept, found on the disk or by asking."""
    return Hint(
        code="kept-refusal",
        text=f"{count} refusals are kept here and given to everybody who asks, whatever the "
        "upstream has by now.",
        expected="no kept answer but successes, for the project's page and files",
        observed=told,
        evidence=evidence,
        undeliverable=undeliverable,
    )
