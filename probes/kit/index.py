"""Reading an index over HTTP as each client class sees it: pages, their outcomes, their origin."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditor.contracts import Assignment
from auditor.errors import ProbeError, Unreachable
from auditor.model import Freshness, Page, PageOutcome, View
from probes.kit.answer import Answer
from probes.kit.conclusion import has_fix
from probes.kit.evidence import EvidenceRecorder
from probes.kit.freshness import foreign_cache_signs, freshness_of
from probes.kit.guard import is_asked_once
from probes.kit.hosting import file_hosting
from probes.kit.outcomes import STATUS_DETAIL, outcome_of_error, outcome_of_status
from probes.kit.redaction import Redactor
from probes.kit.session import GuardedSession

if TYPE_CHECKING:
    from probes.kit.pages import ParsedPage
    from probes.kit.reading import PageReader, Parse

__all__ = ["VIEWS", "IndexReader", "file_hosting", "outcome_of_status", "project_url"]

VIEWS = (View.PIP, View.PIP_HTML, View.UV, View.POETRY)
# Of a body that is shown: more than is shown, as it is made safe before it is shortened.
_BEGINNING_BYTES = 2**14
_BEGINNING_CHARS = 1000


def project_url(index_url: str, project: str) -> str:
    """Return the address of a project's page, formed as pip forms it."""
    return posixpath.join(index_url, quote(project)) + "/"


class IndexReader:
    """Asks an index for one project, once per view and sample.

    Args:
        assignment: whose project is asked for.
        session: through which that is done.
        recorder: of the evidence.
        parse: in place of `parse_page`, as for `PageReader`; None: that.

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
        parse: Parse | None = None,
    ) -> None:
        self.pages: tuple[Page, ...] = ()
        self.notes: list[str] = []
        self.connected: bool | None = None
        self.recorder = recorder
        self.foreign_caches: set[str] = set()
        self.redirected = False
        self._assignment = assignment
        self._session = session
        self._parse = parse
        self._redactor: Redactor = session.redactor
        self._asks_once = is_asked_once(assignment)
        self._down: dict[str, Page] = {}  # by address
        self._not_asked: Sequence[str] = ()

    @cached_property
    def _reader(self) -> PageReader:
        # What reads pages is loaded while the first answer is on its way.
        from probes.kit.reading import PageReader

        return PageReader(self._assignment, self._redactor, self._parse)

    @property
    def proxy(self) -> str | None:
        """The forward proxy through which it was asked, answer or not; None: directly."""
        return self._session.proxy

    async def read(self, url: str, *, views: Sequence[View] = VIEWS) -> tuple[Page, ...]:
        """Ask for a page in every view and sample. Never raises because of one page.

        Each address that the name stands for is asked as often as the location says, and its
        answers are samples of their own.

        Several samples are asked one request after the other, each round beginning with another
        view: were the order the same each time, nodes that take turns would always show the same
        node to the same view.
        """
        samples = max(1, self._assignment.location.samples)
        addresses = await self._addresses(url)
        pages = await self._round(url, views, addresses, 1)
        if samples > 1 and self._may_sample(pages, samples):
            for number in range(2, samples + 1):
                turned = _rotated(views, number - 1)
                pages += await self._round(url, turned, addresses, number)
        pages += self._left_out(url, views, len(addresses) * samples + 1)
        self.pages = tuple(sorted(pages, key=lambda page: (views.index(page.view), page.sample)))
        return self.pages

    async def _addresses(self, url: str) -> Sequence[str | None]:
        """Find the addresses to be asked one by one; a single None leaves it to the connection."""
        # PyPI's are those of a delivery network, none of them a machine. Its nodes are told apart
        # by their own headers (see `probes.pypi_surfaces`).
        if self._assignment.location.settings.get("pip_builtin"):
            return (None,)
        try:
            nodes = await self._session.nodes(url)
        except ProbeError:  # which each request will meet as well
            return (None,)
        for note in nodes.notes:
            self._note(note)
        self._not_asked = nodes.left_out
        return nodes.addresses or (None,)

    def _left_out(self, url: str, views: Sequence[View], sample: int) -> list[Page]:
        """Say in every view that some address was not asked: whoever is given it may get old pages.

        One stands for all of them. A page that was not read forbids to call the place good.
        """
        if not self._not_asked:
            return []
        page = Page(
            view=View.PIP,
            sample=sample,
            address=self._not_asked[0],
            outcome=PageOutcome.SKIPPED,
            detail=f"{len(self._not_asked)} addresses of this name were not asked, being too many: "
            "audit them one by one, each as a location of its own",
            url=self._redactor.url(url),
        )
        return [replace(page, view=view) for view in views]

    async def _round(
        self, url: str, views: Sequence[View], addresses: Sequence[str | None], number: int
    ) -> list[Page]:
        """Ask every address once in every view."""
        asked = [*enumerate(addresses, start=(number - 1) * len(addresses) + 1)]
        if self._assignment.location.samples > 1:
            return [await self._page(url, view, *node) for node in asked for view in views]
        if len(asked) == 1:  # as nearly always, and a task more for each page is felt
            return await self._node(url, views, *asked[0])
        nodes = await asyncio.gather(*(self._node(url, views, *node) for node in asked))
        return [page for pages in nodes for page in pages]

    async def _node(
        self, url: str, views: Sequence[View], sample: int, address: str | None
    ) -> list[Page]:
        """Ask one address in every view at once, but for one of several: it may not answer."""
        alone = 0 if address is None else 1
        pages = [await self._page(url, view, sample, address) for view in views[:alone]]
        rest = [self._page(url, view, sample, address) for view in views[alone:]]
        if len(rest) == 1:
            return [*pages, await rest[0]]
        return [*pages, *await asyncio.gather(*rest)]

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
            PageOutcome.SKIPPED,
        }:
            return
        from probes.kit.rootpage import ROOT_PREFIX_BYTES, RootSign, recognise_root

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

    async def _page(self, url: str, view: View, sample: int, address: str | None) -> Page:
        if address in self._down:
            return replace(self._down[address], view=view, sample=sample)
        page = await self._ask(url, view, sample, address)
        if self._asks_once or not _is_suspiciously_empty(page):
            return page
        # devpi answers 200 with no files and no serial while it refreshes its list of projects;
        # the next request is right.
        again = await self._ask(url, view, sample, address)
        self._note(f"{view.value}: the page was empty, and was asked for once more")
        return again

    async def _ask(self, url: str, view: View, sample: int, address: str | None) -> Page:
        try:
            answer = await self._session.get_page(url, view, address=address)
        except ProbeError as error:
            return self._failed(error, url, view, sample, address)
        self._connected(True)
        return await self._from_answer(answer, view, sample, address)

    def _failed(
        self, error: ProbeError, url: str, view: View, sample: int, address: str | None
    ) -> Page:
        connected = isinstance(error, Unreachable) and error.connected
        self._connected(connected)
        where = f"at {address}, one of its addresses: " if address else ""
        detail = self._redactor.text(f"{where}{error}")
        shown_url = self._redactor.url(url)
        page = Page(
            view=view,
            sample=sample,
            address=address,
            outcome=outcome_of_error(error),
            detail=detail,
            url=shown_url,
            evidence=(self.recorder.of_failure(f"GET {shown_url} ({view.value})", detail),),
        )
        if address and isinstance(error, Unreachable) and not connected:
            self._down[address] = page
        return page

    async def _from_answer(
        self, answer: Answer, view: View, sample: int, address: str | None
    ) -> Page:
        self.foreign_caches.update(foreign_cache_signs(answer.headers))
        if answer.hops:
            self.redirected = True
            self._note(f"redirected to {self._redactor.url(answer.url)}")
        make = partial(
            Page,
            view=view,
            sample=sample,
            address=address,
            status=answer.status,
            url=self._redactor.url(answer.asked_url),
            final_url=self._redactor.url(answer.url) if answer.hops else None,
            content_type=answer.headers.get("content-type"),
            body_sha256=answer.body_sha256,
        )
        outcome = outcome_of_status(answer.status)
        if outcome is not PageOutcome.OBSERVED:
            detail = STATUS_DETAIL[outcome].format(status=answer.status)
            if answer.proxy and outcome is PageOutcome.DENIED:
                detail += ", or those of the proxy"  # which answers 401 and 403 of its own
            return self._unread(make, answer, detail, outcome)
        try:
            parsed = await self._reader.read(answer)
        except ProbeError as error:
            return self._unread(make, answer, str(error), outcome_of_error(error))
        return self._read(make, answer, parsed)

    def _read(self, make: Callable[..., Page], answer: Answer, parsed: ParsedPage) -> Page:
        return make(
            outcome=PageOutcome.OBSERVED,
            complete=parsed.complete,
            candidates=self._reader.candidates(parsed),
            faults=self._reader.faults(parsed),
            project_status=parsed.project_status,
            versions=parsed.versions,
            api_version=parsed.api_version,
            freshness=self._freshness(answer, parsed.serial),
            evidence=(self.recorder.of_answer(answer, self._reader.excerpt(parsed)),),
        )

    def _unread(
        self, make: Callable[..., Page], answer: Answer, detail: str, outcome: PageOutcome
    ) -> Page:
        evidence = self.recorder.of_answer(answer, self._beginning(answer))
        return make(
            outcome=outcome,
            detail=self._redactor.text(detail),
            freshness=self._freshness(answer),
            evidence=(evidence,),
        )

    def _freshness(self, answer: Answer, serial: int | None = None) -> Freshness:
        redact = self._redactor.text
        return freshness_of(answer.headers, answer.fetched_at, body_serial=serial, redact=redact)

    def _beginning(self, answer: Answer) -> str:
        """Return the beginning of a body that was not understood, or is no page."""
        text = answer.body[:_BEGINNING_BYTES].decode("utf-8", "replace")
        cut = "…" if len(answer.body) > _BEGINNING_BYTES else ""
        return " ".join((self._redactor.text(text + cut)).split())[:_BEGINNING_CHARS]

    def _connected(self, connected: bool) -> None:
        self.connected = bool(self.connected) or connected

    def _note(self, text: str) -> None:
        safe = self._redactor.text(text)
        if safe not in self.notes:
            self.notes.append(safe)


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
