"""What of an incident lies in an archive: by name, by what it says of itself, and by content."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from packaging.metadata import parse_email

from auditor.model import Incident, normalise_project
from probes.archives.members import DAMAGED, Member, MemberType
from probes.archives.streams import Cut
from probes.http_stores.content import ARCHIVE_MAGIC, Unsearched, read_archive
from probes.http_stores.disk import Body
from probes.http_stores.entry import Damaged, Foreign, is_entry_name, parse_entry
from probes.kit.files import held_version
from probes.kit.sought import Sought

__all__ = ["Finder", "Found", "FoundKind"]

# What has no name is opened to see what it is, up to this size; larger ones by digest only.
_MAX_OPENED_BYTES = 64 * 2**20
_METADATA_BYTES = 4 * 2**20
_CHUNK_BYTES = 2**20
_INFO = re.compile(
    r"(?:^|/)(?P<name>[^/]+?)(?:-(?P<version>[^/-]+))?(?:-py[\d.]+)?"
    r"\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info|egg/EGG-INFO/PKG-INFO)$"
)
# uv keeps wheels unpacked, and links them into environments.
_UV_STORE = re.compile(r"(?:^|/)archive-v\d+/")
_SQLITE = re.compile(r"(?:^|/)http-cache\.db$")


class FoundKind(StrEnum):
    """As what it lies there."""

    FILE = "file"  # a distribution, under its name or another
    UNPACKED = "unpacked"  # its content, in a cache or in a zipped application
    INSTALLED = "installed"  # its content, where Python imports it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something of the project.

    Attributes:
        path: in the archive.
        member: the file in the archive by which it was found.
        kind: as what it lies there.
        filename: of the distribution; of the directory where it is unpacked.
        version: None if nothing says it.
        sha256: of a file; None if it was not read to its end.
        size: bytes of a file.
        intact: as in `Holding`.
        how: how it was recognised.
    """

    path: str
    member: str
    kind: FoundKind
    filename: str
    version: str | None
    sha256: str | None = None
    size: int | None = None
    intact: bool | None = None
    how: str


class Finder:
    """Looks at one member after the other.

    Attributes:
        unread: what could hide something and was not read, in words.
    """

    def __init__(self, incident: Incident, stop: threading.Event) -> None:
        self._incident = incident
        self._project = incident.project
        self._sought = Sought(incident)
        self._stop = stop
        self._digests: dict[str, Found] = {}
        self.unread: list[str] = []

    def look(self, member: Member) -> Iterator[Found]:
        """Say what a member is, if it is of the project."""
        if member.type is MemberType.HARD_LINK:
            yield from self._linked(member)
            return
        if member.type is not MemberType.FILE:
            return
        try:
            for found in self._read(member):
                self._digests[member.path] = found
                yield found
        except (*DAMAGED, Unsearched) as error:
            # A zip goes on after one bad member; of a tar nothing behind it can be read.
            self.unread.append(f"{_short(member.path)}: {str(error) or type(error).__name__}")

    def _read(self, member: Member) -> Iterator[Found]:
        name = member.path.rpartition("/")[2]
        version = held_version(name, self._project)
        info = _INFO.search(member.path)
        if version is not None:
            yield self._named(member, name, version)
        elif info and normalise_project(info["name"]) == self._project:
            yield self._metadata(member, info["version"])
        elif _SQLITE.search(member.path):
            self.unread.append(f"{_short(member.path)}: PDM's cache is read from a directory only")
        else:
            yield from self._unnamed(member, name)

    def _linked(self, member: Member) -> Iterator[Found]:
        """A hard link has no content of its own: it is what it links to, met before it."""
        name = member.path.rpartition("/")[2]
        version = held_version(name, self._project)
        target = self._digests.get(member.target)
        if target is None and version is None:
            return
        yield Found(
            path=member.path,
            member=member.path,
            kind=target.kind if target else FoundKind.FILE,
            filename=name if version else target.filename if target else name,
            version=version or (target.version if target else None),
            sha256=target.sha256 if target else None,
            size=target.size if target else None,
            intact=target.intact if target else None,
            how=f"a hard link to {_short(member.target)}",
        )

    def _named(self, member: Member, name: str, version: str) -> Found:
        """A distribution under its own name. What it contains counts more than its name."""
        if member.size > _MAX_OPENED_BYTES:
            digest, size = self._digest(member)
            return _file(member, name, version, digest, size, "by name", intact=None)
        content = self._content(member)
        digest = hashlib.sha256(content).hexdigest()
        how, intact = "by name", None
        if content[:4] in ARCHIVE_MAGIC or content[:2] in ARCHIVE_MAGIC or content[:3] == b"BZh":
            seen = read_archive(Body(content, 0, len(content)), self._project, self._stop)
            intact = seen.intact if seen else _opens(content)
            if seen and seen.version and seen.version != version:
                how, version = f"called {version}, contains {seen.version}", seen.version
        else:
            intact = False
        if len(content) < member.size:
            intact = False
        return _file(member, name, version, digest, len(content), how, intact=intact)

    def _metadata(self, member: Member, named: str | None) -> Found:
        """Metadata of an unpacked or installed distribution. It counts more than the name."""
        with member.open() as stream:
            raw, _ = parse_email(stream.read(_METADATA_BYTES))
        directory = re.sub(r"/(METADATA|PKG-INFO|EGG-INFO/PKG-INFO)$", "", member.path)
        inside_wheel = any(held_version(p, self._project) for p in directory.split("/")[:-1])
        stored = inside_wheel or bool(_UV_STORE.search(directory))
        return Found(
            path=directory,
            member=member.path,
            kind=FoundKind.UNPACKED if stored else FoundKind.INSTALLED,
            filename=directory.rpartition("/")[2],
            version=raw.get("version") or named,
            how="its metadata is unpacked here" if stored else "it is installed here",
        )

    def _unnamed(self, member: Member, name: str) -> Iterator[Found]:
        """A member whose name says nothing: a client's cache, or a file under another name."""
        is_entry = is_entry_name(name.removesuffix(".body"))
        sought = self._sought.may_have(member.size) and self._sought.spend(member.size)
        if is_entry and member.size <= _MAX_OPENED_BYTES:
            yield from self._entry(member, name)
        elif sought or is_entry:
            digest, size = self._digest(member)
            known = self._sought.by_sha256.get(digest)
            if known is not None:
                filename = known.filename or name
                version = known.version or held_version(filename, self._project)
                yield _file(member, filename, version, digest, size, "by its digest", intact=None)
            elif is_entry:
                self.unread.append(f"{_short(member.path)}: too large to be searched")
        elif self._sought.may_have(member.size):
            self.unread.append(f"{_short(member.path)}: more than what is hashed for a digest")

    def _entry(self, member: Member, name: str) -> Iterator[Found]:
        """A stored answer of pip or Poetry: the body alone, or inside an entry."""
        content = self._content(member)
        body = Body(content, 0, len(content))
        if not name.endswith(".body"):
            try:
                entry = parse_entry(content)
            except (Foreign, Damaged):
                return
            body = Body(content, entry.body_at, entry.body_size)
        stored = body.part(0, body.size)
        digest = hashlib.sha256(stored).hexdigest()
        known = self._sought.by_sha256.get(digest)
        if known is not None and known.filename:
            version = known.version or held_version(known.filename, self._project)
            how = "a stored answer, by its digest"
            yield _file(member, known.filename, version, digest, body.size, how, intact=None)
        elif any(stored.startswith(magic) for magic in ARCHIVE_MAGIC):
            seen = read_archive(body, self._project, self._stop)
            if seen is not None:
                how = "a stored answer, by its content"
                yield _file(
                    *(member, seen.filename, seen.version, digest, body.size, how),
                    intact=seen.intact,
                )

    def _content(self, member: Member) -> bytes:
        with member.open() as stream:
            return stream.read(_MAX_OPENED_BYTES + 1)

    def _digest(self, member: Member) -> tuple[str, int]:
        digest, read = hashlib.sha256(), 0
        with member.open() as stream:
            for chunk in _chunks(stream):
                if self._stop.is_set():
                    raise Cut("reading it was stopped")
                digest.update(chunk)
                read += len(chunk)
        return digest.hexdigest(), read


def _file(
    member: Member,
    filename: str,
    version: str | None,
    digest: str,
    size: int,
    how: str,
    *,
    intact: bool | None,
) -> Found:
    return Found(
        path=member.path,
        member=member.path,
        kind=FoundKind.FILE,
        filename=filename,
        version=version,
        sha256=digest,
        size=size,
        intact=intact,
        how=how,
    )


def _opens(content: bytes) -> bool | None:
    """Whether a zip file opens at all; None for what is none, of which more is not known."""
    is_zip = content[:2] == b"PK"
    return None if not is_zip or zipfile.is_zipfile(io.BytesIO(content)) else False


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _short(path: str) -> str:
    return path if len(path) <= 200 else path[:200] + "…"
