"""Which bytes an object is: what its headers say, what of it may be believed, and what it holds."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace

from auditor.errors import ProbeError
from auditor.model import Fingerprint, Incident
from probes.s3_bucket.client import Reply, S3Client
from probes.s3_bucket.failures import NotThere
from probes.s3_bucket.listing import StoredObject

__all__ = ["Identity", "ask_identity", "identify", "listed_identity", "may_be", "read_identity"]

# Encrypted with a key of their own, objects have an ETag that is no digest of their content.
_PLAIN_ENCRYPTION = frozenset({"", "AES256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is known of the bytes of one object.

    Attributes:
        size: bytes; None if not known.
        sha256, md5, crc32: of the whole content, in lower-case hexadecimal; None if not known.
        etag_md5: what may be the MD5, or a number that means nothing where objects are encrypted:
            it identifies, and accuses nobody.
        how: where that stands.
        problem: why more could not be learnt; "" if it could.
        gone: whether the object is not there any more.
    """

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    crc32: str | None = None
    etag_md5: str | None = None
    how: str = ""
    problem: str = ""
    gone: bool = False


async def ask_identity(
    client: S3Client, key: str, version_id: str | None, *, current: bool
) -> Identity:
    """Ask for the headers of one object. Never raises because of one object."""
    parameters = {"ChecksumMode": "ENABLED", **_named(key, version_id, current=current)}
    try:
        reply = await client.call("HeadObject", **parameters)
    except NotThere as error:
        return Identity(problem=str(error), gone=True)
    except ProbeError as error:
        return Identity(problem=str(error))
    return _from_head(reply)


async def read_identity(client: S3Client, stored: StoredObject, known: Identity) -> Identity:
    """Read the bytes of one object for their digest; without them, what was known stays."""
    try:
        reply = await client.call(
            "GetObject", **_named(stored.key, stored.version_id, current=stored.current)
        )
    except ProbeError as error:
        return replace(known, problem=known.problem or str(error))
    return replace(
        known,
        size=len(reply.body),
        sha256=hashlib.sha256(reply.body).hexdigest(),
        how=f"{known.how}; its bytes were read",
        problem="",
    )


def _named(key: str, version_id: str | None, *, current: bool) -> dict[str, str]:
    # `null` is the only version where none are kept; not every server takes it for an answer then.
    if version_id is not None and not (current and version_id == "null"):
        return {"Key": key, "VersionId": version_id}
    return {"Key": key}


def listed_identity(stored: StoredObject) -> Identity:
    """Return what a listing alone tells."""
    return Identity(size=stored.size, etag_md5=stored.possible_md5)


def _from_head(reply: Reply) -> Identity:
    data = reply.data
    size, etag = data.get("ContentLength"), str(data.get("ETag") or "").strip('"')
    # In parts, SHA-256 is that of the parts' digests, and looks the same but for the ETag.
    in_parts = "-" in etag or data.get("ChecksumType") == "COMPOSITE"
    encryption = str(data.get("ServerSideEncryption") or "")
    is_plain = encryption in _PLAIN_ENCRYPTION and not data.get("SSECustomerAlgorithm")
    is_md5 = (
        is_plain and not in_parts and len(etag) == 32 and not set(etag) - set("0123456789abcdef")
    )
    full_crc = not in_parts or data.get("ChecksumType") == "FULL_OBJECT"
    sha256 = None if in_parts else _hexadecimal(data.get("ChecksumSHA256"), 32)
    crc32 = _hexadecimal(data.get("ChecksumCRC32"), 4) if full_crc else None
    md5 = etag if is_md5 else None
    named = {"SHA-256 checksum": sha256, "ETag (MD5)": md5, "CRC-32 checksum": crc32}
    known = ", ".join(name for name, value in named.items() if value)
    why = "uploaded in parts" if in_parts else f"encryption {encryption}" if not is_plain else ""
    return Identity(
        size=size if isinstance(size, int) and size >= 0 else None,
        sha256=sha256,
        md5=md5,
        crc32=crc32,
        how=f"its headers state {known}" if known else "its headers state no digest of the content",
        problem="" if known or not why else why,
    )


def _hexadecimal(text: object, length: int) -> str | None:
    """Read a checksum in Base64; None if it is none of that length, such as one of parts."""
    try:
        raw = base64.b64decode(str(text), validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == length else None


def identify(known: Identity, incident: Incident) -> tuple[Fingerprint, str] | None:
    """Return the broken artifact that these bytes are, and by what; None if by nothing we have."""
    for fingerprint in incident.fingerprints:
        by = _same(known, fingerprint)
        if by:
            return fingerprint, by
    return None


def _same(known: Identity, wanted: Fingerprint) -> str:
    """Say by what two are the same, by the strongest that both have; "" if by nothing."""
    if known.sha256 and wanted.sha256:
        return "SHA-256" if known.sha256 == wanted.sha256 else ""
    if None not in (known.size, wanted.size) and known.size != wanted.size:
        return ""
    md5 = known.md5 or known.etag_md5
    if md5 and wanted.md5 == md5:
        return "MD5"
    sized = known.size is not None and wanted.size is not None
    return "size and CRC-32" if sized and known.crc32 and known.crc32 == wanted.crc32 else ""


def may_be(known: Identity, wanted: Fingerprint) -> bool:
    """Whether these bytes could be a broken artifact's, for all that can be compared.

    What an ETag may be settles nothing: it is no digest where objects are encrypted.
    """
    pairs = (
        (known.sha256, wanted.sha256),
        (known.md5, wanted.md5),
        (known.crc32, wanted.crc32),
        (known.size, wanted.size),
    )
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        return False
    return any((wanted.sha256, wanted.md5, wanted.crc32, wanted.size))
