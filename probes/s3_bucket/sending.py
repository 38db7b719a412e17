"""How one request of boto3 leaves this machine: through the request guard, bounded, recorded.

boto3 builds, signs and parses; nothing else of it touches the network. Its `before-send` event is
answered with a response that was made here, so that its own session never sends anything.
"""

from __future__ import annotations

import hashlib
import io
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from auditor.contracts import Assignment
from auditor.errors import GuardRefused, Malformed, ProbeError, Unreachable
from auditor.model import RequestRecord, Touch
from probes.kit.answer import Headers, shown
from probes.kit.blocking import InFlight
from probes.kit.freshness import foreign_cache_signs
from probes.kit.guard import decide
from probes.kit.origins import Origin, origin_of
from probes.kit.redaction import Redactor

__all__ = ["READS", "Sender", "Sent", "trust"]

# Everything that this kind ever asks. All of it reads; what boto3 would do beyond that by itself,
# such as HeadBucket to find out about another region, is refused.
READS = frozenset(
    {"ListObjectsV2", "ListObjectVersions", "GetBucketVersioning", "HeadObject", "GetObject"}
)
_METHODS = frozenset({"GET", "HEAD"})
# A page of 1,000 versions with the longest keys, each sign of them escaped, has some 8 MB.
MAX_XML_BYTES = 16 * 2**20
MAX_OBJECT_BYTES = 64 * 2**20
_CHUNK_BYTES = 2**16
_ROOT_WITHIN_BYTES = 1_000
_ROOT = re.compile(rb"\s*(?:<\?xml[^>]{0,200}>)?\s*<(?:[A-Za-z0-9]{1,20}:)?([A-Za-z]{1,60})")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_ASKED_REGION_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is kept of an answer beside what boto3 makes of it.

    Attributes:
        status, headers: as they came.
        body_sha256: of the whole body; None if it is empty.
        root: name of the outermost element of an XML answer; "" if it is none.
    """

    status: int
    headers: Headers
    body_sha256: str | None
    root: str = ""


class Sender:
    """Answers boto3's `before-send` events of one location. Used by several threads.

    Args:
        assignment: whose policy, ledger and clock count.
        bucket: the only one that is asked for.
        endpoint: where boto3 sends to; a bucket's own host below it counts too.
        session: botocore's HTTP session, with proxies, trust and time-outs set.
        redactor: hides secrets in recorded URLs.
        deadline_s: on the monotonic clock; nothing is sent afterwards.

    Attributes:
        connected: whether anything ever answered.
        cache_signs: headers which show that somebody's cache is in front of the bucket.
        closed: set when nobody waits for answers any more.
    """

    def __init__(
        self,
        assignment: Assignment,
        *,
        bucket: str,
        endpoint: Origin,
        session: Any,  # botocore has no types
        redactor: Redactor,
        deadline_s: float,
    ) -> None:
        self.connected: bool | None = None
        self.cache_signs: frozenset[str] = frozenset()
        self.closed = False
        self._assignment = assignment
        self._bucket = bucket
        self._endpoint = endpoint
        self._session = session
        self._redactor = redactor
        self._deadline_s = deadline_s
        self._in_flight = InFlight(assignment.ledger)

    def close(self) -> None:
        """Send nothing more, and give up the connections."""
        self.closed = True
        self._in_flight.give_up()
        self._session.close()

    def send(self, request: Any, operation: str) -> tuple[Any, Sent]:
        """Send one prepared request and read its answer within bounds.

        Raises:
            GuardRefused: it is none that an audit makes, or leads elsewhere.
            ProbeError: it was not sent, or nothing usable came back; what botocore's session
                raises passes through, for botocore to try again.
        """
        touch = self._checked(request, operation)
        status: int | None = None
        number = self._in_flight.began(self._record(request, touch, self._assignment.now()))
        self.connected = bool(self.connected)
        try:
            request.stream_output = True
            response = self._session.send(request)
            status = response.status_code
        finally:
            self._in_flight.ended(number, status)
        self.connected = True
        with _released(response.raw):
            limit = MAX_OBJECT_BYTES if operation == "GetObject" else MAX_XML_BYTES
            body = self._read(response.raw, limit)
            _check_length(request.method, response.headers.get("content-length"), len(body))
        headers = Headers(tuple((str(k), str(v)) for k, v in response.headers.items()))
        self.cache_signs |= set(foreign_cache_signs(headers))
        _refuse_elsewhere(status, headers)
        if operation != "GetObject":
            _refuse_document_type(body)
        digest = hashlib.sha256(body).hexdigest() if body else None
        root = _ROOT.match(body[:_ROOT_WITHIN_BYTES])
        sent = Sent(
            status=status,
            headers=headers,
            body_sha256=digest,
            root=root.group(1).decode("ascii") if root else "",
        )
        return _whole(response, body), sent

    def _checked(self, request: Any, operation: str) -> Touch:
        """Return what the request may do to the world; a closed list."""
        if operation == "HeadBucket":  # asked by boto3 alone, to follow to another region
            raise ProbeError("the bucket is in another region; set region to its own")
        if operation not in READS or request.method not in _METHODS:
            raise GuardRefused(f"boto3 wanted to send {operation[:40]}, which no audit makes")
        if self._redactor.scrub(request.url) != request.url:
            raise GuardRefused("the key that a page or list names holds one of our secrets")
        origin = origin_of(request.url)
        own = (self._endpoint.host, f"{self._bucket}.{self._endpoint.host}")
        if origin.host not in own or origin.port != self._endpoint.port:
            raise GuardRefused(
                "boto3 was led to another server, which was not asked: check endpoint_url, region "
                "and the s3 section of boto3's own settings"
            )
        # A bucket is no pull-through cache, so that nothing read from it is fetched from anywhere.
        # With a cache in front, reading can make that one keep a page or, by HEAD, a whole file.
        touch = Touch.INERT
        if self.cache_signs and operation == "GetObject":
            touch = Touch.REFRESHES_INDEX
        if self.cache_signs and operation == "HeadObject":
            touch = Touch.MAY_STORE_ARTIFACT
        decide(touch, self._assignment.policy, artifact_broken=operation == "HeadObject")
        if self.closed or time.monotonic() >= self._deadline_s:
            raise Unreachable(
                "not asked: the time of this location is used up; raise its timeout_s",
                connected=bool(self.connected),
            )
        return touch

    def _read(self, raw: Any, limit: int) -> bytes:
        body = bytearray()
        # Whatever came is looked at, so that a server which trickles is noticed at each byte.
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > limit:
                raise Malformed(f"the answer is larger than {limit} bytes")
            if self.closed or time.monotonic() > self._deadline_s:
                raise Unreachable("it did not finish its answer in time", connected=True)
        return bytes(body)

    def _record(self, request: Any, touch: Touch, sent_at: datetime) -> RequestRecord:
        return RequestRecord(
            location=self._assignment.location.name,
            method=request.method,
            url=self._redactor.scrub(_unsigned(request.url)),
            touch=touch,
            status=None,
            sent_at=sent_at,
        )


def _refuse_document_type(body: bytes) -> None:
    """No S3 server declares one, and its entities could blow up what parses them.

    In UTF-16, which a parser of XML finds out by itself, every second byte of it is a zero; no XML
    in UTF-8 has any (XML 1.0, section 2.2).
    """
    if b"<!" in body:
        raise Malformed("the answer declares a document type, which no S3 server does")
    if b"\0" in body:
        raise Malformed("the answer is no XML in UTF-8, which every S3 server writes")


def _check_length(method: str, stated: str | None, read: int) -> None:
    if method != "HEAD" and stated is not None and stated.isdigit() and int(stated) != read:
        raise Unreachable("the connection broke within the answer", connected=True)


def _refuse_elsewhere(status: int, headers: Headers) -> None:
    """Stop where the server sends us to another one: our signature must not go there.

    botocore would follow by itself, with a request more to find out where to.
    """
    region = headers.get("x-amz-bucket-region")
    if status in _REDIRECTS:
        where = shown(region or "", _MAX_ASKED_REGION_CHARS)
        advice = f'region = "{where}"' if region else "endpoint_url and region"
        raise ProbeError(f"answers {status}: the bucket is somewhere else; set {advice}")


def _unsigned(url: str) -> str:
    """Return a URL without what a signature would add to its query; we sign in headers alone."""
    parts = urlsplit(url)
    grants = [n for n, _ in parse_qsl(parts.query) if n.lower().startswith(("x-amz-", "aws"))]
    kept = [p for p in parts.query.split("&") if p.partition("=")[0] not in grants]
    clean = parts.netloc.rpartition("@")[2]
    query = "&".join(p for p in kept if not p.lower().startswith(("signature=", "expires=")))
    return urlunsplit((parts.scheme, clean, parts.path, query, ""))


class _Body(io.BytesIO):
    """A body that is already here, in the two ways in which botocore reads one."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def _released(raw: Any) -> Iterator[None]:
    """Give a connection back, or up if its answer was not read to its end."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except HTTPError as error:
        raw.close()
        raise Unreachable("the connection broke within the answer", connected=True) from error
    except BaseException:
        raw.close()
        raise
    finally:
        raw.release_conn()


def _whole(response: Any, body: bytes) -> Any:
    from botocore.awsrequest import AWSResponse

    return AWSResponse(response.url, response.status_code, response.headers, _Body(body))


def trust(ca_file: str | None, insecure: bool, environment: Mapping[str, str]) -> str | bool:
    """Return what botocore's session verifies against: one authority, or the system's list."""
    if insecure:
        # The observation says so itself; a warning on stderr would say it again for each request.
        from urllib3 import disable_warnings
        from urllib3.exceptions import InsecureRequestWarning

        disable_warnings(InsecureRequestWarning)
        return False
    named = (environment.get(n) for n in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    chosen = ca_file or next(filter(None, named), None)
    return chosen or ssl.get_default_verify_paths().cafile or True
