"""Index pages that uv keeps: `simple-vN/{pypi|index/<hash>}/<project>.rkyv`."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from auditor.errors import ProbeError
from auditor.model import Candidate, Freshness, Incident, Page, PageOutcome, View
from auditor.model.filename import version_in
from probes.client_caches.home import CacheReading
from probes.client_caches.walk import walk
from probes.http_stores.disk import Body, opened
from probes.kit.disk import NotReadable
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.redaction import redact_url
from probes.uv_store import page_archive
from probes.uv_store.buckets import Bucket
from probes.uv_store.policy import CachePolicy, read_policy
from probes.uv_store.rkyv import NotArchived

__all__ = ["read_pages"]

# PyPI's largest page has 11,000 files, which uv stores in some 5 MB.
_MAX_PAGE_BYTES = 256 * 2**20
_NEW_POLICY_FROM = 25
_MAX_NAMES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredPage:
    """One file of the bucket.

    Attributes:
        place: relative to the cache.
        content: the whole file.
        policy: None if it cannot be read.
        candidates: None if the page cannot be read.
        problem: why not; "" if both can.
    """

    place: str
    content: bytes
    policy: CachePolicy | None = None
    candidates: tuple[Candidate, ...] | None = None
    problem: str = ""


def read_pages(home: Path, bucket: Bucket, incident: Incident, reading: CacheReading) -> None:
    """Read every page of the project in one bucket."""
    for place, name in walk(str(home), bucket.directory, reading):
        if name == f"{incident.project}.rkyv":
            try:
                content = _content(f"{home}/{place}")
            except FileNotFoundError:
                continue  # uv replaced it meanwhile
            except (OSError, NotReadable, ProbeError):
                reading.note("pages of the project that may not be read", place, hides=True)
                continue
            page = _read(place, content, bucket.number, incident.project)
            reading.kept_pages.append(partial(_written_down, page, home, incident))


def _content(path: str) -> bytes:
    with opened(path) as file:
        if file.size > _MAX_PAGE_BYTES:
            raise NotReadable("it is larger than any page")
        return Body(file.descriptor, 0, file.size).whole()


def _read(place: str, content: bytes, number: int, project: str) -> _StoredPage:
    try:
        policy = read_policy(content, new=number >= _NEW_POLICY_FROM)
    except NotArchived as error:
        problem = f"it is damaged, or no page as uv lays it out in simple-v{number}: {error}"
        return _StoredPage(place=place, content=content, problem=problem)
    page = _StoredPage(place=place, content=content, policy=policy)
    if number != page_archive.LAYOUT:
        problem = (
            f"uv stores pages in simple-v{number} in a form of which only the time is read here; "
            f"it is trusted until {policy.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        return _failed(page, problem)
    try:
        found = page_archive.read_candidates(content[: policy.page_size], policy.url, project)
    except NotArchived as error:
        return _failed(page, f"its list of files is damaged, or laid out in another way: {error}")
    return _StoredPage(place=place, content=content, policy=policy, candidates=found)


def _failed(page: _StoredPage, problem: str) -> _StoredPage:
    return replace(page, problem=problem)


def _written_down(
    stored: _StoredPage, home: Path, incident: Incident, sample: int, recorder: EvidenceRecorder
) -> Page:
    path = home / stored.place
    digest = hashlib.sha256(stored.content).hexdigest()
    freshness, facts = Freshness(), {"how": "read from uv's own form of the page"}
    url = path.as_uri()
    if stored.policy is not None:
        policy = stored.policy
        url = redact_url(policy.url)
        freshness = Freshness(
            fetched_at=policy.fetched_at,
            age_s=None if policy.age_s is None else float(policy.age_s),
            expires_at=policy.expires_at,
        )
        facts |= {
            "url": url,
            "fetched-at": f"{policy.fetched_at:%Y-%m-%dT%H:%M:%SZ}",
            "expires-at": f"{policy.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        }
    evidence = recorder.of_disk(
        path,
        facts,
        digest=f"sha256:{digest}",
        excerpt=entries_that_matter(stored.candidates, incident) if stored.candidates else "",
        reproduce=f"strings -n 12 -- {shlex.quote(str(path))}",
    )
    read = stored.candidates is not None
    # Of files that a page merely names nothing else is known, so that no choice is made of them.
    return Page(
        view=View.UV,
        sample=sample,
        outcome=PageOutcome.OBSERVED if read else PageOutcome.MALFORMED,
        detail=stored.problem,
        status=stored.policy.status if stored.policy else None,
        url=url,
        complete=read,
        candidates=_named_in(stored.content, incident.project)
        if stored.candidates is None
        else stored.candidates,
        freshness=freshness,
        body_sha256=digest,
        evidence=(evidence,),
    )


def _named_in(content: bytes, project: str) -> tuple[Candidate, ...]:
    """Return the files of the project whose names stand somewhere in a page."""
    spelling = rb"[-_.]+".join(re.escape(part.encode()) for part in project.split("-"))
    ending = rb"-\d[\w.+!-]{0,200}?\.(?:whl|tar\.gz|zip)"
    found = re.finditer(spelling + ending, content, re.IGNORECASE)
    names = {match[0].decode("ascii") for match in islice(found, _MAX_NAMES)}
    versions = {name: version_in(name, project) for name in sorted(names)}
    return tuple(Candidate(filename=n, version=v) for n, v in versions.items() if v is not None)
