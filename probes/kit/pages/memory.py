"""Pages read before: mirrors serve the same bytes, and reading those again tells nothing new."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from probes.kit.pages import ParsedPage, parse_page

__all__ = ["PageMemory"]

# What these may hold together: some dozen of the largest pages, or all of a small company's.
MAX_REMEMBERED_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Known:
    page: ParsedPage
    body_bytes: int


class PageMemory:
    """Reads pages as `parse_page` does, and each body from one place only once.

    Two places whose files are all on a third host serve the same bytes for the same page: where
    the answer came from decides nothing then, and their pages are one object.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._bytes = 0

    def parse(
        self,
        body: bytes,
        *,
        url: str,
        content_type: str | None,
        project: str,
        digest: str | None = None,
    ) -> ParsedPage:
        """Read one page, or return what was read before.

        Args:
            body, url, content_type, project: as in `parse_page`.
            digest: sha256 of the body in hexadecimal; None: it is computed here.

        Raises:
            Malformed: as `parse_page`.
        """
        digest = digest or hashlib.sha256(body).hexdigest()
        everywhere = (digest, content_type or "", project)
        for key in (everywhere, (*everywhere, url)):
            if known := self._known.get(key):
                self._known.move_to_end(key)
                return known.page
        page = parse_page(body, url=url, content_type=content_type, project=project)
        self._remember((*everywhere, url) if page.depends_on_url else everywhere, page, len(body))
        return page

    def _remember(self, key: tuple[str, ...], page: ParsedPage, body_bytes: int) -> None:
        self._known[key] = _Known(page, body_bytes)
        self._bytes += body_bytes
        while self._bytes > MAX_REMEMBERED_BYTES:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= oldest.body_bytes
