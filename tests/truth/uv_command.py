"""The real uv, asked by its command line which file of a made page it would take.

uv says so itself before it fetches anything: a line `Selecting: NAME==VERSION […] (FILE)`. That
file does not exist here, so that it stops there; pip's finder is asked no more than this either.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from packaging.version import Version

from auditor.model import Environment, parse_version

__all__ = ["PLATFORMS", "UvAnswer", "UvIndex", "uv_index"]

UV_TIMEOUT_S = 20
MOST_RACES = 10
MACOS = "14.0"  # of every macOS environment here

# What `--python-platform` calls a platform; an environment without such a name is not compared.
PLATFORMS = {
    "manylinux_2_17_x86_64": "x86_64-manylinux_2_17",
    "manylinux2014_x86_64": "x86_64-manylinux2014",
    "manylinux_2_28_x86_64": "x86_64-manylinux_2_28",
    "manylinux_2_17_aarch64": "aarch64-manylinux_2_17",
    "manylinux_2_28_aarch64": "aarch64-manylinux_2_28",
    "musllinux_1_2_x86_64": "x86_64-unknown-linux-musl",
    "macosx_14_0_arm64": "aarch64-apple-darwin",
    "macosx_14_0_x86_64": "x86_64-apple-darwin",
    "win_amd64": "x86_64-pc-windows-msvc",
    "win32": "i686-pc-windows-msvc",
    "win_arm64": "aarch64-pc-windows-msvc",
}

# Not at the start of a line only: what its threads say gets mixed.
_SELECTING = re.compile(r"DEBUG Selecting: \S+==(\S+) \[[a-z]+\] \(([^()\n]*)\)")
_NO_SOLUTION = "No solution found"


@dataclass(frozen=True)
class UvAnswer:
    """What uv does with a page.

    Attributes:
        filename, version: of the file that it would fetch first; None if there is none.
        refused: why uv could not read the page at all; None if it could.
    """

    filename: str | None
    version: Version | None
    refused: str | None = None


class UvIndex:
    """Pages served on this machine, and uv asked about them.

    Attributes:
        base: URL in front of every path.
    """

    def __init__(self, base: str, pages: dict[str, tuple[str, bytes]], home: Path) -> None:
        self.base = base
        self._pages = pages
        self._home = home
        self._numbers = count()

    def serve(self, body: bytes, content_type: str, project: str) -> str:
        """Serve a page at an address of its own, so that no cache knows it; return the index."""
        index = f"/{next(self._numbers)}/simple/"
        self._pages[f"{index}{_canonical(project)}/"] = (content_type, body)
        return f"{self.base}{index}"

    def ask(self, index: str, environment: Environment, requirement: str, *more: str) -> UvAnswer:
        """Let uv resolve one requirement against one index; `more` are options of uv."""
        options = [*more, "--index-url", index]
        for _ in range(MOST_RACES):
            run = self.run(requirement, environment, *options)
            selected = _SELECTING.search(run.stderr)
            if selected is not None or "Failed to fetch" not in run.stderr:
                break
            # It fetches ahead of choosing, and rarely gives up on that before it has chosen.
        if selected is not None:
            return UvAnswer(selected[2], parse_version(selected[1]))
        if _NO_SOLUTION in run.stderr:
            return UvAnswer(None, None)
        said = [line for line in run.stderr.splitlines() if not line.startswith("DEBUG")]
        return UvAnswer(None, None, " ".join(said)[:300])

    def run(
        self, requirement: str, environment: Environment, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `uv pip compile` with nothing of this machine's configuration."""
        command = [uv_program(), "pip", "compile", "-", "--verbose", "--no-config", "--no-header"]
        command += ["--cache-dir", str(self._home), "--python", sys.executable, "--color", "never"]
        if not environment.running:
            command += ["--python-version", environment.python_full_version]
            command += ["--python-platform", PLATFORMS[environment.platform]]
        return subprocess.run(
            [*command, *options],
            input=f"{requirement}\n",
            capture_output=True,
            text=True,
            timeout=UV_TIMEOUT_S,
            check=False,
            # Without a PATH there are no other interpreters to look through, which takes seconds.
            env={"HOME": str(self._home), "PATH": os.devnull, "NO_PROXY": "127.0.0.1"}
            | {"MACOSX_DEPLOYMENT_TARGET": MACOS, "UV_PYTHON_DOWNLOADS": "never"}
            # Files on made hosts are not to be had: nothing listens there, and once is enough.
            | {"ALL_PROXY": "http://127.0.0.1:9", "UV_HTTP_RETRIES": "0"},
        )


@contextmanager
def uv_index() -> Iterator[UvIndex]:
    """Serve made pages on this machine for as long as the block runs."""
    pages: dict[str, tuple[str, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, (content_type, body) = 200, pages.get(self.path, ("text/plain", b""))
            if not body:
                status = 404
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *args: object) -> None:
            pass

    with (
        TemporaryDirectory(prefix="uv-truth-") as home,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield UvIndex(f"http://127.0.0.1:{server.server_address[1]}", pages, Path(home))
        finally:
            server.shutdown()
            thread.join()


@lru_cache(maxsize=1)
def uv_program() -> str:
    """Return the uv beside this interpreter."""
    found = Path(sys.executable).with_name("uv")
    if not found.exists():
        raise RuntimeError(f"there is no uv at {found}; `make` installs it with the tools for work")
    return str(found)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
