"""How a bucket is laid out, by one page of each directory: whether names find all there is."""

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
from probes.s3_bucket.names import is_per_project

__all__ = ["Layout", "survey"]

SURVEY_KEYS = 100
# So many directories may be something else than one per project (`linux/`, `releases/`): each is
# looked into. More than that are projects, or nothing whose names tell where to look.
MAX_DIRECTORIES = 20
# `wheels/linux/x86_64/` is as deep as such places go; all of them together are bounded too.
MAX_DEPTH = 3
MAX_ENTERED = 60
_DISTRIBUTION = re.compile(
    r"\.(?:whl|egg|exe|zip|tar\.[a-z0-9]{1,5}|tgz|tbz)(?:\.(?:metadata|asc|sha256|md5|provenance))?$"
    r"|\.(?:html?|json|txt)$",
    re.IGNORECASE,
)

# What lies beside distributions, and is none.
_BESIDE = re.compile(r"\.(?:html?|json|txt|metadata|asc|sha256|md5|provenance)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where names of projects begin.

    Attributes:
        root: the first page below the prefix.
        places: prefixes below which keys begin with a project's name.
        problem: why a name is not enough to find everything; "" if it is.
    """

    root: ListPage
    places: tuple[str, ...]
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is there now."""
        return not self.root.objects and not self.root.directories


async def survey(client: S3Client, own_names: Container[str]) -> Layout:
    """Look at the first page of the prefix, and of the few directories in it.

    Args:
        client: of the bucket.
        own_names: of directories that are searched as a whole anyway, the project's.

    Raises:
        ProbeError: the prefix cannot be listed.
    """
    prefix = client.place.prefix
    root = await _first(client, prefix)
    walk = _Walk(own_names=own_names)
    walk.enter(prefix, root)
    for _ in range(MAX_DEPTH):
        directories, walk.pending = walk.pending, []
        pages = await asyncio.gather(*(_tried(client, each) for each in directories))
        for directory, page in zip(directories, pages, strict=True):
            walk.enter(directory, page)
    if walk.pending:
        walk.doubt(f"what is below {walk.pending[0][:100]} was not looked into")
    # Most tools put their index into `simple/`; also where the first page does not come to it.
    places = dict.fromkeys([prefix, f"{prefix}simple/", *walk.places])
    return Layout(root=root, places=tuple(places), problem=walk.problem)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What a look into the directories showed so far."""

    own_names: Container[str]
    places: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    problem: str = ""
    entered: int = 0

    def doubt(self, problem: str) -> None:
        self.problem = self.problem or problem

    def enter(self, directory: str, page: ListPage | ProbeError) -> None:
        """Note what one directory shows, and which of those in it are to be looked into."""
        self.entered += 1
        if isinstance(page, ProbeError):
            self.doubt(f"{directory[:100]} cannot be listed ({page})")
            return
        if self.entered > 1 and _belongs_to_its_name(directory, page):
            return
        self.places.append(directory)
        self.doubt(_flat_problem(page))
        names = [each.rstrip("/").rpartition("/")[2] for each in page.directories]
        room = MAX_ENTERED - self.entered - len(self.pending)
        if len(names) > min(MAX_DIRECTORIES, room):
            if not is_per_project(names):
                self.doubt(
                    f"directories in {directory[:100] or 'it'} are named after something else than "
                    f"projects ({names[0][:40]}/)"
                )
            return
        self.pending += [
            each
            for each, name in zip(page.directories, names, strict=True)
            if name not in self.own_names
        ]


async def _first(client: S3Client, prefix: str) -> ListPage:
    pages = list_current(client, prefix, by_directory=True, page_keys=SURVEY_KEYS)
    try:
        return await anext(pages)
    finally:
        await pages.aclose()


async def _tried(client: S3Client, prefix: str) -> ListPage | ProbeError:
    try:
        return await _first(client, prefix)
    except ProbeError as error:  # rights may end at a prefix
        return error


def _belongs_to_its_name(directory: str, page: ListPage) -> bool:
    """Whether a directory holds nothing but the files of the project that it is called after."""
    project = normalise_project(directory.rstrip("/").rpartition("/")[2])
    return not page.directories and _are_of(project, (o.filename for o in page.objects))


def _are_of(project: str, names: Iterable[str]) -> bool:
    found = [name for name in names if name and not _BESIDE.search(name.lower())]
    return bool(found) and all(version_in(name, project) is not None for name in found)


def _flat_problem(page: ListPage) -> str:
    """Say whether files beside each other are distributions, so that the rest will be too."""
    if not page.more:
        return ""  # everything was seen
    known = sum(1 for each in page.objects if _DISTRIBUTION.search(each.filename))
    if known * 2 >= len(page.objects):
        return ""
    return "its first files are no distributions, so that names tell nothing"
