"""Varnish, which keeps everything in memory."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from auditor.lab.drive.caches.front import CachingFront, inventory_by_digest, story_artifacts
from auditor.lab.drive.process import clean_environment
from auditor.lab.drive.subject import AccessLine, Inventory
from auditor.lab.server import LOOPBACK
from auditor.model import SettingValue

__all__ = ["PEEK_VCL", "VarnishCache"]

_BACKEND = """\
vcl 4.1;
backend origin {{ .host = "{loopback}"; .port = "{port}"; }}
{more}
"""

# What an operator adds so that it can be asked what it holds: a peek is looked up and never
# fetched, neither for what is missing or passed nor to refresh what is stale.
PEEK_VCL = """\
sub vcl_recv { if (req.http.X-Peek) { return (hash); } }
sub vcl_miss { if (req.http.X-Peek) { return (synth(504)); } }
sub vcl_pass { if (req.http.X-Peek) { return (synth(504)); } }
sub vcl_backend_fetch { if (bereq.http.X-Peek) { return (abandon); } }
"""
# Debian keeps the server elsewhere than its tools.
_TOOLS = Path("/usr/bin")
_LOG_FORMAT = "%m %U%q %s %{User-Agent}i"
_LOG_LINE = re.compile(r"(\S+) (\S+) (\d{3}) (.*)")


@dataclass(kw_only=True)
class VarnishCache(CachingFront):
    """Varnish in front of the upstream.

    Attributes:
        peek: whether its operator lets auditors peek.
    """

    peek: bool = False

    name = "varnish"
    keeps_on_disk = False

    def arguments(self, port: int) -> Sequence[str | Path]:
        """Write its configuration; return the command that starts it."""
        text = _BACKEND.format(
            loopback=LOOPBACK,
            port=urlsplit(self.upstream.url).port,
            more=PEEK_VCL if self.peek else "",
        )
        vcl = self.write("default.vcl", text)
        return [
            *(self.command, "-F", "-j", "none", "-n", self.home / "work"),
            *("-a", f"{LOOPBACK}:{port}", "-f", vcl, "-s", "malloc,32m", "-p", "vsl_space=16m"),
        ]

    def settings(self) -> dict[str, SettingValue]:
        """Return what a configuration says of it beside its URL."""
        return {"peek": True} if self.peek else {}

    async def purge(self, path: str) -> None:
        """Ban it, with every variant."""
        await self.call(
            _TOOLS / "varnishadm", "-n", self.home / "work", "ban", f"req.url == {path}"
        )

    def inventory(self) -> Inventory:
        """Return every file that the upstream gave it.

        It lists nothing of what it holds; files live for years, and nobody bans them here.
        """
        given = {r.path for r in self.upstream.artifact_requests() if r.status == HTTPStatus.OK}
        return inventory_by_digest(a for a in story_artifacts() if a.path in given)

    def access_log(self) -> Sequence[AccessLine]:
        """Return what is in its log, which is a piece of memory."""
        done = subprocess.run(  # noqa: S603  # its own tool, found by its path
            [_TOOLS / "varnishncsa", "-n", self.home / "work", "-d", "-F", _LOG_FORMAT],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            env=clean_environment(self.home),
        )
        found = map(_LOG_LINE.fullmatch, done.stdout.splitlines())
        return [
            AccessLine(method=m[1], path=m[2], status=int(m[3]), user_agent=m[4])
            for m in found
            if m
        ]
