"""The command line of pip, on made pages, to show that its finder in our process is no other pip.

One run of pip installs many projects, so that hundreds of pages take seconds. Only pages from which
a wheel is chosen can be asked about this way: pip would build a source distribution, and one
project without a choice would spoil the run for all.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Thread
from urllib.parse import quote, unquote, urlsplit

from packaging.version import Version

from auditor.model import Candidate
from auditor.selection import choose, running_environment
from probes.kit.pages import parse_page
from tests.truth.compare import Comparison
from tests.truth.pages import HTML_TYPE, JSON_TYPE, Made, MadePage, as_html, as_json, make_page

__all__ = ["compare_with_command_line", "wheel_bytes"]

PIP_TIMEOUT_S = 120
BATCH = 40


@dataclass(frozen=True)
class _Case:
    """One page that pip is asked about, and what we would choose from it."""

    number: int
    page: MadePage
    body: bytes
    content_type: str
    ours: str


def compare_with_command_line(seed: str, count: int) -> Iterator[Comparison]:
    """Let the command line of pip choose from so many made pages, and compare.

    Args:
        seed: of the pages.
        count: of pages on which a wheel is to be chosen.
    """
    cases = _cases(seed)
    while count > 0:
        batch = [next(cases) for _ in range(min(BATCH, count))]
        count -= len(batch)
        installed = _installed(batch)
        for case in batch:
            pips = installed.get(case.page.project, "nothing")
            question = f"command line, {seed} {case.number}: {case.content_type}"
            yield Comparison(question, case.ours, pips, unknown=False, agree=pips == case.ours)


def _cases(seed: str) -> Iterator[_Case]:
    """Yield the pages from which we choose a wheel."""
    number = 0
    while True:
        number += 1
        random = Random(f"{seed}:command line:{number}")
        made = make_page(random, f"made{number}")
        page = replace(made, entries=tuple(_on_this_machine(e) for e in made.entries))
        content_type, as_bytes = random.choice(((JSON_TYPE, as_json), (HTML_TYPE, as_html)))
        body = as_bytes(page)
        chosen = None if made.unreadable else _ours(page, body, content_type)
        if chosen is not None and chosen.filename.endswith(".whl"):
            yield _Case(number, page, body, content_type, chosen.filename)


def _on_this_machine(entry: Made) -> Made:
    """The entry with a file that this machine serves; its digest would be another."""
    return replace(entry, url=f"../../files/{quote(entry.filename)}", sha256=None)


def _ours(page: MadePage, body: bytes, content_type: str) -> Candidate | None:
    parsed = parse_page(
        body, url="http://127.0.0.1/simple/p/", content_type=content_type, project=page.project
    )
    return choose(parsed.candidates, running_environment(), page.project).candidate


def _installed(cases: Sequence[_Case]) -> Mapping[str, str]:
    """Return the file that pip would install of each project."""
    pages = {case.page.project: (case.content_type, case.body) for case in cases}
    options = ["--dry-run", "--no-deps", "--ignore-installed", "--no-cache-dir", "--quiet"]
    options += ["--disable-pip-version-check", "--retries", "0", "--report", "-"]
    command = [sys.executable, "-m", "pip", "--isolated", "install", *options, *pages]
    with _served(pages) as index_url:
        run = subprocess.run(
            [*command, "--index-url", index_url],
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
            env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"},
        )
    if run.returncode:
        return dict.fromkeys(pages, f"error: {run.stderr[-300:]}")
    return {
        each["metadata"]["name"]: unquote(each["download_info"]["url"].rpartition("/")[2])
        for each in json.loads(run.stdout)["install"]
    }


@contextmanager
def _served(pages: Mapping[str, tuple[str, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            name = path.rpartition("/")[2]
            content_type, body = "application/octet-stream", wheel_bytes(name) if name else b""
            if not name:
                content_type, body = pages[path.split("/")[-2]]
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
        finally:
            server.shutdown()
            thread.join()


def wheel_bytes(filename: str) -> bytes:
    """The least that pip takes for the wheel of that name."""
    name, version = filename.split("-")[:2]
    project, text = name.lower(), str(Version(version))
    folder = f"{project}-{text}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {text}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in (("METADATA", metadata), ("WHEEL", wheel), ("RECORD", "")):
            archive.writestr(f"{folder}/{member}", content)
    return buffer.getvalue()
