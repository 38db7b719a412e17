"""From objects to holdings: which bytes lie in the bucket, and how that is known."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from auditor.contracts import Assignment
from auditor.model import Candidate, Fingerprint, HeldState, Holding, Incident
from probes.kit.answer import shown
from probes.kit.evidence import EvidenceRecorder
from probes.kit.files import held_version
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.identity import (
    Identity,
    ask_identity,
    identify,
    listed_identity,
    may_be,
    read_identity,
)
from probes.s3_bucket.listing import StoredObject
from probes.s3_bucket.search import Found

__all__ = ["Keeper", "command_line"]

# A release rarely has more than 100 files; each may have a few versions here.
MAX_ASKED = 500
_WORKERS = 4
# Files of which only the bytes tell whether they are a broken one under another name. Few are: the
# uploads of today's clients have a checksum, and sizes differ.
MAX_READ = 20
MAX_READ_BYTES = 32 * 2**20
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Makes holdings of what a search found.

    Attributes:
        client, assignment, recorder: of the location.
        found: what the search found; problems are added to it.
        read: keys of the files whose bytes were read.
    """

    client: S3Client
    assignment: Assignment
    recorder: EvidenceRecorder
    found: Found
    read: list[str] = field(default_factory=list)

    async def holdings(self) -> tuple[Holding, ...]:
        """Return what lies here of the project, and what has the bytes of a broken file."""
        slots = asyncio.Semaphore(_WORKERS)
        stored = sorted(self.found.objects.values(), key=_order)
        suspects = [each for each in stored if self._matters(each)]
        asked = set(map(id, suspects[:MAX_ASKED])) if self.may_ask else set()
        if self.may_ask and len(suspects) > MAX_ASKED:
            self.found.problems.append(f"only the first {MAX_ASKED} objects were asked for digests")

        async def one(each: StoredObject) -> Holding | None:
            if id(each) not in asked:
                return self._hold(each, listed_identity(each), was_asked=False)
            async with slots:
                known = await ask_identity(
                    self.client, each.key, each.version_id, current=each.current
                )
                if self._is_worth_reading(each, known):
                    known = await read_identity(self.client, each, known)
            return self._hold(each, known, was_asked=True)

        made = await asyncio.gather(*(one(each) for each in stored if each.filename))
        return tuple(holding for holding in made if holding is not None)

    @property
    def may_ask(self) -> bool:
        """Whether HEAD of a file is inert here: with a cache in front it could store the file."""
        return not self.client.cache_signs and self.client.proxy is None

    async def ask_for(self, key: str, listed: Candidate | None = None) -> Holding | None:
        """Ask for one object by its key; None if the answer says nothing."""
        if not self.may_ask:
            return None
        known = await ask_identity(self.client, key, None, current=True)
        name = key.rpartition("/")[2]
        if known.gone:
            version = listed.version if listed else held_version(name, self._incident.project)
            how = "the page lists it, and it is not there" if listed else "HEAD answers 404"
            return Holding(filename=name, version=version, state=HeldState.NOT_HELD, how=how)
        if known.problem and known.size is None:
            return None
        each = StoredObject(
            key=key, version_id=None, current=True, size=known.size, etag="", modified=None
        )
        return self._hold(each, known, was_asked=True)

    @property
    def _incident(self) -> Incident:
        return self.assignment.incident

    def _matters(self, each: StoredObject) -> bool:
        """Whether its digest is worth a request: broken, fixed, or perhaps broken by its bytes."""
        version = held_version(each.filename, self._incident.project)
        if version is not None:
            return (
                self._incident.is_broken(version)
                or self._incident.is_named_fixed(version)
                or any(may_be(listed_identity(each), f) for f in self._incident.fingerprints)
            )
        return bool(each.filename) and self._has_suspicious_size(each)

    def _has_suspicious_size(self, each: StoredObject) -> bool:
        return any(f.size is not None and f.size == each.size for f in self._incident.fingerprints)

    def _hold(self, each: StoredObject, known: Identity, *, was_asked: bool) -> Holding | None:
        version = held_version(each.filename, self._incident.project)
        matched = identify(known, self._incident) or identify(listed_identity(each), self._incident)
        if matched is None:
            self._doubt(each, known)
        if version is None and matched is None:
            return None
        name = matched[0].version if matched and not self._incident.is_broken(version) else None
        size = each.size if known.size is None else known.size
        return Holding(
            filename=shown(each.filename, 1000),
            version=name or version,
            sha256=known.sha256 or _sha256_of(matched),
            md5=known.md5,
            crc32=known.crc32,
            size=size,
            state=_state(each, known),
            how="; ".join(self._how(each, known, matched, was_asked=was_asked)),
            intact=False if size == 0 else None,
            evidence=self._witness(each, known, size, name or version),
        )

    def _how(
        self,
        each: StoredObject,
        known: Identity,
        matched: tuple[Fingerprint, str] | None,
        *,
        was_asked: bool,
    ) -> Iterator[str]:
        # Where it lies matters for those that a reader may have to remove.
        yield shown(each.key, 300) if was_asked or matched else "listed in the bucket"
        if not each.current:
            hidden = each.key in self.found.hidden
            cause = "hidden by a delete marker" if hidden else "replaced by a newer version"
            yield f"version {shown(each.version_id or '', 80)}, {cause}: its bytes are kept"
        if was_asked and known.how:
            yield known.how
        if known.gone:
            yield "listed, and gone when it was asked for"
        elif was_asked and known.problem:
            yield f"no digest: {known.problem}"
        if matched is not None:
            yield f"{matched[1]} are those of a broken artifact"

    def _doubted(self, each: StoredObject, known: Identity) -> tuple[Fingerprint, ...]:
        """Name the broken files that an object under another name may be, for all that is known.

        The project's own names are doubted even where no size tells: the broken bytes under the
        name of the fix are what every installer then gets. Of all others only the size is known.
        """
        version = held_version(each.filename, self._incident.project)
        if self._incident.is_broken(version) or identify(known, self._incident):
            return ()
        known = known if known.size is not None else replace(known, size=each.size)
        wanted = (f for f in self._incident.fingerprints if may_be(known, f))
        return tuple(f for f in wanted if version is not None or _is_sized(f, known))

    def _is_worth_reading(self, each: StoredObject, known: Identity) -> bool:
        """Whether only its bytes can tell, and somebody's cache does not keep them for it."""
        size = known.size if known.size is not None else each.size
        if known.gone or size is None or size > MAX_READ_BYTES or not self.may_ask:
            return False
        if len(self.read) >= MAX_READ or not self._doubted(each, known):
            return False
        self.read.append(each.key)
        return True

    def _doubt(self, each: StoredObject, known: Identity) -> None:
        wanted = self._doubted(each, known)
        if wanted and len(self.found.problems) < _MAX_PROBLEMS:
            sized = any(_is_sized(f, known) for f in wanted)
            why = "is as large as a broken file" if sized else "has a size that cannot be compared"
            self.found.problems.append(f"{shown(each.key, 200)} {why}, and shows no digest")

    def _witness(
        self, each: StoredObject, known: Identity, size: int | None, version: str | None
    ) -> tuple[str, ...]:
        if not (self._incident.is_broken(version) or self._incident.is_named_fixed(version)):
            return ()
        uri = f"s3://{self.client.place.bucket}/{each.key}"
        facts = {
            "size": str(size),
            "etag": each.etag,
            "version": each.version_id or "",
            "modified": each.modified.isoformat() if each.modified else "",
            "md5": known.md5 or "",
            "crc32": known.crc32 or "",
            "current": "yes" if each.current else "no",
        }
        words = ["head-object", "--checksum-mode", "ENABLED", "--key", each.key]
        if each.version_id:
            words += ["--version-id", each.version_id]
        return (
            self.recorder.of_request(
                f"HEAD {shown(uri)}",
                {name: shown(value, 300) for name, value in facts.items() if value},
                digest=f"sha256:{known.sha256}" if known.sha256 else None,
                reproduce=command_line(self.client, "s3api", words),
            ),
        )


def command_line(client: S3Client, service: str, words: Sequence[str]) -> str:
    """Return the command of Amazon's own client that asks the same."""
    command = ["aws", service]
    if client.place.endpoint_url:
        command += ["--endpoint-url", client.place.endpoint_url]
    if client.anonymous:
        command.append("--no-sign-request")
    first, *rest = words
    command += [first, "--bucket", client.place.bucket] if service == "s3api" else [first]
    return shlex.join([*command, *(shown(word, 1100) for word in rest)])


def _is_sized(wanted: Fingerprint, known: Identity) -> bool:
    return wanted.size is not None and wanted.size == known.size


def _state(each: StoredObject, known: Identity) -> HeldState:
    if known.gone:  # between the listing and the question, or the server contradicts itself
        return HeldState.UNKNOWN
    return HeldState.HELD if each.current else HeldState.SHADOWED


def _sha256_of(matched: tuple[Fingerprint, str] | None) -> str | None:
    """Return the digest of the broken artifact that this is. CRC-32 proves no identity."""
    return matched[0].sha256 if matched and "CRC" not in matched[1] else None


def _order(each: StoredObject) -> tuple[str, bool, str]:
    return (each.key, not each.current, each.version_id or "")
