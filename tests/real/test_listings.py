"""Indexes that are mere directories, listed by real web servers, and static mirrors on them.

A listing states no digest, no yank and no Requires-Python. What clients get from it is known all
the same; what else the server holds is not.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.pip_client import pip_download
from auditor.lab.drive.process import running
from auditor.lab.drive.steps import Script, Step
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT, YANK_REASON
from auditor.model import (
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    SettingValue,
    Status,
    Verdict,
    View,
    YankState,
)

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "apache", "python", "pip"),
]

# nginx cuts the names it shows at 50 characters, and Apache at 23; their links are whole.
LONG_NAME = f"{PROJECT}-1.2.3-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
SERVERS = ("nginx", "apache", "http.server")

_NGINX = """\
daemon off;
pid {home}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {home}/temp; proxy_temp_path {home}/temp; fastcgi_temp_path {home}/temp;
    uwsgi_temp_path {home}/temp; scgi_temp_path {home}/temp;
    types {{
        text/html html;
        application/vnd.pypi.simple.v1+html v1_html;
        application/vnd.pypi.simple.v1+json v1_json;
    }}
    map $http_accept $page {{
        default index.html;
        "~application/vnd.pypi.simple.v1\\+json" index.v1_json;
    }}
    server {{
        listen 127.0.0.1:{port};
        root {web};
        autoindex on;
        index $page index.html;
    }}
}}
"""
_APACHE = """\
ServerRoot {home}
ServerName 127.0.0.1
PidFile {home}/apache.pid
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule autoindex_module {modules}/mod_autoindex.so
{user}
ErrorLog {home}/apache-error.log
DocumentRoot {web}
<Directory {web}>
    Options Indexes
    IndexOptions FancyIndexing {options}
</Directory>
"""
_APACHE_MODULES = Path("/usr/lib/apache2/modules")


@pytest.fixture
def web() -> Iterator[Path]:
    """A document root that every web server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-listing-") as name:
        home = Path(name)
        home.chmod(0o755)
        root = home / "web"
        (root / "simple" / PROJECT).mkdir(parents=True)
        yield root


@pytest.fixture
async def world() -> AsyncIterator[tuple[Upstream, Script]]:
    """A source with the good release, the broken one and the fix."""
    async with serving(EmbeddedIndex(PROJECT)) as upstream:
        script = Script.at(upstream)
        for step in (Step.WARM, Step.BROKEN, Step.FIX_PUBLISHED):
            await script.take(step)
        yield upstream, script


@asynccontextmanager
async def listed_by(
    server: str, web: Path, real_program: Callable[[str], Path], *, options: str = ""
) -> AsyncIterator[str]:
    """Serve a directory with one of the servers; yield the URL of `simple/` in it."""
    home, is_root = web.parent, os.geteuid() == 0

    def command(port: int) -> Sequence[str | Path]:
        if server == "http.server":
            return [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", web, str(port)]
        file = home / f"{server}.conf"
        if server == "nginx":
            user = "user root;" if is_root else ""
            file.write_text(_NGINX.format(home=home, port=port, web=web, user=user))
            return [real_program("nginx"), "-p", home, "-c", file]
        text = _APACHE.format(
            home=home,
            port=port,
            web=web,
            modules=_APACHE_MODULES,
            user="User www-data" if is_root else "",
            options=options,
        )
        file.write_text(text)
        return [real_program("apache"), "-d", home, "-f", file, "-DFOREGROUND"]

    async with running(server, command, home=home) as program:
        yield f"{program.url}/simple/"


def put(web: Path, *artifacts: Artifact) -> None:
    for artifact in artifacts:
        (web / "simple" / PROJECT / artifact.filename).write_bytes(artifact.content)


async def audit(
    upstream: Upstream, url: str, kind: str = "simple", **keys: SettingValue
) -> tuple[Verdict, Observation]:
    """Audit one place; with `path` the directory in place of the URL."""
    where: dict[str, SettingValue] = {} if "path" in keys else {"url": url}
    table: dict[str, SettingValue] = {"kind": kind, **where, **keys}
    run, observations = await audit_places(
        upstream, [Place(name="here", table=table, index_url=url)]
    )
    row = next(v for v in run.verdicts if v.location.name == "here")
    return row, next(o for o in observations if o.location == "here")


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def chosen(verdict: Verdict) -> set[str | None]:
    return {cell.version for cell in verdict.selections if cell.counts}


@pytest.mark.parametrize("server", SERVERS)
async def test_a_directory_with_a_listing_is_an_index_without_digests_and_yanks(
    server: str, web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    upstream, script = world
    put(web, *script.releases["1.2.2"], *script.releases["1.2.3"])
    (web / "simple" / PROJECT / LONG_NAME).write_bytes(b"")
    async with listed_by(server, web, real_program) as url:
        before, seen = await audit(upstream, url)
        got_before = await pip_download(url, PROJECT)
        put(web, *script.releases["1.2.4"])
        await script.take(Step.YANKED)
        after, _ = await audit(upstream, url)
        got_after = await pip_download(url, PROJECT)

    assert (before.status, chosen(before)) == (Status.EXPOSED, {got_before.version})
    assert (after.status, chosen(after)) == (Status.ROLLED_FORWARD, {got_after.version})
    assert [got_before.version, got_after.version] == ["1.2.3", "1.2.4"]
    assert (before.broken.listed, before.broken.yanked) == (True, YankState.NO)
    assert "yank-lost" in codes(after)
    assert LONG_NAME in before.broken.files
    for page in seen.pages:
        assert page.complete
        assert {c.version for c in page.candidates} == {"1.2.2", "1.2.3"}
        assert all(c.hashes == {} for c in page.candidates)
    # A cache in front of it could not be told from it: nothing was asked for.
    assert before.broken.held is HeldState.UNKNOWN
    assert {r.method for r in seen.requests} == {"GET"}
    assert {r.url for r in seen.requests} == {f"{url}{PROJECT}/"}


@pytest.mark.parametrize("server", SERVERS)
async def test_a_project_without_a_directory_is_absent_and_a_wrong_url_is_not(
    server: str, web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    upstream, _ = world
    (web / "simple" / PROJECT).rmdir()
    (web / "simple" / "other").mkdir()
    async with listed_by(server, web, real_program) as url:
        absent, seen = await audit(upstream, url, required=False)
        wrong, wrongly_seen = await audit(upstream, url.removesuffix("simple/"), required=False)

    assert (absent.status, seen.outcome) == (Status.ABSENT, Outcome.ABSENT)
    assert (wrong.status, wrongly_seen.outcome) == (Status.UNKNOWN, Outcome.MALFORMED)
    assert "add simple/" in wrongly_seen.detail


@pytest.mark.parametrize("server", SERVERS)
async def test_the_listing_of_one_directory_is_a_find_links_page(
    server: str, web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    upstream, script = world
    put(web, *script.releases["1.2.2"], *script.releases["1.2.3"])
    async with listed_by(server, web, real_program) as url:
        row, seen = await audit(upstream, f"{url}{PROJECT}/", kind="wheelhouse")

    assert (row.status, chosen(row)) == (Status.EXPOSED, {"1.2.3"})
    assert "fix-not-listed" in codes(row)
    assert [page.view for page in seen.pages] == [View.PIP]


async def test_apache_in_a_table_is_read_like_apache_in_lines(
    web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    upstream, script = world
    put(web, *script.releases["1.2.4"])
    options = "HTMLTable NameWidth=* SuppressColumnSorting"
    async with listed_by("apache", web, real_program, options=options) as url:
        row, _ = await audit(upstream, url)

    assert chosen(row) == {"1.2.4"}
    assert row.broken.listed is False


async def test_an_index_at_the_root_of_its_host_with_bare_links_is_read(
    web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    """As simpleindex makes it for a `path` route: the names in a directory, and nothing else."""
    upstream, script = world
    wheels = [files[0] for version, files in script.releases.items() if version != "1.2.4"]
    links = "\n".join(f'<a href="./{w.filename}">{w.filename}</a>' for w in wheels)
    head = '<head>\n<meta charset="utf-8">\n</head>'
    page = f"\n<!DOCTYPE html>\n<html>\n{head}\n<body>\n{links}\n</body>\n</html>\n"
    directory = web / PROJECT
    directory.mkdir()
    (directory / "index.html").write_text(page)
    for wheel in wheels:
        (directory / wheel.filename).write_bytes(wheel.content)
    async with listed_by("http.server", web, real_program) as url:
        root = url.removesuffix("simple/")
        row, seen = await audit(upstream, root)
        got = await pip_download(root, PROJECT)

    assert all(page.complete for page in seen.pages)
    assert (row.status, chosen(row)) == (Status.EXPOSED, {got.version})
    assert row.broken.yanked is YankState.NO


def shadowmire_pages(web: Path, upstream: Upstream, *artifacts: Artifact) -> None:
    """Write a project's pages as shadowmire does (its `simple.py`): own forms, upstream's serial.

    Its JSON keeps the serial as text, and of a yank only that there is one; its HTML has the
    reason. `index.html` is a link to `index.v1_html`.
    """
    serial = upstream.index.serial
    yanked = {a.filename for a in artifacts if a.version == "1.2.3"}
    entries = [
        {
            "core-metadata": False,
            "data-dist-info-metadata": False,
            "filename": a.filename,
            "hashes": {"sha256": a.sha256},
            "requires-python": None,
            "size": len(a.content),
            "upload-time": "2026-11-20T10:00:00.000000Z",
            "url": f"../..{a.path}",
            "yanked": a.filename in yanked,
        }
        for a in artifacts
    ]
    page = {
        "files": entries,
        "meta": {"api-version": "1.1", "_last-serial": str(serial)},
        "name": PROJECT.capitalize(),
        "versions": sorted({a.version for a in artifacts}),
    }
    reason = f' data-yanked="{YANK_REASON}"'
    links = "\n".join(
        f'    <a href="../..{quote(a.path)}#sha256={a.sha256}"'
        f"{reason if a.filename in yanked else ''}>{a.filename}</a><br/>"
        for a in artifacts
    )
    head = '<meta name="pypi:repository-version" content="1.0">'
    html = (
        f"<!DOCTYPE html>\n<html>\n  <head>\n    {head}\n    <title>Links for {PROJECT}</title>\n"
        f"  </head>\n  <body>\n    <h1>Links for {PROJECT}</h1>\n{links}\n  </body>\n</html>\n"
        f"<!--SERIAL {serial}-->"
    )
    directory = web / "simple" / PROJECT
    (directory / "index.v1_json").write_text(json.dumps(page))
    (directory / "index.v1_html").write_text(html)
    if not (directory / "index.html").is_symlink():
        (directory / "index.html").symlink_to("index.v1_html")
    for artifact in artifacts:
        file = web / artifact.path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(artifact.content)


async def test_a_mirror_like_shadowmires_has_a_real_serial_and_loses_no_yank(
    web: Path, world: tuple[Upstream, Script], real_program: Callable[[str], Path]
) -> None:
    upstream, script = world
    await script.take(Step.YANKED)
    releases = [a for files in script.releases.values() for a in files]
    shadowmire_pages(web, upstream, *releases)
    async with listed_by("nginx", web, real_program) as url:
        fresh, seen = await audit(upstream, url)
        on_disk, read = await audit(upstream, url, path=str(web / "simple"))
        got = await pip_download(url, PROJECT)
        synced_to = upstream.index.serial
        await script.take(Step.DELETED)
        late, _ = await audit(upstream, url, expected_lag="1h")
        # It removes what its upstream removed, its own files included.
        shadowmire_pages(web, upstream, *script.releases["1.2.2"], *script.releases["1.2.4"])
        synced, _ = await audit(upstream, url)

    types = {page.view: page.content_type for page in seen.pages}
    assert types[View.PIP] == "application/vnd.pypi.simple.v1+json"
    assert types[View.PIP_HTML] == "text/html"
    assert {page.freshness.serial for page in seen.pages} == {synced_to}
    assert (fresh.status, chosen(fresh)) == (Status.ROLLED_FORWARD, {got.version})
    assert fresh.broken.yanked is YankState.REASON
    doubts = {"split-view", "yank-lost", "serial-behind", "serial-missing", "serial-fake"}
    assert not codes(fresh) & doubts
    # Its index.html is a link, which clients of a file: URL follow.
    assert (on_disk.status, on_disk.broken.held) == (Status.ROLLED_FORWARD, HeldState.HELD)
    observed = [page for page in read.pages if page.outcome is PageOutcome.OBSERVED]
    assert {page.freshness.serial for page in observed} == {synced_to}
    assert "serial-behind" in codes(late)
    assert late.broken.listed is True
    assert synced.broken.listed is False
    assert "serial-behind" not in codes(synced)
