"""Pages read before: mirrors serve the same bytes, and reading those again tells nothing new."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

from probes.kit.beside import beside_the_loop
from probes.kit.pages import ParsedPage, parse_page

__all__ = ["PageMemory"]

# What the bodies of these may take together: the largest page in both forms, twice. What was read
# of them takes about twice as much.
MAX_REMEMBERED_BYTES = 16 * 2**20
# And those of all projects but the one that is read: the same page comes from everywhere within
# seconds, and after that only from a place that is much slower than the others.
MAX_OTHERS_BYTES = 4 * 2**20
# Larger pages are read in a thread, so that deadlines of other locations are kept.
THREAD_BYTES = 2**17

# Where in the key of a page its project is.
_PROJECT = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known:
    page: ParsedPage
    body_bytes: int
    derived: dict[Hashable, object] = field(default_factory=dict)


class PageMemory:
    """Reads pages as `parse_page` does, and each body from one place only once.

    Two places whose files are all on a third host serve the same bytes for the same page: where
    the answer came from decides nothing then, and their pages are one object.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._by_page: dict[int, _Known] = {}
        self._reading: dict[tuple[str, ...], asyncio.Task[ParsedPage]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

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
        known = self._recall(everywhere, url)
        if known is not None:
            return known
        page = parse_page(body, url=url, content_type=content_type, project=project)
        key = (*everywhere, url) if page.depends_on_url else everywhere
        return self._remember(key, page, len(body))

    async def read(
        self, body: bytes, *, url: str, content_type: str | None, project: str, digest: str
    ) -> ParsedPage:
        """Read as `parse` does, but a large page beside the event loop, and one only once.

        Raises:
            Malformed: as `parse_page`.
        """
        everywhere = (digest, content_type or "", project)
        known = self._recall(everywhere, url)
        if known is not None:
            return known
        parse = partial(
            self.parse, body, url=url, content_type=content_type, project=project, digest=digest
        )
        if len(body) < THREAD_BYTES:
            return parse()
        key = (*everywhere, url)
        if key not in self._reading:
            self._reading[key] = asyncio.ensure_future(beside_the_loop(parse, len(body)))
            self._reading[key].add_done_callback(partial(self._has_read, key))
        # Whoever came first may be out of time; the others still want the page.
        return await asyncio.shield(self._reading[key])

    def derived(self, page: ParsedPage, key: Hashable, make: Callable[[], T]) -> T:
        """Return what follows from a page, worked out once for as long as it is remembered.

        Args:
            page: as `parse` or `read` returned it; of another one nothing is remembered.
            key: tells it from everything else that follows from this page.
            make: works it out, from the page and from what is in the key alone.
        """
        known = self._by_page.get(id(page))
        if known is None or known.page is not page:
            return make()
        if key not in known.derived:
            known.derived[key] = make()
        return cast(T, known.derived[key])

    def _has_read(self, key: tuple[str, ...], task: asyncio.Task[ParsedPage]) -> None:
        del self._reading[key]
        if not task.cancelled():
            task.exception()  # is seen, also if nobody waits any longer

    def _recall(self, everywhere: tuple[str, ...], url: str) -> ParsedPage | None:
        with self._lock:
            for key in (everywhere, (*everywhere, url)):
                if known := self._known.get(key):
                    self._known.move_to_end(key)
                    return known.page
        return None

    def _remember(self, key: tuple[str, ...], page: ParsedPage, body_bytes: int) -> ParsedPage:
        """Keep a page; return the one that another thread has kept meanwhile, if there is one."""
        with self._lock:
            if other := self._known.get(key):
                return other.page
            self._known[key] = self._by_page[id(page)] = _Known(page, body_bytes)
            self._bytes += body_bytes
            if self._bytes > min(MAX_OTHERS_BYTES, MAX_REMEMBERED_BYTES):
                self._forget(key[_PROJECT])
        return page

    def _forget(self, project: str) -> None:
        """Drop what was wanted longest ago, of other projects first, while there is too much."""
        of_others = [key for key in self._known if key[_PROJECT] != project]
        others_bytes = sum(self._known[key].body_bytes for key in of_others)
        while of_others and others_bytes > MAX_OTHERS_BYTES:
            others_bytes -= self._drop(of_others.pop(0))
        while self._bytes > MAX_REMEMBERED_BYTES:
            self._drop(of_others.pop(0) if of_others else next(iter(self._known)))

    def _drop(self, key: tuple[str, ...]) -> int:
        dropped = self._known.pop(key)
        del self._by_page[id(dropped.page)]
        self._bytes -= dropped.body_bytes
        return dropped.body_bytes
