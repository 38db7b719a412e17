"""Apache with mod_cache_disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.lab.drive.bandersnatch import read_access_log
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.process import run
from auditor.lab.drive.subject import AccessLine
from auditor.lab.server import LOOPBACK

__all__ = ["ApacheCache"]

_CONFIGURATION = """\
ServerRoot {home}
ServerName {loopback}
PidFile {home}/apache.pid
Listen {loopback}:{port}
{modules}
{user}
ErrorLog {home}/error.log
LogFormat "%m %U%q %>s %{{User-Agent}}i" story
CustomLog {home}/access.log story
CacheRoot {home}/cache
CacheEnable disk /
CacheDirLevels 2
CacheDirLength 1
ProxyPass / {upstream}/
{more}
"""
_MODULES = (
    *("mpm_event", "authz_core", "unixd", "log_config", "cache", "cache_disk"),
    *("proxy", "proxy_http"),
)
# Where Debian puts them. What is not there is built in.
_CLEANER = Path("/usr/bin/htcacheclean")
_MODULE_DIRECTORY = Path("/usr/lib/apache2/modules")


@dataclass(kw_only=True)
class ApacheCache(CachingFront):
    """Apache in front of the upstream.

    Attributes:
        more: directives beside the usual ones.
    """

    more: str = ""

    name = "apache"

    @property
    def user(self) -> str:
        """Its workers run as somebody else where it is started as root."""
        return "www-data"

    @property
    def answers_safely(self) -> bool:
        """It heeds `only-if-cached`."""
        return True

    def arguments(self, port: int) -> Sequence[str | Path]:
        """Write its configuration; return the command that starts it."""
        text = _CONFIGURATION.format(
            home=self.home,
            loopback=LOOPBACK,
            port=port,
            upstream=self.upstream.url,
            user=f"User {self.user}" if os.geteuid() == 0 else "",
            modules="\n".join(_load_lines()),
            more=self.more,
        )
        file = self.write("apache.conf", text)
        return [self.command, "-d", self.home, "-f", file, "-DFOREGROUND"]

    async def purge(self, path: str) -> None:
        """Let its own tool delete an entry with all its variants, if there is one."""
        command: list[str | Path] = [_CLEANER, "-p", self.cache_path, f"{self.url}{path}?"]
        await run(command, home=self.home)  # which fails where there is nothing to delete

    def access_log(self) -> Sequence[AccessLine]:
        """Return its log."""
        return read_access_log(self.home / "access.log")


def _load_lines() -> Iterator[str]:
    for module in _MODULES:
        path = _MODULE_DIRECTORY / f"mod_{module}.so"
        if path.exists():
            yield f"LoadModule {module}_module {path}"
