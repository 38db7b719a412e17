"""What kind `simple` recognises, on the real programs: by their answers alone."""

from __future__ import annotations

import http.server
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive.bandersnatch import BandersnatchMirror
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.process import running
from auditor.lab.drive.proxpi import ProxpiCache
from auditor.lab.drive.pypiserver import PypiServer
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT
from auditor.model import Observation

pytestmark = [pytest.mark.real, pytest.mark.slow]

RELEASES = tuple(build_release(PROJECT, version) for version in ("1.2.2", "1.2.3"))
NGINX = """\
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{ listen 127.0.0.1:{port}; root {home}/root; autoindex on; }}
}}
"""


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that an unprivileged web server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-listing-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@asynccontextmanager
async def filled() -> AsyncIterator[Upstream]:
    index = EmbeddedIndex(PROJECT)
    for release in RELEASES:
        index.publish(*release)
    async with serving(index) as upstream:
        yield upstream


def listed(root: Path) -> Path:
    """Lay files out as a directory listing shows them."""
    directory = root / "simple" / PROJECT
    directory.mkdir(parents=True)
    for wheel, _ in RELEASES:
        (directory / wheel.filename).write_bytes(wheel.content)
    return root


async def notes_of(upstream: Upstream, url: str) -> Observation:
    place = Place(name="here", table={"kind": "simple", "url": url}, index_url=url)
    _, observations = await audit_places(upstream, [place])
    return next(o for o in observations if o.location == "here")


async def looks_like(
    upstream: Upstream, server: AbstractAsyncContextManager[object], url: Callable[[], str]
) -> str:
    async with server:
        (note,) = (await notes_of(upstream, url())).notes
    return note


@pytest.mark.real_program("bandersnatch", "nginx")
async def test_bandersnatch_is_recognised(
    real_program: Callable[[str], Path], public_directory: Path
) -> None:
    mirror = BandersnatchMirror(command=real_program("bandersnatch"), nginx=real_program("nginx"))
    async with filled() as upstream:
        server = mirror.running(upstream, public_directory)
        note = await looks_like(upstream, server, lambda: mirror.simple_url)
    assert note.startswith("this looks like bandersnatch")


@pytest.mark.real_program("proxpi")
async def test_proxpi_is_recognised(real_program: Callable[[str], Path], tmp_path: Path) -> None:
    cache = ProxpiCache(command=real_program("proxpi"))
    async with filled() as upstream:
        server = cache.serving(upstream.simple_url, tmp_path)
        note = await looks_like(upstream, server, lambda: cache.simple_url)
    assert note.startswith("this looks like proxpi")


@pytest.mark.real_program("pypiserver")
async def test_pypiserver_is_recognised(
    real_program: Callable[[str], Path], tmp_path: Path
) -> None:
    own = PypiServer(command=real_program("pypiserver"))
    async with filled() as upstream, own.running(upstream.simple_url, tmp_path):
        own.put(*RELEASES[0])
        (note,) = (await notes_of(upstream, own.simple_url)).notes
    assert note.startswith("this looks like pypiserver")


@pytest.mark.real_program("nginx")
async def test_a_listing_of_nginx_is_recognised(
    real_program: Callable[[str], Path], public_directory: Path
) -> None:
    listed(public_directory / "root")
    nginx = real_program("nginx")

    def command(port: int) -> Sequence[str | Path]:
        user = "user root;" if os.geteuid() == 0 else ""
        file = public_directory / "nginx.conf"
        file.write_text(NGINX.format(home=public_directory, port=port, user=user))
        return [nginx, "-p", public_directory, "-c", file]

    async with filled() as upstream, running("nginx", command, home=public_directory) as server:
        (note,) = (await notes_of(upstream, f"{server.url}/simple/")).notes
    assert note.startswith("this looks like a directory listing of nginx")


async def test_a_listing_of_python_is_recognised_and_no_kind_knows_more(tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(listed(tmp_path)))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            async with filled() as upstream:
                url = f"http://127.0.0.1:{server.server_port}/simple/"
                found = await notes_of(upstream, url)
        finally:
            server.shutdown()
            thread.join()
    (note,) = found.notes
    assert note.startswith("this looks like a directory listing of Python's http.server (the form")
    assert note.endswith("nothing syncs it, and it states no digests")
