"""What of an incident lies in an archive: by name, by what it says of itself, and by content."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from auditor.errors import ProbeError
from auditor.model import HeldState, Incident
from probes.archives.found import Found, FoundKind
from probes.archives.infos import STATING, Info, Infos
from probes.archives.members import DAMAGED, Member, MemberType
from probes.archives.paths import INSIDE, Wanted, comparable, target_of
from probes.archives.streams import Cut
from probes.http_stores.content import ARCHIVE_MAGIC, Unsearched, read_archive
from probes.http_stores.disk import Body
from probes.http_stores.entry import Damaged, Foreign, is_entry_name, parse_entry
from probes.kit.files import held_version, odd_version
from probes.kit.sought import Sought

__all__ = ["Finder"]

# What has no name is opened to see what it is, up to this size; larger ones by digest only.
_MAX_OPENED_BYTES = 64 * 2**20
_CHUNK_BYTES = 2**20
# PDM's cache, and what is not yet written into it.
_PDM_DATABASE = re.compile(r"(?:^|/)http-cache\.db(?P<log>-wal|-journal)?$")
_MAX_DATABASE_BYTES = 512 * 2**20


class Finder:
    """Looks at one member after the other.

    Attributes:
        unread: what could hide something and was not read, in words.
        wanted: links whose content may lie under a name that says nothing of it.
    """

    def __init__(self, incident: Incident, stop: threading.Event) -> None:
        self._incident = incident
        self._project = incident.project
        self._sought = Sought(incident)
        self._stop = stop
        self._files: dict[str, Found] = {}
        self._infos = Infos(incident.project)
        self._applications: frozenset[str] = frozenset()
        self._sources: set[str] = set()
        self.unread: list[str] = []
        self.wanted = Wanted()

    def imports_from(self, prefix: str) -> None:
        """Know that Python runs an archive, so that what lies on top of it is installed."""
        self._applications |= {prefix}

    def is_source(self, prefix: str) -> bool:
        """Whether an archive in the archive was seen to be a source archive (PEP 517)."""
        return prefix in self._sources

    def look(self, member: Member) -> Iterator[Found]:
        """Say what a member is, if it is of the project. Directories are told by `finish`."""
        if member.type is MemberType.OTHER:
            return
        try:
            if self._infos.add(member, self._applications):
                return
            if member.type is not MemberType.FILE:
                yield from self._linked(member)
                return
            for found in self._read(member):
                self._files[comparable(member.path)] = found
                yield found
        except (*DAMAGED, Unsearched) as error:
            # A zip goes on after one bad member; of a tar nothing behind it can be read.
            self.unread.append(f"{_short(member.path)}: {str(error) or type(error).__name__}")

    def look_nameless(self, member: Member) -> list[Found]:
        """Say what a compressed member is, whose name says nothing and which opens again."""
        found = list(self.look(member))
        content = b"" if found else self._content(member)
        if content[:4] != ARCHIVE_MAGIC[0]:
            return found
        body = Body(content, 0, len(content))
        seen = read_archive(body, self._project, self._stop)
        if seen is not None:
            digest = hashlib.sha256(content).hexdigest()
            how = "a file without a name, by its content"
            one = _file(
                *(member, seen.filename, seen.version, digest, body.size, how), intact=seen.intact
            )
            self._files[comparable(member.path)] = one
            found.append(one)
        return found

    def look_as(self, member: Member, link: Member) -> list[Found]:
        """Say what a link of the project leads to."""
        return list(self.look(replace(member, path=link.path)))

    def settle(self) -> None:
        """Want no longer what was met behind the links that lead to it."""
        self.wanted.forget(self._files)

    def finish(self, *, is_part: bool = False) -> Iterator[Found]:
        """Tell the directories, and the links whose content was not met.

        Args:
            is_part: whether what a link leads to may lie in another part, such as a lower layer.
        """
        for info in self._infos.by_directory.values():
            yield self._directory(info)
        self.settle()
        for link in self.wanted.rest():
            version = held_version(link.path.rpartition("/")[2], self._project)
            # Else it leads out of the archive: there are no bytes.
            if version is not None and (is_part or link.type is MemberType.HARD_LINK):
                yield self._by_name_alone(link, version)

    def _by_name_alone(self, link: Member, version: str) -> Found:
        if not self._incident.is_broken(version):
            # Under this name anything may lie.
            self.unread.append(f"{_short(link.path)}: a link to {_short(link.target)}, not read")
        return Found(
            path=link.path,
            member=link.path,
            kind=FoundKind.FILE,
            filename=link.path.rpartition("/")[2],
            version=version,
            how=f"a {link.type.value} to {_short(link.target)}, by its name",
            target=target_of(link),
        )

    def _read(self, member: Member) -> Iterator[Found]:
        name = member.path.rpartition("/")[2]
        version = held_version(name, self._project) or odd_version(name, self._project)
        if name == "PKG-INFO" and (source := self._source(member)):
            yield source
            return
        if version is not None:
            yield self._named(member, name, version)
        elif database := _PDM_DATABASE.search(member.path):
            yield from self._database(member, is_log=database["log"] is not None)
        else:
            yield from self._unnamed(member, name)

    def _source(self, member: Member) -> Found | None:
        """`{name}-{version}/PKG-INFO` in an archive shows that it is a source archive (PEP 625)."""
        outer, mark, inner = member.path.rpartition(INSIDE)
        top = inner.removesuffix("/PKG-INFO")
        if not mark or "/" in top:
            return None
        if outer.rpartition("/")[2].startswith(f"{top}."):
            self._sources.add(outer + INSIDE)
        version = held_version(f"{top}.tar.gz", self._project)
        if version is None:
            return None
        return Found(
            path=outer,
            member=outer,
            kind=FoundKind.FILE,
            filename=f"{top}.tar.gz",
            version=version,
            how="a source archive under another name, by its content",
        )

    def _linked(self, member: Member) -> Iterator[Found]:
        """A link has no content of its own: it is what it links to, mostly met before it."""
        name = member.path.rpartition("/")[2]
        version = held_version(name, self._project)
        target = self._files.get(target_of(member))
        if target is None:
            if version is not None:
                self.wanted.add(member)
            return
        if member.type is MemberType.SYMBOLIC_LINK:
            return  # the bytes were told where they lie
        yield replace(
            target,
            path=member.path,
            member=member.path,
            filename=name if version else target.filename,
            how=f"a hard link to {_short(member.target)}",
        )

    def _directory(self, info: Info) -> Found:
        linked = self._infos.at(info.target) if info.target else None
        stored = info.is_stored or info.directory.startswith(tuple(self._sources))
        how = "its metadata is unpacked here" if stored else "it is installed here"
        if linked is not None:
            info.stated = info.stated or linked.version
            how += f", as a link to {_short(info.target)}"
        elif info.stated is None:
            how += ", by the name of the directory"
        return Found(
            path=info.directory,
            member=next((m for m in info.members if m.endswith(STATING)), info.members[0]),
            kind=FoundKind.UNPACKED if stored else FoundKind.INSTALLED,
            filename=info.directory.rpartition("/")[2],
            version=info.version,
            how=how,
            members=tuple(info.members),
            target="" if info.stated else info.target,
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

    def _database(self, member: Member, *, is_log: bool) -> Iterator[Found]:
        """The answers that PDM keeps, all of them in one database."""
        if member.size == 0 and is_log:
            return
        if is_log or member.size > _MAX_DATABASE_BYTES:
            why = "it is not yet written into the database" if is_log else "too large to be read"
            self.unread.append(f"{_short(member.path)}: {why}")
            return
        from probes.pdm_store.archived import read_database

        with member.open() as stream:
            content = stream.read(_MAX_DATABASE_BYTES)
        try:
            reading = read_database(content, member.path, self._incident, self._stop)
        except ProbeError as error:
            self.unread.append(f"{_short(member.path)}: {error}")
            return
        self.unread += [] if reading.complete else [f"{_short(member.path)}: not all of it"]
        for file in reading.files:
            if file.filename is None or file.sha256 is None or file.state is HeldState.UNKNOWN:
                self.unread.append(f"{_short(member.path)}: {file.how}")
                continue
            digest, intact = file.sha256, file.intact
            yield _file(
                *(member, file.filename, file.version, digest, file.size, file.how), intact=intact
            )

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
