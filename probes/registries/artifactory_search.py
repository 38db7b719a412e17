"""Artifactory: searching the cache of a remote repository (REST interface).

Documented by JFrog as *Artifact Search (Quick Search)* and *Folder Info*. What a remote repository
NAME has fetched lies in the repository NAME-cache; asking that one makes it fetch nothing. A search
leaves out what the asker may not read without saying so, so the repository itself is asked for
first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Malformed
from probes.registries.interface import Interface
from probes.registries.stored import Search, StoredFile, WantedFile

__all__ = ["search_artifactory"]

_ADDRESS = re.compile(r"(?P<prefix>.*)/api/pypi/(?P<repository>[^/]+)(?:/simple)?/?")
_ENDING = re.compile(r"(?:-[^-]+-[^-]+-[^-]+\.whl|(?:\.tar)?\.[a-z0-9]+)$")
# The search cuts its answer off without a word, at 500 results as it is installed.
_CUT_OFF = 500
_MOST_NAMES = 20
_WITH_DIGESTS = (("X-Result-Detail", "info"),)


class _Folder(msgspec.Struct):
    repo: str


class _Found(msgspec.Struct):
    repo: str = ""
    path: str = ""
    uri: str = ""
    size: str | int | None = None
    checksums: dict[str, str] | None = None


class _Results(msgspec.Struct):
    results: list[_Found]


async def search_artifactory(
    interface: Interface, assignment: Assignment, wanted: Sequence[WantedFile]
) -> Search:
    """Search the cache of a remote repository for the files of the project.

    Raises:
        ProbeError: its interface cannot be asked.
    """
    root, repository = _address(assignment)
    try:
        await interface.get(f"{root}/storage/{quote(repository)}", _Folder)
    except Malformed as error:
        raise Malformed(
            f"{error} for the repository {repository}; name the one that has the files as "
            "`cache_repository` (of a remote one NAME-cache, of a local one its own name)"
        ) from error
    pattern = f"{assignment.incident.project.replace('-', '?')}-*"
    others = [f.filename for f in wanted if not fnmatchcase(f.filename, pattern)]
    # Without its ending: what names a file is for the guard a request for that file.
    missed = [f"{_ENDING.sub('', name)}*" for name in others[:_MOST_NAMES]]
    files: dict[tuple[str, str], StoredFile] = {}
    cut_off = False
    for name in dict.fromkeys((pattern, *missed)):
        query = urlencode({"name": name, "repos": repository})
        page = await interface.get(
            f"{root}/search/artifact?{query}", _Results, headers=_WITH_DIGESTS
        )
        cut_off |= len(page.results) >= _CUT_OFF
        for found in page.results:
            file = _stored(found, interface.last_evidence)
            files.setdefault((found.path or found.uri, file.filename), file)
    problem = f"its search may have cut off its answer at {_CUT_OFF} files" if cut_off else ""
    return Search(files=tuple(files.values()), problem=problem)


def _address(assignment: Assignment) -> tuple[str, str]:
    parts = urlsplit(assignment.location.url or "")
    found = _ADDRESS.fullmatch(parts.path)
    if found is None:
        raise Malformed("the URL is none of Artifactory; write …/api/pypi/NAME/simple/")
    named = assignment.location.settings.get("cache_repository")
    host = parts.netloc.rpartition("@")[2]
    root = urlunsplit((parts.scheme, host, f"{found['prefix']}/api", "", ""))
    return root, str(named or f"{found['repository']}-cache")


def _stored(found: _Found, evidence: str) -> StoredFile:
    digests = {name.lower(): digest.lower() for name, digest in (found.checksums or {}).items()}
    size = str(found.size) if found.size is not None else ""
    return StoredFile(
        filename=(found.path or found.uri).rpartition("/")[2],
        repository=found.repo,
        sha256=digests.get("sha256"),
        md5=digests.get("md5"),
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None,
        evidence=(evidence,),
    )
