"""nginx with `proxy_cache`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.lab.drive.bandersnatch import read_access_log
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.subject import AccessLine

__all__ = ["NginxCache"]

_CONFIGURATION = """\
daemon off;
pid {home}/nginx.pid;
error_log stderr;
{user}
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    log_format story '$request_method $request_uri $status $http_user_agent';
    access_log {home}/access.log story;
    client_body_temp_path {home}/temp; proxy_temp_path {home}/temp; fastcgi_temp_path {home}/temp;
    uwsgi_temp_path {home}/temp; scgi_temp_path {home}/temp;
    proxy_cache_path {home}/cache levels=1:2 keys_zone=pypi:1m inactive=1d use_temp_path=off;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_cache pypi;
            {more}
        }}
    }}
}}
"""


@dataclass(kw_only=True)
class NginxCache(CachingFront):
    """nginx in front of the upstream, or of another cache.

    Attributes:
        more: directives for its location, beside the usual ones.
        upstream_url: of what it copies; None: the upstream itself.
    """

    more: str = ""
    upstream_url: str | None = None

    name = "nginx"

    def arguments(self, port: int) -> Sequence[str | Path]:
        """Write its configuration; return the command that starts it."""
        text = _CONFIGURATION.format(
            home=self.home,
            port=port,
            upstream=self.upstream_url or self.upstream.url,
            user="user root;" if os.geteuid() == 0 else "",
            more=self.more,
        )
        return [self.command, "-p", self.home, "-c", self.write("nginx.conf", text)]

    async def purge(self, path: str) -> None:
        """Delete every file with that key: each variant has one of its own."""
        for file in self.files_of(path):
            file.unlink()

    def files_of(self, path: str) -> list[Path]:
        """Return the files of every variant that it keeps of a path."""
        wanted = f"\nKEY: {self.upstream_url or self.upstream.url}{path}\n".encode()
        files = (f for f in self.cache_path.rglob("*") if f.is_file())
        return [f for f in files if wanted in f.read_bytes()[:4096]]

    def access_log(self) -> Sequence[AccessLine]:
        """Return its log."""
        return read_access_log(self.home / "access.log")
