"""Whether the root of an index looks like the root of an index: a check against mistyped URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from auditor.model import normalise_project

__all__ = ["ROOT_PREFIX_BYTES", "RootReading", "RootSign", "recognise_root"]

# The root page of PyPI has more than 30 MB; its beginning tells what it is.
ROOT_PREFIX_BYTES = 2**16

_SIMPLE_TYPE = re.compile(r"\s*application/vnd\.pypi\.simple\.", re.IGNORECASE)
# No `<` within a tag: however many begin, none is read twice.
_ANCHOR = re.compile(r"<a(\s[^<>]*+)>([^<]{0,300})", re.IGNORECASE)
_HREF = re.compile(r"\shref\s*+=\s*+[\"']?([^\"'>\s]{1,500})", re.IGNORECASE)
_JSON_FILES = re.compile(rb"\"files\"\s*+:\s*+\[")
_JSON_PROJECTS = re.compile(rb"\"projects\"\s*+:\s*+\[")
_DISTRIBUTION = re.compile(r"\.(?:whl|tar\.gz|zip|tgz|tar\.bz2)(?:[?#]|\Z)", re.IGNORECASE)
_PROJECT_PAGE = "URL looks like a project's page: remove PROJECT/ from the URL"
_INDEX_MARK = re.compile(
    r"pypi:repository-version|<title>\s*(?:simple|package|python package)\s+(?:index|list)",
    re.IGNORECASE,
)
# More links than this are projects, and there is a project called `simple` on PyPI too.
_FEW_LINKS = 30


class RootSign(Enum):
    """What the root page of a URL shows."""

    INDEX = "index"
    NO_INDEX = "no index"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class RootReading:
    """What it shows, and the cause in words."""

    sign: RootSign
    text: str


def recognise_root(status: int, content_type: str | None, body: bytes) -> RootReading:
    """Judge the root page of an index URL by its status, its type and its beginning.

    Args:
        body: decoded; no more than its first 64 KiB are looked at.
    """
    body = body[:ROOT_PREFIX_BYTES]
    if status in (404, 410):
        return RootReading(
            RootSign.UNTOLD,
            f"the index root answers {status} too, as some private indexes do and as every "
            "mistyped URL does; check the URL",
        )
    if not 200 <= status < 300:
        return RootReading(RootSign.UNTOLD, f"the index root answers {status}; check the URL")
    if content_type and _SIMPLE_TYPE.match(content_type) and "json" in content_type.lower():
        return _recognise_json(body)
    if content_type and _SIMPLE_TYPE.match(content_type):
        return _recognise_html(body.decode("utf-8", "replace"), sure=True)
    if not (content_type or "").lower().lstrip().startswith("text/html"):
        kind = (content_type or "nothing")[:60]
        return RootReading(RootSign.NO_INDEX, f"URL is no index: its root has the type {kind}")
    return _recognise_html(body.decode("utf-8", "replace"))


def _recognise_json(body: bytes) -> RootReading:
    if _JSON_FILES.search(body) and not _JSON_PROJECTS.search(body):
        return RootReading(RootSign.NO_INDEX, _PROJECT_PAGE)
    return RootReading(RootSign.INDEX, "")


def _recognise_html(text: str, *, sure: bool = False) -> RootReading:
    """Judge a root in HTML; `sure` if its type already says that it belongs to an index."""
    links = _links(text)
    files = [href for href, _ in links if _DISTRIBUTION.search(href)]
    if files and not any(_names_project(href, label) for href, label in links):
        return RootReading(RootSign.NO_INDEX, _PROJECT_PAGE)
    if sure or _INDEX_MARK.search(text):
        return RootReading(RootSign.INDEX, "")
    if len(links) <= _FEW_LINKS and any(_last_segment(href) == "simple" for href, _ in links):
        return RootReading(
            RootSign.NO_INDEX, "URL is no index, but its page links one: add simple/ to the URL"
        )
    if any(_names_project(href, label) for href, label in links):
        return RootReading(RootSign.INDEX, "")
    return RootReading(
        RootSign.NO_INDEX, "URL is no index: its root is a web page that lists no projects"
    )


def _links(text: str) -> list[tuple[str, str]]:
    """Return where each anchor leads, and its text."""
    found = ((_HREF.search(tag), label) for tag, label in _ANCHOR.findall(text))
    return [(href[1], label) for href, label in found if href is not None]


def _names_project(href: str, label: str) -> bool:
    """Say whether a link leads to a directory that is called as the link is (PEP 503)."""
    if _DISTRIBUTION.search(href):
        return False
    segment = _last_segment(href)
    return segment not in {"", "-"} and segment == normalise_project(label.strip().strip("/"))


def _last_segment(href: str) -> str:
    path = href.partition("?")[0].partition("#")[0]
    return normalise_project(path.strip("/").rpartition("/")[2])
