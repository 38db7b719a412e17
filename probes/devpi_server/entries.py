"""Are the bytes held? devpi's own answer about a file's entry, which fetches nothing.

`GET +f/…` with `Accept: application/json` is the only question about a file that a devpi mirror
answers without downloading that file (measured on devpi-server 6.20.3): HEAD opens an upstream
download and stores small files, OPTIONS and Range store the whole of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import Candidate, HeldState, Holding, Incident, Page, PageOutcome, Touch
from probes.devpi_server.address import DevpiAddress
from probes.devpi_server.question import Question
from probes.devpi_server.stored_bytes import ask_for_bytes, why_not_ask_bytes
from probes.devpi_server.topology import Topology
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.session import GuardedSession, Request

__all__ = ["Question", "broken_files", "holdings_over_http", "questions"]

# A release has rarely more than 100 files, in few indexes; what is beyond this stays unknown.
MAX_QUESTIONS = 200
# The entry has some 500 bytes. A web server in front may send the file instead.
_PREFIX_BYTES = 2**14
_WORKERS = 4
# A cache in front that keeps answers by URL must not keep this one for those who want the file.
_MARK = "?view=json"


def broken_files(incident: Incident, pages: Iterable[Page]) -> tuple[Candidate, ...]:
    """Return each broken file that a page lists, once."""
    digests = incident.broken_sha256
    found: dict[tuple[str, str | None], Candidate] = {}
    for page in pages:
        for candidate in page.candidates if page.outcome is PageOutcome.OBSERVED else ():
            sha256 = candidate.hashes.get("sha256")
            if incident.is_broken(candidate.version) or sha256 in digests:
                found.setdefault((candidate.filename, sha256), candidate)
    return tuple(found.values())


def questions(
    incident: Incident, listed: Iterable[Candidate], topology: Topology, address: DevpiAddress
) -> tuple[Question, ...]:
    """Say which file is to be asked for in which index: what is listed, and what was ever known.

    A file that no page lists any more is asked for in every index that this one inherits from.
    """
    asked: dict[tuple[str, str | None, str], Question] = {}
    for file in listed:
        owner = address.owner_of(file.url)
        index, sha256 = owner or topology.own, file.hashes.get("sha256")
        # Links without a digest lie under `+e`, where only the page knows them.
        url = address.entry_url(index, sha256, file.filename) if sha256 else owner and file.url
        question = Question(file.filename, file.version, sha256, index, url, listed=True)
        asked[file.filename, sha256, index] = question
    known = [(f.filename, f.version, f.sha256) for f in incident.fingerprints if f.filename]
    known += [(q.filename, q.version, q.sha256) for q in asked.values() if q.sha256]
    names = [index.name for index in topology.indexes] or [topology.own]
    for filename, version, sha256 in known:
        for index in names:
            url = address.entry_url(index, sha256, filename) if filename and sha256 else None
            question = Question(filename or "", version, sha256, index, url, listed=False)
            asked.setdefault((filename or "", sha256, index), question)
    return tuple(asked.values())


async def holdings_over_http(
    assignment: Assignment,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    asked: Sequence[Question],
    topology: Topology,
) -> tuple[Holding, ...]:
    """Put every question, a few at once, and say of each file what the best answer tells."""
    replica = topology.status is not None and topology.status.is_replica

    def why_not_bytes(filename: str) -> str | None:
        return why_not_ask_bytes(assignment, topology, filename)

    interview = _Interview(assignment, session, recorder, why_not_bytes, replica=replica)
    slots = asyncio.Semaphore(_WORKERS)

    async def one(question: Question) -> tuple[Question, Holding]:
        async with slots:
            return question, await interview.put(question)

    told = await asyncio.gather(*(one(question) for question in asked[:MAX_QUESTIONS]))
    beyond = f"not asked: only the first {MAX_QUESTIONS} files are"
    rest = [(q, unknown(q, beyond)) for q in asked[MAX_QUESTIONS:]]
    return _telling([*told, *rest])


def unknown(question: Question, how: str, *evidence: str) -> Holding:
    """Make the holding of a file of which nothing is known."""
    return Holding(
        filename=question.filename,
        version=question.version,
        sha256=question.sha256,
        state=HeldState.UNKNOWN,
        how=how,
        evidence=evidence,
    )


class _Entry(msgspec.Struct):
    last_modified: str | None = None
    hash_spec: str | None = None


class _EntryReply(msgspec.Struct):
    type: str
    result: _Entry


class _Interview:
    """Asks for entries, and stops as soon as an answer is not devpi's own."""

    def __init__(
        self,
        assignment: Assignment,
        session: GuardedSession,
        recorder: EvidenceRecorder,
        why_not_bytes: Callable[[str], str | None],
        *,
        replica: bool,
    ) -> None:
        self._assignment = assignment
        self._why_not_bytes = why_not_bytes
        self._agent = f"devpi-client {assignment.user_agent_suffix}"
        self._session = session
        self._recorder = recorder
        self._replica = replica
        self._surprised = False

    async def put(self, question: Question) -> Holding:
        """Ask one question."""
        if question.url is None:
            return unknown(question, "not asked: its digest is not known, and no page lists it")
        if self._surprised:
            return unknown(question, "not asked: what answers for files here is not devpi itself")
        try:
            answer = await self._session.send(self._request(question))
        except ProbeError as error:
            return unknown(question, f"not known: {self._session.redactor.text(str(error))}")
        return await self._settled(question, self._read(question, answer))

    async def _settled(self, question: Question, entry: Holding) -> Holding:
        """Ask for the file itself, where its entry settles nothing and there is no harm in it."""
        settled = entry.answered is not None and not self._replica
        if settled or self._surprised or self._why_not_bytes(question.filename) is not None:
            return entry
        return await ask_for_bytes(self._assignment, self._session, self._recorder, question, entry)

    def _request(self, question: Question) -> Request:
        url = (question.url or "").partition("#")[0].partition("?")[0]
        return Request(
            url=f"{url}{_MARK}",
            headers=(
                ("User-Agent", self._agent),
                ("Accept", "application/json"),
                ("Accept-Encoding", "identity"),
            ),
            # An unlisted name can make the index re-read its upstream's page of the project.
            touch=Touch.INERT if question.listed else Touch.REFRESHES_INDEX,
            artifact=True,
            artifact_broken=True,
            prefix_bytes=_PREFIX_BYTES,
            redirects=False,
        )

    def _read(self, question: Question, answer: Answer) -> Holding:
        where = question.index
        if answer.status == 404:
            return self._holding(question, answer, _gone(f"{where} never knew this file"))
        if answer.status == 410:
            return self._holding(question, answer, _gone(f"{where} had an entry, since deleted"))
        if answer.status != 200:
            return self._holding(
                question, answer, (HeldState.UNKNOWN, f"its entry answers {answer.status}")
            )
        return self._of_entry(question, answer)

    def _of_entry(self, question: Question, answer: Answer) -> Holding:
        try:
            reply = msgspec.json.decode(answer.body, type=_EntryReply)
            matches = reply.result.hash_spec == f"sha256={question.sha256}"
            is_entry = reply.type == "releasefilemeta" and (matches or not question.sha256)
        except (msgspec.DecodeError, ValueError, RecursionError):
            is_entry = False
        if not is_entry:
            self._surprised = True
            how = "what answers for its URL is not devpi's entry; a web server is in front"
            return self._holding(question, answer, (HeldState.UNKNOWN, how))
        if reply.result.last_modified is None:
            return self._holding(question, answer, _gone(f"{question.index} links it only"))
        how = f"{question.index} stored it at some time; whether it is still on disk, only its "
        how += "`path` tells, because deleting the version leaves this entry"
        return self._holding(question, answer, (HeldState.STORED_ONCE, how))

    def _holding(self, question: Question, answer: Answer, told: tuple[HeldState, str]) -> Holding:
        state, how = told
        excerpt = f"{state.value}: {how}"
        if self._replica:
            # Metadata replicates by itself, the bytes apart from it: wrong in both ways.
            how = f"a replica's entries describe its primary ({how}); look at its disk with `path`"
            state = HeldState.UNKNOWN
        evidence = self._recorder.of_answer(answer, excerpt)
        return Holding(
            filename=question.filename,
            version=question.version,
            sha256=question.sha256,
            state=state,
            how=how,
            # What devpi has no entry of, it has no file of: the same word answers an installer.
            answered=answer.status if answer.status in (404, 410) else None,
            evidence=(evidence,),
        )


def _gone(how: str) -> tuple[HeldState, str]:
    return HeldState.NOT_HELD, how


def _telling(told: Sequence[tuple[Question, Holding]]) -> tuple[Holding, ...]:
    """Leave out what says nothing: an index that never knew a file which another one has."""
    kept: dict[tuple[str, str | None], list[tuple[Question, Holding]]] = {}
    for question, holding in told:
        kept.setdefault((question.filename, question.sha256), []).append((question, holding))
    holdings: list[Holding] = []
    for answers in kept.values():
        says = [h for q, h in answers if q.listed or h.state is not HeldState.NOT_HELD]
        holdings += says or [answers[0][1]]
    return tuple(holdings)
