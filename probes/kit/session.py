"""The guarded HTTP session: the one way in which a probe talks to a server."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from auditor.contracts import Assignment, Ledger
from auditor.errors import GuardRefused, Malformed, Unreachable
from auditor.model import RequestRecord, Touch, View
from probes.kit.addresses import AddressBook, Nodes
from probes.kit.answer import Answer
from probes.kit.answered import AnsweredOnce
from probes.kit.confinement import Confinement
from probes.kit.freshness import retry_after_s
from probes.kit.guard import decide, is_asked_once
from probes.kit.origins import follow, is_artifact_url, origin_of
from probes.kit.receiving import received
from probes.kit.redaction import REDACTED, redact_url
from probes.kit.request import Request
from probes.kit.retries import retried
from probes.kit.views import artifact_headers, page_headers
from probes.kit.way_in import prepare, way_into

if TYPE_CHECKING:
    from probes.kit.transport import Sending, Transports

__all__ = ["MAX_REDIRECTS", "GuardedSession", "Request", "prepare"]

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Requests end this much before the location's time is up, so that a probe with one hanging view
# still returns what the other views showed. Afterwards the engine would cancel all of it.
_SPARE_S = 1.0
_SPARE_SHARE = 0.1


class _Busy(Exception):
    """The server asks to come back later; carries its answer in case there is no later."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class GuardedSession:
    """Sends requests for one location: guarded, limited, recorded, bounded.

    Args:
        assignment: whose location is asked, within its policy and limits, into its ledger.
        retry_wait_s: seconds before the second attempt; later ones wait longer.

    Attributes:
        proxy: the forward proxy that was last used, answer or not, without its login; None: none.
        redactor: makes texts safe before they are stored.
    """

    def __init__(self, assignment: Assignment, *, retry_wait_s: float = 0.25) -> None:
        location = assignment.location
        self._assignment = assignment
        self._way_in = way_into(assignment)
        self._retry_wait_s = retry_wait_s
        self._asks_once = is_asked_once(assignment)
        self._transports: Transports | None = None
        self._own_transports: Transports | None = None
        self._deadline_s = 0.0
        self._turns: Counter[Request] = Counter()
        self._confinement = Confinement(location.url, self._way_in.proxies)
        self.proxy: str | None = None
        incident = assignment.incident
        public = (location.name, location.url or "", incident.id, incident.project)
        self.redactor = self._way_in.redactor(" ".join(public))

    async def __aenter__(self) -> GuardedSession:
        from probes.kit.transport import Transports

        location = self._assignment.location
        spare_s = min(_SPARE_S, location.timeout_s * _SPARE_SHARE)
        self._deadline_s = asyncio.get_running_loop().time() + location.timeout_s - spare_s
        # Several nodes behind one name are often told apart by connection: a kept one would show
        # the same node each time.
        # One that is kept may also be closed when it is needed again, which costs an attempt.
        keep = location.samples == 1 and not self._asks_once
        make, shared = partial(Transports, keep_connections=keep), self._assignment.shared
        if shared is None or not keep:
            self._transports = self._own_transports = make()
        else:  # one for all incidents of this place, and of this place alone
            key = ("connections", location.name)
            close, place = Transports.close, location.name
            self._transports = shared.one(make, *key, close=close, place=place)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._own_transports is not None:
            await self._own_transports.close()

    async def nodes(self, url: str) -> Nodes:
        """Find the addresses that the name in a URL stands for, as far as each is to be asked.

        Raises:
            ProbeError: the URL or the proxy cannot be used.
        """
        shared = self._assignment.shared
        book = AddressBook() if shared is None else shared.one(AddressBook, "addresses")
        return await book.nodes(url, self._way_in.via)

    async def get_page(
        self,
        url: str,
        view: View,
        *,
        prefix_bytes: int | None = None,
        address: str | None = None,
    ) -> Answer:
        """Ask for an index page exactly as one client class does.

        Args:
            url: of the page.
            view: the client class.
            prefix_bytes: how much of the body is wanted; None: all of it.
            address: the one to connect to, of those that the name stands for; None: any.

        Raises:
            ProbeError: as `send`.
        """
        request = Request(
            url=url,
            headers=page_headers(view, self._assignment.user_agent_suffix),
            touch=Touch.REFRESHES_INDEX,
            prefix_bytes=prefix_bytes,
            address=address,
        )
        return await self.send(request)

    async def head_file(self, url: str, *, touch: Touch, broken: bool) -> Answer:
        """Ask for the headers of a file, as pip would. Redirects are returned, not followed.

        Args:
            url: of the file.
            touch: what that may do on this very server; HEAD stores the file on many.
            broken: whether it is a broken artifact.

        Raises:
            ProbeError: as `send`.
        """
        return await self.send(
            Request(
                method="HEAD",
                url=url,
                headers=artifact_headers(self._assignment.user_agent_suffix),
                touch=touch,
                artifact=True,
                artifact_broken=broken,
                redirects=False,
            )
        )

    async def send(self, request: Request) -> Answer:
        """Send a request through the guard, follow its redirects, and read the answer.

        Raises:
            GuardRefused: the request, or what it redirects to, must not be asked for.
            Unreachable: nothing answered, or not in time.
            Denied: a proxy wants credentials. (Answers such as 401 are returned.)
            Malformed: what came back is no answer.
        """
        shared, ledger = self._assignment.project_shared, self._assignment.ledger
        if shared is None or request.artifact or request.method != "GET":
            return await self._send(request, ledger)
        self._check(request)
        self._turns[request] += 1
        answer = await shared.one(AnsweredOnce, "answers").answer(
            (self._assignment.location.name, request, self._turns[request]),
            partial(self._send, request),
            ledger,
            incident=self._assignment.incident.id,
            timeout_s=self._time_left_s(),
        )
        return self._confinement.noted(answer)

    async def _send(self, request: Request, ledger: Ledger) -> Answer:
        hops: list[str] = []
        current = request
        while True:
            answer = self._confinement.noted(await self._attempts(current, ledger))
            if answer.status not in _REDIRECTS or not request.redirects:
                if current is request:
                    return answer
                return replace(
                    answer, asked_url=request.url, hops=tuple(hops), address=request.address
                )
            if len(hops) == MAX_REDIRECTS:
                raise Malformed(f"more than {MAX_REDIRECTS} redirects; is it a loop?")
            target = follow(
                current.url, answer.headers.get("location"), artifact_asked=request.artifact
            )
            await self.refuse_private(target, answer)
            hops.append(target)
            stays = origin_of(target).host == origin_of(current.url).host
            current = replace(current, url=target, address=current.address if stays else None)

    def _check(self, request: Request) -> None:
        decide(request.touch, self._assignment.policy, artifact_broken=request.artifact_broken)
        if REDACTED in request.url:
            raise GuardRefused("a part of its URL is secret, and is not kept")
        if not request.artifact and is_artifact_url(request.url):
            raise GuardRefused("the URL names a file where an index page was expected")

    async def _check_file(self, request: Request) -> None:
        """Keep what was declared not to store a file from being sent where it could.

        Which host has a file is said by the page alone. A gateway that rewrites links can name
        another cache there, and a proxy is chosen for each host: the page's own tells nothing.
        """
        if not request.artifact or request.touch is Touch.MAY_STORE_ARTIFACT:
            return
        if self._way_in.proxies.to(request.url) is not None:
            raise GuardRefused("a proxy is in use for this file, and could store it")
        index = self._assignment.location.url
        if index and origin_of(index).scheme == "https" != origin_of(request.url).scheme:
            raise GuardRefused("the index is asked over https, and names this file without it")
        await self.refuse_private(request.url)

    async def _attempts(self, request: Request, ledger: Ledger) -> Answer:
        """Ask up to three times, if the server is busy or the connection breaks."""
        self._check(request)
        await self._check_file(request)
        timeout_s = self._assignment.location.timeout_s

        async def ask() -> Answer:
            answer = await self._once(request, ledger)
            if request.again and (answer.status == 429 or answer.status >= 500):
                raise _Busy(answer)
            return answer

        try:
            return await retried(ask, self._backoff, timeout_s, self._retry_wait_s)
        except _Busy as busy:
            return busy.answer

    def _backoff(self, error: Exception) -> bool | float:
        """Decide whether to ask again, and after how many seconds if the server says so."""
        from probes.kit.transport import ConnectionLost

        if self._asks_once:
            return False
        if isinstance(error, ConnectionLost):
            return True
        if not isinstance(error, _Busy):
            return False
        wait_s = retry_after_s(error.answer.headers, error.answer.fetched_at)
        if wait_s is None:
            return True
        left_s = self._deadline_s - asyncio.get_running_loop().time()
        return max(wait_s, self._retry_wait_s) if wait_s < left_s else False

    async def _once(self, request: Request, ledger: Ledger) -> Answer:
        """Send one request, whatever becomes of it, and record it."""
        from probes.kit.transport import Call, Sending

        if self._transports is None:
            raise RuntimeError("use the session in an `async with` block")
        access = self._way_in.access
        authorization = access.authorization(request.url)
        proxy = self._way_in.proxies.to(request.url)
        shown_proxy = redact_url(proxy) if proxy else None
        self.proxy = shown_proxy or self.proxy
        if proxy is not None:  # which looks up the name by itself
            request = replace(request, address=None)
        private = (("Authorization", authorization),) if authorization else ()
        tls = access.tls(request.url) or (access.tls(proxy) if proxy else None)
        sending = Sending()
        async with self._slot(request.url):
            sent_at = self._assignment.now()
            call = Call(
                method=request.method,
                url=request.url,
                headers=(*request.headers, *private),
                proxy=proxy,
                tls=tls,
                timeout_s=self._time_left_s(),
                prefix_bytes=request.prefix_bytes,
            )
            try:
                reply = await self._transports.to(request.address).exchange(call, sending)
            finally:
                self._record(request, sending, sent_at, ledger)
        return await received(
            request,
            reply,
            fetched_at=self._assignment.now(),
            proxy=shown_proxy,
            with_credentials=authorization is not None,
        )

    def _time_left_s(self) -> float:
        left_s = self._deadline_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise Unreachable(
                "not asked: the time of this location is used up; raise its timeout_s",
                connected=False,
            )
        return left_s

    def _slot(self, url: str) -> AbstractAsyncContextManager[None]:
        return self._assignment.limits.slot(origin_of(url).host_and_port)

    def _record(
        self, request: Request, sending: Sending, sent_at: datetime, ledger: Ledger
    ) -> None:
        """Write the ledger: a line for each time that the request left us, so maybe none."""
        record = RequestRecord(
            location=self._assignment.location.name,
            method=request.method,
            url=self.redactor.url(request.url),
            touch=request.touch,
            status=sending.status,
            sent_at=sent_at,
            address=request.address,
        )
        for left in range(sending.times - 1, -1, -1):
            ledger.write(replace(record, status=None) if left else record)

    async def refuse_private(self, target: str, answer: Answer | None = None) -> None:
        """Keep a server from sending us to what is nearer than it is itself.

        Args:
            target: a URL that a server names.
            answer: which names it; None: one of this location.

        Raises:
            GuardRefused: it tries to.
        """
        if self._transports is not None:
            await self._confinement.apply(target, answer, self._transports)
