"""Real pypiserver, filled by its operator, with the embedded PyPI as its fallback.

Traps are numbered as in section 10 of the account of index servers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from auditor.lab.drive.driver import Played, audit_places, play_story
from auditor.lab.drive.pip_client import pip_download
from auditor.lab.drive.process import running
from auditor.lab.drive.pypiserver import PypiServer, PypiServers
from auditor.lab.drive.steps import Script, Step
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import PROJECT
from auditor.model import (
    Fingerprint,
    HeldState,
    LagState,
    Observation,
    SettingValue,
    Status,
    Verdict,
    When,
    YankState,
)
from auditor.model.verdict import Action

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("pypiserver", "pip"),
]


@dataclass
class World:
    """One pypiserver and the upstream that is its fallback."""

    upstream: Upstream
    script: Script
    server: PypiServer

    def put(self, *versions: str) -> None:
        for version in versions:
            self.server.put(*self.script.releases[version])

    @property
    def known(self) -> tuple[Fingerprint, ...]:
        return tuple(artifact.fingerprint() for artifact in self.script.releases["1.2.3"])

    async def audit(self, **keys: SettingValue) -> tuple[Verdict, Observation]:
        url = self.server.simple_url
        table: dict[str, SettingValue] = {"kind": "pypiserver", "url": url, **keys}
        place = Place(name="here", table=table, index_url=url)
        run, observations = await audit_places(self.upstream, [place], self.known)
        row = next(v for v in run.verdicts if v.location.name == "here")
        return row, next(o for o in observations if o.location == "here")


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(real_program: Callable[[str], Path], tmp_path: Path) -> AsyncIterator[Start]:
    """Start an empty pypiserver; the upstream has the good release, the broken one and the fix."""
    async with AsyncExitStack() as stack:

        async def begin(
            *options: str, steps: tuple[Step, ...] = (Step.BROKEN, Step.FIX_PUBLISHED)
        ) -> World:
            upstream = await stack.enter_async_context(serving(EmbeddedIndex(PROJECT)))
            script = Script.at(upstream)
            for step in (Step.WARM, *steps):
                await script.take(step)
            server = PypiServer(command=real_program("pypiserver"), options=options)
            await stack.enter_async_context(server.running(upstream.simple_url, tmp_path))
            return World(upstream, script, server)

        yield begin


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def snapshot(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Name, size, time and mode of everything below a directory."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        name = str(path.relative_to(directory))
        found[name] = (status.st_size, status.st_mtime_ns, status.st_mode)
    return found


async def audits_in_log(server: PypiServer, wanted: int) -> list[tuple[str, str, int]]:
    """Wait until so many requests of ours are in the log: it is written after the answer."""
    async with asyncio.timeout(10):
        while True:
            ours = [line for line in server.access_log() if "propagation-" in line.user_agent]
            if len(ours) >= wanted:
                return [(line.method, line.path, line.status) for line in ours]
            await asyncio.sleep(0.02)


def told(played: Played, place: str) -> list[tuple[Status, HeldState]]:
    return [(r.said.status, r.said.held) for r in played.records if r.place == place]


async def test_the_whole_story_agrees_with_pip_and_with_the_disk(
    real_program: Callable[[str], Path], tmp_path: Path
) -> None:
    subject = PypiServers(command=real_program("pypiserver"))

    played = await play_story(subject, tmp_path)

    assert played.disagreements == ()
    assert played.harm == ()
    # Local files: the operator's copy stays as it is, whatever happens at the source.
    local = [(Status.BEHIND, HeldState.NOT_HELD)] + 7 * [(Status.EXPOSED, HeldState.HELD)]
    assert told(played, "local") == told(played, "local with disk") == local
    after = [run for step, run in played.runs.items() if step not in (Step.WARM, Step.BROKEN)]
    rows = [v for run in after for v in run.verdicts if v.location.name == "local"]
    assert all("fix-hidden-by-local-files" in codes(row) for row in rows)
    assert {row.broken.yanked for row in rows} == {YankState.NO}
    assert {row.lag.state for row in rows} == {LagState.NEVER}
    # No local file: the fallback's answer, at once, and nothing is kept.
    assert told(played, "empty") == [
        (status, HeldState.NOT_HELD)
        for status in (
            Status.BEHIND,
            Status.EXPOSED,
            Status.ROLLED_FORWARD,  # the fix is published: nothing to refresh
            Status.ROLLED_FORWARD,
            Status.ROLLED_FORWARD,  # yanked
            Status.CLEAN,  # deleted: neither listed nor held
            Status.TAMPERED,  # bytes replaced
            Status.UNKNOWN,  # upstream down
        )
    ]
    assert not any(path.is_file() for path in subject.empty.root.rglob("*"))


@pytest.mark.parametrize("held", [True, False])
async def test_an_audit_changes_nothing_and_trap_1_needs_no_head(held: bool, start: Start) -> None:
    """Trap 1: HEAD contaminates caches. pypiserver is none, and yet its own word does without."""
    world = await start(steps=(Step.BROKEN,))
    world.put("1.2.2", *(["1.2.3"] if held else []))
    before = snapshot(world.server.root)
    asked_before = len(world.upstream.artifact_requests())

    row, seen = await world.audit()

    assert before == snapshot(world.server.root)
    assert asked_before == len(world.upstream.artifact_requests())
    root = world.server.url
    sent = [(r.method, r.url.removeprefix(root), r.status) for r in seen.requests]
    logged = await audits_in_log(world.server, len(sent))
    assert sorted(sent) == sorted(logged)
    assert {method for method, *_ in logged} == {"GET"}
    assert not any("/packages/" in path for _, path, _ in logged)
    assert row.broken.held is (HeldState.HELD if held else HeldState.NOT_HELD)
    assert row.broken.listed is held
    if held:
        wanted = world.script.releases["1.2.3"]
        assert {(h.filename, h.sha256) for h in seen.holdings} == {
            (a.filename, a.sha256) for a in wanted
        }


async def test_trap_14_local_files_hide_the_fix_until_they_are_gone(start: Start) -> None:
    """Trap 14: local files switch fallback off per project; the fix is hidden with the rest."""
    world = await start()
    world.put("1.2.2", "1.2.3")

    row, seen = await world.audit()
    got = await pip_download(world.server.simple_url, PROJECT)

    assert (row.status, got.version) == (Status.EXPOSED, "1.2.3")
    (hint,) = seen.hints
    assert hint.code == "fix-hidden-by-local-files"
    assert "fix-hidden-by-local-files" in codes(row)
    assert world.upstream.simple_url in hint.text
    assert "brokenpkg-1.2.3-py3-none-any.whl" in hint.observed
    # The fallback was asked for nothing.
    assert {r.url.removeprefix(world.server.url) for r in seen.requests} >= {
        "/brokenpkg/json",
        "/simple/brokenpkg-of-which-nobody-has-a-file/",
    }
    assert all(r.url.startswith(world.server.url) for r in seen.requests)
    assert any("remove" in remedy.command for remedy in row.remedies)

    for path in world.server.root.iterdir():
        path.unlink()
    row, seen = await world.audit()
    got = await pip_download(world.server.simple_url, PROJECT)

    assert (row.status, got.version) == (Status.ROLLED_FORWARD, "1.2.4")
    assert row.broken.held is HeldState.NOT_HELD
    assert "redirected" in codes(row)
    assert any(
        "sends its clients to its fallback" in n and world.upstream.simple_url in n
        for n in seen.notes
    )
    assert row.counterfactuals[Action.DELETED].when is not When.NEVER


async def test_without_a_fallback_nothing_is_hidden_and_an_empty_one_is_absent(
    start: Start,
) -> None:
    world = await start("--disable-fallback")

    empty, _ = await world.audit(required=False)
    world.put("1.2.3")
    full, seen = await world.audit()

    assert (empty.status, empty.broken.held) == (Status.ABSENT, HeldState.NOT_HELD)
    assert full.status is Status.EXPOSED
    assert "fix-hidden-by-local-files" not in codes(full)
    assert any("no fallback" in note for note in seen.notes)


async def test_trap_13_no_serial_is_no_fault_and_no_freshness(start: Start) -> None:
    """Trap 13: serials are absent on pypiserver, so only the files themselves are compared."""
    world = await start()
    world.put("1.2.2", "1.2.3", "1.2.4")

    row, seen = await world.audit()

    assert {page.freshness.serial for page in seen.pages} == {None}
    assert "serial-missing" in codes(row)
    assert (row.status, row.broken.held) == (Status.ROLLED_FORWARD, HeldState.HELD)
    assert row.lag.state is LagState.CURRENT


async def test_bytes_that_it_does_not_show_are_found_on_its_disk_alone(start: Start) -> None:
    """pypiserver passes over names with a dot in front; the bytes lie there all the same."""
    world = await start()
    world.put("1.2.4")
    hidden = world.server.root / ".old"
    hidden.mkdir()
    wheel = world.script.releases["1.2.3"][0]
    (hidden / wheel.filename).write_bytes(wheel.content)

    over_http, _ = await world.audit()
    on_disk, seen = await world.audit(path=str(world.server.root))

    assert over_http.status is Status.CLEAN
    assert (on_disk.status, on_disk.broken.held) == (Status.ROLLED_FORWARD, HeldState.SHADOWED)
    assert "broken-orphaned" in codes(on_disk)
    assert wheel.sha256 in {h.sha256 for h in seen.holdings}


async def test_of_a_second_directory_the_server_itself_tells(start: Start, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    world = await start(str(second))
    world.put("1.2.4")
    sub = second / "team"
    sub.mkdir()
    for artifact in world.script.releases["1.2.3"]:
        (sub / artifact.filename).write_bytes(artifact.content)

    row, seen = await world.audit(path=str(world.server.root))

    assert (row.status, row.broken.held) == (Status.ROLLED_FORWARD, HeldState.HELD)
    told = [h.how for h in seen.holdings if h.version == "1.2.3"]
    assert len(told) == 2
    assert all("computes the digest" in how for how in told)


async def test_downloads_behind_a_password_are_proven_by_the_page(
    start: Start, tmp_path: Path
) -> None:
    """Only downloads need a login here: the digests in the links are computed from the files."""
    secret = tmp_path / "htpasswd"
    # Of no password that anybody has: nobody gets in.
    secret.write_text("nobody:$apr1$abcdefgh$0000000000000000000000\n")
    world = await start("--authenticate", "download", "--passwords", str(secret))
    world.put("1.2.3")

    row, seen = await world.audit()
    got = await pip_download(world.server.simple_url, PROJECT)

    assert (got.version, got.filename) == ("1.2.3", None)
    assert row.broken.held is HeldState.HELD
    assert {h.sha256 for h in seen.holdings} == {a.sha256 for a in world.script.releases["1.2.3"]}


_CACHING_NGINX = """\
daemon off;
pid {home}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {home}/temp; fastcgi_temp_path {home}/temp;
    uwsgi_temp_path {home}/temp; scgi_temp_path {home}/temp; proxy_temp_path {home}/temp;
    proxy_cache_path {home}/kept keys_zone=silent:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_cache silent;
            proxy_cache_valid 200 1h;
        }}
    }}
}}
"""


@pytest.mark.real_program("nginx")
async def test_a_cache_in_front_that_shows_no_sign_keeps_no_file_and_is_not_believed(
    start: Start, tmp_path: Path, real_program: Callable[[str], Path]
) -> None:
    """nginx names itself in no header: it shows by an old page, and must not be asked for files."""
    world = await start()
    world.put("1.2.2", "1.2.3")

    def command(port: int) -> list[str | Path]:
        file = tmp_path / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        upstream = world.server.url
        file.write_text(
            _CACHING_NGINX.format(home=tmp_path, port=port, user=user, upstream=upstream)
        )
        return [real_program("nginx"), "-p", tmp_path, "-c", file]

    async with running("nginx", command, home=tmp_path) as nginx:
        url = f"{nginx.url}/simple/"
        got = await pip_download(url, f"{PROJECT}==1.2.2")
        cached = [p.read_bytes() for p in (tmp_path / "kept").iterdir()]
        assert any(b"KEY: " in body and b"/simple/brokenpkg/\n" in body for body in cached)
        for path in world.server.root.glob("*-1.2.3*"):
            path.unlink()
        row, seen = await world.audit(url=url)

    assert got.filename is not None
    kept = [p.read_bytes() for p in (tmp_path / "kept").iterdir()]
    assert not any(a.content in body for body in kept for a in world.script.releases["1.2.3"])
    assert all("/packages/" not in r.url for r in seen.requests)
    # Clients still get the old page; that the file behind it is gone they learn when they ask.
    assert (row.status, row.broken.held) == (Status.EXPOSED, HeldState.UNKNOWN)
    assert "no-safe-probe" in codes(row)


async def test_several_samples_of_one_server_agree(start: Start) -> None:
    world = await start()
    world.put("1.2.3")

    row, seen = await world.audit(samples=2)

    assert len(seen.pages) == 8
    assert not codes(row) & {"flapping", "split-view"}
    assert replace(row.broken, files=()).listed is True
