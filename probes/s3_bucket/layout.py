"""How a bucket is laid out, by one page of each directory: where names of projects may begin."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from auditor.errors import ProbeError
from auditor.model import normalise_project
from auditor.model.filename import version_in
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.listing import ListPage, list_current

__all__ = ["MAX_DIRECTORIES", "first_page", "survey"]

SURVEY_KEYS = 100
# So many directories may be something else than one per project (`linux/`, `releases/`): each is
# looked into. Among more than that nothing tells which of them are worth a request.
MAX_DIRECTORIES = 20
# `wheels/linux/x86_64/` is as deep as such places go; all of them together are bounded too.
MAX_DEPTH = 3
MAX_ENTERED = 60

# What lies beside distributions, and is none.
_BESIDE = re.compile(r"\.(?:html?|json|txt|metadata|asc|sha256|md5|provenance)$")


async def first_page(client: S3Client, prefix: str) -> ListPage:
    """Return what is first in a directory, and the first directories in it.

    Raises:
        ProbeError: it cannot be listed.
    """
    pages = list_current(client, prefix, by_directory=True, page_keys=SURVEY_KEYS)
    try:
        return await anext(pages)
    finally:
        await pages.aclose()


async def survey(client: S3Client, root: ListPage, own_names: Container[str]) -> tuple[str, ...]:
    """Return the directories in which keys may begin with a project's name.

    It is no proof that there are no others: what lies beyond a first page is not seen.

    Args:
        client: of the bucket.
        root: the first page below the prefix.
        own_names: of directories that are searched as a whole anyway, the project's.
    """
    prefix = client.place.prefix
    walk = _Walk(own_names=own_names)
    walk.enter(prefix, root)
    for _ in range(MAX_DEPTH):
        directories, walk.pending = walk.pending, []
        pages = await asyncio.gather(*(_tried(client, each) for each in directories))
        for directory, page in zip(directories, pages, strict=True):
            if page is not None:
                walk.enter(directory, page)
    # Most tools put their index into `simple/`; also where the first page does not come to it.
    return tuple(dict.fromkeys([prefix, f"{prefix}simple/", *walk.places]))


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What a look into the directories showed so far."""

    own_names: Container[str]
    places: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    entered: int = 0

    def enter(self, directory: str, page: ListPage) -> None:
        """Note what one directory shows, and which of those in it are to be looked into."""
        self.entered += 1
        if self.entered > 1 and _belongs_to_its_name(directory, page):
            return
        self.places.append(directory)
        room = MAX_ENTERED - self.entered - len(self.pending)
        if len(page.directories) <= min(MAX_DIRECTORIES, room):
            self.pending += [
                each
                for each in page.directories
                if each.rstrip("/").rpartition("/")[2] not in self.own_names
            ]


async def _tried(client: S3Client, prefix: str) -> ListPage | None:
    try:
        return await first_page(client, prefix)
    except ProbeError:  # rights may end at a prefix
        return None


def _belongs_to_its_name(directory: str, page: ListPage) -> bool:
    """Whether a directory begins with nothing but the files of what it is called after."""
    project = normalise_project(directory.rstrip("/").rpartition("/")[2])
    return not page.directories and _are_of(project, (o.filename for o in page.objects))


def _are_of(project: str, names: Iterable[str]) -> bool:
    found = [name for name in names if name and not _BESIDE.search(name.lower())]
    return bool(found) and all(version_in(name, project) is not None for name in found)
