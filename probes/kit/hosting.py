"""Whether the files that an index lists are on the host of the index itself."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.errors import Malformed
from auditor.model import FileHosting, Page
from probes.kit.origins import is_same_host, origin_of

__all__ = ["file_hosting"]


def file_hosting(pages: Iterable[Page], index_url: str) -> FileHosting:
    """Say whether the listed files are on the host and port of the index.

    That is where a page was found: an index may redirect to another place, which is then the one
    that is looked at. The address that was given stays part of it.
    """
    roots = {
        ("/".join(candidate.url.split("/", 3)[:3]), page.final_url or page.url)
        for page in pages
        for candidate in page.candidates
        if candidate.url
    }
    if not roots:
        return FileHosting.UNKNOWN
    here = {_is_at(root, found) or _is_at(root, index_url) for root, found in roots}
    if here == {True}:
        return FileHosting.HERE
    return FileHosting.MIXED if True in here else FileHosting.ELSEWHERE


def _is_at(url: str, index_url: str) -> bool:
    try:
        file, index = origin_of(url), origin_of(index_url)
    except Malformed:
        return False
    # The scheme does not matter: a page over https may name the files beside it over http.
    same_port = file.port == index.port or {file.port, index.port} == {80, 443}
    return is_same_host(file.host, index.host) and same_port
