"""What a bucket lists: objects, older versions and delete markers, page by page."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auditor.errors import Malformed
from probes.s3_bucket.client import Reply, S3Client

__all__ = ["ListPage", "StoredObject", "list_current", "list_versions"]

# S3's own limit; tests ask for fewer, to see the seams between pages.
PAGE_KEYS = 1_000
# 20 million keys. A server that goes on for ever is stopped here, if not by the clock.
MAX_PAGES = 20_000
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object, or one older version of one, as a listing shows it.

    Attributes:
        key: its whole key.
        version_id: None where versions were not listed.
        current: whether a plain GET returns it.
        size: bytes; None if the server did not say.
        etag: without its quotes; "" if the server did not say.
        modified: UTC; None if the server did not say.
    """

    key: str
    version_id: str | None
    current: bool
    size: int | None
    etag: str
    modified: datetime | None

    @property
    def filename(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]

    @property
    def possible_md5(self) -> str | None:
        """What the ETag is the MD5 of, unless it was encrypted: the content uploaded at once.

        Uploads in parts have an ETag such as `…-2`, which is the digest of digests.
        """
        found = _MD5.fullmatch(self.etag)
        return found.group(1) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a listing.

    Attributes:
        objects: in the order of their keys, the newest version of each first.
        markers: keys that a delete marker hides now.
        directories: what the keys go on with up to the next `/`, if that was asked for.
        more: whether the listing goes on after this page.
    """

    objects: tuple[StoredObject, ...]
    markers: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    more: bool = False


async def list_current(
    client: S3Client, prefix: str, *, by_directory: bool = False, page_keys: int | None = None
) -> AsyncGenerator[ListPage, None]:
    """List what a plain GET would return.

    Raises:
        ProbeError: see `S3Client.call`; also where the pages lead nowhere.
    """
    parameters = _parameters(prefix, by_directory, page_keys)
    seen: set[str] = set()
    while True:
        reply = await client.call("ListObjectsV2", **parameters)
        yield _read(reply, prefix, ("Contents",))
        if not reply.data.get("IsTruncated"):
            return
        token = reply.data.get("NextContinuationToken")
        parameters["ContinuationToken"] = _advance(str(token or ""), seen)


async def list_versions(
    client: S3Client, prefix: str, *, by_directory: bool = False, page_keys: int | None = None
) -> AsyncGenerator[ListPage, None]:
    """List every version of every object, and what is hidden.

    Raises:
        ProbeError: as `list_current`.
    """
    parameters = _parameters(prefix, by_directory, page_keys)
    seen: set[str] = set()
    while True:
        reply = await client.call("ListObjectVersions", **parameters)
        yield _read(reply, prefix, ("Versions",))
        if not reply.data.get("IsTruncated"):
            return
        key = str(reply.data.get("NextKeyMarker") or "")
        version = str(reply.data.get("NextVersionIdMarker") or "")
        _advance(f"{key}\0{version}" if key else "", seen)
        parameters["KeyMarker"] = key
        if version:
            parameters["VersionIdMarker"] = version
        else:
            parameters.pop("VersionIdMarker", None)


def _parameters(prefix: str, by_directory: bool, page_keys: int | None) -> dict[str, str | int]:
    delimiter: dict[str, str | int] = {"Delimiter": "/"} if by_directory else {}
    return {"Prefix": prefix, "MaxKeys": page_keys or PAGE_KEYS, **delimiter}


def _advance(mark: str, seen: set[str]) -> str:
    """Check that the next page is one that was not asked for yet."""
    if not mark or mark in seen or len(seen) >= MAX_PAGES:
        raise Malformed("the listing goes on without an end: the server repeats its own mark")
    seen.add(mark)
    return mark


def _read(reply: Reply, prefix: str, names: tuple[str, ...]) -> ListPage:
    data = reply.data
    objects = tuple(_object(entry) for name in names for entry in data.get(name) or ())
    # What a server lists beyond what was asked for is not ours to judge.
    return ListPage(
        objects=tuple(o for o in objects if o.key.startswith(prefix)),
        markers=tuple(_markers(data, prefix)),
        directories=tuple(
            str(entry.get("Prefix", ""))
            for entry in data.get("CommonPrefixes") or ()
            if len(str(entry.get("Prefix", ""))) > len(prefix)
        ),
        more=bool(data.get("IsTruncated")),
    )


def _markers(data: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for entry in data.get("DeleteMarkers") or ():
        key = str(entry.get("Key", ""))
        if entry.get("IsLatest") and key.startswith(prefix):
            yield key


def _object(entry: Mapping[str, Any]) -> StoredObject:
    size, modified = entry.get("Size"), entry.get("LastModified")
    version = entry.get("VersionId")
    return StoredObject(
        key=str(entry.get("Key", "")),
        version_id=None if version is None else str(version),
        current=bool(entry.get("IsLatest", True)),
        size=size if isinstance(size, int) and size >= 0 else None,
        etag=str(entry.get("ETag") or "").strip('"')[:100],
        modified=_utc(modified) if isinstance(modified, datetime) else None,
    )


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
