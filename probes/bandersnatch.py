"""Kind `bandersnatch`: a static mirror, over HTTP (`url`), on its disk (`path`), or both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import (
    FileHosting,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Role,
    Status,
    Touch,
    View,
)
from probes.bandersnatch_mirror.layout import NoMirror
from probes.bandersnatch_mirror.on_disk import DiskReading, read_mirror
from probes.bandersnatch_mirror.over_http import (
    Signs,
    ask_last_modified,
    refused_notes,
    remote_holdings,
)
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import hosting_on_disk
from probes.kit.index import IndexReader, file_hosting, project_url
from probes.kit.redaction import Redactor
from probes.kit.session import GuardedSession, prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _HttpReading:
    """What was seen over HTTP."""

    pages: tuple[Page, ...]
    holdings: tuple[Holding, ...]
    hosting: FileHosting
    connected: bool | None
    proxy: str | None
    notes: tuple[str, ...]
    redactor: Redactor


async def observe(assignment: Assignment) -> Observation:
    """Look at the mirror in each way that the configuration names.

    With both, the disk says what is held, and HTTP says what clients see.
    """
    started_at, location = assignment.now(), assignment.location
    is_file = (location.url or "").lower().startswith("file:")
    path = location.path or (location.url if is_file else None)
    # With --inert no page may be asked for, and the disk says as much.
    if location.url is None or is_file or (path is not None and assignment.policy.inert):
        return await _observe_disk(assignment, path, started_at)
    try:
        session = GuardedSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        http = await _read_http(assignment, session, recorder, with_files=path is None)
        disk = await _read_disk(assignment, path, recorder) if path is not None else None
    return _from_both(assignment, http, disk, recorder, started_at)


async def _read_disk(
    assignment: Assignment, path: str, recorder: EvidenceRecorder
) -> DiskReading | NoMirror:
    try:
        return await in_thread(
            lambda stop: read_mirror(local_path(path), assignment, recorder, stop)
        )
    except NoMirror as problem:
        return problem


async def _read_http(
    assignment: Assignment,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    *,
    with_files: bool,
) -> _HttpReading:
    url, signs = assignment.location.url or "", Signs()
    reader = IndexReader(assignment, session, recorder, parse=signs.parse)
    await reader.read(project_url(url, assignment.incident.project))
    await reader.confirm_index(url)
    mark = None
    if signs.are_complete:
        mark = await ask_last_modified(assignment, session, url)
    holdings = await remote_holdings(assignment, session, reader, signs) if with_files else ()
    return _HttpReading(
        pages=reader.pages,
        holdings=holdings,
        hosting=file_hosting(reader.pages, url),
        connected=reader.connected,
        proxy=reader.proxy,
        notes=(*reader.notes, *refused_notes(reader.pages), *([mark] if mark else [])),
        redactor=session.redactor,
    )


async def _observe_disk(
    assignment: Assignment, path: str | None, started_at: datetime
) -> Observation:
    if path is None:
        detail = "neither url nor path is given; name one of them"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    recorder = EvidenceRecorder()
    disk = await _read_disk(assignment, path, recorder)
    if isinstance(disk, NoMirror):
        return conclude(assignment, outcome=disk.outcome, detail=disk.detail, started_at=started_at)
    outcome, detail = outcome_of_pages(disk.pages)
    candidates = [candidate for page in disk.pages for candidate in page.candidates]
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pages=disk.pages,
        holdings=disk.holdings,
        holdings_complete=disk.complete,
        hosting=hosting_on_disk(candidates),
        evidence=recorder.all(),
        notes=disk.notes,
    )


def _from_both(
    assignment: Assignment,
    http: _HttpReading,
    disk: DiskReading | NoMirror | None,
    recorder: EvidenceRecorder,
    started_at: datetime,
) -> Observation:
    outcome, detail = outcome_of_pages(http.pages)
    read = disk if isinstance(disk, DiskReading) else None
    notes = [*http.notes, *(read.notes if read else ())]
    if isinstance(disk, NoMirror):
        notes.append(f"held is not known: {disk.detail}")
    if read is not None:
        notes += _differences(http.pages, read.pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=http.connected,
        pages=http.pages,
        holdings=read.holdings if read else http.holdings,
        holdings_complete=read.complete if read else None,
        hosting=http.hosting,
        proxy=http.proxy,
        evidence=recorder.all(),
        notes=tuple(dict.fromkeys(notes)),
        redactor=http.redactor,
    )


def _differences(over_http: tuple[Page, ...], on_disk: tuple[Page, ...]) -> list[str]:
    """Tell where clients get another page than the one on disk: a cache in front, or a relic."""
    disk = {page.view: page for page in on_disk if page.outcome is PageOutcome.OBSERVED}
    html = disk.get(View.PIP_HTML)
    notes: list[str] = []
    for page in over_http:
        # A server that does not negotiate sends HTML to everybody, which is no difference.
        wanted = [p for p in (disk.get(page.view), html) if p is not None]
        same = any(p.body_sha256 == page.body_sha256 for p in wanted)
        if page.outcome is PageOutcome.OBSERVED and wanted and not same:
            notes.append(
                f"{page.view.value}: clients get a page of serial {page.freshness.serial}, on disk "
                f"is one of serial {wanted[0].freshness.serial}: a cache may be in front of it, or "
                "another mirror behind this URL"
            )
    return notes


def recognises(met: Met) -> bool:
    """bandersnatch's `directory`: its pages below `web`, and its own marks beside it."""
    if met.names is None or "web" not in met.names:
        return False
    return bool({"status", "generation", "todo"} & met.names)


KIND = ProbeKind(
    name="bandersnatch",
    summary="a mirror made by bandersnatch: over HTTP, on its disk, or both",
    role=Role.INDEX,
    settings=(
        Setting(key="url", meaning="what one would give to pip as --index-url; url, path or both"),
        Setting(key="path", meaning="bandersnatch's `directory`, or the `web` in it"),
        Setting(
            key="orphans",
            meaning="true: walk all of packages/ for broken files that nothing lists any more",
        ),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    prepare=prepare,
    recognises=recognises,
    expected_lag_s=6 * 3600.0,
    expected_lag_source="one run of its cron job, commonly every few minutes to six hours; "
    "set expected_lag to the interval of yours",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET last-modified, beside simple/",
            touch=Touch.REFRESHES_INDEX,
            proof="a static text of 20 bytes; only where every page is one of bandersnatch's",
        ),
        TouchNote(
            request="HEAD of each broken file, without path only",
            touch=Touch.INERT,
            proof="files below packages/ are static, and HEAD changed nothing behind nginx (tree "
            "and log compared); only where every page has bandersnatch's marks, the files are on "
            "the host of the index, nothing redirects, no proxy is in use and no header shows a "
            "cache",
        ),
        TouchNote(
            request="read of the project's pages, the mirror's marks and the incident's files",
            touch=Touch.INERT,
            proof="opened for reading only; bandersnatch's .lock is not taken; tests compare name, "
            "size and time of every file before and after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="bandersnatch --config /etc/bandersnatch.conf sync {project}",
            effect="fetches this project's pages and new files now, whatever the last serial was",
            caution="leaves `status` and `last-modified` as they were, so monitors of these see "
            "nothing; removes no file; its exit code is 0 also where nothing was fetched, so audit "
            "again",
            statuses=(Status.EXPOSED, Status.BEHIND, Status.TAMPERED),
        ),
        RemedyTemplate(
            command="bandersnatch --config /etc/bandersnatch.conf mirror",
            effect="catches up with everything, as the cron job does",
            caution="takes as long as all that changed since; with compare-method = stat it misses "
            "a file that was replaced by one of the same size and time",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="bandersnatch --config /etc/bandersnatch.conf verify --dry-run --delete",
            effect="lists the files that json/ no longer names, the broken ones among them; it "
            "asks nobody and changes nothing",
            caution="needs json = true and an https master; reads the whole tree; stops with a "
            "KeyError at a file whose digest is wrong",
            statuses=(Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
        RemedyTemplate(
            command="bandersnatch --config /etc/bandersnatch.conf verify --delete",
            effect="removes the files that json/ no longer names, of every project",
            caution="while json/ still names the broken file it is kept, and fetched again if it "
            "is missing: first delete it at the source and sync; direct URLs in lock files stop "
            "working",
            statuses=(Status.ROLLED_FORWARD,),
        ),
        RemedyTemplate(
            command="bandersnatch --config /etc/bandersnatch.conf delete {project}",
            effect="removes the project, which a deletion at the source never does here",
            caution="the fix goes with it, until the next sync; asks the source for json/ if "
            "that is missing",
            statuses=(Status.EXPOSED,),
        ),
    ),
    verified="bandersnatch 6.8.0 behind nginx 1.22.1",
)
