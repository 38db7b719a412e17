"""Nexus Repository 3: searching the assets of a repository (REST interface, v1).

Documented by Sonatype under *Search API* and *Assets API*. A search shows what the asker may see
and nothing else, without saying so: an empty answer proves something only where the same asker is
shown other assets of the same repository.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Malformed
from probes.registries.interface import MAX_PAGES, Interface
from probes.registries.stored import Search, StoredFile, WantedFile

__all__ = ["search_nexus"]

_ADDRESS = re.compile(r"(?P<prefix>.*)/repository/(?P<repository>[^/]+)(?:/simple)?/?")


class _Asset(msgspec.Struct):
    path: str
    repository: str = ""
    checksum: dict[str, str] | None = None
    size: int | None = msgspec.field(default=None, name="fileSize")


class _Assets(msgspec.Struct):
    items: list[_Asset]
    token: str | None = msgspec.field(default=None, name="continuationToken")


async def search_nexus(
    interface: Interface, assignment: Assignment, wanted: Sequence[WantedFile]
) -> Search:
    """Search a repository for the files of the project.

    Raises:
        ProbeError: its interface cannot be asked.
    """
    root, repository = _address(assignment)
    query = {"repository": repository, "format": "pypi", "name": assignment.incident.project}
    files, whole = await _all(interface, f"{root}/search/assets", query)
    problem = "" if whole else f"its search has more than {MAX_PAGES} pages of this project"
    if not files:
        any_asset, _ = await _all(interface, f"{root}/assets", {"repository": repository}, 1)
        if not any_asset:
            problem = (
                f"its search shows nothing at all of {repository}: it is empty, or a user with the "
                "right to browse it must ask; for a group, name the proxy as `cache_repository`"
            )
    return Search(files=tuple(f for f in files if f.filename), problem=problem)


def _address(assignment: Assignment) -> tuple[str, str]:
    parts = urlsplit(assignment.location.url or "")
    found = _ADDRESS.fullmatch(parts.path)
    if found is None:
        raise Malformed("the URL is none of Nexus; write …/repository/NAME/simple/")
    named = assignment.location.settings.get("cache_repository")
    path = f"{found['prefix']}/service/rest/v1"
    root = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    return root, str(named or found["repository"])


async def _all(
    interface: Interface, url: str, query: dict[str, str], most: int = MAX_PAGES
) -> tuple[list[StoredFile], bool]:
    """Follow the continuation tokens; return the files, and whether these are all."""
    found: list[StoredFile] = []
    token: str | None = None
    for _ in range(most):
        more = {"continuationToken": token} if token else {}
        page = await interface.get(f"{url}?{urlencode(query | more)}", _Assets)
        found += [_stored(asset, interface.last_evidence) for asset in page.items]
        if not page.token or page.token == token:
            return found, True
        token = page.token
    return found, False


def _stored(asset: _Asset, evidence: str) -> StoredFile:
    checksum = {name.lower(): digest.lower() for name, digest in (asset.checksum or {}).items()}
    # The page of the project is an asset as well, `simple/PROJECT/`, without a file name.
    return StoredFile(
        filename=asset.path.rpartition("/")[2],
        repository=asset.repository,
        sha256=checksum.get("sha256"),
        md5=checksum.get("md5"),
        size=asset.size,
        # A cleaned-up asset can stay known without content, and then has no checksum.
        stored=True if checksum else None,
        evidence=(evidence,),
    )
