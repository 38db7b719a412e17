"""The adapter of boto3: the only module that imports it.

The library blocks, so that each call runs in a thread, one page at a time: what is cancelled ends
between two pages. It finds credentials in the environment and in profile files as everywhere else;
its ways to fetch some over the network, or by running a program, are left out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from auditor.contracts import Assignment, Credentials
from auditor.errors import Malformed, ProbeError, Unreachable
from probes.kit.blocking import in_daemon_thread
from probes.kit.origins import Origin, origin_of
from probes.kit.proxies import proxy_for, proxy_secrets, with_login
from probes.kit.redaction import Redactor, redact_url
from probes.s3_bucket.failures import NotCapable, breakdown, refusal
from probes.s3_bucket.place import DEFAULT_REGION, BucketPlace
from probes.s3_bucket.sending import Sender, Sent, trust

__all__ = ["Reply", "S3Client"]

_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 10.0
_ATTEMPTS = 3
_THREADS = 4
# Of the location's time, kept to conclude with what is known when a server hangs.
_SPARE_S = 1.0
_SPARE_SHARE = 0.2
# Providers of botocore that read the environment or a file, and do nothing else. The others ask
# an instance's metadata, a token service or a program, past the guard.
_LOCAL_PROVIDERS = frozenset({"env", "shared-credentials-file", "config-file"})
# What each answer is, by its outermost element.
_ROOTS = {
    "ListObjectsV2": ("ListBucketResult",),
    "ListObjectVersions": ("ListVersionsResult",),
    # The second is moto's.
    "GetBucketVersioning": ("VersioningConfiguration", "GetBucketVersioningResponse"),
}

Parameters = Mapping[str, str | int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, as boto3 read it.

    Attributes:
        data: by the names of the S3 interface.
        sent: the answer as it came.
        body: of an object; empty for everything else.
    """

    data: Mapping[str, Any]
    sent: Sent
    body: bytes = b""


class S3Client:
    """boto3's client of one bucket. Use it in an `async with` block.

    Attributes:
        place: the bucket.
        redactor: knows every secret that is used.
        anonymous: whether requests are not signed, since there are no credentials.
        proxy: the proxy in use, without its login; None: directly.
        endpoint: where requests go.
    """

    def __init__(self, assignment: Assignment, place: BucketPlace) -> None:
        location = assignment.location
        self.place = place
        self.redactor = Redactor(assignment.credentials.secrets())
        self.anonymous = False
        self.proxy: str | None = None
        self.endpoint = Origin("https", "", 443)
        self._assignment = assignment
        self._thread = threading.local()
        spare_s = min(_SPARE_S, location.timeout_s * _SPARE_SHARE)
        self._deadline_s = time.monotonic() + location.timeout_s - spare_s
        self._slots = asyncio.Semaphore(_THREADS)
        self._client: Any = None
        self._sender: Sender | None = None

    async def __aenter__(self) -> S3Client:
        try:
            await self._in_thread(self._connect)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._sender is not None:
            self._sender.close()
        if self._client is not None:
            self._client.close()

    @property
    def connected(self) -> bool | None:
        """Whether anything ever answered; None before the first request."""
        return self._sender.connected if self._sender else None

    @property
    def cache_signs(self) -> frozenset[str]:
        """Headers which show that somebody's cache is in front of the bucket."""
        return self._sender.cache_signs if self._sender else frozenset()

    async def call(self, operation: str, **parameters: str | int) -> Reply:
        """Make one request of the S3 interface, and wait for its answer.

        Args:
            operation: such as `ListObjectsV2`; see `sending.READS`.
            parameters: as boto3 names them, without the bucket.

        Raises:
            ProbeError: it was refused by the guard or the server, or could not be read.
        """
        left_s = self._deadline_s - time.monotonic()
        slot = self._assignment.limits.slot(self.endpoint.host_and_port)
        try:
            async with asyncio.timeout(max(0.0, left_s)), slot:
                return await self._in_thread(lambda: self._call(operation, parameters))
        except TimeoutError as error:
            text = "no complete answer in the time of this location; raise its timeout_s"
            raise Unreachable(text, connected=bool(self.connected)) from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._slots:
            name = f"s3-{self.place.bucket}"
            return await in_daemon_thread(lambda: self._guarded(work), name=name)

    def _call(self, operation: str, parameters: Parameters) -> Reply:
        from botocore import xform_name

        self._thread.sent = None
        method = getattr(self._client, xform_name(operation))
        data = method(Bucket=self.place.bucket, **parameters)
        stream = data.get("Body")
        sent: Sent | None = self._thread.sent
        if sent is None:
            raise Malformed("boto3 answered without having asked")
        _check_root(operation, sent)
        return Reply(data=data, sent=sent, body=stream.read() if stream else b"")

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do one piece of work; whatever the library raises becomes an error of ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return work()
        except ProbeError as error:
            failure = error
        except ClientError as error:
            failure = refusal(error, anonymous=self.anonymous)
        except BotoCoreError as error:
            failure = breakdown(error, connected=bool(self.connected))
        # What a hostile answer makes it stumble over: its parsers trust the shapes they know.
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            failure = Malformed(f"boto3 cannot read the answer: {type(error).__name__}")
        failure.args = (self.redactor.text(str(failure)),)
        raise failure from None

    def _connect(self) -> None:
        import botocore.session
        from botocore.httpsession import URLLib3Session

        # At level DEBUG it writes the headers of each request, session tokens among them.
        logging.getLogger("botocore").setLevel(logging.INFO)
        session = botocore.session.Session()
        session.register_component("data_loader", _loader())
        resolver = session.get_component("credential_provider")
        resolver.providers = [p for p in resolver.providers if p.METHOD in _LOCAL_PROVIDERS]
        login = _explicit(self._assignment.credentials)
        keys = login or self._from_profile(session)
        self.anonymous = not keys
        via = self._via()
        self.redactor = Redactor((*self._secrets(keys), *proxy_secrets(via)))
        self._client = self._make_client(session, keys)
        self.endpoint = origin_of(self._client.meta.endpoint_url)
        proxy = proxy_for(self._client.meta.endpoint_url, via)
        self.proxy = redact_url(proxy) if proxy else None
        access, timeout_s = self._assignment.credentials, self._assignment.location.timeout_s
        wire = URLLib3Session(
            verify=trust(access.ca_file, access.insecure, os.environ),
            proxies={"http": proxy, "https": proxy} if proxy else None,
            timeout=(min(_CONNECT_TIMEOUT_S, timeout_s / 2), min(_READ_TIMEOUT_S, timeout_s / 2)),
            client_cert=_client_cert(access),
        )
        self._sender = Sender(
            self._assignment,
            bucket=self.place.bucket,
            endpoint=self.endpoint,
            session=wire,
            redactor=self.redactor,
            deadline_s=self._deadline_s,
        )
        self._client.meta.events.register("before-send.s3", self._before_send)

    def _before_send(self, request: Any, event_name: str, **_: object) -> Any:
        if self._sender is None:
            raise RuntimeError("use the client in an `async with` block")
        response, sent = self._sender.send(request, event_name.rpartition(".")[2])
        self._thread.sent = sent
        return response

    def _via(self) -> str | None:
        via, login = self._assignment.location.settings.get("via"), self._assignment.credentials
        return with_login(str(via), login.proxy_username, login.proxy_password) if via else None

    def _from_profile(self, session: Any) -> tuple[str, ...]:
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
        if not frozen or not frozen.access_key or not frozen.secret_key:
            return ()
        return tuple(k for k in (frozen.access_key, frozen.secret_key, frozen.token) if k)

    def _secrets(self, keys: tuple[str, ...]) -> Iterator[str]:
        yield from self._assignment.credentials.secrets()
        yield from keys

    def _make_client(self, session: Any, keys: tuple[str, ...]) -> Any:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            user_agent_extra=self._assignment.user_agent_suffix,
            signature_version=None if keys else UNSIGNED,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            # Few servers other than Amazon's have a host name for each bucket.
            s3={"addressing_style": "path" if self.place.endpoint_url else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        padded = (*keys, None, None, None)
        made = boto3.session.Session(botocore_session=session)
        return made.client(
            "s3",
            endpoint_url=self.place.endpoint_url,
            region_name=self.place.region or made.region_name or DEFAULT_REGION,
            aws_access_key_id=padded[0],
            aws_secret_access_key=padded[1],
            aws_session_token=padded[2],
            config=config,
        )


def _check_root(operation: str, sent: Sent) -> None:
    """Refuse the answer to another question than the one that was asked.

    A server that ignores `?versions` lists objects instead, in which boto3 finds no version.
    """
    wanted = _ROOTS.get(operation, ())
    if not wanted or sent.root in wanted:
        return
    seen = f"answers with {sent.root or 'no XML'} where S3 has {wanted[0]}"
    if operation == "ListObjectsV2":
        raise Malformed(f"{seen}; check endpoint_url")
    raise NotCapable(f"{operation} {seen}: this server does not offer it")


@cache
def _loader() -> Any:
    """Read botocore's description of S3 once per process; it has a megabyte."""
    from botocore.loaders import Loader

    return Loader()


def _explicit(credentials: Credentials) -> tuple[str, ...]:
    """Return the keys that the location names: access key, secret key, session token."""
    if bool(credentials.username) != bool(credentials.password):
        raise ProbeError("access key and secret key belong together; give username and password")
    if not credentials.username or not credentials.password:
        return ()
    keys = (credentials.username, credentials.password, credentials.token)
    return tuple(key for key in keys if key)


def _client_cert(credentials: Credentials) -> str | tuple[str, str] | None:
    if credentials.client_cert and credentials.client_key:
        return credentials.client_cert, credentials.client_key
    return credentials.client_cert
