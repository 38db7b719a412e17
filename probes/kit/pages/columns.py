"""Entries in which nothing needs a second look, read field by field instead of one by one.

A page has thousands of entries and ten fields. What is done once per field and page costs less
than what is done once per entry. Whoever finds anything odd here gives up: the entries are
then read one by one (`json_entry`), with the same result where nothing was odd after all.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Generic, NamedTuple, TypeAlias, TypeVar, cast

import msgspec

from auditor.model import Candidate, Yank, normalise_project
from auditor.model.file_table import FileTable
from auditor.model.filename import versions_in
from auditor.model.remembered import RememberedTexts
from probes.kit.pages import fields
from probes.kit.pages.digests import is_digest
from probes.kit.pages.links import MAX_URL_CHARS, LinkReader, is_filename

__all__ = [
    "AnyHashes",
    "Columns",
    "File",
    "Files",
    "HashesT",
    "OddText",
    "PlainFiles",
    "Sha256",
    "are_absolute",
    "are_hexadecimal",
    "joined",
    "read_addresses",
    "read_columns",
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
Files: TypeAlias = "Sequence[File[Sha256] | File[AnyHashes]]"


# In the order of PyPI's keys: the decoder looks for each key behind the one before it.
class File(
    msgspec.Struct, Generic[HashesT], rename="kebab", omit_defaults=True, gc=False, kw_only=True
):
    """An entry of `files` as it should be."""

    core_metadata: bool | _Sidecar | None = None
    dist_info_metadata: bool | _Sidecar | None = None
    filename: str
    hashes: HashesT
    provenance: _Url | None = None
    requires_python: _Specifier | None = None
    size: _Size | None = None
    upload_time: str | None = None
    url: _Url
    yanked: bool | _Reason | None = None


class OddText(ValueError):
    """A value that needs a second look."""


class Columns(NamedTuple):
    """What was made of the columns of some entries that are as they should be.

    Attributes:
        names, versions, urls: as in `Candidate`.
        uploaded: the times, read.
    """

    names: Sequence[str]
    versions: Sequence[str | None]
    urls: Sequence[str]
    uploaded: Sequence[datetime | None]


class PlainFiles(FileTable):
    """The files of entries that are as they should be, kept as they were decoded."""

    def __init__(self, project: str, files: Files, columns: Columns) -> None:
        super().__init__(normalise_project(project), columns.names, columns.versions)
        self._files = files
        self._urls = columns.urls
        self._uploaded = columns.uploaded

    def urls(self) -> Sequence[str]:
        """Return of each file its `url`."""
        return self._urls

    def yanks(self) -> Sequence[Yank]:
        """Return of each file whether it is yanked."""
        return [Yank.YES if file.yanked else Yank.NO for file in self._files]

    def specifiers(self) -> Sequence[str]:
        """Return of each file its `requires_python`."""
        return [file.requires_python or "" for file in self._files]

    def positions_of(self, digests: Collection[str]) -> Sequence[int]:
        """Return where the files are whose SHA-256 is one of these."""
        stated = [_digest(file.hashes) for file in self._files]
        return [at for at, digest in enumerate(stated) if digest in digests]

    def make(self, position: int) -> Candidate:
        """Make the candidate of one row."""
        file = self._files[position]
        announced = file.core_metadata
        if announced is None:
            announced = file.dist_info_metadata
        return Candidate(  # its fields in their order
            file.filename,
            self.versions[position],
            self._urls[position],
            _hashes(file.hashes),
            Yank.YES if file.yanked else Yank.NO,
            file.yanked if isinstance(file.yanked, str) else None,
            file.requires_python or "",
            file.size,
            self._uploaded[position],
            bool(announced),
            file.provenance,
        )

    def make_all(self) -> Sequence[Candidate]:
        """Make all candidates."""
        return list(map(self.make, range(len(self._files))))


def read_columns(files: Files, links: LinkReader, project: str) -> Columns | None:
    """Read entries as they should be; None if anything about one of them is odd."""
    names = [file.filename for file in files]
    try:
        uploaded = _TIMES.of_all([file.upload_time or "" for file in files])
    except OddText:
        return None
    urls = read_addresses([file.url for file in files], names, links)
    versions = versions_in(names, project)
    if (
        urls is None
        or not _are_digests(files)
        or not are_absolute([file.provenance for file in files])
        or (None in versions and not all(map(is_filename, names)))
    ):
        return None
    return Columns(names, versions, urls, uploaded)


def joined(parts: Sequence[Columns]) -> Columns:
    """Put columns of one page together."""
    if len(parts) == 1:
        return parts[0]
    names, versions, urls, uploaded = (list(chain(*column)) for column in zip(*parts, strict=True))
    return Columns(names, versions, urls, uploaded)


def read_addresses(urls: list[str], names: Sequence[str], links: LinkReader) -> list[str] | None:
    """Return absolute URLs; None unless each is harmless and ends with the name beside it."""
    name_text = "".join(names)
    if "/" in name_text:
        return None
    origin = links.origin(urls[0])
    if origin and _are_in_folders(urls, names, name_text, origin):
        return urls
    absolute = links.locate_all(urls) if _are_harmless(urls) else None
    return absolute if absolute and _are_in_folders(absolute, names, name_text, "") else None


def _are_in_folders(urls: list[str], names: Sequence[str], name_text: str, origin: str) -> bool:
    """Say whether each URL ends with a slash and the name beside it.

    Args:
        name_text: all names in one.
        origin: what each must begin with; then all else in front of the name must be harmless.
    """
    text = "\n".join(map(str.removesuffix, urls, names))
    breaks = len(urls) - 1
    # As many characters are gone as the names have: each address ended with its name.
    if not (
        len(text) + len(name_text) == sum(map(len, urls)) + breaks
        and text.startswith(origin)
        and text.endswith("/")
        and text.count(f"/\n{origin}") == breaks
    ):
        return False
    if not origin:
        return text.count("\n") == breaks
    # What is harmful, or a line break within an address, would be left over beside those between.
    return _without(text, _HARMLESS) == b"\n" * breaks and _only(name_text, _HARMLESS)


def _are_digests(files: Files) -> bool:
    """Say whether all hashes are digests of their kind."""
    if isinstance(files[0].hashes, Sha256):  # then they all are
        return are_hexadecimal(
            [file.hashes.sha256 for file in cast("Sequence[File[Sha256]]", files)]
        )
    return all(
        len(hashes) <= fields.MAX_HASHES and all(map(is_digest, hashes, hashes.values()))
        for hashes in [cast("AnyHashes", file.hashes) for file in files]
    )


def _hashes(stated: Sha256 | AnyHashes) -> AnyHashes:
    return {"sha256": stated.sha256} if isinstance(stated, Sha256) else stated


def _digest(stated: Sha256 | AnyHashes) -> str | None:
    return stated.sha256 if isinstance(stated, Sha256) else stated.get("sha256")


def _time(text: str) -> datetime | None:
    time = fields.parse_upload_time(text) if text else None
    if time is None and text:
        raise OddText(text)
    return time


# The same files come back on every mirror.
_TIMES = RememberedTexts(_time, fields.parse_utc_times)


def are_absolute(column: Sequence[str | None]) -> bool:
    """Say whether each, if there is one, is a harmless URL with a host."""
    urls = column if None not in column else [url for url in column if url is not None]
    urls = cast("Sequence[str]", urls)
    if not urls:
        return True
    first, text, others = _HOST.match(urls[0]), "\n".join(urls), len(urls) - 1
    # What is harmful, or a line break within an address, would be left over beside those between.
    if first is None or _without(text, _HARMLESS) != b"\n" * others:
        return False
    return text.count(f"\n{first[0]}") == others or all(map(_HOST.match, urls))


def are_hexadecimal(digests: Sequence[str]) -> bool:
    """Say whether there is nothing but lower-case hexadecimal in these."""
    return _only("".join(digests), _HEX)


def _are_harmless(urls: Sequence[str]) -> bool:
    """Say whether nothing in these needs unquoting, hides credentials or starts a query."""
    return _only("".join(urls), _HARMLESS)


def _only(text: str, allowed: bytes) -> bool:
    return _without(text, allowed) == b""


def _without(text: str, allowed: bytes) -> bytes | None:
    """Return what is left when these characters are taken out; None if some are not ASCII."""
    return text.encode("ascii").translate(None, allowed) if text.isascii() else None
