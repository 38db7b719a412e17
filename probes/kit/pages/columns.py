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
from itertools import compress, repeat
from typing import Annotated, Generic, TypeVar, cast

import msgspec

from auditor.model import Candidate, Yank
from auditor.model.filename import versions_in
from auditor.model.remembered import Remembered
from probes.kit.pages import fields
from probes.kit.pages.digests import is_digest
from probes.kit.pages.links import MAX_URL_CHARS, LinkReader, is_filename

__all__ = [
    "AnyHashes",
    "File",
    "HashesT",
    "OddText",
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


# In the order of PyPI's keys: the decoder looks for each key behind the one before it.
class File(msgspec.Struct, Generic[HashesT], rename="kebab", omit_defaults=True, gc=False):
    """An entry of `files` as it should be."""

    filename: str
    hashes: HashesT
    url: _Url
    yanked: bool | _Reason | None = None
    core_metadata: bool | _Sidecar | None = None
    dist_info_metadata: bool | _Sidecar | None = None
    provenance: _Url | None = None
    requires_python: _Specifier | None = None
    size: _Size | None = None
    upload_time: str | None = None


class OddText(ValueError):
    """A value that needs a second look."""


def plain_candidates(
    files: Sequence[File[Sha256] | File[AnyHashes]], links: LinkReader, project: str
) -> list[Candidate] | None:
    """Read entries as they should be; None if anything about one of them is odd."""
    names = [file.filename for file in files]
    try:
        hashes = _hashes(files)
        uploaded = list(map(_TIMES.__getitem__, [file.upload_time or "" for file in files]))
    except OddText:
        return None
    urls = read_addresses([file.url for file in files], names, links)
    provenance = [file.provenance for file in files]
    versions = versions_in(names, project)
    if (
        urls is None
        or hashes is None
        or not are_absolute(provenance)
        or (None in versions and not all(map(is_filename, names)))
    ):
        return None
    yanked, reasons = _yanks([file.yanked for file in files])
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
            _announced(files),
            provenance,
        )
    )


def _announced(files: Sequence[File[Sha256] | File[AnyHashes]]) -> list[bool]:
    """Say of each whether a metadata sidecar is announced, by the newer name or else the older."""
    flags = [file.core_metadata for file in files]
    if None in flags:
        older = [file.dist_info_metadata for file in files]
        if any(older):
            flags = [o if flag is None else flag for flag, o in zip(flags, older, strict=True)]
    return list(map(bool, flags))


def read_addresses(urls: list[str], names: Sequence[str], links: LinkReader) -> list[str] | None:
    """Return absolute URLs; None unless each is harmless and ends with the name beside it."""
    if "/" in "".join(names):
        return None
    origin = links.origin(urls[0])
    if origin and _are_in_folders(urls, names, origin):
        return urls
    absolute = links.locate_all(urls) if _are_harmless(urls) else None
    return absolute if absolute and _are_in_folders(absolute, names, "") else None


def _are_in_folders(urls: list[str], names: Sequence[str], origin: str) -> bool:
    """Say whether each URL ends with a slash and the name beside it.

    Args:
        origin: what each must begin with; then all else in front of the name must be harmless.
    """
    folders = list(map(str.removesuffix, urls, names))
    text = "\n".join(folders)
    # As many characters are gone as the names have: each address ended with its name.
    return (
        len(text) + len("".join(names)) == sum(map(len, urls)) + len(urls) - 1
        and text.startswith(origin)
        and text.endswith("/")
        and text.count(f"/\n{origin}") == len(urls) - 1
        and (not origin or _are_harmless(folders, names))
    )


def _hashes(files: Sequence[File[Sha256] | File[AnyHashes]]) -> list[AnyHashes] | None:
    """Return the hashes as they are; None if one of them is no digest of its kind."""
    if isinstance(files[0].hashes, Sha256):  # then they all are
        digests = [file.hashes.sha256 for file in cast("Sequence[File[Sha256]]", files)]
        return [{"sha256": digest} for digest in digests] if are_hexadecimal(digests) else None
    column = [file.hashes for file in files]
    found = [hashes for hashes in column if isinstance(hashes, dict)]
    good = all(
        len(hashes) <= fields.MAX_HASHES and all(map(is_digest, hashes, hashes.values()))
        for hashes in found
    )
    return found if good else None


def _time(text: str) -> datetime | None:
    time = fields.parse_upload_time(text) if text else None
    if time is None and text:
        raise OddText(text)
    return time


# The same files come back on every mirror.
_TIMES = Remembered(_time)


def _yanks(column: Sequence[bool | str | None]) -> tuple[list[Yank], list[str | None]]:
    """Return for each whether it is yanked, and why."""
    yanked: list[Yank] = [Yank.NO] * len(column)
    reasons: list[str | None] = [None] * len(column)
    for at in compress(range(len(column)), column):
        yank = column[at]
        yanked[at] = Yank.YES
        reasons[at] = yank if isinstance(yank, str) else None
    return yanked, reasons


def are_absolute(column: Sequence[str | None]) -> bool:
    """Say whether each, if there is one, is a harmless URL with a host."""
    urls = column if None not in column else [url for url in column if url is not None]
    urls = cast("Sequence[str]", urls)
    if not urls:
        return True
    first = _HOST.match(urls[0])
    if first is None or not _are_harmless(urls):
        return False
    origin = first[0]
    return all(map(str.startswith, urls, repeat(origin))) or all(map(_HOST.match, urls))


def are_hexadecimal(digests: Sequence[str]) -> bool:
    """Say whether there is nothing but lower-case hexadecimal in these."""
    return _only("".join(digests), _HEX)


def _are_harmless(*columns: Sequence[str]) -> bool:
    """Say whether nothing in these needs unquoting, hides credentials or starts a query."""
    return _only("".join(map("".join, columns)), _HARMLESS)


def _only(text: str, allowed: bytes) -> bool:
    return text.isascii() and not text.encode("ascii").translate(None, allowed)
