"""Asking a cache which broken files it holds, where that changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import HeldState, Holding, Page, PageOutcome, Touch
from auditor.model.filename import version_in
from probes.cache_server.questions import (
    Question,
    Reading,
    canary_url,
    choose_question,
    read_answer,
)
from probes.cache_server.session import CacheSession
from probes.cache_server.signs import Signs
from probes.kit.answer import Answer
from probes.kit.chain import AskedFile, ask_for, why_not_ask
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader
from probes.kit.origins import is_same_host, origin_of
from probes.kit.request import Request
from probes.kit.views import artifact_headers

__all__ = ["Refusal", "Remote", "broken_files", "remote_holdings"]

# A release has rarely more than 100 files; what is beyond this stays unknown.
_MAX_FILES = 200
# Installers of all environments choose among few files; each takes three requests at most.
_MAX_FIX_FILES = 8
_ELSEWHERE = "the page links it on another host: who installs it passes this cache by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refusal that a cache keeps and gives to everybody who asks.

    Attributes:
        filename: that was asked for.
        status: of what is kept.
        evidence: id of the answer.
    """

    filename: str
    status: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Remote:
    """What was learnt over HTTP.

    Attributes:
        holdings: one for each broken file that is known.
        reason: why some of them are unknown; "" if none is.
        refused: files of the fix for which a refusal is kept.
    """

    holdings: tuple[Holding, ...]
    reason: str = ""
    refused: tuple[Refusal, ...] = ()


def broken_files(assignment: Assignment, pages: Sequence[Page]) -> tuple[AskedFile, ...]:
    """Gather the broken files that are known, at each address where this place may offer them.

    A name may have several: pages that link it here and elsewhere, or a file that was replaced, of
    which the old one is still kept under the old address. A file that no page here lists is sought
    where the source's own address of it would come through here; its address is "" where that
    cannot be told.
    """
    incident, found = assignment.incident, dict[tuple[str, str], AskedFile]()
    for candidate in (c for page in pages for c in page.candidates):
        is_known = candidate.hashes.get("sha256") in incident.broken_sha256
        if candidate.url and (is_known or incident.is_broken(candidate.version)):
            found[candidate.filename, candidate.url] = AskedFile(
                filename=candidate.filename,
                url=candidate.url,
                version=candidate.version,
                sha256=candidate.hashes.get("sha256"),
            )
    listed = {filename for filename, _ in found}
    base = _base_of(pages, assignment)
    for print_ in incident.fingerprints:
        url = _through(base, print_.url)
        if print_.filename and (url or print_.filename not in listed):
            file = AskedFile(
                filename=print_.filename,
                url=url,
                version=print_.version or version_in(print_.filename, incident.project),
                sha256=print_.sha256,
            )
            found.setdefault((print_.filename, url), file)
    return tuple(found.values())


def _fix_files(assignment: Assignment, pages: Sequence[Page]) -> Sequence[AskedFile]:
    """Gather the files of the fix that pages here list; none before the source lists it.

    Whoever asks for a file before it is out makes a cache refuse it to everybody afterwards.
    """
    if assignment.source is None or assignment.source.lists_fix is not True:
        return ()
    listed = (c for page in pages for c in page.candidates if c.url)
    named = {c.url: c for c in listed if assignment.incident.is_named_fixed(c.version)}
    return [
        AskedFile(filename=c.filename, url=url, version=c.version)
        for url, c in named.items()
        if url is not None
    ][:_MAX_FIX_FILES]


def _base_of(pages: Iterable[Page], assignment: Assignment) -> str | None:
    """Return the address below which files lie here; None if no page tells."""
    if assignment.location.settings.get("via") is not None:
        return ""  # a forward proxy: every file keeps the address that it has at its source
    for page in pages:
        for candidate in page.candidates:
            head, found, _ = (candidate.url or "").partition("/packages/")
            if found:
                return head
    return None


def _through(base: str | None, source_url: str | None) -> str:
    if base is None or source_url is None:
        return ""
    if not base:
        return source_url
    _, found, path = source_url.partition("/packages/")
    return f"{base}{found}{path}" if found else ""


async def remote_holdings(
    assignment: Assignment,
    session: CacheSession,
    reader: IndexReader,
    files: Sequence[AskedFile],
    signs: Sequence[Signs],
) -> Remote:
    """Say of each broken file whether it is held, if that can be asked without harm.

    The same question tells whether a file of the fix is refused.
    """
    asked = _Asking(assignment, session, reader, signs)
    holdings = [await asked.about(file) for file in files[:_MAX_FILES]]
    beyond = f"not asked: only the first {_MAX_FILES} broken files are"
    holdings += [_holding(file, HeldState.UNKNOWN, beyond) for file in files[_MAX_FILES:]]
    unknown = [h.how for h in holdings if h.state is HeldState.UNKNOWN]
    if not files:
        unknown = ["no broken file is known by name, so that there is nothing to ask for"]
    refused = [await asked.refusal_of(file) for file in _fix_files(assignment, reader.pages)]
    told = tuple(refusal for refusal in refused if refusal is not None)
    return Remote(tuple(holdings), unknown[0] if unknown else "", told)


class _Asking:
    """Asks about one file after the other, and stops where an answer is not what it should be."""

    def __init__(
        self,
        assignment: Assignment,
        session: CacheSession,
        reader: IndexReader,
        signs: Sequence[Signs],
    ) -> None:
        self._assignment = assignment
        self._session = session
        self._recorder: EvidenceRecorder = reader.recorder
        self._several = any(one.intermediaries > 1 for one in signs)
        self._may_expire = assignment.location.settings.get("files_expire") is not False
        self._why_not = _why_not(assignment, session, reader)
        peek = assignment.location.settings.get("peek")
        self._question = choose_question(signs, peek if isinstance(peek, (str, bool)) else None)
        self._canaries: dict[str, str | None] = {}

    async def about(self, file: AskedFile) -> Holding:
        """Ask about one file."""
        reason = self._why_not or _why_not_here(file, self._assignment)
        if reason is not None:
            state = HeldState.NOT_HELD if reason is _ELSEWHERE else HeldState.UNKNOWN
            return _holding(file, state, reason)
        if isinstance(self._question, str):
            reason = self._question
        else:
            reason = await self._canary(file, self._question)
            if reason is None:
                answered = await self._ask(file, self._question)
                if isinstance(answered, Holding):
                    return answered
                reason = answered
        return await self._if_gone(file, reason)

    async def refusal_of(self, file: AskedFile) -> Refusal | None:
        """Ask about a file of the fix; None: no refusal of it is kept, or that cannot be asked."""
        question = self._question
        if self._why_not or _why_not_here(file, self._assignment) or isinstance(question, str):
            return None
        if await self._canary(file, question) is not None:
            return None
        for headers in question.headers:
            request = replace(self._request(file.url, headers), artifact=True)
            try:
                answer = await self._session.send(request)
            except ProbeError:
                return None
            reading = read_answer(question, answer)
            if reading is Reading.REFUSED:
                evidence = self._recorder.of_answer(answer, "a file of the fix, refused")
                return Refusal(filename=file.filename, status=answer.status, evidence=evidence)
            if reading is Reading.FOREIGN:
                return None
        return None

    async def _if_gone(self, file: AskedFile, reason: str) -> Holding:
        """Ask all the same where there is nothing left that it could fetch, nor drop.

        A copy that has expired makes the cache ask above first. Learning of the 404, nginx with
        `proxy_cache_valid any` and Varnish put that in place of the bytes: then the question
        itself would remove them. Whether a copy has expired shows on its disk alone.
        """
        why_not = why_not_ask(self._assignment, file.filename)
        if why_not is None and self._may_expire:
            why_not = (
                "it is gone from every place above, and a plain question could make this cache "
                "drop a copy that has expired; set files_expire = false if none ever does here"
            )
        if why_not is None and self._several:
            why_not = "one of the caches in the way may not be among the declared ones"
        if why_not is not None:
            return _holding(file, HeldState.UNKNOWN, f"{reason}; {why_not}")
        return await ask_for(
            self._assignment,
            self._session,
            self._recorder,
            file,
            is_cache=True,
            may_expire=self._may_expire,
        )

    async def _canary(self, file: AskedFile, question: Question) -> str | None:
        """Ask for what nobody has, once for each place that files lie at; None: all is well."""
        parts = urlsplit(file.url)
        place = f"{parts.scheme}://{parts.netloc}/{parts.path.lstrip('/').partition('/')[0]}"
        if place not in self._canaries:
            url = canary_url(file.url)
            self._canaries[place] = await self._try_canary(url, question)
        return self._canaries[place]

    async def _try_canary(self, url: str, question: Question) -> str | None:
        request = self._request(url, question.headers[0])
        try:
            answer = await self._session.send(replace(request, touch=Touch.REFRESHES_INDEX))
        except ProbeError as error:
            return f"not asked: {self._session.redactor.text(str(error))}"
        self._recorder.of_answer(answer, "a name that nobody has, asked to see who answers")
        if read_answer(question, answer) is Reading.NOT_KEPT:
            return None
        return (
            f"not asked: {question.name} for a name that nobody has was answered {answer.status}, "
            f"not as {question.program.value} answers what it does not keep"
        )

    async def _ask(self, file: AskedFile, question: Question) -> Holding | str:
        evidence: list[str] = []
        for headers in question.headers:
            request = replace(self._request(file.url, headers), artifact=True, artifact_broken=True)
            try:
                answer = await self._session.send(request)
            except ProbeError as error:
                return f"{question.name} failed: {self._session.redactor.text(str(error))}"
            evidence.append(self._recorder.of_answer(answer))
            reading = read_answer(question, answer)
            if reading is Reading.KEPT:
                how = f"{question.name} answers 200, from what {question.program.value} keeps"
                held = _holding(file, HeldState.HELD, how, *evidence)
                return replace(held, size=_size(answer))
            if reading is Reading.FOREIGN:
                how = f"{question.name} answers {answer.status}, which is not its own answer"
                self._question = f"not asked: for another file, {how}"
                return _holding(file, HeldState.UNKNOWN, how, *evidence)
        how = (
            f"{question.name} answers 504 or a refusal that is kept, in every way that installers "
            f"ask for files: {question.program.value} does not keep it under this address"
        )
        return _holding(file, HeldState.NOT_HELD, how, *evidence)

    def _request(self, url: str, headers: tuple[tuple[str, str], ...]) -> Request:
        (agent, *_) = artifact_headers(self._assignment.user_agent_suffix)
        return Request(
            method="HEAD",
            url=url,
            headers=(agent, *headers),
            touch=Touch.INERT,
            redirects=False,
            again=False,
        )


def _why_not(assignment: Assignment, session: CacheSession, reader: IndexReader) -> str | None:
    """Return why nothing may be asked of this place at all; None if something may."""
    via = assignment.location.settings.get("via")
    if not any(page.outcome is PageOutcome.OBSERVED for page in reader.pages):
        return "not asked: no page could be read"
    if reader.redirected:
        return "not asked: the index redirects elsewhere"
    if session.proxy is not None and via is None:
        return "not asked: a proxy is in use that the location does not name"
    if via is not None and (assignment.location.url or "").lower().startswith("https:"):
        return (
            "not asked: through a forward proxy https is a tunnel (CONNECT), of which the proxy "
            "keeps nothing, unless it breaks TLS open"
        )
    return None


def _why_not_here(file: AskedFile, assignment: Assignment) -> str | None:
    """Return why this cache is not who has this file; None if it may be."""
    if not file.url:
        return "not asked: no page tells under which address it would come through here"
    if assignment.location.settings.get("via") is not None:
        return None
    try:
        file_at, index_at = origin_of(file.url), origin_of(assignment.location.url or "")
    except ProbeError as error:
        return f"not asked: {error}"
    same = is_same_host(file_at.host, index_at.host) and file_at.port == index_at.port
    return None if same else _ELSEWHERE


def _size(answer: Answer) -> int | None:
    length = answer.headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None


def _holding(file: AskedFile, state: HeldState, how: str, *evidence: str) -> Holding:
    return Holding(
        filename=file.filename, version=file.version, state=state, how=how, evidence=evidence
    )
