"""What kind of page an answer is, judged by its Content-Type alone (PEP 691)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from auditor.errors import Malformed
from probes.kit.pages.parsed import FaultLog, excerpt

__all__ = ["PageFormat", "PageType", "page_type"]

_SIMPLE = re.compile(r"application/vnd\.pypi\.simple\.(v[0-9]+|latest)\+(json|html)")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


class PageFormat(Enum):
    """In which of the two forms a page is written."""

    HTML = "html"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class PageType:
    """A Content-Type, read.

    Attributes:
        format: the form of the page.
        charset: as the header names it; None if it names none.
    """

    format: PageFormat
    charset: str | None


def page_type(content_type: str | None, faults: FaultLog) -> PageType:
    """Read a Content-Type header.

    Raises:
        Malformed: it is missing, or names no form of an index page that we know.
    """
    if not content_type or not content_type.strip():
        raise Malformed(
            "the answer has no Content-Type, so that installers ignore it: "
            "check what serves this URL"
        )
    charset = _CHARSET.search(content_type)
    return PageType(_format(content_type, faults), charset[1] if charset else None)


def _format(content_type: str, faults: FaultLog) -> PageFormat:
    media = content_type.partition(";")[0].strip().lower()
    if media == "text/html":
        return PageFormat.HTML
    match = _SIMPLE.fullmatch(media)
    if match is None:
        raise Malformed(
            f"the answer has Content-Type {excerpt(content_type)!r}, which is no index page: "
            "check that the URL is what one would give to pip as --index-url"
        )
    if match[1] == "latest":
        # PEP 691: a server may be asked for `latest`, and must answer with the version it chose.
        faults.detail("page", "Content-Type names version 'latest', which pip refuses", media)
    elif match[1] != "v1":
        raise Malformed(
            f"the page is of API {match[1]} (PEP 691) and only v1 is known here: "
            "ask with an Accept header for v1, or update propagation-auditor"
        )
    return PageFormat(match[2])
