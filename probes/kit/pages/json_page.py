"""Index pages in JSON (PEP 691).

One typed decode reads a well-formed page at about the speed of the decoder itself. A page with
anything odd in it is decoded once more without types and read entry by entry: slower, and the odd
entry is all that is lost. Both ways end in the same page (a differential test sees to that).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Generic, TypeVar

import msgspec

from auditor.errors import Malformed
from auditor.model import Candidate, Candidates
from probes.kit.pages import fields
from probes.kit.pages.columns import (
    AnyHashes,
    File,
    Files,
    HashesT,
    PlainFiles,
    Sha256,
    joined,
    read_columns,
)
from probes.kit.pages.json_entry import read_entry
from probes.kit.pages.links import LinkReader
from probes.kit.pages.parsed import (
    CHUNK_ENTRIES,
    MAX_ENTRIES,
    PIP_STOPS,
    FaultLog,
    ParsedPage,
    excerpt,
)

__all__ = ["may_hold_two_lists", "parse_json", "parse_leniently", "parse_typed"]

_T = TypeVar("_T")

# CPython refuses longer ones, and with them the whole page (`sys.get_int_max_str_digits`).
CPYTHON_INT_CHARS = 4_300
MAX_NUMBER_CHARS = 1_000

# Each bracket, brace and comma makes a value at most, and a value takes up to a hundred times the
# memory of its text. The largest page on PyPI has some 400,000 of these signs.
MAX_SIGNS = 5_000_000
_SIGNS = b"[{,"
_FILES = b'"files"'
# Between tokens (RFC 8259, section 2).
_BLANKS = b" \t\n\r"
# PyPI's pages have three of these at most. In front of each, so much is looked at.
_FEW_BRACKETS = 16
_NEAR_BYTES = 64
# No encoder escapes a letter of ASCII; in a key it hides what the key is.
_ESCAPED_LETTER = re.compile(rb"\\u00(?:[46][1-9A-Fa-f]|[57][0-9Aa])")


class _Document(msgspec.Struct, Generic[HashesT], rename="kebab"):
    """A page whose entries are as they should be; the rest is read leniently in both ways."""

    files: list[File[HashesT]]
    meta: object = None
    name: object = None
    versions: object = None
    project_status: object = None
    alternate_locations: object = None


_Any = _Document[Sha256] | _Document[AnyHashes]
# The quick one first: a page that it cannot read fails at its first entry.
_DECODERS = (
    msgspec.json.Decoder(_Document[Sha256]),
    msgspec.json.Decoder(_Document[AnyHashes]),
)


def parse_json(body: bytes, *, url: str, project: str, faults: FaultLog) -> ParsedPage:
    """Read a page in JSON.

    Raises:
        Malformed: it is no index page at all, or of another major API version.
    """
    _refuse_too_much(body)
    doubted = may_hold_two_lists(body)
    if doubted:
        _note_two_lists(body, faults)
    page = parse_typed(body, url=url, project=project, faults=faults)
    if page is not None:
        return page
    if not doubted and body.count(_FILES) > 1:  # and one of them is no list
        _note_two_lists(body, faults)
    return parse_leniently(body, url=url, project=project, faults=faults)


def _refuse_too_much(body: bytes) -> None:
    """Raise `Malformed` for a page that would fill the memory; small ones are not looked at."""
    if len(body) > MAX_SIGNS and len(body) - len(body.translate(None, _SIGNS)) > MAX_SIGNS:
        raise Malformed(
            f"the answer is JSON of more than {MAX_SIGNS} values, and no index page: "
            "look at what serves this URL"
        )


def may_hold_two_lists(body: bytes) -> bool:
    """Say whether a page may have two keys `files` with a list each. (Any page may be doubted.)

    A list begins with a bracket, of which a page has a handful: finding one sign is many times as
    fast as finding the key.
    """
    escape = body.find(b"\\")
    if escape >= 0 and _ESCAPED_LETTER.search(body, escape) is not None:
        return True
    lists, at = 0, -1
    for _ in range(_FEW_BRACKETS):
        at = body.find(b"[", at + 1)
        if at < 0:
            return lists > 1
        lists += _may_follow_key(body[max(0, at - _NEAR_BYTES) : at])
    return body.count(_FILES) > 1


def _may_follow_key(before: bytes) -> bool:
    """Say whether what is near in front of a bracket ends with the key `files`, or may do so."""
    left = before.rstrip(_BLANKS)
    if left.endswith(b":"):
        left = left[:-1].rstrip(_BLANKS)
        return left.endswith(_FILES) or len(left) < len(_FILES)
    return not left


def _note_two_lists(body: bytes, faults: FaultLog) -> None:
    """Note a page with two lists of files: pip takes the last one, uv refuses the page."""
    lists: list[int] = []

    def read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
        lists.append(sum(key == "files" for key, _ in pairs))
        return dict(pairs)

    try:
        json.loads(body, object_pairs_hook=read_object)
    except (ValueError, RecursionError):
        return  # which is told by whoever reads the page
    if max(lists, default=0) > 1:
        faults.lost("page", "its key files is there twice; pip takes the last, uv none")


def parse_typed(body: bytes, *, url: str, project: str, faults: FaultLog) -> ParsedPage | None:
    """Read a page by one typed decode; None, without a fault, if its types are not as they should.

    Raises:
        Malformed: of another major API version.
    """
    document = _decode_typed(body)
    if document is None:
        return None
    links = LinkReader(url, page_bytes=len(body))
    files: Files = _bounded(document.files, faults)
    candidates = _read_files(files, links, project, faults)
    return _page(document, candidates, project, faults, depends_on_url=links.used_base)


def _read_files(files: Files, links: LinkReader, project: str, faults: FaultLog) -> Candidates:
    """Read entries a group at a time, and those of a group one by one if one of them is odd."""
    if files and (whole := read_columns(files, links, project)) is not None:
        return PlainFiles(project, files, whole)
    groups = [files[at : at + CHUNK_ENTRIES] for at in range(0, len(files), CHUNK_ENTRIES)]
    columns = [read_columns(group, links, project) for group in groups]
    plain = [each for each in columns if each is not None]
    if len(plain) == len(groups):
        return PlainFiles(project, files, joined(plain)) if plain else ()
    candidates: list[Candidate] = []
    for number, (group, read) in enumerate(zip(groups, columns, strict=True)):
        if read is not None:
            candidates += PlainFiles(project, group, read)
            continue
        entries = [msgspec.to_builtins(file) for file in group]
        candidates += _read_entries(entries, number * CHUNK_ENTRIES, links, project, faults)
    return tuple(candidates)


def _decode_typed(body: bytes) -> _Any | None:
    try:
        if not body.isascii():
            body.decode()  # the decoder doesn't look into text that it skips
    except UnicodeDecodeError:
        return None
    for decoder in _DECODERS:
        try:
            return decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            continue
    return None


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
    links = LinkReader(url, page_bytes=len(body))
    candidates = tuple(_read_entries(_bounded(files, faults), 0, links, project, faults))
    document = _Document[AnyHashes](
        files=[],
        meta=value.get("meta"),
        name=value.get("name"),
        versions=value.get("versions"),
        project_status=value.get("project-status"),
        alternate_locations=value.get("alternate-locations"),
    )
    return _page(document, candidates, project, faults, depends_on_url=links.used_base)


def _read_entries(
    entries: Sequence[object], start: int, links: LinkReader, project: str, faults: FaultLog
) -> list[Candidate]:
    """Read entries one by one; `start` is the position of the first one on the page."""
    read = (
        read_entry(entry, f"files[{index}]", links, project, faults)
        for index, entry in enumerate(entries, start)
    )
    return [candidate for candidate in read if candidate is not None]


def _bounded(entries: Sequence[_T], faults: FaultLog) -> Sequence[_T]:
    if len(entries) <= MAX_ENTRIES:
        return entries
    faults.lost("files", f"{len(entries)} entries; only the first {MAX_ENTRIES} were read")
    return entries[:MAX_ENTRIES]


def _load(body: bytes, faults: FaultLog) -> object:
    """Decode JSON as leniently as pip does, with bounds."""
    try:
        text = _decode(body, faults)
        value: object = json.loads(text, parse_int=partial(_bounded_int, faults))
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
        return body.decode(encoding, "surrogatepass")  # as `json.loads` decodes bytes
    except UnicodeDecodeError as error:
        # The files are still there to be audited, as evidence.
        problem = f"{PIP_STOPS}: its text is no valid {encoding} ({error.reason})"
        faults.lost("page", problem, body[:60])
        return body.decode(encoding, "replace")


def _bounded_int(faults: FaultLog, digits: str) -> int | float:
    if len(digits.lstrip("-")) > CPYTHON_INT_CHARS:
        faults.lost("page", f"{PIP_STOPS}: it has a number of {len(digits)} digits")
    # Infinity is no valid value of any field, so that the field becomes a fault of its own.
    return int(digits) if len(digits) <= MAX_NUMBER_CHARS else math.inf


def _page(
    document: _Any,
    candidates: Candidates,
    project: str,
    faults: FaultLog,
    *,
    depends_on_url: bool,
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
        candidates=candidates,
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
        depends_on_url=depends_on_url,
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
