"""Plays the incident on a client's cache, and audits, looks and asks the client after every step.

A job of the client runs after each step that reaches users, and fills the cache as in life. Then
the audit looks; what it says is held against the disk, and against what clients get from a copy of
the cache: asking them changes what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.drive.clients import Job, RealClient
from auditor.lab.drive.driver import audit_places, remembered
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.process import ProgramFailed
from auditor.lab.drive.steps import REFRESHED_AFTER, Script, Step
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, PROJECT
from auditor.model import Fingerprint, HeldState, Status, Verdict
from auditor.model.filename import version_in

__all__ = ["Chosen", "ClientRecord", "PlayedClient", "play_client_story", "snapshot"]

_NAME = "cache"
_HERE = (HeldState.HELD, HeldState.SHADOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a client chose.

    Attributes:
        version: None: it could choose none.
        asked_index: whether it asked the index for the page; else it went by the one it keeps.
    """

    version: str | None
    asked_index: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """A client's cache after one step.

    Attributes:
        verdict: what the audit said.
        got: what each client chose with a copy of the cache.
        got_later: what the first of them chose with another copy, once all pages had expired; only
            if the audit said that it is exposed.
        held: names of the broken files on its disk.
        harm: what the audit changed or did not account for, in words.
    """

    verdict: Verdict
    got: Sequence[Chosen]
    got_later: Chosen | None
    held: frozenset[str]
    harm: tuple[str, ...]

    @property
    def disagreements(self) -> tuple[str, ...]:
        """Every statement that a client or the disk contradicts, or that is missing."""
        return (*self._exposed(), *self._held(), *self._determined())

    def _exposed(self) -> Iterator[str]:
        exposed = _is_exposed(self.verdict)
        # Whom the index itself gives the broken release owes it to no cache.
        if exposed is not any(c.version == BROKEN and not c.asked_index for c in self.got):
            said = "exposed" if exposed else "not exposed"
            yield f"said {said}, clients got {', '.join(map(str, self.got))}"

    def _held(self) -> Iterator[str]:
        said = self.verdict.broken.held
        if (said in _HERE) is not bool(self.held):
            yield f"held: said {said.value}, on disk: {', '.join(sorted(self.held)) or 'nothing'}"

    def _determined(self) -> Iterator[str]:
        if self.verdict.status is Status.UNKNOWN or self.verdict.broken.held is HeldState.UNKNOWN:
            yield "said unknown, though all of a cache can be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedClient:
    """Everything that a story showed: one record per step."""

    records: Mapping[Step, ClientRecord]

    @property
    def disagreements(self) -> tuple[str, ...]:
        """Every disagreement, with its step."""
        return tuple(f"{step}: {d}" for step, r in self.records.items() for d in r.disagreements)

    @property
    def harm(self) -> tuple[str, ...]:
        """Everything that an audit did, with its step."""
        return tuple(f"{step}: {harm}" for step, r in self.records.items() for harm in r.harm)


async def play_client_story(
    client: RealClient,
    directory: Path,
    *,
    steps: Sequence[Step] = tuple(Step),
    others: Sequence[RealClient] = (),
) -> PlayedClient:
    """Play the incident on the cache of a client.

    Args:
        client: whose jobs fill the cache.
        directory: for its files.
        steps: to be taken, in their order; the good release is always there before.
        others: clients that the same cache serves as well, and that may trust it more.
    """
    records: dict[Step, ClientRecord] = {}
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        script = Script.at(upstream)
        await script.take(Step.WARM)
        played = _Cache(client, (client, *others), directory, upstream)
        for step in steps:
            if step is not Step.WARM:
                await script.take(step)
            if step in REFRESHED_AFTER:
                await played.fill()
            records[step] = await played.look()
    return PlayedClient(records=records)


@dataclass
class _Cache:
    """The cache as the story plays with it."""

    client: RealClient
    askers: Sequence[RealClient]
    directory: Path
    upstream: Upstream
    known: tuple[Fingerprint, ...] = field(default=())
    _jobs: int = field(default=0, init=False)

    @property
    def path(self) -> Path:
        return self.directory / "cache"

    @property
    def place(self) -> Place:
        table = {"kind": self.client.kind, "path": str(self.path)}
        return Place(name=_NAME, table=table, index_url=self.upstream.simple_url)

    async def fill(self) -> None:
        """Run a job at a time when no page is trusted any more.

        Raises:
            ProgramFailed: it got nothing.
        """
        async with self._job(self.path, later=True) as job:
            if await self.client.install(job) is None:
                log = await asyncio.to_thread(job.log.read_text, "utf-8", "replace")
                raise ProgramFailed(f"{self.client.command.name} got nothing: {log}")

    async def look(self) -> ClientRecord:
        """Audit, then look and ask. What is on the disk is seen before any client is asked."""
        asked = len(self.upstream.artifact_requests())
        # The first reading by the test itself moves the access times.
        await asyncio.to_thread(snapshot, self.path)
        before = await asyncio.to_thread(snapshot, self.path)
        run, observations = await audit_places(self.upstream, [self.place], self.known)
        after = await asyncio.to_thread(snapshot, self.path)
        harm = [f"the audit changed {path}" for path in _differing(before, after)]
        made = self.upstream.artifact_requests()[asked:]
        harm += [f"the source was asked for {request.path}" for request in made]
        sent = [request for request in run.requests if request.location == _NAME]
        harm += [f"the audit of a directory sent {request.url}" for request in sent]
        self.known = remembered(self.known, observations, run.incident)
        inventory = await asyncio.to_thread(self.client.holds, self.path)
        verdict = next(v for v in run.verdicts if v.location.name == _NAME)
        later = _is_exposed(verdict)
        return ClientRecord(
            verdict=verdict,
            got=[await self._ask(client) for client in self.askers],
            got_later=await self._ask(self.client, later=True) if later else None,
            held=frozenset(n for n in inventory if version_in(n, PROJECT) == BROKEN),
            harm=tuple(harm),
        )

    async def _ask(self, client: RealClient, *, later: bool = False) -> Chosen:
        """Let a client choose with a copy of the cache."""
        copy = self.directory / f"copy-{self._jobs}"
        await asyncio.to_thread(shutil.copytree, self.path, copy, symlinks=True)
        asked = len(self.upstream.pages.log)
        async with self._job(copy, later=later) as job:
            version = await client.choose(job)
        await asyncio.to_thread(shutil.rmtree, copy)
        asked_index = any(r.path.startswith("/simple/") for r in self.upstream.pages.log[asked:])
        return Chosen(version=version, asked_index=asked_index)

    @asynccontextmanager
    async def _job(self, cache: Path, *, later: bool = False) -> AsyncIterator[Job]:
        self._jobs += 1
        directory = self.directory / f"job-{self._jobs}"
        await asyncio.to_thread(directory.mkdir)
        url = self.upstream.simple_url
        yield Job(index_url=url, cache=cache, directory=directory, later=later)


def _is_exposed(verdict: Verdict) -> bool:
    """Whether it says that the client gets the broken release, whatever else it says."""
    return any(reason.code == "exposed" for reason in verdict.reasons)


def snapshot(directory: Path) -> Mapping[str, tuple[object, ...]]:
    """Return of everything below a directory what it is, and when it was changed or read."""
    return {str(path): _state(path) for path in sorted((directory, *directory.rglob("*")))}


def _state(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    changed = (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if path.is_symlink():
        return (*changed, path.readlink())
    if not path.is_file():
        return changed
    return (*changed, found.st_atime_ns, hashlib.sha256(path.read_bytes()).hexdigest())


def _differing(
    before: Mapping[str, tuple[object, ...]], after: Mapping[str, tuple[object, ...]]
) -> list[str]:
    every = sorted(before.keys() | after.keys())
    return [path for path in every if before.get(path) != after.get(path)]
