"""Kind `pypi`: PyPI itself, or a server of the same software, with its own file host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import GuardRefused, Malformed, ProbeError
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
from auditor.model.filename import version_in
from probes.kit.answer import Answer
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.evidence import EvidenceRecorder
from probes.kit.freshness import foreign_file_cache_signs
from probes.kit.index import VIEWS, IndexReader, file_hosting, project_url
from probes.kit.origins import origin_of
from probes.kit.session import GuardedSession, prepare
from probes.simple import INDEX_TOUCHES

if TYPE_CHECKING:
    from probes.pypi_surfaces import KeepingSession
    from probes.pypi_surfaces.reading import LegacyFile

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
    """Read the project's page in every view, then its other surfaces, then ask for the files."""
    # Loaded here: every command loads every kind, and few look at PyPI.
    from probes.pypi_surfaces import KeepingSession, SurfaceReader

    url = assignment.location.url
    started_at = assignment.now()
    if url is None:
        detail = "no URL; give one, or let pip's configuration name the index"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    page_url = project_url(url, assignment.incident.project)
    try:
        session = KeepingSession(assignment, page_url)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        reader = IndexReader(assignment, session, recorder)
        await reader.read(page_url)
        await reader.confirm_index(url)
        forbidden = _why_not(assignment, session, reader)
        deep = SurfaceReader(assignment, session, recorder)
        surfaces = (
            await deep.read(page_url, reader.pages, artifacts=forbidden)
            if _is_worth_asking(reader)
            else ()
        )
        files = _broken_files(assignment.incident, reader.pages, deep.broken_files)
        holdings = await _holdings(files, forbidden, session, reader)
    outcome, detail = outcome_of_pages(reader.pages)
    observation = conclude(
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
    return replace(observation, surfaces=tuple(map(session.redactor.scrub, surfaces)))


def _is_worth_asking(reader: IndexReader) -> bool:
    """Whether the index itself answered for the project, be it that there is none."""
    answered = (PageOutcome.OBSERVED, PageOutcome.ABSENT)
    return not reader.redirected and any(page.outcome in answered for page in reader.pages)


async def _holdings(
    files: Sequence[_BrokenFile],
    forbidden: str | None,
    session: GuardedSession,
    reader: IndexReader,
) -> tuple[Holding, ...]:
    """Say of each broken file whether PyPI's file host has it, if that can be asked safely.

    One file that is there settles that the broken release is held; that it is *not* takes a word on
    every file.
    """
    if forbidden is not None:
        return tuple(_unknown(file, forbidden) for file in files)
    hosts = _file_hosts(reader.pages)
    found: list[Holding] = []
    for start in range(0, min(len(files), _MAX_FILES), _WORKERS):
        batch = files[start : min(start + _WORKERS, _MAX_FILES)]
        asks = (_ask(file, session, reader.recorder, hosts) for file in batch)
        found += await asyncio.gather(*asks)
        if any(holding.state is HeldState.HELD for holding in found):
            break
    held = len(found) < min(len(files), _MAX_FILES)
    beyond = (
        "not asked: another file of it is held, which settles it"
        if held
        else f"not asked: only the first {_MAX_FILES} broken files are"
    )
    return (*found, *(_unknown(file, beyond) for file in files[len(found) :]))


def _why_not(assignment: Assignment, session: KeepingSession, reader: IndexReader) -> str | None:
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
    if session.stripped:
        return (
            "not asked: a gateway in front strips the headers that PyPI sends, and may be a cache"
        )
    if not any(page.freshness.serial is not None for page in reader.pages):
        return "not asked: the pages carry no serial, as PyPI's do; a gateway may be in front"
    hosting = file_hosting(reader.pages, assignment.location.url or "")
    if hosting is FileHosting.UNKNOWN:
        return "not asked: no file is listed, so that the file host is not known"
    if hosting is not FileHosting.ELSEWHERE:
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
    except GuardRefused as error:
        return _unknown(file, f"not asked: {session.redactor.text(str(error))}")
    except ProbeError as error:
        return _unknown(file, f"HEAD failed: {session.redactor.text(str(error))}")
    return _read_head(file, answer, recorder.of_answer(answer))


def _read_head(file: _BrokenFile, answer: Answer, evidence: str) -> Holding:
    length = answer.headers.get("content-length") or ""
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
    signs = ", ".join(foreign_file_cache_signs(answer.headers))
    if signs:  # its word, whatever it is, is that of a cache in between
        how = f"HEAD answers {answer.status}, but from a cache ({signs})"
        return _unknown(file, how, evidence)
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
        answered=answer.status,
        evidence=(evidence,),
    )


def _broken_files(
    incident: Incident, pages: Iterable[Page], legacy: Iterable[LegacyFile] = ()
) -> tuple[_BrokenFile, ...]:
    """List the broken files: those on the pages, and those that are known from elsewhere.

    A deleted release is listed nowhere, while its file is still served: the incident's own
    record of where it was, or legacy JSON that is older than the page, is then the only way to ask.
    """
    found: dict[str, _BrokenFile] = {}
    for page in pages:
        if page.outcome is PageOutcome.OBSERVED:
            for c in page.candidates:
                if _is_broken(c, incident):
                    found.setdefault(c.filename, _BrokenFile(c.filename, c.version, c.url, c.size))
    for named in legacy:
        version = version_in(named.filename, incident.project)
        file = _BrokenFile(named.filename, version, named.url, named.size)
        found.setdefault(named.filename, file)
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


def _unknown(file: _BrokenFile, how: str, *evidence: str) -> Holding:
    return Holding(
        filename=file.filename,
        version=file.version,
        state=HeldState.UNKNOWN,
        how=how,
        evidence=evidence,
    )


KIND = ProbeKind(
    name="pypi",
    summary="PyPI itself, or a server of the same software",
    role=Role.INDEX,
    settings=(
        Setting(key="url", meaning="default: the index that pip uses here"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    prepare=prepare,
    expected_lag_s=600.0,
    expected_lag_source="its pages may be kept for 600 s (Cache-Control), and are purged on upload",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET project page without compression, as JSON and as HTML",
            touch=Touch.REFRESHES_INDEX,
            proof="as the project page; two objects more of PyPI's delivery network, which no view "
            "is judged by",
        ),
        TouchNote(
            request="GET legacy JSON of the project, of 2 broken releases and of the fix",
            touch=Touch.REFRESHES_INDEX,
            proof="metadata made from the same database; a cache in front may re-read it",
        ),
        TouchNote(
            request="GET project page with Fastly-Debug: 1, as JSON and as HTML",
            touch=Touch.REFRESHES_INDEX,
            proof="only where HEAD is inert; it asks the delivery network for the age that it "
            "hides (PyPI's own issues 11936 and 12214), and is no view of any installer",
        ),
        TouchNote(
            request="GET metadata sidecar of 2 wheels of the fix (PEP 658)",
            touch=Touch.INERT,
            proof="only where HEAD is inert: PyPI's file host has it beside the wheel; a cache in "
            "between would store it",
        ),
        TouchNote(
            request="GET attestations of a broken and of a fixed file (PEP 740)",
            touch=Touch.REFRESHES_INDEX,
            proof="only where HEAD is inert, and at the address that the page gives on the host of "
            "the index: a document about a file, which no installer takes for the file",
        ),
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
    views=VIEWS,
    hosts_files_elsewhere_itself=True,
    defaults_to_pip_index=True,
    verified="the embedded PyPI",
    # `make live` checks the first four where no gateway stands in front; nothing can check the rest
    # without deleting something on PyPI.
    unverified=(
        "that PyPI answers Fastly-Debug: 1 with the ages of its nodes",
        "that PyPI states its serial in the header, the JSON, the HTML and the legacy JSON alike",
        "that PyPI's metadata sidecars have the digest that its pages state",
        "that PyPI's attestations are on the host of its pages",
        "that PyPI's file host answers HEAD of a deleted file with 200",
        "that PyPI's file host shows Age, and `1.1 varnish` alone in Via, beside X-Served-By",
        "that a quarantined release is missing from PyPI's pages and its legacy JSON alike",
    ),
)
