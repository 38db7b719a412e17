"""What pypiserver says of itself: whether a project has local files, and where others are sent.

`GET /PROJECT/json` is the one page that no fallback answers: it lists the local files, or is a 404
in words of its own. It is also what tells pypiserver from every other server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import Page, PageOutcome, Touch, View
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.freshness import foreign_cache_signs
from probes.kit.session import GuardedSession, Request
from probes.kit.views import page_headers

__all__ = ["OwnWord", "ask_fallback", "ask_own_word", "fits_pages", "own_page_url"]

# A project of 10,000 files has 2 MB of it.
_MAX_JSON_BYTES = 64 * 2**20
_SEE_OTHER = 303
# pypiserver's own text, in the error page of the Bottle that it carries (1.2 to 2.4).
_NOT_FOUND = "package {project} not found"
_TAGS = re.compile(r"<[^<>]*>")
# Appended to the project's name, so that it names nothing that anybody has.
_NOBODYS = "-of-which-nobody-has-a-file"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    url: str


class _Info(msgspec.Struct, forbid_unknown_fields=True):
    version: str


class _Json(msgspec.Struct, forbid_unknown_fields=True):
    info: _Info
    releases: dict[str, list[_File]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWord:
    """What `/PROJECT/json` says.

    Attributes:
        recognised: whether it is pypiserver that answers, and nothing in front of it shows.
        problem: why it is not recognised, in words; "" if it is.
        files: names of the project's local files; empty: there are none, or nobody said so.
        evidence: id of the answer; None if there was none.
    """

    recognised: bool
    problem: str = ""
    files: frozenset[str] = frozenset()
    evidence: str | None = None


def own_page_url(index_url: str, project: str) -> str:
    """Return the address of the project's JSON, beside `simple/`."""
    return urljoin(index_url.rstrip("/") + "/", f"../{project}/json")


async def ask_own_word(
    assignment: Assignment, session: GuardedSession, recorder: EvidenceRecorder
) -> OwnWord:
    """Ask which files of the project are local."""
    project = assignment.incident.project
    try:
        answer = await session.send(
            _request(assignment, own_page_url(assignment.location.url or "", project))
        )
    except ProbeError as error:
        problem = session.redactor.text(str(error))
        return OwnWord(recognised=False, problem=f"/{project}/json could not be read: {problem}")
    evidence = recorder.of_answer(answer)
    signs = foreign_cache_signs(answer.headers)
    if signs:
        problem = f"a cache is in front ({', '.join(signs)})"
        return OwnWord(recognised=False, problem=problem, evidence=evidence)
    files = _local_files(answer, project)
    if files is None:
        problem = f"/{project}/json is not as pypiserver answers it (status {answer.status})"
        return OwnWord(recognised=False, problem=problem, evidence=evidence)
    return OwnWord(recognised=True, files=files, evidence=evidence)


def _request(assignment: Assignment, url: str) -> Request:
    return Request(
        url=url,
        headers=page_headers(View.PIP, assignment.user_agent_suffix),
        touch=Touch.REFRESHES_INDEX,
        redirects=False,
    )


def _local_files(answer: Answer, project: str) -> frozenset[str] | None:
    """Return the names of the local files; None if this is nothing that pypiserver answers."""
    if answer.fault is not None or len(answer.body) > _MAX_JSON_BYTES:
        return None
    if answer.status == 404:
        text = _TAGS.sub("", answer.body[: 2**14].decode("utf-8", "replace"))
        return frozenset() if _NOT_FOUND.format(project=project) in text else None
    if answer.status != 200:
        return None
    try:
        listed = msgspec.json.decode(answer.body, type=_Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    files = (file for release in listed.releases.values() for file in release)
    return frozenset(_name_of(file.url) for file in files) or None


def _name_of(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def fits_pages(word: OwnWord, pages: Iterable[Page], *, passed_on: bool) -> bool:
    """Say whether the pages are what this server itself would show.

    A cache in front that shows no sign of itself may still have an older page than the server.
    """
    if passed_on:
        return not word.files
    read = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
    return all(word.files == {c.filename for c in page.candidates} for page in read)


async def ask_fallback(
    assignment: Assignment, session: GuardedSession, recorder: EvidenceRecorder
) -> tuple[str | None, str | None]:
    """Find out where clients are sent for a project without local files.

    That is asked for a name of which nobody has a file. The redirect is read and not followed, so
    that nobody else learns of it.

    Returns:
        Address of the fallback index, None if there is none; and the id of the evidence.
    """
    nobodys = f"{assignment.incident.project}{_NOBODYS}"
    url = urljoin((assignment.location.url or "").rstrip("/") + "/", f"{nobodys}/")
    try:
        answer = await session.send(_request(assignment, url))
    except ProbeError:
        return None, None
    target = answer.headers.get("location") or ""
    if answer.status != _SEE_OTHER or nobodys not in target:
        return None, recorder.of_answer(answer)
    index = session.redactor.url(target.rstrip("/").removesuffix(nobodys))
    return index, recorder.of_answer(answer)
