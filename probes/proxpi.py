"""Kind `proxpi`: a pull-through cache that tells nothing over HTTP but its listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import (
    Hint,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import VIEWS, IndexReader, file_hosting, project_url
from probes.kit.session import GuardedSession, prepare
from probes.proxpi_cache.disk import read_cache
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


@dataclass(slots=True)
class _Found:
    """What is known of bytes, and what is to be said of them."""

    holdings: tuple[Holding, ...] = ()
    complete: bool | None = None
    notes: list[str] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)


async def observe(assignment: Assignment) -> Observation:
    """Read the listing, as often as the location says; no file is ever asked for."""
    url, started_at = assignment.location.url, assignment.now()
    if url is None:
        detail = "no url; the cache directory alone does not say what clients are offered"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        session = GuardedSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(url, assignment.incident.project))
        await reader.confirm_index(url)
    found = await _hold(assignment, reader.pages, recorder)
    outcome, detail = outcome_of_pages(reader.pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=reader.pages,
        holdings=found.holdings,
        holdings_complete=found.complete,
        hosting=file_hosting(reader.pages, url),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=(*reader.notes, *_told(assignment, reader.pages), *found.notes),
        hints=found.hints,
        redactor=session.redactor,
    )


async def _hold(
    assignment: Assignment, pages: Sequence[Page], recorder: EvidenceRecorder
) -> _Found:
    """Look for the broken bytes where alone they show: in the cache directory."""
    named = assignment.location.settings.get("cache_path") or assignment.location.path
    if not named:
        return _Found(hints=[_no_safe_probe()])
    directory = local_path(str(named))
    disk = await in_thread(
        lambda stop: read_cache(directory, assignment.incident, pages, stop, recorder)
    )
    return _Found(
        holdings=disk.holdings,
        complete=disk.complete,
        notes=list(disk.notes),
        hints=[_differs(holding) for holding in disk.differing],
    )


def _told(assignment: Assignment, pages: Sequence[Page]) -> list[str]:
    """Say what the answers cannot tell by themselves."""
    notes = []
    if any(page.status == 500 for page in pages):
        notes.append(
            "a page answers 500: proxpi does that once its page is too old while its upstream is "
            "down, and for a project that its upstream deleted; it then serves no stored file "
            "either"
        )
    if any(page.outcome is PageOutcome.OBSERVED and not page.candidates for page in pages):
        notes.append(
            "a page lists nothing: proxpi shows that too where it cannot read its upstream's page, "
            "such as one whose JSON type carries a charset"
        )
    if assignment.location.samples == 1:
        notes.append(
            "asked once: each worker process of proxpi has pages of its own; set samples to a few "
            "times their number"
        )
    return notes


def _no_safe_probe() -> Hint:
    return Hint(
        code="no-safe-probe",
        text="Whether proxpi holds the broken files cannot be asked over HTTP: HEAD, Range and "
        "conditional requests all make it fetch and keep the file.",
        expected="cache_path, the directory that PROXPI_CACHE_DIR names, on this machine",
        observed="only a url",
    )


def _differs(holding: Holding) -> Hint:
    return Hint(
        code="stored-bytes-differ",
        text=f"proxpi lists {holding.filename} with one digest, and keeps other bytes under its "
        "name: if its upstream replaced the file under the same URL, every install of it fails "
        "with a hash mismatch.",
        expected="the digest that the page states",
        observed=f"sha256 {holding.sha256}",
        evidence=holding.evidence,
    )


KIND = ProbeKind(
    name="proxpi",
    summary="proxpi: a cache that fetches pages and files from another index when asked",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="http://HOST:5000/index/"),
        Setting(key="cache_path", meaning="what PROXPI_CACHE_DIR names: the only proof of bytes"),
        Setting(key="path", meaning="the same as cache_path"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    expected_lag_s=1800.0,
    expected_lag_source="proxpi keeps a page for 1800 s (PROXPI_INDEX_TTL), and nothing over HTTP "
    "tells how old it is",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="any request for a file",
            touch=Touch.MAY_STORE_ARTIFACT,
            proof="never sent: GET, HEAD, Range and If-None-Match all store the file "
            "(proxpi 1.3.1), the last one with the answer 304",
        ),
        TouchNote(
            request="read of everything below cache_path",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked, executed or written",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="curl -fsS -X DELETE {page}../../cache/{project}",
            effect="makes the worker process that answers re-read the project's page when it is "
            "next asked; removes no file",
            caution="first see that its upstream answers: until it does, proxpi answers 500 for "
            "the page and for every stored file. One call reaches one worker: repeat it until "
            "an audit with samples shows one answer, or restart proxpi. `DELETE /cache/list` "
            "refreshes no project",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# bring the upstream of {url} back; its pages expire after PROXPI_INDEX_TTL, "
            "and without an upstream everything then answers 500",
            effect="proxpi recovers by itself with the next request",
            caution="do not restart it and do not DELETE anything meanwhile: its pages are in its "
            "memory only",
            statuses=(Status.UNKNOWN,),
        ),
        RemedyTemplate(
            command="# on its machine: stop proxpi, remove {file} and {file}.metadata everywhere "
            "below PROXPI_CACHE_DIR, start it again",
            effect="removes the broken bytes; a copy with other bytes than listed is fetched anew",
            caution="not while it runs: it remembers the file, and then answers 500 for it. While "
            "its upstream lists the file, the next pinned install stores it again",
            statuses=(Status.EXPOSED, Status.BEHIND, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="proxpi 1.3.1 with gunicorn 27.0.1, one worker and several",
)
