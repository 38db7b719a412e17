"""Each way in which devpi misleads, on the real thing; trap N is that of the measured account."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest
import pytest_asyncio
from aiohttp import web

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.process import run
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.model import (
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    SettingValue,
    Status,
    Verdict,
)
from tests.real.devpi_servers import LOOPBACK, Devpi, devpi_server, in_sync, replica_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("devpi-server"),
    pytest.mark.xdist_group("devpi-traps"),
    pytest.mark.asyncio(loop_scope="module"),
]

CANARY = "canary-upstream-password"


@dataclass
class Stage:
    """A primary that copies the embedded PyPI, with 1.2.2 and the broken 1.2.3 in it."""

    upstream: Upstream
    primary: Devpi
    replica: Devpi
    user: str
    releases: MappingProxyType[str, tuple[Artifact, Artifact]]

    @property
    def mir(self) -> str:
        return f"{self.user}/mir"

    @property
    def open(self) -> str:
        return f"{self.user}/open"

    @property
    def closed(self) -> str:
        return f"{self.user}/closed"

    @property
    def broken(self) -> tuple[Artifact, Artifact]:
        return self.releases["1.2.3"]

    @property
    def known(self) -> tuple[Fingerprint, ...]:
        return tuple(
            Fingerprint(filename=a.filename, version=a.version, sha256=a.sha256)
            for a in self.broken
        )

    def publish_fix(self) -> None:
        self.upstream.index.publish(*self.releases["1.2.4"])

    async def audit(
        self, index: str, *, server: Devpi | None = None, **keys: SettingValue
    ) -> tuple[Verdict, Observation]:
        url = (server or self.primary).simple(index)
        place = Place(name="here", table={"kind": "devpi", "url": url, **keys}, index_url=url)
        run, observations = await audit_places(self.upstream, [place], self.known)
        verdict = next(v for v in run.verdicts if v.location.name == "here")
        return verdict, next(o for o in observations if o.location == "here")


@dataclass(frozen=True)
class Pair:
    primary: Devpi
    replica: Devpi


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """One primary and one replica for all tests here; each test has a user of its own on them."""
    home = tmp_path_factory.mktemp("devpi")
    async with (
        devpi_server(home, "--role=primary") as primary,
        replica_of(primary, home) as replica,
    ):
        yield Pair(primary, replica)


USERS = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(pair: Pair) -> AsyncIterator[Stage]:
    index = EmbeddedIndex("brokenpkg")
    releases = {v: build_release("brokenpkg", v) for v in ("1.2.2", "1.2.3", "1.2.4")}
    for version in ("1.2.2", "1.2.3"):
        index.publish(*releases[version])
    user = f"user{next(USERS)}"
    async with serving(index) as upstream:
        stage = Stage(upstream, pair.primary, pair.replica, user, MappingProxyType(releases))
        at_upstream = upstream.simple_url.replace("//", f"//mirror-user:{CANARY}@")
        await pair.primary.add_user(user)
        await pair.primary.mirror(stage.mir, at_upstream)
        common = {"type": "stage", "bases": [stage.mir], "acl_upload": ["root"]}
        await pair.primary.make(stage.open, mirror_whitelist=["*"], **common)
        await pair.primary.make(stage.closed, **common)
        yield stage


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


async def test_an_audit_stores_nothing_on_primary_and_replica(stage: Stage) -> None:
    """Traps 1 and 15: HEAD, OPTIONS and Range store on devpi, on its replica as well."""
    primary = stage.primary
    await primary.page(stage.mir)
    await primary.store(stage.mir, stage.releases["1.2.2"][0])
    replica = stage.replica
    await in_sync(stage.primary, replica, stage.user)
    before = primary.inventory(stage.user), replica.inventory(stage.user), await primary.serial()
    asked_before = len(stage.upstream.artifact_requests())
    primary.tap.log.clear()

    _, at_primary = await stage.audit(stage.open)
    _, at_replica = await stage.audit(stage.mir, server=replica)

    assert before == (
        primary.inventory(stage.user),
        replica.inventory(stage.user),
        await primary.serial(),
    )
    assert asked_before == len(stage.upstream.artifact_requests())
    ours = [line for line in primary.tap.log if "propagation-auditor" in line.user_agent]
    sent = [*at_primary.requests, *at_replica.requests]
    assert sorted((r.method, r.status) for r in sent) == sorted(
        (line.method, line.status) for line in ours
    )
    assert {line.method for line in ours} == {"GET"}
    assert any("/+f/" in line.path for line in ours)


async def test_bytes_are_asked_for_by_digest_after_delisting(stage: Stage) -> None:
    """Traps 3 and 5: the JSON question works for what no page lists, and unlisted is not gone."""
    await stage.primary.page(stage.mir)
    await stage.primary.store(stage.mir, stage.broken[0])
    stage.publish_fix()
    stage.upstream.index.delete_release("1.2.3")
    await stage.primary.refresh(stage.mir)

    verdict, observation = await stage.audit(stage.open)

    assert verdict.broken.listed is False
    assert verdict.broken.held is HeldState.STORED_ONCE
    assert verdict.status is Status.ROLLED_FORWARD
    states = {h.filename: h.state for h in observation.holdings}
    wheel, sdist = stage.broken
    assert states == {
        wheel.filename: HeldState.STORED_ONCE,
        sdist.filename: HeldState.NOT_HELD,
    }


async def test_deleting_a_version_leaves_an_entry_that_is_no_proof(stage: Stage) -> None:
    """Traps 4 and 6: after a version-level delete the entry still says that it was stored."""
    primary = stage.primary
    await primary.page(stage.mir)
    await primary.store(stage.mir, stage.broken[0])
    # A replica that still copies the file would make the primary fetch it once more.
    await in_sync(primary, stage.replica, stage.user)
    status, _ = await primary.ask("DELETE", f"{primary.direct}/{stage.mir}/brokenpkg/1.2.3")
    assert status == 200
    assert stage.broken[0].filename not in primary.inventory(stage.user)
    asked_before = len(stage.upstream.artifact_requests())

    over_http, _ = await stage.audit(stage.mir)
    on_disk, _ = await stage.audit(stage.mir, path=str(primary.serverdir))

    assert over_http.broken.held is HeldState.STORED_ONCE
    assert asked_before == len(stage.upstream.artifact_requests())
    assert on_disk.broken.held is HeldState.NOT_HELD
    assert any("leaves this entry" in h for h in (r.observed for r in over_http.reasons))


async def test_a_replica_is_wrong_in_both_ways_and_only_its_disk_counts(stage: Stage) -> None:
    """Trap 4: its entries describe the primary, so what they say is a hint and nothing more."""
    primary = stage.primary
    await primary.page(stage.mir)
    await primary.store(stage.mir, stage.broken[0])
    replica = stage.replica
    await in_sync(stage.primary, replica, stage.user)
    (copied,) = (replica.serverdir / "+files" / stage.user).rglob(stage.broken[0].filename)
    copied.unlink()

    over_http, seen = await stage.audit(stage.mir, server=replica)
    on_disk, _ = await stage.audit(stage.mir, server=replica, path=str(replica.serverdir))

    assert over_http.broken.held is HeldState.UNKNOWN
    assert on_disk.broken.held is HeldState.NOT_HELD
    assert any("this is a replica" in note for note in seen.notes)
    assert "replica-behind" not in codes(over_http)


async def test_deleting_the_last_stored_file_empties_the_page_and_is_not_called_absent(
    stage: Stage,
) -> None:
    """Traps 7 and 8: the whole project, fix included, is gone until a refresh."""
    primary = stage.primary
    stage.publish_fix()
    await primary.page(stage.mir)
    await primary.store(stage.mir, stage.broken[0])
    status, _ = await primary.ask("DELETE", primary.entry(stage.mir, stage.broken[0]))
    assert status == 200
    assert json.loads(await primary.page(stage.mir))["files"] == []

    emptied, _ = await stage.audit(stage.mir)
    assert await primary.refresh(stage.mir) == 302
    refreshed, _ = await stage.audit(stage.mir)

    assert emptied.status is Status.UNKNOWN
    assert any("refresh" in r.command for r in emptied.remedies)
    assert refreshed.status is Status.ROLLED_FORWARD
    assert refreshed.broken.held is HeldState.NOT_HELD


async def test_a_page_that_devpi_could_not_read_is_unknown(stage: Stage) -> None:
    """Trap 8: a charset in upstream's Content-Type makes devpi list no files, with status 200."""

    async def with_charset(request: web.Request) -> web.StreamResponse | None:
        if not request.path.startswith("/simple/brokenpkg"):
            return None
        stage.upstream.pages.intercept = None
        kind = "application/vnd.pypi.simple.v1+json; charset=utf-8"
        meta = {"meta": {"api-version": "1.1"}, "name": "brokenpkg", "files": []}
        return web.Response(body=json.dumps(meta).encode(), headers={"Content-Type": kind})

    stage.upstream.pages.intercept = with_charset
    assert json.loads(await stage.primary.page(stage.mir))["files"] == []

    verdict, _ = await stage.audit(stage.mir)

    assert verdict.status is Status.UNKNOWN


async def test_a_project_deleted_upstream_stays_and_its_refresh_changes_nothing(
    stage: Stage,
) -> None:
    """Traps 9 and 10: devpi takes the 404 for an error; a forced refresh rolls back unharmed."""
    await stage.primary.page(stage.mir)
    stage.upstream.index.delete_project()
    assert await stage.primary.refresh(stage.mir) == 500

    verdict, observation = await stage.audit(stage.mir)

    assert verdict.broken.listed is True
    assert observation.outcome is Outcome.OBSERVED


async def test_a_closed_stage_hides_the_fix_and_the_audit_says_so(stage: Stage) -> None:
    """Trap 14: with a local file and an empty whitelist, the mirror is not asked any more."""
    stage.publish_fix()
    await stage.primary.upload(stage.closed, stage.broken[0])
    await stage.primary.upload(stage.open, stage.broken[0])

    closed, seen = await stage.audit(stage.closed)
    opened, _ = await stage.audit(stage.open)

    assert closed.status is Status.EXPOSED
    assert "fix-hidden-by-local-files" in codes(closed)
    (hint,) = seen.hints
    assert stage.mir in hint.text
    assert stage.releases["1.2.4"][0].filename in hint.observed
    assert any(f"belongs to {stage.closed}" in note for note in seen.notes)
    assert "fix-hidden-by-local-files" not in codes(opened)
    assert opened.fix.listed is True


async def test_a_local_copy_on_an_open_stage_is_never_yanked(stage: Stage) -> None:
    """Trap 14: a file of the stage's own shadows that of its mirror, with its yank."""
    stage.publish_fix()
    await stage.primary.upload(stage.open, stage.broken[0])
    stage.upstream.index.yank("1.2.3", "use 1.2.4")

    verdict, _ = await stage.audit(stage.open)

    assert "yank-lost" in codes(verdict)


async def test_upstream_credentials_and_server_paths_reach_no_output(stage: Stage) -> None:
    """Trap 16: devpi tells anybody the credentials of its upstreams and where it lies on disk."""
    _, settings = await stage.primary.ask("GET", f"{stage.primary.direct}/{stage.mir}?no_projects=")
    assert CANARY.encode() in settings

    for index in (stage.mir, stage.open, stage.closed):
        verdict, observation = await stage.audit(index)
        everything = repr((verdict, observation))
        assert CANARY not in everything
        assert "mirror-user" not in everything
        assert str(stage.primary.serverdir) not in everything
        assert "site-packages" not in everything


async def test_an_external_mirror_never_holds(stage: Stage) -> None:
    await stage.primary.mirror(
        f"{stage.user}/ext", stage.upstream.simple_url, mirror_use_external_urls=True
    )
    verdict, observation = await stage.audit(f"{stage.user}/ext")

    assert verdict.broken.held is HeldState.NOT_HELD
    assert any("never stores" in note for note in observation.notes)


async def test_the_expiry_that_an_index_states_is_its_expected_lag(stage: Stage) -> None:
    await stage.primary.mirror(
        f"{stage.user}/hour", stage.upstream.simple_url, mirror_cache_expiry=3600
    )
    await stage.primary.page(f"{stage.user}/hour")
    stage.publish_fix()

    verdict, observation = await stage.audit(f"{stage.user}/hour", expected_lag="1m")

    assert observation.stated_lag is not None
    assert observation.stated_lag.seconds == 3600
    assert verdict.lag is not None
    assert f"mirror_cache_expiry of {stage.user}/hour" in verdict.lag.basis
    assert any("answered from its cache" in note for note in observation.notes)


async def test_a_replica_without_its_primary_is_not_believed_to_be_in_sync(stage: Stage) -> None:
    await stage.primary.page(stage.mir)
    replica = stage.replica
    await in_sync(stage.primary, replica, stage.user)
    stage.primary.tap.stop()
    try:
        verdict, observation = await stage.audit(stage.mir, server=replica)
    finally:
        await stage.primary.tap.start()

    assert verdict.broken.listed is True
    assert any("in sync is not known" in note for note in observation.notes)


async def test_a_mirror_passes_on_its_upstreams_serial_and_a_stage_has_none(stage: Stage) -> None:
    """Trap 13: a header on mirrors, nothing on stages; neither says how fresh the files are."""
    stage.publish_fix()

    mirror, seen = await stage.audit(stage.mir)
    over_it, inherited = await stage.audit(stage.open)

    (serial,) = {page.freshness.serial for page in seen.pages}
    assert serial == stage.upstream.index.serial
    assert {page.freshness.serial for page in inherited.pages} == {None}
    assert "serial-missing" in codes(over_it)
    assert "serial-missing" not in codes(mirror)
    assert mirror.status is over_it.status is Status.ROLLED_FORWARD


async def test_one_careless_download_puts_the_broken_file_on_every_replica(stage: Stage) -> None:
    """Trap 15: replicas multiply: what one installer makes the primary store, they copy."""
    await stage.primary.page(stage.mir)
    await in_sync(stage.primary, stage.replica, stage.user)
    path = str(stage.replica.serverdir)
    before, _ = await stage.audit(stage.mir, server=stage.replica, path=path)

    await stage.primary.store(stage.mir, stage.broken[0])
    await in_sync(stage.primary, stage.replica, stage.user)
    after, _ = await stage.audit(stage.mir, server=stage.replica, path=path)

    assert before.broken.held is HeldState.NOT_HELD
    assert after.broken.held is HeldState.HELD


async def test_a_client_keeps_what_every_server_has_removed(stage: Stage, tmp_path: Path) -> None:
    """Trap 17: files are `immutable` for years, so that pip keeps them when all servers are clean.

    What is clean are the servers: the audit names the cache beside them.
    """
    stage.publish_fix()
    cache = tmp_path / "cache"
    index = ("--index-url", stage.primary.simple(stage.mir), "--trusted-host", LOOPBACK)
    keeping = ("--cache-dir", str(cache), "--no-deps", "--only-binary=:all:")
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "download")
    # The first download is passed on while it is stored, without a lifetime; every later has one.
    await stage.primary.page(stage.mir)
    await stage.primary.store(stage.mir, stage.broken[0])
    done = await run(
        [*pip, *index, *keeping, "--dest", str(tmp_path / "got"), "brokenpkg==1.2.3"],
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    stage.upstream.index.delete_release("1.2.3", keep_files=False)
    await stage.primary.ask("DELETE", stage.primary.entry(stage.mir, stage.broken[0]))
    await stage.primary.refresh(stage.mir)
    assert stage.broken[0].filename not in stage.primary.inventory(stage.user)

    places = [
        Place(
            name="index",
            table={"kind": "devpi", "url": stage.primary.simple(stage.mir)},
            index_url=stage.primary.simple(stage.mir),
        ),
        Place(
            name="client",
            table={"kind": "pip-cache", "path": str(cache)},
            index_url=stage.primary.simple(stage.mir),
        ),
    ]
    judged, _ = await audit_places(stage.upstream, places, stage.known)
    statuses = {verdict.location.name: verdict.status for verdict in judged.verdicts}

    assert statuses["index"] is Status.CLEAN
    assert statuses["client"] is Status.LATENT


async def test_a_place_of_kind_simple_that_is_devpi_is_told_so(stage: Stage) -> None:
    verdict, seen = await stage.audit(stage.mir, kind="simple")

    assert any(note.startswith("this looks like devpi (its header") for note in seen.notes)
    assert verdict.broken.held is HeldState.UNKNOWN
    assert not any("/+f/" in request.url for request in seen.requests)
