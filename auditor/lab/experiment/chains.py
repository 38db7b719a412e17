"""One cache behind another: what the second shows depends on what the first shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream

__all__ = ["NginxChain"]


@dataclass(kw_only=True)
class NginxChain:
    """nginx at a site, in front of nginx at the head office, in front of the source.

    Attributes:
        command: `nginx`.
    """

    command: Path
    office: NginxCache = field(init=False)
    site: NginxCache = field(init=False)

    name = "nginx"

    def __post_init__(self) -> None:
        self.office = NginxCache(command=self.command)
        self.site = NginxCache(command=self.command)

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Run both, the one nearer to the source first."""
        async with self.office.running(upstream, directory / "office"):
            self.site.upstream_url = self.office.url
            async with self.site.running(upstream, directory / "site"):
                yield

    def places(self) -> Sequence[Place]:
        """Return both, each with its disk."""
        office, site = self.office.places()[0], self.site.places()[0]
        return [
            replace(office, name="office"),
            replace(site, name="site", table={**site.table, "upstream": "office"}),
        ]

    async def refresh(self) -> None:
        """Purge both, from the source on."""
        await self.office.refresh()
        await self.site.refresh()

    def inventory(self) -> Inventory:
        """Return what the site holds."""
        return self.site.inventory()

    def access_log(self) -> Sequence[AccessLine]:
        """Return the site's."""
        return self.site.access_log()
