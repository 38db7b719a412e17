"""Index pages that a client keeps: what they list, and until when the client trusts them."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from auditor.errors import ProbeError
from auditor.model import (
    Candidate,
    Freshness,
    Incident,
    Page,
    PageOutcome,
    View,
    normalise_project,
)
from probes.http_stores.expiry import expires_at, matches_pips_request
from probes.http_stores.finding import StoredPage
from probes.kit.answer import Headers
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.freshness import freshness_of, http_date
from probes.kit.pages import ParsedPage, parse_page

__all__ = ["ReadPage", "read_pages", "written_down"]

# The store does not keep the URL of a page. Relative links start at a place that is none
# (RFC 6761), and what they lead to is not known.
_NOWHERE = "http://cache-entry.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """A stored page of the project, parsed.

    Attributes:
        stored: as it was found.
        parsed: None if it is no readable page; `problem` says why.
        trusted: whether a client exists that uses it without asking, until it expires.
        view: the client that keeps it.
        until: when it expires, where that client reckons in another way than pip; None: as pip.
        url: what was asked for; None if the store does not say.
    """

    stored: StoredPage
    parsed: ParsedPage | None
    problem: str
    trusted: bool
    view: View = View.PIP
    until: datetime | None = None
    url: str | None = None


def read_pages(pages: Iterable[StoredPage], project: str, *, trusting: bool) -> list[ReadPage]:
    """Parse the pages that name the project; those of other projects are left out.

    Args:
        pages: as found.
        project: whose pages are sought.
        trusting: whether the client of this store trusts pages until they expire.
    """
    found = (_parsed(page, project, trusting) for page in pages)
    return [page for page in found if page is not None]


def _parsed(page: StoredPage, project: str, trusting: bool) -> ReadPage | None:
    trusted = trusting and matches_pips_request(page.entry)
    try:
        parsed = parse_page(
            page.body,
            url=f"{_NOWHERE}/simple/{project}/",
            content_type=page.entry.headers.get("content-type"),
            project=project,
        )
    except ProbeError as error:
        return ReadPage(stored=page, parsed=None, problem=str(error), trusted=trusted)
    lists_ours = any(c.version is not None for c in parsed.candidates)
    if not lists_ours and normalise_project(parsed.name or "") != project:
        return None
    known = replace(parsed, candidates=tuple(map(_with_known_url, parsed.candidates)))
    return ReadPage(stored=page, parsed=known, problem="", trusted=trusted)


def _with_known_url(candidate: Candidate) -> Candidate:
    if candidate.url is not None and candidate.url.startswith(_NOWHERE):
        return msgspec.structs.replace(candidate, url=None)
    return candidate


def written_down(
    page: ReadPage, sample: int, home: Path, incident: Incident, recorder: EvidenceRecorder
) -> Page:
    """Make the page of an observation, with its evidence.

    Args:
        page: as read.
        sample: its number; several caches and indexes may each keep a page.
        home: the cache.
        incident: decides which lines matter.
        recorder: keeps the evidence.
    """
    stored, parsed = page.stored, page.parsed
    freshness = _freshness(page)
    facts = _facts(page, freshness)
    digest = hashlib.sha256(stored.body).hexdigest()
    path = home / stored.place
    listed = parsed.candidates if parsed else ()
    evidence = recorder.of_disk(
        path,
        facts,
        digest=f"sha256:{digest}",
        excerpt=entries_that_matter(listed, incident) if parsed else "",
        reproduce=_command(page, path),
    )
    made = Page(
        view=page.view,
        sample=sample,
        outcome=PageOutcome.MALFORMED,
        detail=page.problem,
        status=stored.entry.status,
        url=page.url or path.as_uri(),
        content_type=stored.entry.headers.get("content-type"),
        freshness=freshness,
        body_sha256=digest,
        evidence=(evidence,),
    )
    if parsed is None:
        return made
    return replace(
        made,
        outcome=PageOutcome.OBSERVED,
        detail="",
        complete=parsed.complete,
        candidates=parsed.candidates,
        faults=parsed.faults,
        project_status=parsed.project_status,
        versions=parsed.versions,
        api_version=parsed.api_version,
    )


def _freshness(page: ReadPage) -> Freshness:
    stored = page.stored
    headers = stored.entry.headers
    date = http_date(headers.get("date"))
    fetched_at = date or datetime.fromtimestamp(stored.modified_s, UTC)
    serial = page.parsed.serial if page.parsed else None
    read = freshness_of(Headers(tuple(headers.items())), fetched_at, body_serial=serial)
    # Without a Date it is never fresh; where no client trusts it, it expired when it came.
    until = expires_at(headers, date) if date and page.trusted else fetched_at
    return replace(read, expires_at=page.until or until)


def _facts(page: ReadPage, freshness: Freshness) -> dict[str, str]:
    headers = page.stored.entry.headers
    names = ("content-type", "content-encoding", "cache-control", "date", "etag")
    facts = {name: headers[name] for name in names if name in headers}
    if freshness.expires_at:
        facts["expires-at"] = f"{freshness.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    if not page.trusted:
        facts["trusted"] = "no: pip from 26.2 on does not use this entry, older pip asks the index"
    if page.stored.entry.vary:
        facts["vary"] = "; ".join(f"{k}: {v}" for k, v in page.stored.entry.vary.items())
    return facts


def _command(page: ReadPage, path: Path) -> str:
    word = shlex.quote(str(path))
    if page.stored.entry.body_size:
        first = page.stored.entry.body_at + 1
        word = f"<(tail --bytes=+{first} {word} | head --bytes={page.stored.wire_size})"
    encoding = page.stored.entry.headers.get("content-encoding", "").strip().lower()
    return f"zcat < {word}" if encoding in ("gzip", "x-gzip") else f"cat {word}"
