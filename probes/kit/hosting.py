"""Whether the files that an index lists are on the host of the index itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from auditor.errors import Malformed
from auditor.model import Candidates, FileHosting, Page
from auditor.model.file_table import FileTable, urls_of
from probes.kit.origins import is_same_host, origin_of

__all__ = ["file_hosting"]


def file_hosting(pages: Iterable[Page], index_url: str) -> FileHosting:
    """Say whether the listed files are on the host and port of the index.

    That is where a page was found: an index may redirect to another place, which is then the one
    that is looked at. The address that was given stays part of it.
    """
    # Views that read the same page share its candidates.
    listings = {(id(p.candidates), p.final_url or p.url): p.candidates for p in pages}
    roots = {
        (root, found) for (_, found), candidates in listings.items() for root in _roots(candidates)
    }
    if not roots:
        return FileHosting.UNKNOWN
    here = {_is_at(root, found) or _is_at(root, index_url) for root, found in roots}
    if here == {True}:
        return FileHosting.HERE
    return FileHosting.MIXED if True in here else FileHosting.ELSEWHERE


def _roots(candidates: Candidates) -> frozenset[str]:
    if isinstance(candidates, FileTable):  # which places share
        return candidates.once(_roots_of, lambda: _roots_of(candidates))
    return _roots_of(candidates)


def _roots_of(candidates: Candidates) -> frozenset[str]:
    urls = list(filter(None, urls_of(candidates)))
    if urls and all(map(str.startswith, urls, repeat(f"{_root(urls[0])}/"))):  # as nearly always
        return frozenset({_root(urls[0])})
    return frozenset(map(_root, urls))


def _root(url: str) -> str:
    """Cut a URL after its host."""
    end = url.find("/", len("https://"))  # no host is shorter than the one letter that differs
    return url if end < 0 else url[:end]


def _is_at(url: str, index_url: str) -> bool:
    try:
        file, index = origin_of(url), origin_of(index_url)
    except Malformed:
        return False
    # The scheme does not matter: a page over https may name the files beside it over http.
    same_port = file.port == index.port or {file.port, index.port} == {80, 443}
    return is_same_host(file.host, index.host) and same_port
