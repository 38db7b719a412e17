"""Asking each surface, within bounds: at most 16 requests beside the four views of the page.

Two of the four simple pages are views of installers already; the other two (identity coding) are
asked for here, and never stand in for a view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from auditor.contracts import Assignment
from auditor.errors import Malformed, ProbeError
from auditor.model import Page, PageOutcome, Surface, Touch, View
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.freshness import serial_of
from probes.kit.origins import origin_of
from probes.kit.session import Request
from probes.kit.views import page_headers
from probes.pypi_surfaces.debug import read_debug
from probes.pypi_surfaces.reading import (
    LegacyFile,
    PageFacts,
    page_facts,
    page_surface,
    read_legacy,
    read_metadata,
    read_provenance,
)
from probes.pypi_surfaces.session import KeepingSession, headers_stripped
from probes.pypi_surfaces.targets import Targets, legacy_root, targets_of

__all__ = ["SurfaceReader"]

# The share of a location's time after which surfaces that have not answered are given up: they
# explain the pages, and must not cost the answers that decide.
_TIME_SHARE = 0.4
# Below this, a body is read faster than it is handed to a thread.
_THREAD_BYTES = 2**18
_FORMS = {"simple-json": View.PIP, "simple-html": View.PIP_HTML}
_ACCEPT_INTEGRITY = "application/vnd.pypi.integrity.v1+json"

_T = TypeVar("_T")
Ask = Coroutine[object, object, Surface]


class SurfaceReader:
    """Asks the surfaces of one project.

    Attributes:
        broken_files: broken files that the legacy JSON names, with their URLs.
    """

    def __init__(
        self, assignment: Assignment, session: KeepingSession, recorder: EvidenceRecorder
    ) -> None:
        self.broken_files: tuple[LegacyFile, ...] = ()
        self._assignment = assignment
        self._session = session
        self._recorder = recorder
        self._page_facts: PageFacts | None = None
        self._read_bodies: dict[tuple[str, str | None], Surface] = {}

    async def read(
        self, url: str, pages: tuple[Page, ...], *, artifacts: str | None
    ) -> tuple[Surface, ...]:
        """Ask for every surface that may be asked for. Never raises because of one of them.

        Args:
            url: of the project's simple page.
            pages: what the views came to.
            artifacts: why nothing beside artifacts may be asked for; None if it may.
        """
        seen = [await self._from_view(name, view, pages) for name, view in _FORMS.items()]
        kept = self._session.answers.get(View.PIP)
        self._page_facts = await _reading(kept, page_facts) if kept and not kept.fault else None
        targets = targets_of(pages, self._assignment.incident)
        asks = [*self._pages(url), *self._legacy(targets)]
        asks += [*self._debugged(url, artifacts), *self._sidecars(targets, artifacts)]
        asks += self._provenances(targets, artifacts)
        asked = await self._within_time(asks)
        return tuple(_settled([*(s for s in seen if s is not None), *asked]))

    async def _within_time(self, asks: list[tuple[Surface, Ask]]) -> list[Surface]:
        """Wait for all of them, for a share of the location's time; the rest stays unknown."""
        tasks = [asyncio.ensure_future(ask) for _, ask in asks]
        if not tasks:
            return []
        limit_s = self._assignment.location.timeout_s * _TIME_SHARE
        try:
            await asyncio.wait(tasks, timeout=limit_s)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        late = f"no answer in {limit_s:g} s, which is all the time it gets"
        return [
            replace(blank, outcome=PageOutcome.UNREACHABLE, detail=late)
            if task.cancelled()
            else task.result()
            for (blank, _), task in zip(asks, tasks, strict=True)
        ]

    async def _from_view(self, name: str, view: View, pages: tuple[Page, ...]) -> Surface | None:
        answer = self._session.answers.get(view)
        if answer is None:
            return None
        page = [p for p in pages if p.view is view][-1]
        surface = await self._page(name, "gzip", answer)
        return replace(surface, url=page.url, evidence=page.evidence)

    def _pages(self, url: str) -> list[tuple[Surface, Ask]]:
        """Both forms without compression: two more objects of the delivery network."""
        return [
            (
                Surface(name=name, encoding="identity", outcome=PageOutcome.SKIPPED),
                self._ask_page(name, "identity", url, view, (("Accept-Encoding", "identity"),)),
            )
            for name, view in _FORMS.items()
        ]

    def _debugged(self, url: str, forbidden: str | None) -> list[tuple[Surface, Ask]]:
        """Both forms once more, asking the delivery network for the age that it hides."""
        if forbidden is not None:
            return []
        return [
            (
                Surface(name=name, encoding="gzip", outcome=PageOutcome.SKIPPED),
                self._ask_page(name, "gzip", url, view, (("Fastly-Debug", "1"),)),
            )
            for name, view in (("cdn-json", View.PIP), ("cdn-html", View.PIP_HTML))
        ]

    async def _ask_page(
        self, name: str, encoding: str, url: str, view: View, changes: tuple[tuple[str, str], ...]
    ) -> Surface:
        changed = {key for key, _ in changes}
        suffix = self._assignment.user_agent_suffix
        headers = tuple(h for h in page_headers(view, suffix) if h[0] not in changed)
        request = Request(url=url, headers=(*headers, *changes), touch=Touch.REFRESHES_INDEX)
        blank = Surface(name=name, encoding=encoding, outcome=PageOutcome.SKIPPED)

        async def read(answer: Answer) -> Surface:
            return await self._page(name, encoding, answer)

        return await self._send(blank, request, read)

    async def _page(self, name: str, encoding: str, answer: Answer) -> Surface:
        """Read a page; the same bytes are read once, whoever asked."""
        form = name.rpartition("-")[2]
        key = (form, answer.body_sha256 if answer.status == 200 else None)
        known = self._read_bodies.get(key) if key[1] else None
        incident = self._assignment.incident
        if known is None:
            known = await _reading(answer, lambda a: page_surface(name, encoding, a, incident))
            self._read_bodies[key] = known
            return known
        body = {place: serial for place, serial in known.serials.items() if place != "header"}
        header = serial_of(answer.headers)
        return replace(
            known,
            name=name,
            encoding=encoding,
            serials=body if header is None else {**body, "header": header},
            stripped=headers_stripped([answer.headers]),
        )

    def _legacy(self, targets: Targets) -> list[tuple[Surface, Ask]]:
        location, incident = self._assignment.location, self._assignment.incident
        root = legacy_root(location.url or "")
        if root is None:
            return []
        project = f"{root}/pypi/{incident.project}"
        asks = [("", f"{project}/json")]
        asks += [(version, f"{project}/{quote(version)}/json") for version in targets.versions]
        return [self._legacy_one(subject, url) for subject, url in asks]

    def _legacy_one(self, subject: str, url: str) -> tuple[Surface, Ask]:
        name = "legacy-release" if subject else "legacy-project"
        blank = Surface(name=name, subject=subject, outcome=PageOutcome.SKIPPED)

        def parse(answer: Answer) -> tuple[Surface, tuple[LegacyFile, ...]]:
            return read_legacy(subject, answer, self._assignment.incident)

        async def read(answer: Answer) -> Surface:
            surface, broken = await _reading(answer, parse)
            self.broken_files += broken
            return surface

        request = self._document(url, "application/json")
        return blank, self._send(blank, request, read)

    def _sidecars(self, targets: Targets, forbidden: str | None) -> list[tuple[Surface, Ask]]:
        """The metadata of a wheel is a cheap proof that the wheel is there."""
        return [self._sidecar(name, url, forbidden) for name, url in targets.sidecars]

    def _sidecar(self, filename: str, url: str, forbidden: str | None) -> tuple[Surface, Ask]:
        blank = Surface(name="metadata", subject=filename, outcome=PageOutcome.SKIPPED)
        if forbidden is not None:
            return blank, _answered(replace(blank, detail=forbidden))
        digests = self._page_facts.metadata_sha256 if self._page_facts else {}
        request = Request(
            url=url,
            headers=self._headers("*/*"),
            touch=Touch.INERT,
            artifact=True,
            redirects=False,
        )

        async def read(answer: Answer) -> Surface:
            return read_metadata(filename, digests.get(filename), answer)

        return blank, self._send(blank, request, read)

    def _provenances(self, targets: Targets, forbidden: str | None) -> list[tuple[Surface, Ask]]:
        return [self._provenance(name, url, forbidden) for name, url in targets.provenances]

    def _provenance(
        self, filename: str, url: str | None, forbidden: str | None
    ) -> tuple[Surface, Ask]:
        blank = Surface(name="provenance", subject=filename, outcome=PageOutcome.SKIPPED)
        if url is None:
            detail = "the page announces no attestations for it"
            return blank, _answered(replace(blank, outcome=PageOutcome.ABSENT, detail=detail))
        if forbidden is not None or not self._is_own(url):
            detail = forbidden or "not asked: its address is not on the host of the index"
            return blank, _answered(replace(blank, detail=detail))
        # Its address goes on where that of the file ends: something in between could take it for
        # the file, and the guard does.
        request = replace(self._document(url, _ACCEPT_INTEGRITY), artifact=True, redirects=False)

        async def read(answer: Answer) -> Surface:
            return read_provenance(filename, answer)

        return blank, self._send(blank, request, read)

    def _is_own(self, url: str) -> bool:
        """A page must not be able to send us anywhere."""
        try:
            return origin_of(url) == origin_of(self._assignment.location.url or "")
        except Malformed:
            return False

    def _document(self, url: str, accept: str) -> Request:
        return Request(url=url, headers=self._headers(accept), touch=Touch.REFRESHES_INDEX)

    def _headers(self, accept: str) -> tuple[tuple[str, str], ...]:
        agent = dict(page_headers(View.PIP, self._assignment.user_agent_suffix))["User-Agent"]
        return (("User-Agent", agent), ("Accept", accept), ("Accept-Encoding", "gzip"))

    async def _send(
        self, blank: Surface, request: Request, read: Callable[[Answer], Awaitable[Surface]]
    ) -> Surface:
        shown = self._session.redactor.url(request.url)
        blank = replace(blank, url=shown)
        try:
            answer = await self._session.send(request)
        except ProbeError as error:
            detail = self._session.redactor.text(str(error))
            return replace(blank, outcome=PageOutcome.UNREACHABLE, detail=detail)
        if answer.hops:
            detail = "it redirects elsewhere, and only what the index itself says is read"
            return replace(blank, outcome=PageOutcome.REFUSED, status=answer.status, detail=detail)
        surface = await read(answer)
        ages = read_debug(answer.headers) if blank.name.startswith("cdn-") else None
        if ages is not None:
            surface = replace(surface, age_s=ages.age_s, nodes=ages.nodes)
        evidence = self._recorder.of_answer(answer, _told(surface))
        return replace(surface, url=shown, evidence=(evidence,))


async def _answered(surface: Surface) -> Surface:
    return surface


async def _reading(answer: Answer, read: Callable[[Answer], _T]) -> _T:
    """Read a body, in a thread if it is large, so that deadlines of other locations are kept."""
    if len(answer.body) < _THREAD_BYTES:
        return read(answer)
    return await asyncio.to_thread(read, answer)


def _told(surface: Surface) -> str:
    """The surface's word on the incident, as an excerpt of the evidence."""
    said = {
        "lists broken": surface.lists_broken,
        "lists fix": surface.lists_fix,
        "serials": ", ".join(f"{place} {n}" for place, n in surface.serials.items()) or None,
        "age_s": surface.age_s,
        **surface.facts,
    }
    return "; ".join(f"{name}: {value}" for name, value in said.items() if value is not None)


def _settled(surfaces: list[Surface]) -> list[Surface]:
    """Read a missing release as one that is not there, where the server has such pages at all.

    Mirrors and gateways of PyPI often pass on the legacy JSON of projects and not that of releases.
    """
    releases = (s for s in surfaces if s.name == "legacy-release")
    offered = any(s.outcome is PageOutcome.OBSERVED for s in releases)
    return [
        replace(s, facts={**s.facts, "release": "not there"})
        if offered and s.name == "legacy-release" and s.outcome is PageOutcome.ABSENT
        else s
        for s in surfaces
    ]
