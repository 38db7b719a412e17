"""Index pages, read purely: bytes, URL and Content-Type in; a typed page and its faults out.

PEP 503 and PEP 691, with the fields of PEP 592, 629, 658 and 714, 700, 708, 740 and 792. What an
entry *is* follows pip, which reads the URL of a file and not what stands beside it.
"""

from __future__ import annotations

from probes.kit.pages.json_page import parse_json
from probes.kit.pages.media import PageFormat, page_type
from probes.kit.pages.parsed import FaultLog, ParsedPage

__all__ = ["ParsedPage", "parse_page"]


def parse_page(body: bytes, *, url: str, content_type: str | None, project: str) -> ParsedPage:
    """Read one index page. One malformed entry becomes a fault, and the page survives.

    Args:
        body: as decoded from the transfer.
        url: where the answer came from after redirects; relative addresses start there.
        content_type: header of the answer; None if it had none.
        project: whose page it should be, in any spelling.

    Raises:
        Malformed: the body is no index page at all; the text says what it is instead.
    """
    faults = FaultLog()
    kind = page_type(content_type, faults)
    if kind.format is PageFormat.JSON:
        return parse_json(body, url=url, project=project, faults=faults)
    from probes.kit.pages.html_page import parse_html  # no request has to wait for this

    return parse_html(body, url=url, project=project, charset=kind.charset, faults=faults)
