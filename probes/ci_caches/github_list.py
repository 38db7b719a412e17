"""The list of a repository's caches (GitHub REST interface, version 2022-11-28).

https://docs.github.com/en/rest/actions/cache: key, ref, time of creation and of last use, size. No
request reads a cache itself, and none removes one.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from auditor.errors import Denied, Malformed, Unreachable
from auditor.model import Bundle, Touch
from probes.kit.answer import Answer, shown
from probes.kit.evidence import EvidenceRecorder
from probes.kit.session import Request

__all__ = ["CacheList", "Repository", "read_caches", "repository_in"]

_ADDRESS = re.compile(
    r"https?://(?P<host>[^/?#@]+)(?P<prefix>/api/v3)?/repos/"
    r"(?P<owner>[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38}))/(?P<name>[A-Za-z0-9._-]{1,100})/?"
)
_PER_PAGE = 100  # the most that is documented
# 10,000 caches; a repository with more is said not to be read to its end.
_MAX_PAGES = 100
_MAX_KEY_CHARS = 512  # as documented by actions/cache


class Sends(Protocol):
    """A guarded session, as far as it is needed here."""

    async def send(self, request: Request) -> Answer:
        """Send one request."""
        ...


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, as its REST address names it.

    Attributes:
        url: of its REST resource, without a slash at its end.
        slug: what `gh --repo` takes.
    """

    url: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheList:
    """The caches of a repository.

    Attributes:
        bundles: as listed, the oldest first.
        complete: whether these are all.
        problem: why they are not; "" if they are.
    """

    bundles: tuple[Bundle, ...]
    complete: bool
    problem: str = ""


class _Cache(msgspec.Struct):
    id: int
    key: str = ""
    ref: str = ""
    created_at: str | None = None
    last_accessed_at: str | None = None
    size_in_bytes: int | None = None


class _Page(msgspec.Struct):
    total_count: int
    actions_caches: list[_Cache]


def repository_in(url: str) -> Repository:
    """Read the address of a repository.

    Raises:
        Malformed: it is none.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise Malformed(
            "the URL names no repository; write https://api.github.com/repos/OWNER/REPO, or "
            "https://HOST/api/v3/repos/OWNER/REPO"
        )
    own = f"{found['host']}/" if found["prefix"] else ""
    return Repository(url.rstrip("/"), f"{own}{found['owner']}/{found['name']}")


async def read_caches(
    session: Sends, repository: Repository, recorder: EvidenceRecorder, user_agent: str
) -> CacheList:
    """Read the list page by page, the oldest first, so that new ones come at its end.

    Raises:
        ProbeError: it cannot be read at all.
    """
    found: dict[int, Bundle] = {}
    total = 0
    for number in range(1, _MAX_PAGES + 1):
        page, evidence = await _page(session, repository, recorder, user_agent, number)
        total = page.total_count
        found.update(
            (cache.id, _bundle(cache, repository, evidence)) for cache in page.actions_caches
        )
        if len(page.actions_caches) < _PER_PAGE or len(found) >= total:
            break
    if len(found) < total:
        problem = f"only {len(found)} of {total} caches could be listed; audit again"
        return CacheList(bundles=tuple(found.values()), complete=False, problem=problem)
    return CacheList(bundles=tuple(found.values()), complete=True)


async def _page(
    session: Sends,
    repository: Repository,
    recorder: EvidenceRecorder,
    user_agent: str,
    number: int,
) -> tuple[_Page, str]:
    query = {"per_page": _PER_PAGE, "page": number, "sort": "created_at", "direction": "asc"}
    answer = await session.send(
        Request(
            url=f"{repository.url}/actions/caches?{urlencode(query)}",
            headers=(
                ("User-Agent", user_agent),
                ("Accept", "application/vnd.github+json"),
                ("Accept-Encoding", "gzip"),
                ("X-GitHub-Api-Version", "2022-11-28"),
            ),
            touch=Touch.INERT,
            redirects=False,
        )
    )
    evidence = recorder.of_answer(answer, f"answers {answer.status}")
    _refuse(answer)
    try:
        return msgspec.json.decode(answer.body, type=_Page), evidence
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Malformed("what answers there is not GitHub's list of caches") from error


def _refuse(answer: Answer) -> None:
    """Turn everything but a list into its cause. A repository that we may not see is no absence."""
    if answer.status in (403, 429) and answer.headers.get("x-ratelimit-remaining") == "0":
        raise Unreachable("its limit of requests is used up; audit again later", connected=True)
    if answer.status in (401, 403):
        raise Denied(f"answers {answer.status}: the token needs the right to read actions")
    if answer.status == 404:
        raise Denied("answers 404: there is no such repository, or the token may not see it")
    if answer.status in (301, 302, 307, 308):
        raise Malformed("the repository has moved; write its new address")
    if answer.status == 429 or answer.status >= 500:
        raise Unreachable(f"answers {answer.status}, also when asked again", connected=True)
    if answer.fault is not None:
        raise answer.fault
    if answer.status != 200:
        raise Malformed(f"answers {answer.status}, which GitHub does not for such a list")


def _bundle(cache: _Cache, repository: Repository, evidence: str) -> Bundle:
    command = ["gh", "cache", "delete", str(cache.id), "--repo", repository.slug]
    return Bundle(
        name=shown(cache.key, _MAX_KEY_CHARS) or f"cache {cache.id}",
        scope=shown(cache.ref, _MAX_KEY_CHARS),
        created_at=_time(cache.created_at),
        used_at=_time(cache.last_accessed_at),
        size=cache.size_in_bytes,
        remove=shlex.join(command),
        evidence=(evidence,),
    )


def _time(text: str | None) -> datetime | None:
    """Read a time, which GitHub gives in nanoseconds at times; None if it is none."""
    if text is None:
        return None
    whole = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        found = datetime.fromisoformat(whole)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
