"""Recognises what one stored body is: a broken artifact, a file of the project, or a page of it.

The order of the tests is the order of their cost: the headers, the first bytes, the size, the table
of contents. Bytes are hashed only where they are a file of the project or have the size of a broken
artifact.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from auditor.errors import Malformed, ProbeError
from auditor.model import Fingerprint, HeldState, Incident
from probes.http_stores.content import (
    ARCHIVE_MAGIC,
    Recognised,
    Unsearched,
    names_project,
    read_archive,
    traces_of,
)
from probes.http_stores.disk import Body
from probes.http_stores.entry import Entry, entry_path
from probes.http_stores.finding import StoredFile, StoredPage, StoreReading
from probes.http_stores.ruins import Owner, owner_of_ruin
from probes.kit.decoding import MAX_BODY_BYTES, MAX_WIRE_BYTES, decode
from probes.kit.sought import Sought

__all__ = ["Recogniser", "Stored"]

_PAGE_TYPES = ("text/html", "application/vnd.pypi.simple.")
_METADATA = re.compile(rb"\AMetadata-Version:", re.IGNORECASE)
_VERSION_LINE = re.compile(rb"^Version:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_NAME_LINE = re.compile(rb"^Name:[ \t]*([^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_BY_DIGEST = "its digest is that of a broken artifact"


class Stored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One stored body.

    Attributes:
        place: the file that holds it, relative to the cache.
        key: name of its entry.
        start: where it begins in that file.
        body: the bytes as they were transferred.
        entry: what was stored with it; None if that is lost.
        modified_s: of the file, seconds since 1970.
    """

    place: str
    key: str
    start: int
    body: Body
    entry: Entry | None
    modified_s: float

    @property
    def is_page(self) -> bool:
        """Whether it was sent as an index page."""
        kind = self.entry.headers.get("content-type", "") if self.entry else ""
        return kind.strip().lower().startswith(_PAGE_TYPES)

    @property
    def encoding(self) -> str:
        """Its content coding; "" for none."""
        coding = self.entry.headers.get("content-encoding", "") if self.entry else ""
        coding = coding.strip().lower()
        return "" if coding == "identity" else coding


class Recogniser:
    """Knows what belongs to one incident, and writes down what it recognises."""

    def __init__(self, incident: Incident, stop: threading.Event) -> None:
        prints = incident.fingerprints
        self._project = incident.project
        self._stop = stop
        self._sought = Sought(incident)
        self._by_key = dict(_keys(prints))

    @property
    def keys(self) -> Iterable[str]:
        """Names of the entries of the broken artifacts whose URL is known."""
        return self._by_key

    def recognise(self, stored: Stored, reading: StoreReading) -> None:
        """Write down what a body is, if it is of the project.

        Raises:
            OSError, NotReadable: it cannot be read.
        """
        if self._is_known(stored, reading):
            return
        body = stored.body
        if stored.encoding:
            self._read_encoded(stored, reading)
        elif body.part(0, 6).startswith(ARCHIVE_MAGIC) or body.part(257, 5) == b"ustar":
            self._read_archive(stored, body, reading)
        else:
            self._read_text(stored, reading)

    def unread(self, place: str, name: str, reading: StoreReading) -> None:
        """Say of a file that may not be read what its name tells."""
        key = name.removesuffix(".body")
        known = self._by_key.get(key)
        if known is not None:
            how = "the entry of its URL is here and may not be read"
            reading.files.append(_unknown(place, key, known, how))

    def trace(self, place: str, key: str, body: Body, reading: StoreReading) -> None:
        """Look for the names of the project's files in what cannot be read."""
        known = self._by_key.get(key)
        if known is not None:
            how = "the entry of its URL is here and damaged"
            reading.files.append(_unknown(place, key, known, how))
            return
        version = traces_of(body, self._project)
        if version is not None:
            how = "a damaged entry contains names of its members"
            reading.files.append(_unknown(place, key, Fingerprint(version=version), how))

    def _is_known(self, stored: Stored, reading: StoreReading) -> bool:
        """Recognise a broken artifact by its digest or its URL, whatever its content says."""
        by_url = self._by_key.get(stored.key) if _is_answer(stored.entry) else None
        if by_url is None and not self._is_suspect(stored, reading):
            return False
        sha256 = stored.body.sha256(self._stop)
        known = self._sought.by_sha256.get(sha256)
        if known is not None:
            reading.files.append(_file(stored, _named(known), sha256, _BY_DIGEST))
        elif by_url is not None:
            found = self._as_stored(by_url, stored.body)
            reading.files.append(_file(stored, found, sha256, "stored as the answer to its URL"))
        return known is not None or by_url is not None

    def _as_stored(self, known: Fingerprint, body: Body) -> Recognised:
        """Name what its URL says it is, with what its content says of its state."""
        try:
            content = read_archive(body, self._project, self._stop)
        except Unsearched:
            content = None
        if content is None:
            return _named(known)
        return replace(_named(known), fault=content.fault, intact=content.intact)

    def _is_suspect(self, stored: Stored, reading: StoreReading) -> bool:
        size = stored.body.size
        if not self._sought.may_have(size):
            return False
        if self._sought.spend(size):
            return True
        reading.note("files that were not hashed, being too many", stored.place, hides=True)
        return False

    def _read_archive(
        self, stored: Stored, body: Body, reading: StoreReading, detail: str = ""
    ) -> None:
        found = read_archive(body, self._project, self._stop)
        if found is None:
            self._tell_of_ruin(stored, body, reading)
        else:
            sha256 = None if found.fault else body.sha256(self._stop)
            how = f"its own metadata names it{detail}"
            reading.files.append(_file(stored, found, sha256, how))

    def _tell_of_ruin(self, stored: Stored, body: Body, reading: StoreReading) -> None:
        """Tell of an archive that does not open: it may have been the project's before."""
        match owner_of_ruin(body, self._project):
            case None | Owner.OTHER:
                return
            case Owner.OURS:
                what = "archives that do not open, with members that are named after the project"
                reading.note(what, stored.place, hides=True)
            case Owner.UNKNOWN:
                # Without its entry no client uses it, such as a download that was interrupted.
                what = "archives that do not open, and that do not show whose they are"
                reading.note(what, stored.place, hides=stored.entry is not None)

    def _read_encoded(self, stored: Stored, reading: StoreReading) -> None:
        if stored.body.size > MAX_WIRE_BYTES:
            self._read_archive(stored, stored.body, reading)
            return
        try:
            content = decode(stored.body.whole(), stored.encoding, limit=MAX_BODY_BYTES)
        except ProbeError as error:
            _undecoded(stored, error, reading)
            return
        if content[257:262] == b"ustar":
            # A server that calls a .tar.gz a tar with a content coding: pip keeps the wire's bytes.
            self._read_archive(stored, stored.body, reading)
        elif content.startswith(ARCHIVE_MAGIC):
            inner = Body(content, 0, len(content))
            self._read_archive(stored, inner, reading, f", below its {stored.encoding} encoding")
        else:
            self._read_content(stored, content, reading)

    def _read_text(self, stored: Stored, reading: StoreReading) -> None:
        body = stored.body
        if stored.is_page or _METADATA.match(body.part(0, 32)):
            if body.size > MAX_BODY_BYTES:
                reading.note("pages larger than any index page", stored.place, hides=True)
            else:
                self._read_content(stored, body.whole(), reading)

    def _read_content(self, stored: Stored, content: bytes, reading: StoreReading) -> None:
        if not names_project(content, self._project):
            return
        if _METADATA.match(content):
            name, version = _NAME_LINE.search(content), _VERSION_LINE.search(content)
            if name and version and names_project(name[1], self._project):
                reading.metadata[stored.place] = version[1].decode("utf-8", "replace").strip()
        elif stored.entry is not None and stored.is_page and stored.entry.status == 200:
            reading.pages.append(
                StoredPage(
                    place=stored.place,
                    entry=stored.entry,
                    body=content,
                    wire_size=stored.body.size,
                    modified_s=stored.modified_s,
                )
            )


def _undecoded(stored: Stored, error: ProbeError, reading: StoreReading) -> None:
    # A damaged body fails in every client; one that only we cannot decode may well work.
    what = "pages" if stored.is_page else "bodies"
    hides = not isinstance(error, Malformed)
    reading.note(f"{what} that cannot be decoded ({error})", stored.place, hides=hides)


def _keys(prints: Iterable[Fingerprint]) -> Iterator[tuple[str, Fingerprint]]:
    for print_ in prints:
        try:
            if print_.url:
                yield entry_path(print_.url).rpartition("/")[2], print_
        except ValueError:
            continue


def _is_answer(entry: Entry | None) -> bool:
    """Whether an entry keeps the thing itself; redirects are stored too."""
    return entry is None or entry.status in (200, 203)


def _named(print_: Fingerprint) -> Recognised:
    return Recognised(filename=print_.filename or "", version=print_.version)


def _file(stored: Stored, found: Recognised, sha256: str | None, how: str) -> StoredFile:
    fault, intact = found.fault, found.intact
    if fault is None and stored.entry is not None and stored.entry.is_cut(stored.body.size):
        announced = stored.entry.headers["content-length"]
        fault, intact = f"it is damaged: {stored.body.size} bytes of {announced[:20]}", False
    if stored.entry is None:
        how = f"{how}; its entry is missing or damaged, so that no client uses it"
    usable = HeldState.HELD if stored.entry is not None else HeldState.SHADOWED
    return StoredFile(
        place=stored.place,
        key=stored.key,
        start=stored.start,
        size=stored.body.size,
        # A damaged copy accuses nobody of tampering.
        sha256=None if fault else sha256,
        filename=found.filename or None,
        version=found.version,
        state=HeldState.UNKNOWN if fault else usable,
        how=f"{how}; {fault}" if fault else how,
        intact=intact,
    )


def _unknown(place: str, key: str, print_: Fingerprint, how: str) -> StoredFile:
    return StoredFile(
        place=place,
        key=key,
        start=0,
        size=0,
        sha256=None,
        filename=print_.filename,
        version=print_.version,
        state=HeldState.UNKNOWN,
        how=how,
    )
