"""Kind `pypi`: PyPI itself, or a server of the same software, with its own file host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import Malformed, ProbeError
from auditor.model import (
    Candidate,
    FileHosting,
    HeldState,
    Holding,
    Incident,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.kit.answer import Answer
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader, file_hosting, project_url
from probes.kit.origins import origin_of
from probes.kit.session import GuardedSession
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]

# A release has rarely more than 100 files; what is beyond this stays unknown.
_MAX_FILES = 200
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class _BrokenFile:
    """One broken file as far as it is known; `url` is None if nobody knows where it was."""

    filename: str
    version: str | None
    url: str | None
    size: int | None


async def observe(assignment: Assignment) -> Observation:
    """Read the project's page in every view, then ask whether the broken files are held."""
    url = assignment.location.url
    started_at = assignment.now()
    if url is None:
        detail = "no URL; give one, or let pip's configuration name the index"
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
        holdings = await _holdings(assignment, session, reader)
    outcome, detail = outcome_of_pages(reader.pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=reader.pages,
        holdings=holdings,
        hosting=file_hosting(reader.pages, url),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=reader.notes,
        redactor=session.redactor,
    )


async def _holdings(
    assignment: Assignment, session: GuardedSession, reader: IndexReader
) -> tuple[Holding, ...]:
    """Say of each broken file whether PyPI's file host has it, if that can be asked safely."""
    files = _broken_files(assignment.incident, reader.pages)
    reason = _why_not(assignment, reader)
    if reason is not None:
        return tuple(_unknown(file, reason) for file in files)
    hosts = _file_hosts(reader.pages)
    slots = asyncio.Semaphore(_WORKERS)

    async def one(file: _BrokenFile) -> Holding:
        async with slots:
            return await _ask(file, session, reader.recorder, hosts)

    asked = await asyncio.gather(*(one(file) for file in files[:_MAX_FILES]))
    beyond = f"not asked: only the first {_MAX_FILES} broken files are"
    return (*asked, *(_unknown(file, beyond) for file in files[_MAX_FILES:]))


def _why_not(assignment: Assignment, reader: IndexReader) -> str | None:
    """Return why no file may be asked for; None if HEAD is inert here.

    Everywhere else a HEAD can make a cache store the broken file: nginx, Varnish and proxpi turn
    it into a full GET. Inert it is only on PyPI's own file host, asked directly. What stands at
    pip's built-in address can still be somebody's gateway, so the page must look like PyPI's.
    """
    if not assignment.location.settings.get("pip_builtin"):
        return "not asked: this is not pip's built-in index, and HEAD could make a cache store it"
    if reader.proxy is not None:
        return "not asked: a proxy is in use, and HEAD could make it store the file"
    if not any(page.outcome is PageOutcome.OBSERVED for page in reader.pages):
        return "not asked: no page could be read"
    if reader.redirected:
        return "not asked: the index redirects elsewhere"
    if reader.foreign_caches:
        signs = ", ".join(sorted(reader.foreign_caches))
        return f"not asked: a cache is in front ({signs})"
    if not any(page.freshness.serial is not None for page in reader.pages):
        return "not asked: the pages carry no serial, as PyPI's do; a gateway may be in front"
    if file_hosting(reader.pages, assignment.location.url or "") is not FileHosting.ELSEWHERE:
        return "not asked: the files are on the host of the index, as they are not on PyPI"
    return None


async def _ask(
    file: _BrokenFile, session: GuardedSession, recorder: EvidenceRecorder, hosts: frozenset[str]
) -> Holding:
    if file.url is None:
        return _unknown(file, "not asked: it is not listed, and no URL of it is known")
    try:
        if origin_of(file.url).host_and_port not in hosts:
            return _unknown(file, "not asked: its URL is not on the file host of the listed files")
        answer = await session.head_file(file.url, touch=Touch.INERT, broken=True)
    except ProbeError as error:
        return _unknown(file, f"HEAD failed: {session.redactor.text(str(error))}")
    return _read_head(file, answer, recorder.of_answer(answer))


def _read_head(file: _BrokenFile, answer: Answer, evidence: str) -> Holding:
    length = answer.headers.get("content-length") or ""
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
    if answer.status == 200:
        state, how = HeldState.HELD, "HEAD on the file host answers 200"
    elif answer.status in (404, 410):
        state, how, size = HeldState.NOT_HELD, f"HEAD answers {answer.status}", None
    else:
        state, how, size = HeldState.UNKNOWN, f"HEAD answers {answer.status}", None
    return Holding(
        filename=file.filename,
        version=file.version,
        size=size,
        state=state,
        how=how,
        evidence=(evidence,),
    )


def _broken_files(incident: Incident, pages: Iterable[Page]) -> tuple[_BrokenFile, ...]:
    """List the broken files: those on the pages, and those that the incident knows of.

    A deleted release is listed nowhere, while its file is still served: the incident's own
    record of where it was is then the only way to ask.
    """
    found: dict[str, _BrokenFile] = {}
    for page in pages:
        if page.outcome is PageOutcome.OBSERVED:
            for c in page.candidates:
                if _is_broken(c, incident):
                    found.setdefault(c.filename, _BrokenFile(c.filename, c.version, c.url, c.size))
    for known in incident.fingerprints:
        if known.filename is not None:
            file = _BrokenFile(known.filename, known.version, known.url, known.size)
            found.setdefault(known.filename, file)
    return tuple(found.values())


def _is_broken(candidate: Candidate, incident: Incident) -> bool:
    digest = candidate.hashes.get("sha256")
    return incident.is_broken(candidate.version) or digest in incident.broken_sha256


def _file_hosts(pages: Iterable[Page]) -> frozenset[str]:
    hosts: set[str] = set()
    roots = {"/".join((c.url or "").split("/", 3)[:3]) for page in pages for c in page.candidates}
    for root in roots:
        try:
            hosts.add(origin_of(root).host_and_port)
        except Malformed:
            continue
    return frozenset(hosts)


def _unknown(file: _BrokenFile, how: str) -> Holding:
    return Holding(filename=file.filename, version=file.version, state=HeldState.UNKNOWN, how=how)


KIND = ProbeKind(
    name="pypi",
    summary="PyPI itself, or a server of the same software",
    role=Role.INDEX,
    settings=(
        Setting(key="url", meaning="default: the index that pip uses here"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    expected_lag_s=600.0,
    expected_lag_source="its pages may be kept for 600 s (Cache-Control), and are purged on upload",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="HEAD of each broken file",
            touch=Touch.INERT,
            proof="only at pip's built-in index, directly, with files on another host, a serial on "
            "the page and no sign of a cache in front: PyPI's file host is an origin that already "
            "has its files, and the client keeps nothing of a HEAD",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# as an owner: {project} > Manage > Releases > {broken} > Options > Yank",
            effect="installers stop choosing the broken release, and pinned builds keep working",
            caution="mirrors and caches learn of it later, each in its own time",
            statuses=(Status.EXPOSED,),
        ),
        RemedyTemplate(
            command="python -m twine upload dist/*",
            effect="publishes the fixed release, which is what reaches every copy",
            caution="a file name can never be uploaded twice: give the fix a version of its own",
            statuses=(Status.BEHIND, Status.EXPOSED),
        ),
    ),
    hosts_files_elsewhere_itself=True,
    defaults_to_pip_index=True,
    verified="the embedded PyPI",
)
