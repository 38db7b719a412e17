"""Pulp 3 with pulp_python: the content that the server knows, and which of it has bytes.

Documented as `content/python/packages` of its REST interface. With the policies `on_demand` and
`streamed` a unit of content exists without its artifact until somebody installs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Malformed
from probes.registries.interface import MAX_PAGES, Interface
from probes.registries.stored import Search, StoredFile, WantedFile

__all__ = ["search_pulp"]

_ADDRESS = re.compile(r"(?P<prefix>.*?)/pypi/.+?(?:/simple)?/?")
_PAGE = 100
_MOST_DIGESTS = 20


class _Unit(msgspec.Struct):
    filename: str
    sha256: str | None = None
    size: int | None = None
    artifact: str | msgspec.UnsetType | None = msgspec.UNSET


class _Units(msgspec.Struct):
    results: list[_Unit]
    next: str | None = None


async def search_pulp(
    interface: Interface, assignment: Assignment, wanted: Sequence[WantedFile]
) -> Search:
    """Ask for the content of the project's name, and for each known digest.

    Raises:
        ProbeError: its interface cannot be asked.
    """
    root = _address(assignment)
    query = {"name": assignment.incident.project, "limit": str(_PAGE)}
    files, whole = await _all(interface, f"{root}?{urlencode(query)}")
    have = {file.sha256 for file in files}
    digests = {f.sha256 for f in wanted if f.sha256} | assignment.incident.broken_sha256
    for sha256 in sorted(digests - have)[:_MOST_DIGESTS]:
        more, _ = await _all(interface, f"{root}?{urlencode({'sha256': sha256})}")
        files += more
    problem = "" if whole else f"it knows more than {MAX_PAGES * _PAGE} files of this name"
    if not files:
        anything, _ = await _all(interface, f"{root}?limit=1", most=1)
        if not anything:
            problem = "its interface shows no content at all: it has none, or these rights see none"
    return Search(files=tuple(files), problem=problem)


def _address(assignment: Assignment) -> str:
    parts = urlsplit(assignment.location.url or "")
    found = _ADDRESS.fullmatch(parts.path)
    if found is None:
        raise Malformed("the URL is none of Pulp; write …/pypi/BASE_PATH/simple/")
    api = str(assignment.location.settings.get("api_path") or "/pulp/api/v3/").strip("/")
    path = f"{found['prefix']}/{api}/content/python/packages/"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))


async def _all(
    interface: Interface, url: str, most: int = MAX_PAGES
) -> tuple[list[StoredFile], bool]:
    found: list[StoredFile] = []
    seen: set[str] = set()
    for _ in range(most):
        seen.add(url)
        page = await interface.get(url, _Units)
        found += [_stored(unit, interface.last_evidence) for unit in page.results]
        if not page.next:
            return found, True
        url = urljoin(url, page.next)
        if url in seen:
            return found, False
    return found, False


def _stored(unit: _Unit, evidence: str) -> StoredFile:
    return StoredFile(
        filename=unit.filename,
        sha256=unit.sha256,
        size=unit.size,
        stored=None if unit.artifact is msgspec.UNSET else unit.artifact is not None,
        evidence=(evidence,),
    )
