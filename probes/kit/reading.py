"""From an answer to what its page says: read once for each body, and made safe to be stored."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Malformed
from auditor.model import Candidate, Candidates, Fault
from probes.kit.answer import Answer
from probes.kit.beside import beside_the_loop
from probes.kit.evidence import entries_that_matter
from probes.kit.pages import ParsedPage
from probes.kit.pages.columns import PlainFiles
from probes.kit.pages.memory import THREAD_BYTES, PageMemory
from probes.kit.redaction import Redactor

__all__ = ["PageReader", "Parse"]

# What is cut off between two anchors looks whole. Content-Length, chunks and compression tell where
# a body ends; where nothing but the end of the connection does, the page must close itself.
_CLOSED = re.compile(rb"</(?:html|body)\s*>", re.IGNORECASE)
_CLOSED_WITHIN_BYTES = 1_024
_MAY_BE_CUT = Fault(
    subject="page",
    problem="it ended with the connection, and neither a Content-Length nor a closing tag shows "
    "that this was its end; it may have been cut",
)
_PASSWORD_FIELD = re.compile(rb"<input\b[^<>]{0,500}type\s*=\s*[\"']?password", re.IGNORECASE)


class Parse(Protocol):
    """What reads a page, such as `probes.kit.pages.parse_page`."""

    def __call__(
        self, body: bytes, *, url: str, content_type: str | None, project: str
    ) -> ParsedPage:
        """Read one page, or raise `Malformed`."""
        ...


class PageReader:
    """Reads the pages of one location; all of one audit share what they have read.

    Args:
        assignment: whose incident the pages are read for.
        redactor: knows the location's secrets.
        parse: in place of `parse_page`; its pages are this reader's own. None: that, whose pages
            all of one audit share.
    """

    def __init__(self, assignment: Assignment, redactor: Redactor, parse: Parse | None) -> None:
        self._incident = assignment.incident
        self._redactor = redactor
        self._own_parse = parse
        shared = assignment.shared
        self._memory = PageMemory() if shared is None else shared.one(PageMemory, "pages")
        self._parsed: dict[tuple[str | None, str, str | None, bool], ParsedPage] = {}

    async def read(self, answer: Answer) -> ParsedPage:
        """Read the page of an answer.

        Raises:
            ProbeError: its body could not be decoded, or is no page.
        """
        if answer.fault is not None:
            raise answer.fault
        may_be_cut = _may_be_cut(answer)
        key = (answer.body_sha256, answer.url, answer.headers.get("content-type"), may_be_cut)
        if key not in self._parsed:
            parsed = await self._parse(answer)
            if not parsed.candidates and _PASSWORD_FIELD.search(answer.body):
                raise Malformed("a login page answers; give this location credentials")
            if may_be_cut:
                faults = (_MAY_BE_CUT, *parsed.faults)
                parsed = replace(parsed, complete=False, faults=faults)
            self._parsed[key] = parsed
        return self._parsed[key]

    def candidates(self, page: ParsedPage) -> Candidates:
        """Return the files on offer, safe to be stored."""

        if isinstance(page.candidates, PlainFiles):  # then no address has anything to hide
            return page.candidates

        def make() -> tuple[Candidate, ...]:
            return tuple(map(self._safe, page.candidates))

        if self._redactor.knows_secrets:  # then what is hidden depends on this place
            return make()
        return self._memory.derived(page, "safe candidates", make)

    def faults(self, page: ParsedPage) -> tuple[Fault, ...]:
        """Return what could not be read, safe to be stored."""
        redact = self._redactor.text
        return tuple(
            replace(fault, subject=redact(fault.subject), excerpt=redact(fault.excerpt))
            for fault in page.faults
        )

    def excerpt(self, page: ParsedPage) -> str:
        """Describe what matters on a page. It is not safe yet: the recorder makes it so."""
        incident = self._incident
        return self._memory.derived(
            page,
            ("entries that matter", incident.id, incident.fingerprints),
            lambda: entries_that_matter(page.candidates, incident),
        )

    async def _parse(self, answer: Answer) -> ParsedPage:
        url, content_type = answer.url, answer.headers.get("content-type")
        project, body = self._incident.project, answer.body
        if self._own_parse is None:
            digest = answer.body_sha256 or ""
            return await self._memory.read(
                body, url=url, content_type=content_type, project=project, digest=digest
            )
        parse = partial(self._own_parse, body, url=url, content_type=content_type, project=project)
        length = len(body)
        return await beside_the_loop(parse, length) if length >= THREAD_BYTES else parse()

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


def _may_be_cut(answer: Answer) -> bool:
    """Say whether nothing shows that this is the whole body. (JSON that was cut is no JSON.)"""
    headers = answer.headers
    chunked = "chunked" in (headers.joined("transfer-encoding") or "").lower()
    coding = (headers.joined("content-encoding") or "identity").strip().lower()
    if chunked or "content-length" in headers.names or coding not in ("identity", ""):
        return False
    is_json = "json" in (headers.get("content-type") or "")
    return not is_json and _CLOSED.search(answer.body[-_CLOSED_WITHIN_BYTES:]) is None
