"""The embedded PyPI as a caching proxy wants it: pages and files on one host, linked relatively."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from auditor.lab.drive.upstream import Upstream
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LoopbackServer, Site
from auditor.lab.site import IndexSite

__all__ = ["Lifetime", "serving_together"]

# As PyPI says of its simple pages, in seconds.
PYPI_PAGE_LIFETIME_S = 600


@dataclass(slots=True)
class Lifetime:
    """Until when caches may keep what a site answers; may be changed while it serves.

    Attributes:
        pages_s: of simple pages, in seconds.
        files_s: of files, in seconds; None: as PyPI's, for eleven years.
        vary: what pages vary by; None: as the site says.
    """

    pages_s: int = PYPI_PAGE_LIFETIME_S
    files_s: int | None = None
    vary: str | None = None

    def stamp(self, response: web.StreamResponse, *, is_file: bool) -> None:
        """Put it into the headers of an answer."""
        seconds = self.files_s if is_file else self.pages_s
        if seconds is not None:
            response.headers["Cache-Control"] = f"max-age={seconds}, public"
        if self.vary is not None and not is_file:
            response.headers["Vary"] = self.vary


@dataclass(slots=True)
class _Timed:
    """A site whose answers say another lifetime than PyPI's."""

    site: Site
    lifetime: Lifetime

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.RouteDef(route.method, route.path, self._timed(route.handler), route.kwargs)
            for route in self.site.routes()
        ]

    def _timed(self, handler: object) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request)  # type: ignore[operator]  # a RouteDef's handler is declared as several things
            self.lifetime.stamp(response, is_file=request.path.startswith("/packages/"))
            return response

        return answer


@asynccontextmanager
async def serving_together(
    index: EmbeddedIndex, lifetime: Lifetime | None = None
) -> AsyncIterator[Upstream]:
    """Serve an index on loopback, so that a proxy in front of it passes the files as well.

    Args:
        index: its state.
        lifetime: of its answers; None: as PyPI's.
    """
    said = lifetime or Lifetime()
    pages, files = _Timed(IndexSite(index), said), _Timed(FileSite(index.files), said)
    async with LoopbackServer("source", pages, files) as server:
        yield Upstream(index=index, pages=server, files=server)
