"""The embedded PyPI as real programs need it: pages on one host, files on another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auditor.lab.artifacts import Artifact
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LoggedRequest, LoopbackServer
from auditor.lab.site import IndexSite

__all__ = ["Upstream", "serving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An index that serves, and all that it was asked.

    Attributes:
        index: its state, to be changed while it serves.
        pages: the server of its pages, with PyPI's legacy JSON.
        files: the server of its files.
    """

    index: EmbeddedIndex
    pages: LoopbackServer
    files: LoopbackServer

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        return self.pages.url

    @property
    def simple_url(self) -> str:
        """What one would give to `pip --index-url`."""
        return self.pages.simple_url

    def url_of(self, artifact: Artifact) -> str:
        """Return where it offers a file."""
        return f"{self.files.url}{artifact.path}"

    def artifact_requests(self) -> list[LoggedRequest]:
        """Every request for an artifact so far."""
        return [*self.pages.file_requests(), *self.files.file_requests()]

    async def stop(self) -> None:
        """Go down for good."""
        await self.pages.stop()
        await self.files.stop()


@asynccontextmanager
async def serving(index: EmbeddedIndex) -> AsyncIterator[Upstream]:
    """Serve an index on loopback for as long as the context lasts."""
    async with LoopbackServer("source-files", FileSite(index.files)) as files:
        site = IndexSite(index, url_of=lambda a: f"{files.url}{a.path}", legacy=True)
        async with LoopbackServer("source", site) as pages:
            yield Upstream(index=index, pages=pages, files=files)
