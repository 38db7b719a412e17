"""What went wrong between boto3 and a server, in the errors of probes."""

from __future__ import annotations

from typing import Any

from auditor.errors import Denied, Malformed, ProbeError, Unreachable

__all__ = ["NotCapable", "NotThere", "breakdown", "refusal"]

# Refusals that other credentials would lift, by S3's error code. Servers other than Amazon's use
# few of them, and 403 counts whatever the code says.
_REFUSALS = frozenset({"AccessDenied", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"})
# The last is what s3rver answers for everything about versions.
_INCAPABLE = frozenset({"NotImplemented", "MethodNotAllowed", "BucketAlreadyExists"})
_MAX_CODE_CHARS = 60
_MAX_TEXT_CHARS = 300


class NotThere(ProbeError):
    """The server answered that there is no such bucket, object or version."""


class NotCapable(ProbeError):
    """The server does not know this operation."""


def refusal(error: Any, *, anonymous: bool) -> ProbeError:
    """Read a `ClientError`: the server answered, and not with what was asked for."""
    code = str(error.response.get("Error", {}).get("Code", ""))[:_MAX_CODE_CHARS]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    what = f"{error.operation_name} answers {status} {code}".rstrip()
    if code in _INCAPABLE or status in (405, 501):
        return NotCapable(f"{what}: this server does not offer it")
    if status in (401, 403) or code in _REFUSALS:
        return Denied(f"{what}; {_advice(anonymous)}")
    if status == 404:
        return NotThere(what)
    if status == 429 or (isinstance(status, int) and status >= 500):
        return Unreachable(f"{what}, also when asked again; look at its log", connected=True)
    return Malformed(f"{what}, which nobody should; check bucket, endpoint_url and region")


def _advice(anonymous: bool) -> str:
    if anonymous:
        return (
            "it was asked without credentials, as there are none: give username and password, "
            "or a profile (roles and tokens that must be fetched are not: export them)"
        )
    return "check the rights of these credentials"


def breakdown(error: Any, *, connected: bool) -> ProbeError:
    """Read a `BotoCoreError`: there is no answer, or none that can be read."""
    from botocore import exceptions as e
    from botocore.parsers import ResponseParserError

    name = type(error).__name__
    if isinstance(error, ResponseParserError):
        return Malformed("the answer cannot be read as one of S3; check endpoint_url")
    if isinstance(error, (e.ReadTimeoutError, e.ConnectionClosedError)):
        return Unreachable(f"the server did not answer ({name})", connected=True)
    if isinstance(error, e.SSLError):
        text = "its certificate is not trusted here; name its authority with ca_file"
        return Unreachable(text, connected=True)
    if isinstance(error, (e.HTTPClientError, e.ConnectionError)):
        text = f"no connection ({name}); check endpoint_url and the network"
        return Unreachable(text, connected=connected)
    # Profiles that are missing, parameters that it finds invalid: its texts name files and
    # settings, and never a secret.
    text = " ".join(str(error).split())[:_MAX_TEXT_CHARS]
    return ProbeError(f"boto3 cannot ask: {text}; correct its settings")
