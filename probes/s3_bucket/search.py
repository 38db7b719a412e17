"""The search for one project in a bucket: by the names of keys, or through all of it if asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.contracts import Assignment
from auditor.errors import Denied, ProbeError
from auditor.model import Incident
from probes.kit.files import held_version
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.failures import NotCapable
from probes.s3_bucket.identity import identify, listed_identity
from probes.s3_bucket.layout import Layout, survey
from probes.s3_bucket.listing import ListPage, StoredObject, list_current, list_versions
from probes.s3_bucket.names import key_beginnings, spellings
from probes.s3_bucket.versions import VersionSight, look_at_versions

__all__ = ["Found", "search"]

# A project with more files, versions and pages in one place is cut here, and that is said.
MAX_KEPT = 20_000
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
        layout: how it is laid out; None if it could not be listed.
        searched: what was searched, in words.
        problems: why something may be missed; empty if nothing can be.
        empty: whether there is nothing at all below the prefix, in no version.
        keys_seen: how many keys and versions were looked at.
    """

    versions: VersionSight
    objects: dict[tuple[str, str | None], StoredObject] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    listed: bool = True
    layout: Layout | None = None
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
    """Search a bucket.

    Raises:
        ProbeError: it cannot be asked at all. A bucket that may not be listed is no such case.
    """
    try:
        layout = await survey(client, spellings(assignment.incident))
    except (Denied, NotCapable) as error:
        sight = VersionSight(state=None, listed=False, problem="the bucket cannot be listed")
        return Found(versions=sight, listed=False, problems=[str(error)])
    sight, first_versions = await look_at_versions(client, layout.root)
    found, wanted = Found(versions=sight, layout=layout), _Wanted(assignment.incident)
    for page in (layout.root, first_versions):
        if page is not None:
            wanted.take(page, found)
    if assignment.location.settings.get("list_all") is True:
        found.searched = f"every key below {client.place.uri}"
        await _gather(client, found, wanted, _shards(layout, client.place.prefix))
    else:
        beginnings = _prefixes(layout, assignment.incident, client.place.prefix)
        names = ", ".join(spellings(assignment.incident)[:4])
        found.searched = (
            f"keys below {client.place.uri} and its directories that begin with {names} …; the "
            "same bytes under other names are found with list_all = true"
        )
        if layout.problem:
            found.problems.append(f"{layout.problem}: set list_all = true, or a longer prefix")
        await _gather(client, found, wanted, [(each, False) for each in beginnings])
    found.empty = layout.is_empty and not found.keys_seen
    return found


def _prefixes(layout: Layout, incident: Incident, prefix: str) -> list[str]:
    """Return what to list: in a page's directory only the project's own, elsewhere files too."""
    found: list[str] = []
    for place in layout.places:
        is_pages = place == f"{prefix}simple/"
        signs = ("/",) if is_pages and place not in layout.root.directories else ("-", "/")
        found += [f"{place}{each}" for each in key_beginnings(incident) if each.endswith(signs)]
    return list(dict.fromkeys(found))


def _shards(layout: Layout, prefix: str) -> list[tuple[str, bool]]:
    """Cut a whole listing into parts that can be read at once, if all its directories are known."""
    if layout.root.more or len(layout.root.directories) < 2:
        return [(prefix, False)]
    return [(prefix, True), *((directory, False) for directory in layout.root.directories)]


async def _gather(
    client: S3Client, found: Found, wanted: _Wanted, shards: Iterable[tuple[str, bool]]
) -> None:
    slots = asyncio.Semaphore(_STREAMS)
    lister = list_versions if found.versions.listed else list_current

    async def one(prefix: str, by_directory: bool) -> None:
        async with slots:
            try:
                async for page in lister(client, prefix, by_directory=by_directory):
                    if not wanted.take(page, found):
                        return
            except ProbeError as error:
                found.problems.append(f"{prefix[:200]} was not listed to its end: {error}")

    await asyncio.gather(*(one(prefix, by_directory) for prefix, by_directory in shards))


class _Wanted:
    """What is kept of a listing: a bucket may have millions of objects, a project has few."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._beginning = f"{incident.project}-"
        self._sizes = {f.size for f in incident.fingerprints if f.size is not None}
        # Names of directories that are the project's: pages in them are its pages.
        self._names = set(spellings(incident))

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
        is_page = name == "" or name.lower().endswith(_PAGE_NAMES)
        return is_page and (head.rpartition("/")[2] in self._names or name.lower() == "index.html")
