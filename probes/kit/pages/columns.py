"""Entries in which nothing needs a second look, read field by field instead of one by one.

A page has thousands of entries and ten fields. What is done once per field and page costs less
than what is done once per entry. Whoever finds anything odd here gives up: the entries are
then read one by one (`json_entry`), with the same result where nothing was odd after all.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar, cast

import msgspec

from auditor.model import Candidate, Yank
from auditor.model.filename import versions_in
from probes.kit.pages import fields
from probes.kit.pages.digests import is_digest
from probes.kit.pages.links import MAX_URL_CHARS, LinkReader, is_filename

__all__ = [
    "AnyHashes",
    "File",
    "HashesT",
    "Sha256",
    "are_absolute",
    "are_hexadecimal",
    "plain_candidates",
    "read_addresses",
]

_HEX = b"0123456789abcdef"
# Nothing here needs unquoting, hides credentials or starts a query or fragment.
_HARMLESS = string.ascii_letters.encode() + string.digits.encode() + b"._+~!/:-"
_HOST = re.compile(r"https?://\w[\w.-]*(?::[0-9]{1,4})?/", re.ASCII)

_Url = Annotated[str, msgspec.Meta(max_length=MAX_URL_CHARS)]
_Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=fields.MAX_REASON_CHARS)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=fields.MAX_SIZE_BYTES)]
_Specifier = Annotated[str, msgspec.Meta(max_length=fields.MAX_SPECIFIER_CHARS)]


class _Sidecar(msgspec.Struct, gc=False):
    """The object form of `core-metadata`: that it is there is all we need."""


class Sha256(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The `hashes` that nearly every index sends: one sha256. (A `dict` takes longer.)"""

    sha256: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]


AnyHashes = dict[str, str]
HashesT = TypeVar("HashesT", Sha256, AnyHashes)


class File(msgspec.Struct, Generic[HashesT], rename="kebab", omit_defaults=True, gc=False):
    """An entry of `files` as it should be."""

    filename: str
    url: _Url
    hashes: HashesT
    requires_python: _Specifier | None = None
    yanked: bool | _Reason | None = None
    size: _Size | None = None
    upload_time: str | None = None
    core_metadata: bool | _Sidecar | None = None
    dist_info_metadata: bool | _Sidecar | None = None
    provenance: _Url | None = None


def plain_candidates(
    files: Sequence[File[Sha256] | File[AnyHashes]], links: LinkReader, project: str
) -> list[Candidate] | None:
    """Read entries as they should be; None if anything about one of them is odd."""
    names = [file.filename for file in files]
    urls = read_addresses([file.url for file in files], names, links)
    hashes = _hashes([file.hashes for file in files])
    provenance = [file.provenance for file in files]
    uploaded = _times([file.upload_time for file in files])
    versions = versions_in(names, project)
    if (
        urls is None
        or hashes is None
        or uploaded is None
        or not are_absolute([url for url in provenance if url is not None])
        or (None in versions and not all(map(is_filename, names)))
    ):
        return None
    yanked, reasons = _yanks([file.yanked for file in files])
    announced = [
        file.dist_info_metadata if file.core_metadata is None else file.core_metadata
        for file in files
    ]
    return list(
        map(
            Candidate,  # its fields in their order
            names,
            versions,
            urls,
            hashes,
            yanked,
            reasons,
            [file.requires_python or "" for file in files],
            [file.size for file in files],
            uploaded,
            map(bool, announced),
            provenance,
        )
    )


def read_addresses(urls: list[str], names: Sequence[str], links: LinkReader) -> list[str] | None:
    """Return absolute URLs; None unless each is harmless and ends with the name beside it."""
    if "/" in "".join(names) or not _only("".join(urls), _HARMLESS):
        return None
    absolute = links.locate_all(urls)
    if absolute is None:
        return None
    slashed = ["/" + name for name in names]
    return absolute if all(map(str.endswith, absolute, slashed)) else None


def _hashes(column: Sequence[Sha256 | AnyHashes]) -> list[AnyHashes] | None:
    """Return the hashes as they are; None if one of them is no digest of its kind."""
    if isinstance(column[0], Sha256):  # then they all are
        digests = [hashes.sha256 for hashes in cast("Sequence[Sha256]", column)]
        return [{"sha256": digest} for digest in digests] if are_hexadecimal(digests) else None
    found = [hashes for hashes in column if isinstance(hashes, dict)]
    good = all(
        len(hashes) <= fields.MAX_HASHES and all(map(is_digest, hashes, hashes.values()))
        for hashes in found
    )
    return found if good else None


def _yanks(column: Sequence[bool | str | None]) -> tuple[list[Yank], list[str | None]]:
    """Return for each whether it is yanked, and why."""
    yanked: list[Yank] = [Yank.NO] * len(column)
    reasons: list[str | None] = [None] * len(column)
    for at in [at for at, yank in enumerate(column) if yank]:
        yank = column[at]
        yanked[at] = Yank.YES
        reasons[at] = yank if isinstance(yank, str) else None
    return yanked, reasons


def are_absolute(urls: list[str]) -> bool:
    """Say whether each is a harmless URL with a host."""
    if not urls:
        return True
    first = _HOST.match(urls[0])
    if first is None or not _only("".join(urls), _HARMLESS):
        return False
    origin = first[0]
    return all(url.startswith(origin) or _HOST.match(url) for url in urls)


def _times(texts: list[str | None]) -> Sequence[datetime | None] | None:
    """Read every time; None if one of them cannot be read."""
    if all(texts):
        return _all_utc(cast("list[str]", texts))
    parsed = _all_utc([text for text in texts if text])
    if parsed is None:
        return None
    following = iter(parsed)
    return [next(following) if text else None for text in texts]


def _all_utc(texts: list[str]) -> list[datetime] | None:
    """Parse as `fields.parse_upload_time` does, at once if each is a usual one."""
    # One that holds two of these cannot be parsed, so that each ends with one.
    if "".join(texts).count("Z") == len(texts) and fields.TIME_CHARS.issuperset(map(len, texts)):
        try:
            return list(map(datetime.fromisoformat, texts))
        except ValueError:
            pass
    one_by_one = [fields.parse_upload_time(text) for text in texts]
    read = [time for time in one_by_one if time is not None]
    return read if len(read) == len(texts) else None


def are_hexadecimal(digests: Sequence[str]) -> bool:
    """Say whether there is nothing but lower-case hexadecimal in these."""
    return _only("".join(digests), _HEX)


def _only(text: str, allowed: bytes) -> bool:
    return text.isascii() and not text.encode("ascii").translate(None, allowed)
