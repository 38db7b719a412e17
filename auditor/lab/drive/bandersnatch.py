"""Real bandersnatch, synced from the embedded PyPI and served by real nginx."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.drive.process import CompletedRun, RunningProgram, run, running
from auditor.lab.drive.subject import AccessLine, Inventory, Place, inventory_of
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import PROJECT

__all__ = ["BandersnatchMirror", "read_access_log"]

# The negotiation that bandersnatch's own documentation shows for nginx, in our words: a client
# that names the JSON form gets it, everybody else HTML. `hash-index` needs the rewrite.
_NGINX = """\
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
    types {{
        text/html html;
        application/vnd.pypi.simple.v1+html v1_html;
        application/vnd.pypi.simple.v1+json v1_json;
        application/json json;
    }}
    default_type application/octet-stream;
    map $http_accept $page {{
        default index.html;
        "~application/vnd.pypi.simple.v1\\+json" index.v1_json;
        "~application/vnd.pypi.simple.v1\\+html" index.v1_html;
    }}
    server {{
        listen 127.0.0.1:{port};
        root {web};
        location /simple/ {{
            {rewrite}
            index $page index.html;
            add_header Vary Accept;
        }}
    }}
}}
"""
_HASH_REWRITE = "rewrite ^/simple/([^/])([^/]+)/$ /simple/$1/$1$2/ break;"
_LOG_LINE = re.compile(r"(\S+) (\S+) (\d{3}) (.*)")


@dataclass(kw_only=True)
class BandersnatchMirror:
    """A mirror of one project.

    Attributes:
        command: `bandersnatch`.
        nginx: the web server.
        settings: of the section `[mirror]`, over those that the story needs.
        filters: more sections of its configuration, as text.
        serve_as: user of nginx's workers, with the group if it has another name; for root only.
        home: where it runs; known once it does.
    """

    command: Path
    nginx: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    filters: str = ""
    serve_as: str = "root"
    home: Path = field(default=Path(), init=False)
    _web: RunningProgram | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Of the program."""
        return "bandersnatch"

    @property
    def directory(self) -> Path:
        """What bandersnatch calls `directory`."""
        return self.home / "mirror"

    @property
    def simple_url(self) -> str:
        """What a client is given."""
        if self._web is None:
            raise RuntimeError("the mirror is not running")
        return f"{self._web.url}/simple/"

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        """Make its directory by a first run, then serve it."""
        self.home = directory
        await asyncio.to_thread(self._configure, upstream)
        await self.refresh()
        async with running("nginx", self._nginx_command, home=directory) as self._web:
            yield
        self._web = None

    async def refresh(self) -> None:
        """Run `bandersnatch mirror`, as its cron job does."""
        await self.call("mirror")

    async def call(self, *arguments: str) -> CompletedRun:
        """Run one of its commands; its exit code says little (`mirror` is 0 for many failures)."""
        return await run(
            [self.command, "--config", self.home / "bandersnatch.conf", *arguments], home=self.home
        )

    def places(self) -> Sequence[Place]:
        """Return the mirror as clients see it, as its host sees it, and as both do."""
        http = {"kind": "bandersnatch", "url": self.simple_url}
        disk = {"kind": "bandersnatch", "path": str(self.directory)}
        return [
            Place(name="over http", table=http, index_url=self.simple_url),
            Place(name="on disk", table={**disk, "orphans": True}, index_url=self.simple_url),
            Place(name="both", table={**http, **disk, "orphans": True}, index_url=self.simple_url),
        ]

    def inventory(self) -> Inventory:
        """Return every artifact in its tree."""
        return inventory_of(self.directory)

    def access_log(self) -> Sequence[AccessLine]:
        """Return nginx's log."""
        return read_access_log(self.home / "access.log")

    def _configure(self, upstream: Upstream) -> None:
        settings = {
            "directory": str(self.directory),
            "master": upstream.url,
            "allow-non-https": "true",
            "api-method": "simple",
            "json": "true",
            "compare-method": "hash",
            "workers": "2",
            "timeout": "10",
            "stop-on-error": "false",
            **self.settings,
        }
        lines = ["[mirror]", *(f"{key} = {value}" for key, value in settings.items())]
        allow = (
            f"[plugins]\nenabled =\n    allowlist_project\n[allowlist]\npackages =\n    {PROJECT}"
        )
        text = "\n".join([*lines, self.filters or allow, ""])
        (self.home / "bandersnatch.conf").write_text(text, encoding="utf-8")

    def _nginx_command(self, port: int) -> Sequence[str | Path]:
        is_root = os.geteuid() == 0
        text = _NGINX.format(
            home=self.home,
            port=port,
            web=self.directory / "web",
            user=f"user {self.serve_as};" if is_root else "",
            rewrite=_HASH_REWRITE if self.settings.get("hash-index") == "true" else "",
        )
        file = self.home / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        return [self.nginx, "-p", self.home, "-c", file]


def read_access_log(path: Path) -> Sequence[AccessLine]:
    """Read a log of the lines `METHOD PATH STATUS USER-AGENT`."""
    if not path.exists():
        return ()
    found = map(_LOG_LINE.fullmatch, path.read_text(encoding="utf-8").splitlines())
    return [
        AccessLine(method=m[1], path=m[2], status=int(m[3]), user_agent=m[4]) for m in found if m
    ]
