"""One POST, tried a few times: bounded in time, never redirected, verified, without our secrets."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlsplit

import truststore

from auditor import __version__
from auditor.config.values import split_userinfo
from auditor.errors import AuditorError

__all__ = ["NotDelivered", "post"]

TIMEOUT_S = 15.0
# After the first, the second and the third time of trying.
WAITS_S = (0.5, 2.0)
# What a receiver asks us to wait at most; longer than that, the next run tries again.
MAX_WAIT_S = 30.0
_MAX_ANSWER_BYTES = 4096
_AGAIN = (408, 425, 429)


class NotDelivered(AuditorError):
    """A message could not be delivered; the text says why and shows no secret."""


class _Refused(Exception):
    """One time of trying failed; whether another one may help, and when."""

    def __init__(self, cause: str, *, may_help: bool, wait_s: float | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.may_help = may_help
        self.wait_s = wait_s


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET and may end at somebody else's."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    waits_s: tuple[float, ...] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send a body and demand an answer of 2xx.

    Args:
        url: where to; its user part becomes a header.
        body: JSON.
        headers: beside the content's.
        waits_s: before each further time of trying; None: `WAITS_S`.
        sleep: waits.

    Raises:
        NotDelivered: it was refused, or nobody answered.
    """
    url, username, password = split_userinfo(url)
    if username is not None:
        login = b64encode(f"{username}:{password or ''}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", **headers}
    for wait_s in (*(WAITS_S if waits_s is None else waits_s), None):
        try:
            _post_once(url, body, headers)
            return
        except _Refused as refused:
            asked = refused.wait_s or 0.0
            if wait_s is None or not refused.may_help or asked > MAX_WAIT_S:
                raise NotDelivered(refused.cause) from None
            sleep(max(wait_s, asked))


def _post_once(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked when it was configured
        url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": f"propagation-auditor/{__version__}",
            **headers,
        },
        method="POST",
    )
    try:
        with _opener(url).open(request, timeout=TIMEOUT_S) as answer:
            answer.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error) from None
    except urllib.error.URLError as error:
        raise _Refused(f"nobody answered ({_kind(error.reason)})", may_help=True) from None
    except (OSError, HTTPException) as error:
        raise _Refused(f"the transfer broke ({_kind(error)})", may_help=True) from None


def _opener(url: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(url).scheme == "https":
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _refusal(error: urllib.error.HTTPError) -> _Refused:
    if 300 <= error.code < 400:
        return _Refused(
            f"it answered {error.code}, which leads elsewhere; configure the final address",
            may_help=False,
        )
    text = (error.headers.get("Retry-After") or "").strip()
    return _Refused(
        f"it answered {error.code}",
        may_help=error.code >= 500 or error.code in _AGAIN,
        wait_s=float(text) if text.isdigit() and len(text) < 6 else None,
    )


def _kind(reason: object) -> str:
    """Name what happened. A reason may quote the address, so only an errno's text is shown."""
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__
