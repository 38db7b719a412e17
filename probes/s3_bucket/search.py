"""The search for one project in a bucket: through all of it, or if it is large by names of keys."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from auditor.contracts import Assignment
from auditor.errors import Denied, ProbeError
from auditor.model import Incident, normalise_project
from probes.kit.files import held_version
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.failures import NotCapable
from probes.s3_bucket.identity import identify, listed_identity
from probes.s3_bucket.layout import MAX_DIRECTORIES, first_page, survey
from probes.s3_bucket.listing import ListPage, StoredObject, list_current, list_versions
from probes.s3_bucket.names import key_beginnings, spellings
from probes.s3_bucket.versions import VersionSight, look_at_versions

__all__ = ["Found", "search"]

# A project with more files, versions and pages in one place is cut here, and that is said.
MAX_KEPT = 20_000
# So much is listed without being asked to: 50,000 keys and versions, as far as time allows. What
# comes afterwards needs the rest of it.
SWEEP_PAGES = 50
_SWEEP_SHARE_OF_TIME = 0.4
# With `list_all`: more directories than this would cost a request each for a handful of keys.
MAX_DIRECTORIES_ALL = 100
# Listings that run at once. More only wait for each other: reading XML takes the processor.
_STREAMS = 4
_SEPARATORS = re.compile(r"[-_.]+")
_MAX_NAME_CHARS = 300
_PAGE_NAMES = (".html", ".htm", ".json")


@dataclass(slots=True)
class Found:
    """What is known of one project in one bucket.

    Attributes:
        objects: its files in every version seen, its pages, and what may be broken by its bytes.
        hidden: keys that a delete marker hides now.
        listed: whether the bucket could be listed.
        versions: whether older versions could be.
        root: the first page below the prefix; None if it could not be listed.
        searched: what was searched, in words.
        problems: why something may be missed; empty if nothing can be.
        empty: whether there is nothing at all below the prefix, in no version.
        keys_seen: how many keys and versions were looked at.
    """

    versions: VersionSight
    objects: dict[tuple[str, str | None], StoredObject] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    listed: bool = True
    root: ListPage | None = None
    searched: str = ""
    problems: list[str] = field(default_factory=list)
    empty: bool = False
    keys_seen: int = 0

    @property
    def complete(self) -> bool:
        """Whether a file of the project that is not among the objects is not here."""
        return self.listed and self.versions.known and not self.problems

    def current(self, key: str) -> StoredObject | None:
        """Return what a plain GET of a key returns; None if nothing, or if that is not known."""
        return next((o for o in self.objects.values() if o.key == key and o.current), None)

    def current_keys(self) -> frozenset[str]:
        """Every key of the project that a plain GET finds."""
        return frozenset(o.key for o in self.objects.values() if o.current)


async def search(client: S3Client, assignment: Assignment) -> Found:
    """Search a bucket: through all of it if that can be done in time, else by the names of keys.

    Only a listing of everything shows what is not there: a directory of any name, at any depth, may
    hold a copy, and so may one whose files were all deleted and live on as older versions.

    Raises:
        ProbeError: it cannot be asked at all. A bucket that may not be listed is no such case.
    """
    try:
        root = await first_page(client, client.place.prefix)
    except (Denied, NotCapable) as error:
        sight = VersionSight(state=None, listed=False, problem="the bucket cannot be listed")
        return Found(versions=sight, listed=False, problems=[str(error)])
    sight, first_versions = await look_at_versions(client, root)
    found, wanted = (
        Found(versions=sight, root=root),
        _Wanted(assignment.incident, client.place.prefix),
    )
    for page in (root, first_versions):
        if page is not None:
            wanted.take(page, found)
    found.searched = f"every key below {client.place.uri}"
    if not _is_all(root, first_versions):
        await _search_on(client, assignment, found, wanted)
    found.empty = not (root.objects or root.directories or found.keys_seen)
    return found


def _is_all(root: ListPage, first_versions: ListPage | None) -> bool:
    """Whether the first pages were the last ones too."""
    if first_versions is not None:
        keys = {each.key for each in first_versions.objects}
        return not first_versions.more and all(each.key in keys for each in root.objects)
    return not root.more and not root.directories


async def _search_on(
    client: S3Client, assignment: Assignment, found: Found, wanted: _Wanted
) -> None:
    """List everything within bounds, or without if that was asked for; else go by names."""
    prefix, location = client.place.prefix, assignment.location
    root = found.root or ListPage(objects=())
    if location.settings.get("list_all") is True:
        await _gather(client, found, wanted, _shards(root, prefix, MAX_DIRECTORIES_ALL))
        return
    budget = _Budget(SWEEP_PAGES, time.monotonic() + location.timeout_s * _SWEEP_SHARE_OF_TIME)
    await _gather(client, found, wanted, _shards(root, prefix, MAX_DIRECTORIES), budget)
    if not budget.cut and not found.problems:
        return
    names = spellings(assignment.incident)
    found.searched = (
        f"the first {budget.read} pages of {client.place.uri}, and keys in its directories that "
        f"begin with {', '.join(names[:4])} …"
    )
    found.problems.insert(
        0,
        "there are too many keys to list all of them by the way, and a copy may lie in any "
        "directory: set list_all = true with a long timeout_s, or a longer prefix",
    )
    places = await survey(client, root, names)
    beginnings = _prefixes(places, root, assignment.incident, prefix)
    await _gather(client, found, wanted, [(each, False) for each in beginnings])


def _prefixes(places: Iterable[str], root: ListPage, incident: Incident, prefix: str) -> list[str]:
    """Return what to list: in a page's directory only the project's own, elsewhere files too."""
    found: list[str] = []
    for place in places:
        is_pages = place == f"{prefix}simple/"
        signs = ("/",) if is_pages and place not in root.directories else ("-", "/")
        found += [f"{place}{each}" for each in key_beginnings(incident) if each.endswith(signs)]
    return list(dict.fromkeys(found))


def _shards(root: ListPage, prefix: str, most: int) -> list[tuple[str, bool]]:
    """Cut a whole listing into parts that can be read at once, if all its directories are known."""
    if root.more or not 2 <= len(root.directories) <= most:
        return [(prefix, False)]
    return [(prefix, True), *((directory, False) for directory in root.directories)]


@dataclass(slots=True)
class _Budget:
    """How much is listed by the way.

    Attributes:
        pages: how many are left.
        until_s: on the monotonic clock.
        cut: whether it was used up.
        read: pages that were read.
    """

    pages: int
    until_s: float
    cut: bool = False
    read: int = 0

    def allows_more(self) -> bool:
        """Take one page off, and say whether another one may follow."""
        self.pages -= 1
        self.read += 1
        self.cut = self.cut or self.pages <= 0 or time.monotonic() >= self.until_s
        return not self.cut


async def _gather(
    client: S3Client,
    found: Found,
    wanted: _Wanted,
    shards: Sequence[tuple[str, bool]],
    budget: _Budget | None = None,
) -> None:
    """List what is below several prefixes, or directly in them and in directories not yet named."""
    slots = asyncio.Semaphore(_STREAMS)
    lister = list_versions if found.versions.listed else list_current
    known, hidden = {prefix for prefix, _ in shards}, dict[str, None]()

    async def one(prefix: str, by_directory: bool) -> None:
        async with slots:
            try:
                async for page in lister(client, prefix, by_directory=by_directory):
                    hidden.update(dict.fromkeys(d for d in page.directories if d not in known))
                    if not wanted.take(page, found):
                        return
                    if budget is not None and page.more and not budget.allows_more():
                        return
            except ProbeError as error:
                found.problems.append(f"{prefix[:200]} was not listed to its end: {error}")

    await asyncio.gather(*(one(prefix, by_directory) for prefix, by_directory in shards))
    # Directories of which a plain listing shows nothing: all in them was deleted, or came since.
    again = list(hidden) if len(hidden) <= MAX_DIRECTORIES else [shards[0][0]]
    await asyncio.gather(*(one(prefix, False) for prefix in again))


class _Wanted:
    """What is kept of a listing: a bucket may have millions of objects, a project has few."""

    def __init__(self, incident: Incident, prefix: str) -> None:
        self._incident = incident
        # Pages of all projects: those of each other one are as many as there are projects.
        self._tops = frozenset({f"{prefix}index.html", f"{prefix}simple/index.html"})
        self._beginning = f"{incident.project}-"
        self._sizes = {f.size for f in incident.fingerprints if f.size is not None}

    def take(self, page: ListPage, found: Found) -> bool:
        """Keep what matters; False if there is no more room."""
        found.keys_seen += len(page.objects) + len(page.markers)
        for each in page.objects:
            if not self._matters(each):
                continue
            if len(found.objects) >= MAX_KEPT:
                found.problems.append(f"more than {MAX_KEPT} objects look like the project's")
                return False
            found.objects.setdefault((each.key, each.version_id), each)
            if each.version_id is not None:
                found.objects.pop((each.key, None), None)
        found.hidden.update(m for m in page.markers if self._is_named(m))
        return True

    def _matters(self, each: StoredObject) -> bool:
        return (
            self._is_named(each.key)
            or each.size in self._sizes
            or identify(listed_identity(each), self._incident) is not None
        )

    def _is_named(self, key: str) -> bool:
        head, _, name = key.rpartition("/")
        # Reading a name is remembered, which millions of names of others must not be.
        if _SEPARATORS.sub("-", name[:_MAX_NAME_CHARS]).lower().startswith(self._beginning):
            return held_version(name, self._incident.project) is not None
        if name != "" and not name.lower().endswith(_PAGE_NAMES):
            return False
        directory = head.rpartition("/")[2][:_MAX_NAME_CHARS]
        return normalise_project(directory) == self._incident.project or key in self._tops
