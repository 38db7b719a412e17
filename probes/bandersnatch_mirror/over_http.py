"""A mirror over HTTP: whether it is one, and whether it holds the broken files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import quote, urljoin

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import FileHosting, HeldState, Holding, Page, PageOutcome, Touch, View
from probes.bandersnatch_mirror.artifacts import KnownFile, known_files
from probes.bandersnatch_mirror.marks import last_modified_note
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import is_bandersnatch_page
from probes.kit.freshness import foreign_cache_signs
from probes.kit.index import IndexReader, file_hosting
from probes.kit.pages import ParsedPage, parse_page
from probes.kit.session import GuardedSession, Request
from probes.kit.views import page_headers

__all__ = ["Signs", "ask_last_modified", "refused_notes", "remote_holdings"]

# A release has rarely more than 100 files; what is beyond this stays unknown.
_MAX_FILES = 200
_WORKERS = 4
_MARK_BYTES = 100


class Signs:
    """Reads pages, and notes whether each of them is one that bandersnatch wrote.

    It writes the serial of a project's JSON page as a string, where PyPI has a number; both forms
    end in, or carry, that serial and link their files by `../../packages/`.
    """

    def __init__(self) -> None:
        self._seen: list[bool] = []

    @property
    def are_complete(self) -> bool:
        """Whether every page that was read has the marks."""
        return bool(self._seen) and all(self._seen)

    def parse(self, body: bytes, *, url: str, content_type: str | None, project: str) -> ParsedPage:
        """Read one page; see `parse_page`."""
        parsed = parse_page(body, url=url, content_type=content_type, project=project)
        self._seen.append(is_bandersnatch_page(body, content_type))
        return parsed


async def ask_last_modified(
    assignment: Assignment, session: GuardedSession, index_url: str
) -> str | None:
    """Ask for the mirror's time stamp; None if that gave nothing worth a note."""
    request = Request(
        url=urljoin(index_url.rstrip("/") + "/", "../last-modified"),
        headers=page_headers(View.PIP, assignment.user_agent_suffix),
        touch=Touch.REFRESHES_INDEX,
        prefix_bytes=_MARK_BYTES,
    )
    try:
        answer = await session.send(request)
    except ProbeError:
        return None
    if answer.status == 200 and len(answer.body) <= _MARK_BYTES:
        return last_modified_note(answer.body.decode("utf-8", "replace"))
    if answer.status == 403:
        return (
            "last-modified answers 403: bandersnatch makes it with mode 0600, so that a web server "
            "may not read it; it is unreadable, not absent"
        )
    return None


async def remote_holdings(
    assignment: Assignment, session: GuardedSession, reader: IndexReader, signs: Signs
) -> tuple[Holding, ...]:
    """Say of each broken file whether it is on the mirror, if that can be asked safely.

    A mirror without release files (`release-files = false`) holds none: its pages link them to
    another host, and there is nothing to ask.
    """
    index_url = assignment.location.url or ""
    if file_hosting(reader.pages, index_url) is FileHosting.ELSEWHERE:
        return ()
    incident = assignment.incident
    listed = [c for page in reader.pages for c in page.candidates]
    known = [
        file
        for file in known_files(incident, listed, ())
        if not incident.is_named_fixed(file.version)
    ]
    reason = _why_not(reader, signs, index_url)
    if reason is not None:
        return tuple(_unknown(file, reason) for file in known)
    base = _base_of(reader.pages, index_url)
    slots = asyncio.Semaphore(_WORKERS)

    async def one(file: KnownFile) -> Holding:
        async with slots:
            return await _ask(file, f"{base}{quote(file.relative)}", session, reader.recorder)

    asked = await asyncio.gather(*(one(file) for file in known[:_MAX_FILES]))
    beyond = f"not asked: only the first {_MAX_FILES} broken files are"
    return (*asked, *(_unknown(file, beyond) for file in known[_MAX_FILES:]))


def _why_not(reader: IndexReader, signs: Signs, index_url: str) -> str | None:
    """Return why no file may be asked for; None if HEAD is inert here.

    What bandersnatch leaves is static files, of which HEAD changes nothing. A cache in front of
    them turns HEAD into a full GET that it stores, so any sign of one forbids it.
    """
    if not any(page.outcome is PageOutcome.OBSERVED for page in reader.pages):
        return "not asked: no page could be read"
    if reader.proxy is not None:
        return "not asked: a proxy is in use, and HEAD could make it store the file"
    if reader.redirected:
        return "not asked: the index redirects elsewhere"
    if reader.foreign_caches:
        signs_seen = ", ".join(sorted(reader.foreign_caches))
        return f"not asked: a cache is in front ({signs_seen})"
    if not signs.are_complete:
        return "not asked: the pages are not as bandersnatch writes them; a cache may be in front"
    if file_hosting(reader.pages, index_url) is not FileHosting.HERE:
        return "not asked: the files are not on the host of the index"
    return None


def _base_of(pages: Iterable[Page], index_url: str) -> str:
    """Return the address below which `packages/` lies."""
    for page in pages:
        for candidate in page.candidates:
            head, found, _ = (candidate.url or "").rpartition("/packages/")
            if found:
                return f"{head}/"
    return urljoin(index_url.rstrip("/") + "/", "../")


async def _ask(
    file: KnownFile, url: str, session: GuardedSession, recorder: EvidenceRecorder
) -> Holding:
    try:
        answer = await session.head_file(url, touch=Touch.INERT, broken=True)
    except ProbeError as error:
        return _unknown(file, f"HEAD failed: {session.redactor.text(str(error))}")
    return _read_head(file, answer, recorder.of_answer(answer))


def _read_head(file: KnownFile, answer: Answer, evidence: str) -> Holding:
    how = f"HEAD answers {answer.status}"
    signs = ", ".join(foreign_cache_signs(answer.headers))
    if signs:
        return replace(_unknown(file, f"{how}, but from a cache ({signs})"), evidence=(evidence,))
    if answer.status == 200:
        state = HeldState.HELD if file.listed else HeldState.SHADOWED
        how += "" if file.listed else ", and no page lists it: deleting leaves the file on disk"
    elif answer.status in (404, 410):
        state = HeldState.NOT_HELD
    else:
        state = HeldState.UNKNOWN
        how += ": unreadable for the web server, not absent" if answer.status == 403 else ""
    return Holding(
        filename=file.filename,
        version=file.version,
        size=_size(answer) if answer.status == 200 else None,
        state=state,
        how=how,
        answered=answer.status,
        evidence=(evidence,),
    )


def _size(answer: Answer) -> int | None:
    length = answer.headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None


def _unknown(file: KnownFile, how: str) -> Holding:
    return Holding(filename=file.filename, version=file.version, state=HeldState.UNKNOWN, how=how)


def refused_notes(pages: Sequence[Page]) -> list[str]:
    """Explain a 403, which bandersnatch's own file modes cause."""
    if any(page.status == 403 for page in pages):
        return ["a page answers 403: unreadable for the web server (bandersnatch makes 0600 files)"]
    return []
