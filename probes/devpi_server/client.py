"""The adapter of devpi-client: index topology, links of a project, login tokens.

This is the only module that imports devpi-client, and requests with it. The library blocks, knows
no time-outs, ends the process when something fails, keeps state on disk, loads plugins by entry
point and retries without verification after a TLS failure. None of that gets out of here: it runs
in a thread, its session sends through the request guard into the ledger, and every answer is read
within bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from auditor.contracts import Assignment
from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import RequestRecord, Touch
from probes.devpi_server.address import DevpiAddress
from probes.devpi_server.requests_made import declared_touch
from probes.kit.access import Access
from probes.kit.answer import Answer, Headers
from probes.kit.blocking import InFlight, in_daemon_thread
from probes.kit.guard import decide
from probes.kit.origins import origin_of
from probes.kit.proxies import proxy_for, with_login
from probes.kit.redaction import Redactor, redact_url

__all__ = ["DevpiClient", "DevpiLink"]

# The largest settings seen have some kB; a project with 1000 releases has 3 MB of links.
MAX_ANSWER_BYTES = 32 * 2**20
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 10.0
_CHUNK_BYTES = 2**16
# Of the location's time, so that a server that hangs here still has its pages asked for.
_SHARE_OF_TIME = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DevpiLink:
    """One file that an index has of a project: its name, version and digest ("" if unknown)."""

    filename: str
    version: str
    sha256: str


class DevpiClient:
    """One Hub of devpi-client, used by one thread at a time. Close it after use."""

    def __init__(self, assignment: Assignment, address: DevpiAddress, redactor: Redactor) -> None:
        location = assignment.location
        self.address = address
        self._assignment = assignment
        self._redactor = redactor
        self._access = Access.to(location.url, assignment.credentials)
        self._started_s = time.monotonic()
        self._deadline_s = self._started_s + location.timeout_s * _SHARE_OF_TIME
        self._one_at_a_time = asyncio.Lock()
        self._in_flight = InFlight(assignment.ledger)
        self._closed = False
        self._answered = False
        self._hub: Any = None  # devpi-client has no types

    async def __aenter__(self) -> DevpiClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._in_flight.give_up()
        if self._hub is not None:
            self._hub.close()

    @property
    def used_s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started_s

    async def get(self, url: str) -> Answer:
        """Ask for JSON of devpi: its status, the API or the settings of an index.

        Raises:
            ProbeError: it was refused by the guard, or nothing that can be read came back.
        """
        return await self._in_thread(lambda hub: self._ask(hub, "get", url))

    async def links(self, index: str, project: str) -> tuple[DevpiLink, ...]:
        """Return the files that an index itself has of a project, its bases aside.

        Raises:
            ProbeError: as `get`, or the answer is not devpi's.
        """
        url = self.address.links_url(index, project)
        return await self._in_thread(lambda hub: self._links(hub, url))

    async def login(self, username: str, password: str) -> str:
        """Exchange a password for a token, which from now on goes with every request.

        Raises:
            Denied: the server does not know them.
            ProbeError: as `get`.
        """
        return await self._in_thread(lambda hub: self._login(hub, username, password))

    async def _in_thread(self, work: Callable[[Any], T]) -> T:
        host = origin_of(self.address.root).host_and_port
        left_s = max(0.0, self._deadline_s - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                async with self._one_at_a_time, self._assignment.limits.slot(host):
                    return await in_daemon_thread(lambda: self._guarded(work), name="devpi")
        except TimeoutError as error:
            # The thread may still be at it: the Hub is nobody else's any more.
            self._closed = True
            text = "no complete answer in half the time of this location; raise its timeout_s"
            raise Unreachable(text, connected=self._answered) from error

    def _guarded(self, work: Callable[[Any], T]) -> T:
        """Do one piece of work; whatever the library raises becomes an error of ours."""
        try:
            if self._hub is None:
                self._hub = self._connect()
            return work(self._hub)
        except ProbeError:
            raise
        # Besides its own errors it lets those of requests, urllib3 and of its parsing through.
        except (OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as e:
            raise Malformed(f"devpi-client cannot read the answer: {type(e).__name__}") from e

    def _connect(self) -> Any:
        from devpi.main import Hub, get_pluginmanager
        from devpi.use import Current

        arguments = argparse.Namespace(
            debug=False, clientdir="unused", index=None, yes=False, verbose=0, settrusted="no"
        )
        plugins = get_pluginmanager(load_entry_points=False)
        hub = Hub(arguments, file=io.StringIO(), pm=plugins)
        hub.set_quiet()
        hub.fatal = _fail
        # In memory alone. The property would read and write files below `clientdir`.
        hub.__dict__["current"] = current = Current()
        current.reconfigure({"login": self.address.login_url, "index": self.address.root})
        self._tame(hub.http)
        return hub

    def _tame(self, session: Any) -> None:
        """Make its session send as our own does: same proxy, same trust, through the guard."""
        session.trust_env = False
        proxy = self._proxy()
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.headers["User-Agent"] = f"devpi-client {self._assignment.user_agent_suffix}"
        context = self._access.tls(self.address.root)
        if context is not None:
            session.mount("https://", _https_adapter(context))
        send = session.send
        session.send = lambda request, **how: self._send(send, request, how)

    def _proxy(self) -> str | None:
        via, login = self._assignment.location.settings.get("via"), self._assignment.credentials
        named = with_login(str(via), login.proxy_username, login.proxy_password) if via else None
        return proxy_for(self.address.root, named)

    def _send(self, send: Callable[..., Any], request: Any, how: dict[str, Any]) -> Any:
        """Let one prepared request out, record it, and read its answer within bounds."""
        touch = declared_touch(request.method, request.url, self.address)
        decide(touch, self._assignment.policy)
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0 or self._closed:
            raise Unreachable(
                "not asked: the time of this location is used up; raise its timeout_s",
                connected=False,
            )
        # Redirects are not followed: the token must not go elsewhere.
        how |= {"stream": True, "allow_redirects": False}
        how["timeout"] = (min(_CONNECT_TIMEOUT_S, left_s), min(_READ_TIMEOUT_S, left_s))
        status: int | None = None
        number = self._in_flight.began(self._record(request, touch))
        try:
            response = send(request, **how)
            status = response.status_code
        finally:
            self._in_flight.ended(number, status)
        self._answered = True
        return _whole(response, self._read(response))

    def _record(self, request: Any, touch: Touch) -> RequestRecord:
        return RequestRecord(
            location=self._assignment.location.name,
            method=request.method,
            url=self._redactor.url(request.url),
            touch=touch,
            status=None,
            sent_at=self._assignment.now(),
        )

    def _read(self, response: Any) -> bytes:
        from urllib3.exceptions import HTTPError

        body = bytearray()
        try:
            with response:
                # Whatever came is looked at, so that who trickles is noticed at each byte.
                while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise Malformed(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
                    if self._closed or time.monotonic() > self._deadline_s:
                        raise Unreachable("it did not finish its answer in time", connected=True)
        except HTTPError as error:
            text = "the connection broke within the answer, or it cannot be decoded"
            raise Unreachable(text, connected=True) from error
        return bytes(body)

    def _ask(self, hub: Any, method: str, url: str, data: dict[str, str] | None = None) -> Answer:
        # `check_version` would warn into nowhere; the caller looks for the header itself.
        reply = hub.http_api(
            method, url, data, quiet=True, fatal=False, check_version=False, verify=None
        )
        proxy = self._proxy()
        return Answer(
            method=method.upper(),
            sent_headers=(("Accept", "application/json"),),
            asked_url=url,
            url=url,
            status=reply.status_code,
            headers=Headers(tuple(reply.headers.items())),
            body=reply.content,
            # Settings can hold a password of the upstream: not even their digest is kept.
            body_sha256=None,
            wire_bytes=len(reply.content),
            fetched_at=self._assignment.now(),
            proxy=redact_url(proxy) if proxy else None,
            with_credentials=hub.current.get_auth() is not None,
        )

    def _links(self, hub: Any, url: str) -> tuple[DevpiLink, ...]:
        from devpi_common.viewhelp import ViewLinkStore

        reply = hub.http_api("get", url, quiet=True, fatal=False, check_version=False)
        if reply.status_code == 404:
            return ()
        if reply.status_code != 200 or reply.type != "projectconfig":
            raise Malformed(f"answers {reply.status_code} where devpi tells the files of a project")
        found: list[DevpiLink] = []
        for version, data in reply.result.items():
            for link in ViewLinkStore(self.address.root, data).get_links(rel="releasefile"):
                algorithm, _, digest = str(link.hash_spec or "").partition("=")
                sha256 = digest if algorithm == "sha256" else ""
                found.append(DevpiLink(str(link.basename), str(version), sha256))
        return tuple(found)

    def _login(self, hub: Any, username: str, password: str) -> str:
        answer = self._ask(
            hub, "post", self.address.login_url, {"user": username, "password": password}
        )
        if answer.status in (401, 403):
            raise Denied("devpi refuses the login; check username and password of this location")
        token = _token_in(answer)
        hub.current.set_auth(username, token)
        return token


def _token_in(answer: Answer) -> str:
    import json

    try:
        found = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):  # a page of a proxy, or an attack on the stack
        found = None
    result = found.get("result") if isinstance(found, dict) else None
    token = result.get("password") if isinstance(result, dict) else None
    if not isinstance(token, str) or not token.isascii() or not 0 < len(token) < 10_000:
        raise Malformed(f"the login answers {answer.status} without a token; is it devpi?")
    return token


def _fail(*message: object) -> NoReturn:
    """Stand in for what would print and end the process."""
    text = " ".join(map(str, message))
    # Its text quotes the URL and, at length, what the network library says of it.
    is_tls = "SSL" in text or "certificate" in text
    cause = "its certificate is not trusted here; name its authority with ca_file"
    raise Unreachable(
        cause if is_tls else "no connection, or none that lasted; is devpi running there?",
        connected=is_tls,
    )


def _https_adapter(context: ssl.SSLContext) -> Any:
    """Trust what our own session trusts, in place of the list that requests brings along."""
    from requests.adapters import HTTPAdapter

    verified = context.verify_mode is ssl.CERT_REQUIRED
    if not verified:
        # The observation says so itself; a warning on stderr would say it again for each request.
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def verify(connection: Any, *_: Sequence[object]) -> None:
        connection.cert_reqs = "CERT_REQUIRED" if verified else "CERT_NONE"

    adapter = HTTPAdapter()
    adapter.cert_verify = verify
    adapter.init_poolmanager(1, 1, ssl_context=context)
    through_proxy = adapter.proxy_manager_for
    adapter.proxy_manager_for = lambda proxy, **how: through_proxy(
        proxy, **how, ssl_context=context
    )
    return adapter


def _whole(response: Any, body: bytes) -> Any:
    """Return the response with a body that is already here."""
    from requests import Response

    whole = Response()
    whole.status_code = response.status_code
    whole.reason = response.reason
    whole.url = response.url
    whole.headers = response.headers
    whole.request = response.request
    whole.raw = io.BytesIO(body)
    return whole
