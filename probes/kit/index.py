"""Reading an index over HTTP as each client class sees it: pages, their outcomes, their origin."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol
from urllib.parse import quote

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import Candidate, Fault, Freshness, Page, PageOutcome, View
from probes.kit.answer import Answer
from probes.kit.conclusion import has_fix
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.freshness import foreign_cache_signs, freshness_of
from probes.kit.guard import is_asked_once
from probes.kit.hosting import file_hosting
from probes.kit.pages import ParsedPage, parse_page
from probes.kit.redaction import Redactor
from probes.kit.rootpage import ROOT_PREFIX_BYTES, RootSign, recognise_root
from probes.kit.session import GuardedSession

__all__ = ["VIEWS", "IndexReader", "Parse", "file_hosting", "outcome_of_status", "project_url"]

VIEWS = (View.PIP, View.PIP_HTML, View.UV, View.POETRY)
# Larger pages are parsed in a thread, so that deadlines of other locations are kept.
_THREAD_BYTES = 2**18
# Of a body that is shown: more than is shown, as it is made safe before it is shortened.
_BEGINNING_BYTES = 2**14
_BEGINNING_CHARS = 1000
_PASSWORD_FIELD = re.compile(rb"<input\b[^<>]{0,500}type\s*=\s*[\"']?password", re.IGNORECASE)


class Parse(Protocol):
    """What reads a page: `parse_page`, or something around it."""

    def __call__(
        self, body: bytes, *, url: str, content_type: str | None, project: str
    ) -> ParsedPage:
        """Read one page, or raise `Malformed`."""
        ...


def project_url(index_url: str, project: str) -> str:
    """Return the address of a project's page, formed as pip forms it."""
    return posixpath.join(index_url, quote(project)) + "/"


def outcome_of_status(status: int) -> PageOutcome:
    """Say what a status means for a page.

    429 and 5xx count as unreachable: the server is there, but does not say what it has. That must
    never be read as *absent*: proxpi answers 500 for a project that its upstream deleted, and for
    every project while its upstream is down.
    """
    if status in (200, 203):
        return PageOutcome.OBSERVED
    if status in (404, 410):
        return PageOutcome.ABSENT
    if status in (401, 403, 407, 451):
        return PageOutcome.DENIED
    if status in (406, 415):
        return PageOutcome.REFUSED
    if status in (408, 429) or status >= 500:
        return PageOutcome.UNREACHABLE
    return PageOutcome.MALFORMED


_STATUS_DETAIL = {
    PageOutcome.ABSENT: "answers {status}: it does not carry the project",
    PageOutcome.DENIED: "answers {status}; check the credentials of this location",
    PageOutcome.REFUSED: "answers {status}: it has no page in a form that this client reads",
    PageOutcome.UNREACHABLE: "answers {status}, also when asked again; look at the server's log",
    PageOutcome.MALFORMED: "answers {status}, which no index answers for a page; check the URL",
}


class IndexReader:
    """Asks an index for one project, once per view and sample.

    Attributes:
        pages: what came of each, by view and sample.
        notes: redirects and doubts.
        connected: whether anything ever answered; None before the first request.
        recorder: the evidence.
        foreign_caches: headers which show that somebody's cache is in front of the server.
        redirected: whether any page was found elsewhere.
    """

    def __init__(
        self,
        assignment: Assignment,
        session: GuardedSession,
        recorder: EvidenceRecorder,
        *,
        parse: Parse = parse_page,
    ) -> None:
        self.pages: tuple[Page, ...] = ()
        self.notes: list[str] = []
        self.connected: bool | None = None
        self.recorder = recorder
        self.foreign_caches: set[str] = set()
        self.redirected = False
        self._assignment = assignment
        self._session = session
        self._parse_page = parse
        self._redactor: Redactor = session.redactor
        self._asks_once = is_asked_once(assignment)
        self._parsed: dict[tuple[str | None, str, str | None], ParsedPage] = {}

    @property
    def proxy(self) -> str | None:
        """The forward proxy through which it was asked, answer or not; None: directly."""
        return self._session.proxy

    async def read(self, url: str, *, views: Sequence[View] = VIEWS) -> tuple[Page, ...]:
        """Ask for a page in every view and sample. Never raises because of one page.

        Several samples are asked one request after the other, each round beginning with another
        view: were the order the same each time, nodes that take turns would always show the same
        node to the same view.
        """
        samples = max(1, self._assignment.location.samples)
        if samples == 1:
            pages = [*await asyncio.gather(*(self._page(url, view, 1) for view in views))]
        else:
            pages = [await self._page(url, view, 1) for view in views]
            if self._may_sample(pages, samples):
                pages += [
                    await self._page(url, view, sample)
                    for sample in range(2, samples + 1)
                    for view in _rotated(views, sample - 1)
                ]
        self.pages = tuple(sorted(pages, key=lambda page: (views.index(page.view), page.sample)))
        return self.pages

    def _may_sample(self, pages: Sequence[Page], samples: int) -> bool:
        """Whether the pages may be asked for again, after the first time."""
        source = self._assignment.source
        if not self._asks_once or source is None:
            return True
        # A copy that has the fix settles what could not be read at the source.
        if source.lists_fix is None and has_fix(pages, self._assignment.incident):
            return True
        self._note(
            f"asked once instead of {samples} times: the source is not known to list the fix, and "
            "asking a copy again could only renew its old page"
        )
        return False

    async def confirm_index(self, index_url: str) -> None:
        """Where every view answered 404, look whether the URL is an index at all.

        A mistyped URL must not pass for an index that does not carry the project.
        """
        outcomes = {page.outcome for page in self.pages}
        if PageOutcome.ABSENT not in outcomes or outcomes - {
            PageOutcome.ABSENT,
            PageOutcome.REFUSED,
        }:
            return
        try:
            answer = await self._session.get_page(
                index_url, View.PIP, prefix_bytes=ROOT_PREFIX_BYTES
            )
        except ProbeError as error:
            self._note(f"the index root could not be read: {error}")
            return
        reading = recognise_root(answer.status, answer.headers.get("content-type"), answer.body)
        if reading.sign is RootSign.UNTOLD:
            self._note(reading.text)
        if reading.sign is RootSign.NO_INDEX:
            evidence = self.recorder.of_answer(answer, self._beginning(answer))
            self.pages = tuple(
                replace(
                    page,
                    outcome=PageOutcome.MALFORMED,
                    detail=reading.text,
                    evidence=(*page.evidence, evidence),
                )
                if page.outcome is PageOutcome.ABSENT
                else page
                for page in self.pages
            )

    async def _page(self, url: str, view: View, sample: int) -> Page:
        page = await self._ask(url, view, sample)
        if self._asks_once or not _is_suspiciously_empty(page):
            return page
        # devpi answers 200 with no files and no serial while it refreshes its list of projects;
        # the next request is right.
        again = await self._ask(url, view, sample)
        self._note(f"{view.value}: the page was empty, and was asked for once more")
        return again

    async def _ask(self, url: str, view: View, sample: int) -> Page:
        shown_url = self._redactor.url(url)
        try:
            answer = await self._session.get_page(url, view)
        except ProbeError as error:
            self._connected(isinstance(error, Unreachable) and error.connected)
            detail = self._redactor.text(str(error))
            evidence = self.recorder.of_failure(f"GET {shown_url} ({view.value})", detail)
            return Page(
                view=view,
                sample=sample,
                outcome=_outcome_of_error(error),
                detail=detail,
                url=shown_url,
                evidence=(evidence,),
            )
        self._connected(True)
        return await self._from_answer(answer, view, sample)

    async def _from_answer(self, answer: Answer, view: View, sample: int) -> Page:
        self.foreign_caches.update(foreign_cache_signs(answer.headers))
        if answer.hops:
            self.redirected = True
            self._note(f"redirected to {self._redactor.url(answer.url)}")
        page = Page(
            view=view,
            sample=sample,
            outcome=outcome_of_status(answer.status),
            status=answer.status,
            url=self._redactor.url(answer.asked_url),
            final_url=self._redactor.url(answer.url) if answer.hops else None,
            content_type=answer.headers.get("content-type"),
            freshness=self._freshness(answer),
            body_sha256=answer.body_sha256,
        )
        if page.outcome is not PageOutcome.OBSERVED:
            detail = _STATUS_DETAIL[page.outcome].format(status=answer.status)
            if answer.proxy and page.outcome is PageOutcome.DENIED:
                detail += ", or those of the proxy"  # which answers 401 and 403 of its own
            return self._unread(page, answer, detail, page.outcome)
        try:
            parsed = await self._parse(answer)
        except ProbeError as error:
            return self._unread(page, answer, str(error), _outcome_of_error(error))
        return self._read(page, answer, parsed)

    async def _parse(self, answer: Answer) -> ParsedPage:
        if answer.fault is not None:
            raise answer.fault
        content_type = answer.headers.get("content-type")
        key = (answer.body_sha256, answer.url, content_type)
        if key not in self._parsed:
            parse = partial(
                self._parse_page,
                answer.body,
                url=answer.url,
                content_type=content_type,
                project=self._assignment.incident.project,
            )
            large = len(answer.body) >= _THREAD_BYTES
            parsed = await asyncio.to_thread(parse) if large else parse()
            if not parsed.candidates and _PASSWORD_FIELD.search(answer.body):
                raise Malformed("a login page answers; give this location credentials")
            self._parsed[key] = parsed
        return self._parsed[key]

    def _read(self, page: Page, answer: Answer, parsed: ParsedPage) -> Page:
        candidates = tuple(map(self._safe, parsed.candidates))
        excerpt = entries_that_matter(candidates, self._assignment.incident)
        return replace(
            page,
            complete=parsed.complete,
            candidates=candidates,
            faults=tuple(self._safe_fault(fault) for fault in parsed.faults),
            project_status=parsed.project_status,
            versions=parsed.versions,
            api_version=parsed.api_version,
            freshness=self._freshness(answer, parsed.serial),
            evidence=(self.recorder.of_answer(answer, excerpt),),
        )

    def _unread(self, page: Page, answer: Answer, detail: str, outcome: PageOutcome) -> Page:
        evidence = self.recorder.of_answer(answer, self._beginning(answer))
        return replace(
            page, outcome=outcome, detail=self._redactor.text(detail), evidence=(evidence,)
        )

    def _freshness(self, answer: Answer, serial: int | None = None) -> Freshness:
        redact = self._redactor.text
        return freshness_of(answer.headers, answer.fetched_at, body_serial=serial, redact=redact)

    def _beginning(self, answer: Answer) -> str:
        """Return the beginning of a body that was not understood, or is no page."""
        text = answer.body[:_BEGINNING_BYTES].decode("utf-8", "replace")
        cut = "…" if len(answer.body) > _BEGINNING_BYTES else ""
        return " ".join((self._redactor.text(text + cut)).split())[:_BEGINNING_CHARS]

    def _safe(self, candidate: Candidate) -> Candidate:
        """Hide what a signed URL would give away. Nearly no URL has a query, so look first."""
        urls = (candidate.url or "", candidate.provenance or "")
        if not any("?" in url or "@" in url or "#" in url for url in urls):
            return candidate
        return msgspec.structs.replace(
            candidate,
            url=candidate.url and self._redactor.url(candidate.url),
            provenance=candidate.provenance and self._redactor.url(candidate.provenance),
        )

    def _safe_fault(self, fault: Fault) -> Fault:
        redact = self._redactor.text
        return replace(fault, subject=redact(fault.subject), excerpt=redact(fault.excerpt))

    def _connected(self, connected: bool) -> None:
        self.connected = bool(self.connected) or connected

    def _note(self, text: str) -> None:
        safe = self._redactor.text(text)
        if safe not in self.notes:
            self.notes.append(safe)


def _outcome_of_error(error: ProbeError) -> PageOutcome:
    if isinstance(error, Unreachable):
        return PageOutcome.UNREACHABLE
    if isinstance(error, Denied):
        return PageOutcome.DENIED
    if isinstance(error, Malformed):
        return PageOutcome.MALFORMED
    # Our own decision or limit: the guard's refusal, an encoding that we cannot undo, a proxy or
    # certificate of a kind that we cannot use.
    return PageOutcome.SKIPPED


def _is_suspiciously_empty(page: Page) -> bool:
    return (
        page.outcome is PageOutcome.OBSERVED
        and not page.candidates
        and not page.faults
        and page.freshness.serial is None
    )


def _rotated(views: Sequence[View], by: int) -> tuple[View, ...]:
    offset = by % len(views)
    return (*views[offset:], *views[:offset])
