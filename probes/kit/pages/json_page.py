"""Index pages in JSON (PEP 691).

One typed decode reads a well-formed page at about the speed of the decoder itself. A page with
anything odd in it is decoded once more without types and read entry by entry: slower, and the odd
entry is all that is lost. Both ways end in the same page (a differential test sees to that).
"""

from __future__ import annotations

import json
import math
import re
import string
from typing import Annotated, TypeVar

import msgspec

from auditor.errors import Malformed
from auditor.model import Candidate, Yank
from auditor.model.filename import version_in
from probes.kit.pages import fields
from probes.kit.pages.json_entry import read_entry
from probes.kit.pages.links import MAX_URL_CHARS, LinkReader, is_filename
from probes.kit.pages.parsed import MAX_ENTRIES, FaultLog, ParsedPage, excerpt

__all__ = ["parse_json", "parse_leniently", "parse_typed"]

_T = TypeVar("_T")

# Longer numbers make CPython refuse the whole page (its limit is 4,300 digits).
MAX_NUMBER_CHARS = 1_000

# Entries are taken in groups of this size: one odd entry sends its group the slow way.
CHUNK_ENTRIES = 256

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


class _File(msgspec.Struct, rename="kebab", omit_defaults=True, gc=False):
    """An entry of `files` as it should be."""

    filename: str
    url: _Url
    hashes: dict[str, str] = {}
    requires_python: _Specifier | None = None
    yanked: bool | _Reason | None = None
    size: _Size | None = None
    upload_time: str | None = None
    core_metadata: bool | _Sidecar | None = None
    dist_info_metadata: bool | _Sidecar | None = None
    provenance: _Url | None = None


class _Document(msgspec.Struct, rename="kebab"):
    """A page whose entries are as they should be; the rest is read leniently in both ways."""

    files: list[_File]
    meta: object = None
    name: object = None
    versions: object = None
    project_status: object = None
    alternate_locations: object = None


_DECODER = msgspec.json.Decoder(_Document)


def parse_json(body: bytes, *, url: str, project: str, faults: FaultLog) -> ParsedPage:
    """Read a page in JSON.

    Raises:
        Malformed: it is no index page at all, or of another major API version.
    """
    page = parse_typed(body, url=url, project=project, faults=faults)
    return page or parse_leniently(body, url=url, project=project, faults=faults)


def parse_typed(body: bytes, *, url: str, project: str, faults: FaultLog) -> ParsedPage | None:
    """Read a page by one typed decode; None, without a fault, if its types are not as they should.

    Raises:
        Malformed: of another major API version.
    """
    try:
        if not body.isascii():
            body.decode()  # the decoder doesn't look into text that it skips
        document = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    links = LinkReader(url)
    files = _bounded(document.files, faults)
    candidates: list[Candidate] = []
    for start in range(0, len(files), CHUNK_ENTRIES):
        chunk = files[start : start + CHUNK_ENTRIES]
        plain = _plain_candidates(chunk, links, project) if _is_harmless(chunk) else None
        candidates += plain or _read_entries(
            [msgspec.to_builtins(file) for file in chunk], start, links, project, faults
        )
    return _page(document, candidates, project, faults)


def parse_leniently(body: bytes, *, url: str, project: str, faults: FaultLog) -> ParsedPage:
    """Read a page entry by entry, whatever the entries are.

    Raises:
        Malformed: it is no index page at all, or of another major API version.
    """
    value = _load(body, faults)
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(files, list):
        raise Malformed(
            f"the answer is JSON without an array of files, which PEP 691 demands: {excerpt(value)}"
        )
    links = LinkReader(url)
    candidates = _read_entries(_bounded(files, faults), 0, links, project, faults)
    document = _Document(
        files=[],
        meta=value.get("meta"),
        name=value.get("name"),
        versions=value.get("versions"),
        project_status=value.get("project-status"),
        alternate_locations=value.get("alternate-locations"),
    )
    return _page(document, candidates, project, faults)


def _read_entries(
    entries: list[object], start: int, links: LinkReader, project: str, faults: FaultLog
) -> list[Candidate]:
    """Read entries one by one; `start` is the position of the first one on the page."""
    read = (
        read_entry(entry, f"files[{index}]", links, project, faults)
        for index, entry in enumerate(entries, start)
    )
    return [candidate for candidate in read if candidate is not None]


def _is_harmless(chunk: list[_File]) -> bool:
    """Say whether no address of these needs parsing and every hash is one good sha256.

    One pass over all the text at once: a pattern per entry took as long as the decoding.
    """
    if any(len(file.hashes) != 1 for file in chunk):
        return False
    digests = [file.hashes.get("sha256", "") for file in chunk]
    addresses = [file.url for file in chunk] + [f.provenance for f in chunk if f.provenance]
    return (
        set(map(len, digests)) == {64}
        and _only("".join(digests), _HEX)
        and _only("".join(addresses), _HARMLESS)
    )


def _only(text: str, allowed: bytes) -> bool:
    return text.isascii() and not text.encode("ascii").translate(None, allowed)


def _plain_candidates(
    chunk: list[_File], links: LinkReader, project: str
) -> list[Candidate] | None:
    """Read entries in which nothing needs a second look; None if something does."""
    candidates = []
    for file in chunk:
        place = links.locate(file.url)
        if place is None or place[1] != file.filename:
            return None
        candidate = _plain_candidate(file, place[0], version_in(file.filename, project))
        if candidate is None:
            return None
        candidates.append(candidate)
    return candidates


def _plain_candidate(file: _File, url: str, version: str | None) -> Candidate | None:
    """Read one entry whose address and hash are good; None if the rest needs a second look."""
    yanked, time, provenance = file.yanked, file.upload_time, file.provenance
    uploaded_at = fields.parse_upload_time(time) if time else None
    if (
        (time and uploaded_at is None)
        or (provenance is not None and not _HOST.match(provenance))
        or (version is None and not is_filename(file.filename))
    ):
        return None
    announced = file.dist_info_metadata if file.core_metadata is None else file.core_metadata
    return Candidate(
        filename=file.filename,
        version=version,
        url=url,
        hashes=file.hashes,
        yanked=Yank.YES if yanked else Yank.NO,
        yank_reason=yanked if isinstance(yanked, str) else None,
        requires_python=file.requires_python or "",
        size=file.size,
        uploaded_at=uploaded_at,
        has_metadata=announced is not None and announced is not False,
        provenance=provenance,
    )


def _bounded(entries: list[_T], faults: FaultLog) -> list[_T]:
    if len(entries) <= MAX_ENTRIES:
        return entries
    faults.lost("files", f"{len(entries)} entries; only the first {MAX_ENTRIES} were read")
    return entries[:MAX_ENTRIES]


def _load(body: bytes, faults: FaultLog) -> object:
    """Decode JSON as leniently as pip does, with bounds."""
    try:
        text = _decode(body, faults)
        value: object = json.loads(text, parse_int=_bounded_int)
    except RecursionError as error:
        raise Malformed("the answer is JSON nested too deeply to be an index page") from error
    except ValueError as error:
        raise Malformed(
            f"the answer says it is JSON and cannot be decoded: {excerpt(str(error))}; "
            f"it begins with {excerpt(repr(body[:60]))}"
        ) from error
    return value


def _decode(body: bytes, faults: FaultLog) -> str:
    encoding = json.detect_encoding(body)  # RFC 4627 section 3; handles a byte order mark
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        # pip stops at this page with a traceback; the files are still there to be audited.
        faults.detail("page", f"its text is no valid {encoding}: {error.reason}", body[:60])
        return body.decode(encoding, "replace")


def _bounded_int(digits: str) -> int | float:
    # Infinity is no valid value of any field, so that the field becomes a fault of its own.
    return int(digits) if len(digits) <= MAX_NUMBER_CHARS else math.inf


def _page(
    document: _Document, candidates: list[Candidate], project: str, faults: FaultLog
) -> ParsedPage:
    """Add what the page says of itself."""
    meta = document.meta if isinstance(document.meta, dict) else {}
    if document.meta is not None and not isinstance(document.meta, dict):
        faults.detail("page", "its meta is no object", document.meta)
    status, reason = _status(document.project_status, faults)
    api_version = fields.check_api_version(meta.get("api-version"), faults)
    versions = fields.read_texts(document.versions, "versions", faults)
    serial = fields.read_serial(meta.get("_last-serial"), faults)
    name = fields.check_name(document.name, project, faults)
    tracks = fields.read_texts(meta.get("tracks"), "tracks", faults) or ()
    alternates = fields.read_texts(document.alternate_locations, "alternate-locations", faults)
    return ParsedPage(
        candidates=tuple(candidates),
        faults=faults.faults(),
        complete=not faults.loses_entry,
        project_status=status,
        project_status_reason=reason,
        versions=versions,
        api_version=api_version,
        serial=serial,
        name=name,
        tracks=tracks,
        alternate_locations=alternates or (),
    )


def _status(value: object, faults: FaultLog) -> tuple[str | None, str | None]:
    """Read `project-status` (PEP 792): an object with a word and perhaps a reason."""
    if value is None:
        return "active", None
    if not isinstance(value, dict):
        faults.detail("page", "its project-status is no object (PEP 792)", value)
        return None, None

    def note(problem: str, seen: object) -> None:
        faults.detail("page", problem, seen)

    reason = value.get("reason")
    if reason is not None and not isinstance(reason, str):
        note("the reason of its project status is no text", reason)
        reason = None
    return (
        fields.read_status(value.get("status"), faults),
        fields.read_reason(reason, note) if reason else None,
    )
