"""Static index pages in a bucket: what they list, and whether it is still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from auditor.contracts import Assignment
from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import (
    Candidate,
    FileHosting,
    Freshness,
    HeldState,
    Hint,
    Holding,
    Page,
    PageOutcome,
    View,
    normalise_project,
)
from auditor.model.filename import version_in
from probes.kit.answer import shown
from probes.kit.decoding import MAX_PAGE_BYTES, decode
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.freshness import freshness_of
from probes.kit.pages import ParsedPage, parse_page
from probes.kit.rootpage import RootSign, recognise_root
from probes.s3_bucket.client import Reply, S3Client
from probes.s3_bucket.failures import NotThere
from probes.s3_bucket.holdings import Keeper, command_line
from probes.s3_bucket.place import BucketPlace
from probes.s3_bucket.search import Found

__all__ = ["IndexPages", "page_keys", "root_page_keys"]

_JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# In the order in which websites answer a directory's address; a key may end in `/` itself.
_HTML_NAMES = ("index.html", "", "index.htm")
_JSON_NAMES = ("index.json", "index.v1_json")
_MAX_ASKED = 200
_SHOWN_FILES = 5


def page_keys(place: BucketPlace, project: str) -> frozenset[str]:
    """The keys under which an installer may be given an index page of a project."""
    roots = (f"{place.prefix}simple/", place.prefix)
    names = (*_HTML_NAMES, *_JSON_NAMES)
    return frozenset(f"{root}{project}/{name}" for root in roots for name in names)


def root_page_keys(place: BucketPlace) -> frozenset[str]:
    """The keys of a page for all projects, which may list the files themselves."""
    return frozenset((f"{place.prefix}index.html", f"{place.prefix}simple/index.html"))


@dataclass(slots=True, kw_only=True)
class IndexPages:
    """The index of one project in a bucket.

    Attributes:
        client, assignment, recorder: of the location.
        found: what the search for the project showed.
        keeper: asks for single objects.
        pages: one per form in which the index is there, or one that says what became of it.
        holdings: of listed files that the search did not come across.
        hints, notes: what follows for a reader.
    """

    client: S3Client
    assignment: Assignment
    recorder: EvidenceRecorder
    found: Found
    keeper: Keeper
    pages: tuple[Page, ...] = ()
    holdings: list[Holding] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Read the index, and compare it with the objects. Never raises because of one page."""
        html = await self._of_each_root(_HTML_NAMES, View.PIP)
        self._tell_of_spellings()
        self.pages = (*(html or [await self._root_page()]), *await self._json_pages())
        await self._compare()

    @property
    def hosting(self) -> FileHosting:
        """Whether the listed files are in this bucket."""
        here = {self._key(c) is not None for page in self.pages for c in page.candidates}
        if not here:
            return FileHosting.UNKNOWN
        if here == {True}:
            return FileHosting.HERE
        return FileHosting.MIXED if True in here else FileHosting.ELSEWHERE

    async def _of_each_root(self, names: Sequence[str], view: View) -> list[Page]:
        """Read the page below each place that may be the index: nothing says which one is used.

        They are samples of one view, so that the worse of two that differ counts.
        """
        prefix = self.client.place.prefix
        read = [await self._first(place, names, view) for place in (f"{prefix}simple/", prefix)]
        pages = [page for page in read if page is not None]
        if not self.found.listed:  # without the right to list, S3 refuses what is not there
            pages = [p for p in pages if p.outcome is not PageOutcome.DENIED] or pages[:1]
        return [replace(page, sample=number) for number, page in enumerate(pages, start=1)]

    async def _first(self, place: str, names: Sequence[str], view: View) -> Page | None:
        """Read the page that is there; without the right to list, the one that answers.

        Installers ask for the normalised name (PEP 503), and S3 compares case.
        """
        keys = [f"{place}{self.assignment.incident.project}/{name}" for name in names]
        if self.found.listed:
            present = self.found.current_keys()
            keys = [key for key in keys if key in present]
            if len(keys) > 1:
                others = ", ".join(shown(key, 100) for key in keys[1:4])
                self.notes.append(f"the index was read from {keys[0]}; there is also {others}")
            return await self._page(keys[0], view) if keys else None
        page: Page | None = None
        for key in keys:
            page = await self._page(key, view)
            if page.outcome not in (PageOutcome.ABSENT, PageOutcome.DENIED):
                return page
        return page if page and page.outcome is PageOutcome.DENIED else None

    def _tell_of_spellings(self) -> None:
        """Tell of pages under another spelling of the project's name, which nobody is given."""
        project = self.assignment.incident.project
        other = sorted(
            key
            for key in self.found.current_keys()
            if key.rpartition("/")[2] in (*_HTML_NAMES, *_JSON_NAMES)
            and key.rpartition("/")[0].rpartition("/")[2] not in (project, "simple")
            and normalise_project(key.rpartition("/")[0].rpartition("/")[2]) == project
        )
        if other:
            self.hints.append(
                Hint(
                    code="misspelt-page",
                    text=f"An index page lies under a spelling that no installer asks for: pip and "
                    f"uv ask for {project}/, and S3 compares case.",
                    expected=f"a page in {project}/",
                    observed=_some(other),
                )
            )

    async def _json_pages(self) -> list[Page]:
        """Read JSON pages beside it: what is in front of the bucket may give them to some clients.

        A bucket does not negotiate, so that this is no page of its own for anybody.
        """
        if not self.found.listed:
            return []
        pages = await self._of_each_root(_JSON_NAMES, View.UV)
        pages = [page for page in pages if page.content_type == _JSON_TYPE]
        if pages:
            self.notes.append(
                "there is a JSON page too; it is shown as the view uv, which gets it only where "
                "something in front of the bucket negotiates"
            )
        return pages

    async def _root_page(self) -> Page:
        """Without a page of the project, read the one at the top: all files, or all projects."""
        prefix = self.client.place.prefix
        absent: Page | None = None
        for key in (f"{prefix}index.html", f"{prefix}simple/index.html"):
            if self.found.listed and self.found.current(key) is None:
                continue
            page = await self._page(key, View.PIP, of_project=False)
            if page.outcome is not PageOutcome.ABSENT:
                return page
            absent = absent or (page if page.status == 200 else None)
        return absent or self._no_index()

    def _no_index(self) -> Page:
        """Tell an index without the project from a place that is no index at all."""
        place = self.client.place
        root = self.found.root
        is_index = root is not None and f"{place.prefix}simple/" in root.directories
        detail = (
            "no page of the project is here"
            if is_index
            else f"no index page is below {place.uri}; check bucket, prefix and role"
        )
        return Page(
            view=View.PIP,
            outcome=PageOutcome.ABSENT if is_index else PageOutcome.MALFORMED,
            detail=detail,
            url=place.uri,
        )

    async def _page(self, key: str, view: View, *, of_project: bool = True) -> Page:
        url = self.client.place.url_of(key, self.client.endpoint)
        page = Page(view=view, outcome=PageOutcome.SKIPPED, url=url)
        try:
            reply = await self.client.call("GetObject", Key=key)
        except ProbeError as error:
            evidence = self.recorder.of_request(f"GET {shown(url)}", {"error": str(error)})
            outcome = _outcome_of(error)
            status = 404 if outcome is PageOutcome.ABSENT else None
            return replace(
                page, outcome=outcome, detail=str(error), status=status, evidence=(evidence,)
            )
        return self._read(replace(page, status=reply.sent.status), key, reply, of_project)

    def _read(self, page: Page, key: str, reply: Reply, of_project: bool) -> Page:
        headers = reply.sent.headers
        page = replace(
            page,
            content_type=headers.get("content-type"),
            body_sha256=reply.sent.body_sha256,
            freshness=self._freshness(reply, None),
        )
        try:
            encoding = headers.joined("content-encoding")
            body = decode(reply.body, encoding, limit=MAX_PAGE_BYTES, partial=False)
            parsed = self._parsed(page, body, of_project)
        except ProbeError as error:
            evidence = self._witness(page, key, reply, "")
            detail = str(error)
            return replace(page, outcome=PageOutcome.MALFORMED, detail=detail, evidence=(evidence,))
        if parsed is None:
            detail = "the index lists nothing of the project"
            return replace(
                page,
                outcome=PageOutcome.ABSENT,
                detail=detail,
                evidence=(self._witness(page, key, reply, detail),),
            )
        excerpt = entries_that_matter(parsed.candidates, self.assignment.incident)
        return replace(
            page,
            outcome=PageOutcome.OBSERVED,
            complete=parsed.complete,
            candidates=parsed.candidates,
            faults=parsed.faults,
            project_status=parsed.project_status,
            versions=parsed.versions,
            api_version=parsed.api_version,
            freshness=self._freshness(reply, parsed.serial),
            evidence=(self._witness(page, key, reply, excerpt),),
        )

    def _parsed(self, page: Page, body: bytes, of_project: bool) -> ParsedPage | None:
        """Read a page; None if it is one of many projects, and of files of this one has none."""
        project = self.assignment.incident.project
        kind = page.content_type
        try:
            parsed = parse_page(body, url=page.url, content_type=kind, project=project)
        except Malformed:
            root = recognise_root(200, kind, body)
            if not of_project and root.sign is RootSign.INDEX:
                return None
            raise
        if of_project:
            return parsed
        ours = tuple(c for c in parsed.candidates if c.version is not None)
        lost = any(fault.loses_entry for fault in parsed.faults)
        return replace(parsed, candidates=ours) if ours or lost else None

    def _freshness(self, reply: Reply, serial: int | None) -> Freshness:
        redact = self.client.redactor.text
        now = self.assignment.now()
        return freshness_of(reply.sent.headers, now, body_serial=serial, redact=redact)

    def _witness(self, page: Page, key: str, reply: Reply, excerpt: str) -> str:
        names = ("content-type", "etag", "last-modified", "cache-control", "x-amz-version-id")
        told = {name: reply.sent.headers.joined(name) for name in names}
        facts = {"status": str(reply.sent.status)}
        facts |= {name: shown(value, 300) for name, value in told.items() if value}
        uri = f"s3://{self.client.place.bucket}/{key}"
        return self.recorder.of_request(
            f"GET {shown(page.url)}",
            facts,
            digest=f"sha256:{page.body_sha256}" if page.body_sha256 else None,
            excerpt=excerpt,
            reproduce=command_line(self.client, "s3", ["cp", uri, "-"]),
        )

    def _key(self, candidate: Candidate) -> str | None:
        return self.client.place.key_of(candidate.url or "", self.client.endpoint)

    async def _compare(self) -> None:
        """Find what the index lists and is not there, and what is there and it does not list."""
        listed: dict[str, Candidate] = {}
        for page in self.pages:
            for candidate in page.candidates:
                key = self._key(candidate)
                if key is not None and candidate.version is not None:
                    listed.setdefault(key, candidate)
        present = self.found.current_keys()
        unseen = {key: c for key, c in listed.items() if key not in present}
        missing: list[Candidate] = []
        # The broken and the fixed files first: a page may list many that nobody asks for.
        for key, candidate in sorted(unseen.items(), key=self._by_weight)[:_MAX_ASKED]:
            holding = await self.keeper.ask_for(key, candidate)
            if holding is None:
                continue
            self.holdings.append(holding)
            if holding.state is HeldState.NOT_HELD:
                missing.append(candidate)
        self._tell(missing, [key for key in present if key not in listed])

    def _by_weight(self, item: tuple[str, Candidate]) -> tuple[bool, str]:
        incident, version = self.assignment.incident, item[1].version
        return (not (incident.is_broken(version) or incident.is_named_fixed(version)), item[0])

    def _tell(self, missing: Sequence[Candidate], unlisted: Sequence[str]) -> None:
        pages = tuple(e for page in self.pages for e in page.evidence)
        if missing:
            told = _some([c.filename for c in missing])
            self.hints.append(
                Hint(
                    code="listed-but-missing",
                    text=f"The index lists what is not in the bucket any more: {told}. pip takes "
                    "such a file by its name, gets 404, and fails without trying another.",
                    expected="an index made anew after each upload and deletion",
                    observed=f"no object for {told}",
                    evidence=pages,
                    undeliverable=tuple(c.filename for c in missing),
                )
            )
        names = [key.rpartition("/")[2] for key in unlisted]
        fixes = [n for n in names if self.assignment.incident.is_named_fixed(self._version(n))]
        if fixes and any(page.outcome is PageOutcome.OBSERVED for page in self.pages):
            self.notes.append(
                f"{_some(sorted(fixes))} is in the bucket, and the index does not list it: it "
                "was not made anew after the upload"
            )

    def _version(self, filename: str) -> str | None:
        return version_in(filename, self.assignment.incident.project)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_FILES
    told = ", ".join(shown(name, 120) for name in names[:_SHOWN_FILES])
    return f"{told} and {more} more" if more > 0 else told


def _outcome_of(error: ProbeError) -> PageOutcome:
    if isinstance(error, NotThere):
        return PageOutcome.ABSENT
    if isinstance(error, Denied):
        return PageOutcome.DENIED
    if isinstance(error, Unreachable):
        return PageOutcome.UNREACHABLE
    return PageOutcome.MALFORMED if isinstance(error, Malformed) else PageOutcome.SKIPPED
