"""Why a TLS connection failed, in words that name the next step."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from auditor.errors import Denied, ProbeError, Unreachable

__all__ = ["tls_problem"]

# Verification results of OpenSSL: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CAUSES: Mapping[int, str] = MappingProxyType(
    {
        9: "its certificate is not valid yet; check this machine's clock",
        10: "its certificate has expired; tell its operator",
        18: "its certificate is self-signed; name the certificate with ca_file",
        19: "its certificate leads to an authority that is not trusted here; name it with ca_file",
        20: "its certificate is of an authority that is not trusted here; name it with ca_file",
        23: "its certificate has been revoked; tell its operator",
        62: "its certificate is for another host name; check the url",
        64: "its certificate is for another address; check the url, or use the host's name",
    }
)
# Alerts by which a server says that it wants (another) certificate of ours (RFC 8446, section 6.2).
_WANTS_OURS = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "UNKNOWN_CA", "BAD_CERTIFICATE")


def tls_problem(error: BaseException, where: str) -> ProbeError | None:
    """Return what TLS failed of; None if it was something else.

    Args:
        error: what the connection raised.
        where: `name:port` that was asked.
    """
    found = next(filter(None, map(_as_tls, _causes(error))), None)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        cause = _CAUSES.get(found.verify_code, f"{found.verify_message}; name its CA with ca_file")
        return Unreachable(f"no TLS connection to {where}: {cause}", connected=True)
    reason = (found.reason or type(found).__name__).upper().replace(" ", "_")
    if "ALERT" in reason and reason.endswith(_WANTS_OURS):
        return Denied(
            f"{where} demands a client certificate that it trusts ({_words(reason)}); "
            "check client_cert and client_key"
        )
    return Unreachable(
        f"no TLS connection to {where}: {_words(reason)}; check that it speaks TLS at this port",
        connected=True,
    )


def _as_tls(error: BaseException) -> ssl.SSLError | None:
    """Return an error of the ssl module itself: aiohttp's own pass for one, and tell nothing."""
    if isinstance(error, ssl.SSLError) and type(error).__module__ == "ssl":
        return error
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps, and what it was raised from."""
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        each = pending.pop(0)
        if not isinstance(each, BaseException) or each in seen:
            continue
        seen.append(each)
        yield each
        wrapped = [getattr(each, name, None) for name in ("certificate_error", "os_error")]
        pending += [*wrapped, each.__cause__, each.__context__]


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")
