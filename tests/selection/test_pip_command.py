"""The real command line of pip, on a handful of pages served on this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest

from auditor.selection import choose, running_environment
from probes.kit.pages import parse_page
from tests.truth.pages import HTML_TYPE, JSON_TYPE, Made, MadePage, as_html, as_json

ANY = "py3-none-any.whl"
# pip stops when a source distribution wins: building one needs more than a page.
PIP_TIMEOUT_S = 120


def _entry(rest: str, *, yanked: bool | str = False, requires_python: str | None = None) -> Made:
    filename = f"demo-{rest}"
    return Made(filename, f"../../files/{filename}", None, yanked, requires_python)


PAGES = {
    "plain": (_entry(f"1.9-{ANY}"), _entry(f"1.10-{ANY}"), _entry("1.10.tar.gz")),
    "yanked": (
        _entry(f"1.0-{ANY}"),
        _entry(f"2.0-{ANY}", yanked="broken"),
        _entry(f"3.0rc1-{ANY}"),
    ),
    "all yanked": (_entry(f"1.0-{ANY}", yanked=True), _entry(f"2.0rc1-{ANY}")),
    "only pre-releases": (_entry(f"1.0a1-{ANY}"), _entry(f"1.0.dev9-{ANY}")),
    "requires-python": (
        _entry(f"3.0-{ANY}", requires_python=">=4"),
        _entry(f"2.0-{ANY}", requires_python="garbage"),
        _entry(f"1.0-{ANY}"),
    ),
    "builds": (_entry(f"1.0-10-{ANY}"), _entry(f"1.0-9b-{ANY}"), _entry(f"1.0-{ANY}")),
    "other platforms": (_entry("2.0-cp27-cp27m-win32.whl"), _entry(f"1.0-{ANY}")),
    "listed twice": (_entry(f"1.0-{ANY}"), _entry(f"1.0-{ANY}", yanked=True)),
    "nothing": (_entry("1.0.rpm"), _entry("2.0-cp27-cp27m-win32.whl")),
}


class _Index(BaseHTTPRequestHandler):
    def __init__(self, *args: object, page: bytes, content_type: str) -> None:
        self._page = page
        self._content_type = content_type
        super().__init__(*args)

    def do_GET(self) -> None:
        name = unquote(self.path.rpartition("/")[2])
        body = _wheel(name) if name.endswith(".whl") else self._page
        content_type = "application/octet-stream" if name else self._content_type
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _wheel(filename: str) -> bytes:
    """The least that pip takes for a wheel."""
    version = filename.split("-")[1]
    folder = f"demo-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"{folder}/{name}", text)
    return buffer.getvalue()


@contextmanager
def _served(page: bytes, content_type: str) -> Iterator[str]:
    handler = partial(_Index, page=page, content_type=content_type)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
        finally:
            server.shutdown()
            thread.join()


def _install(python: Path, index_url: str, requirement: str) -> str | None:
    """Return the name of the file that pip would install; None if it finds none."""
    options = ["--dry-run", "--no-deps", "--ignore-installed", "--no-cache-dir", "--quiet"]
    options += ["--disable-pip-version-check", "--retries", "0", "--report", "-"]
    run = subprocess.run(
        [
            str(python),
            "-m",
            "pip",
            "install",
            *options,
            "--index-url",
            index_url,
            "-U",
            requirement,
        ],
        capture_output=True,
        text=True,
        timeout=PIP_TIMEOUT_S,
        check=False,
        env={"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1"},
    )
    if run.returncode:
        assert "No matching distribution found" in run.stderr, run.stderr
        return None
    (installed,) = json.loads(run.stdout)["install"]
    return str(installed["download_info"]["url"]).rpartition("/")[2]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("name", "pin"), [(n, None) for n in PAGES] + [("all yanked", "1.0")])
def test_the_command_line_of_pip_installs_what_we_choose(
    name: str, pin: str | None, real_program: Callable[[str], Path]
) -> None:
    page = MadePage("demo", PAGES[name], unreadable=False)
    as_bytes, content_type = (as_json, JSON_TYPE) if len(name) % 2 else (as_html, HTML_TYPE)
    body = as_bytes(page)
    with _served(body, content_type) as index_url:
        requirement = "demo" if pin is None else f"demo=={pin}"
        installed = _install(real_program("pip"), index_url, requirement)
        parsed = parse_page(
            body, url=f"{index_url}demo/", content_type=content_type, project="demo"
        )
    chosen = choose(parsed.candidates, running_environment(), "demo", pin=pin)

    assert installed == (chosen.candidate.filename if chosen.candidate else None)
