"""The guarded HTTP session: the one way in which a probe talks to a server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from auditor.contracts import Assignment
from auditor.errors import GuardRefused, Malformed, ProbeError, Unreachable
from auditor.model import RequestRecord, Touch, View
from probes.kit.access import Access
from probes.kit.answer import Answer
from probes.kit.decoding import MAX_BODY_BYTES, decode
from probes.kit.freshness import retry_after_s
from probes.kit.guard import decide, is_asked_once
from probes.kit.origins import follow, is_artifact_url, origin_of, resolves_to_private
from probes.kit.proxies import proxy_for, proxy_secrets, with_login
from probes.kit.redaction import REDACTED, Redactor, redact_url
from probes.kit.views import artifact_headers, page_headers

if TYPE_CHECKING:
    from probes.kit.transport import Reply, Sending, Transport

__all__ = ["MAX_REDIRECTS", "GuardedSession", "Request"]

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Below this, decoding is faster than handing it to a thread.
_THREAD_BYTES = 2**18

# Requests end this much before the location's time is up, so that a probe with one hanging view
# still returns what the other views showed. Afterwards the engine would cancel all of it.
_SPARE_S = 1.0
_SPARE_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a probe declares it.

    Attributes:
        method, url, headers: as they shall be sent; credentials are added by the session.
        touch: what it may do to the world, on this very server.
        artifact: whether the URL is that of a file to install.
        artifact_broken: whether that file is a broken one.
        prefix_bytes: how much of the body is wanted; None: all of it.
        redirects: whether redirects are followed.
    """

    method: str = "GET"
    url: str
    headers: tuple[tuple[str, str], ...]
    touch: Touch
    artifact: bool = False
    artifact_broken: bool = False
    prefix_bytes: int | None = None
    redirects: bool = True


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
        self._via = _named_proxy(assignment)
        self._access = Access.to(location.url, assignment.credentials)
        self._retry_wait_s = retry_wait_s
        self._asks_once = is_asked_once(assignment)
        self._transport: Transport | None = None
        self._deadline_s = 0.0
        self.proxy: str | None = None
        self.redactor = Redactor(self._secrets())

    async def __aenter__(self) -> GuardedSession:
        from probes.kit.transport import Transport

        location = self._assignment.location
        spare_s = min(_SPARE_S, location.timeout_s * _SPARE_SHARE)
        self._deadline_s = asyncio.get_running_loop().time() + location.timeout_s - spare_s
        # Several nodes behind one name are often told apart by connection: a kept one would show
        # the same node each time.
        # One that is kept may also be closed when it is needed again, which costs an attempt.
        self._transport = Transport(keep_connections=location.samples == 1 and not self._asks_once)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            await self._transport.close()

    async def get_page(self, url: str, view: View, *, prefix_bytes: int | None = None) -> Answer:
        """Ask for an index page exactly as one client class does.

        Raises:
            ProbeError: as `send`.
        """
        headers = page_headers(view, self._assignment.user_agent_suffix)
        return await self.send(
            Request(
                url=url, headers=headers, touch=Touch.REFRESHES_INDEX, prefix_bytes=prefix_bytes
            )
        )

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
        hops: list[str] = []
        current = request
        while True:
            answer = await self._attempts(current)
            if answer.status not in _REDIRECTS or not request.redirects:
                return replace(answer, asked_url=request.url, hops=tuple(hops))
            if len(hops) == MAX_REDIRECTS:
                raise Malformed(f"more than {MAX_REDIRECTS} redirects; is it a loop?")
            target = follow(
                current.url, answer.headers.get("location"), artifact_asked=request.artifact
            )
            await self.refuse_private(target)
            hops.append(target)
            current = replace(current, url=target)

    def _secrets(self) -> Iterator[str]:
        """Yield what must never be written anywhere.

        A password such as `root` or `test` that is part of the URL or of a name is no secret that
        could be hidden; hiding it would only garble file names and addresses.
        """
        location, incident = self._assignment.location, self._assignment.incident
        public = " ".join((location.name, location.url or "", incident.id, incident.project))
        for secret in (*self._access.secrets(), *proxy_secrets(self._via)):
            if secret not in public:
                yield secret

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
        if proxy_for(request.url, self._via) is not None:
            raise GuardRefused("a proxy is in use for this file, and could store it")
        index = self._assignment.location.url
        if index and origin_of(index).scheme == "https" != origin_of(request.url).scheme:
            raise GuardRefused("the index is asked over https, and names this file without it")
        await self.refuse_private(request.url)

    async def _attempts(self, request: Request) -> Answer:
        """Ask up to three times, if the server is busy or the connection breaks."""
        from probes.kit.transport import retrying

        self._check(request)
        await self._check_file(request)
        timeout_s = self._assignment.location.timeout_s
        try:
            async for attempt in retrying(self._backoff, timeout_s, self._retry_wait_s):
                with attempt:
                    answer = await self._once(request)
                    if answer.status == 429 or answer.status >= 500:
                        raise _Busy(answer)
                    return answer
        except _Busy as busy:
            return busy.answer
        raise AssertionError("a retry context returns or raises")  # pragma: no cover  # for mypy

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

    async def _once(self, request: Request) -> Answer:
        """Send one request, whatever becomes of it, and record it."""
        from probes.kit.transport import Call, Sending

        if self._transport is None:
            raise RuntimeError("use the session in an `async with` block")
        authorization = self._access.authorization(request.url)
        proxy = proxy_for(request.url, self._via)
        self.proxy = redact_url(proxy) if proxy else self.proxy
        private = (("Authorization", authorization),) if authorization else ()
        call = Call(
            method=request.method,
            url=request.url,
            headers=(*request.headers, *private),
            proxy=proxy,
            tls=self._access.tls(request.url) or (self._access.tls(proxy) if proxy else None),
            timeout_s=0.0,
            prefix_bytes=request.prefix_bytes,
        )
        sending = Sending()
        async with self._slot(request.url):
            sent_at = self._assignment.now()
            call = replace(call, timeout_s=self._time_left_s())
            try:
                reply = await self._transport.exchange(call, sending)
            finally:
                self._record(request, sending, sent_at)
        answer = Answer(
            method=request.method,
            sent_headers=request.headers,
            asked_url=request.url,
            url=request.url,
            status=reply.status,
            headers=reply.headers,
            wire_bytes=len(reply.wire),
            fetched_at=self._assignment.now(),
            proxy=redact_url(proxy) if proxy else None,
            with_credentials=authorization is not None,
        )
        return await _decoded(answer, reply, partial=request.prefix_bytes is not None)

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

    def _record(self, request: Request, sending: Sending, sent_at: datetime) -> None:
        """Write the ledger: a line for each time that the request left us, so maybe none."""
        record = RequestRecord(
            location=self._assignment.location.name,
            method=request.method,
            url=self.redactor.url(request.url),
            touch=request.touch,
            status=sending.status,
            sent_at=sent_at,
        )
        for left in range(sending.times - 1, -1, -1):
            self._assignment.ledger.write(replace(record, status=None) if left else record)

    async def refuse_private(self, target: str) -> None:
        """Keep a public server from sending us into the private network that we stand in.

        Raises:
            GuardRefused: it tries to.
            Unreachable: the name is not found.
        """
        configured = self._assignment.location.url
        own = origin_of(configured).host if configured else ""
        host = origin_of(target).host
        if host == own:
            return
        named = proxy_for(target, self._via) is not None  # then the proxy resolves the name
        if await resolves_to_private(host, resolve=not named) and not await resolves_to_private(
            own, resolve=True
        ):
            raise GuardRefused(
                f"a public address leads to the private host {host[:100]}, which was not followed"
            )


def _named_proxy(assignment: Assignment) -> str | None:
    via, login = assignment.location.settings.get("via"), assignment.credentials
    return with_login(str(via), login.proxy_username, login.proxy_password) if via else None


async def _decoded(answer: Answer, reply: Reply, *, partial: bool) -> Answer:
    encoding = reply.headers.joined("content-encoding")

    def work() -> Answer:
        body = decode(reply.wire, encoding, limit=MAX_BODY_BYTES, partial=partial)
        digest = hashlib.sha256(body).hexdigest() if body else None
        return replace(answer, body=body, body_sha256=digest)

    try:
        return work() if len(reply.wire) < _THREAD_BYTES else await asyncio.to_thread(work)
    except ProbeError as fault:
        return replace(answer, fault=fault)
