"""Traps that real caches lay for those who look at them: none is sprung, and none is missed.

Each was first seen on the real program; the numbers are those of section 8 of the account of
caches.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.contracts import Assignment, Hop, Ledger
from auditor.engine import Limits
from auditor.lab.drive.caches.apache import ApacheCache
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime
from auditor.lab.drive.caches.squid import SquidCache
from auditor.lab.drive.caches.varnish import VarnishCache
from auditor.lab.drive.clients import Job, PipClient, RealClient, UvClient
from auditor.lab.drive.steps import Step
from auditor.model import (
    FixChosen,
    HeldState,
    Incident,
    LagState,
    Location,
    Observation,
    PageOutcome,
    Role,
    SettingValue,
    Status,
    Touch,
    Vantage,
    Verdict,
    View,
)
from probes.http_cache import KIND
from tests.real.cache_world import CLIENTS, World, world_of

pytestmark = [pytest.mark.real, pytest.mark.slow]

# As many do to be kinder to PyPI than it asks for.
IGNORING = "proxy_ignore_headers Cache-Control Expires; proxy_cache_valid 200 24h;"
FRONTS: dict[str, type[CachingFront]] = {
    "nginx": NginxCache,
    "squid": SquidCache,
    "varnish": VarnishCache,
    "apache": ApacheCache,
}

RealProgram = Callable[[str], Path]

# Settings of the audit; None: all that the operator of the cache would name.
AS_OPERATOR_AND_FROM_AFAR: tuple[dict[str, SettingValue] | None, ...] = (None, {})


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-traps-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


def told(verdict: Verdict, code: str) -> str:
    return next(reason.observed for reason in verdict.reasons if reason.code == code)


def serials(observation: Observation) -> dict[View, int | None]:
    return {page.view: page.freshness.serial for page in observation.pages}


async def read_all(world: World, front: CachingFront) -> None:
    """Let every client class read the page, so that a variant of each is kept."""
    for view in View:
        await world.page(front, view)


async def test_squid_brings_purged_variants_back_and_the_audit_sees_them(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 7: PURGE forgets the list of the variants, and leaves the variants."""
    squid = SquidCache(command=real_program("squid"))
    async with world_of(directory, squid) as world:
        await read_all(world, squid)
        await world.take(Step.FIX_PUBLISHED)
        await squid.purge(squid.page_path)
        new = await world.page(squid, View.PIP)
        old = await world.page(squid, View.UV)
        assert new.serial is not None
        assert old.serial is not None
        assert old.serial < new.serial  # the zombie

        verdict, observation, _ = await world.audit(squid, settings={})

        assert verdict.status is Status.EXPOSED
        assert {"split-view", "stale-page", "serial-behind"} <= codes(verdict)
        assert serials(observation)[View.PIP] == new.serial
        assert serials(observation)[View.UV] == old.serial
        for view in View:  # it made no zombie, and buried none
            assert (await world.page(squid, view)).serial == serials(observation)[view]
        assert "PURGE" not in {request.method for request in observation.requests}
        # The operator's way, which is the printed one: each variant is replaced.
        squid.clients = tuple(CLIENTS.values())
        await squid.refresh()
        verdict, observation, _ = await world.audit(squid)
        assert verdict.status is Status.ROLLED_FORWARD
        assert "stale-variant" not in codes(verdict)


async def test_variants_that_nobody_was_given_yet_are_found_on_squids_disk(
    real_program: RealProgram, directory: Path
) -> None:
    """Right after a PURGE all looks well: what would come back is on the disk."""
    squid = SquidCache(command=real_program("squid"))
    accept = {"Accept": "text/html, */*;q=0.5", "Accept-Encoding": "gzip"}
    async with world_of(directory, squid) as world:
        url = f"{squid.url}{squid.page_path}"
        before = await world.ask("GET", url, accept)
        await world.take(Step.FIX_PUBLISHED)
        await squid.purge(squid.page_path)

        verdict, observation, _ = await world.audit(squid)

        # No class that is audited gets it, and the one whose variant it is does.
        assert verdict.status is Status.ROLLED_FORWARD
        assert "text%2Fhtml,%20*%2F*" in told(verdict, "stale-variant")
        again = await world.ask("GET", url, accept)
        assert again.serial == before.serial
        assert again.serial != serials(observation)[View.PIP]


async def kept_by(nginx: NginxCache, count: int) -> list[Path]:
    """Return the files of the page's variants, which nginx may write after the client's answer."""
    async with asyncio.timeout(20):
        while len(kept := nginx.files_of(nginx.page_path)) < count:  # noqa: ASYNC110  # a cache wakes nobody
            await asyncio.sleep(0.02)
    return kept


async def test_nginx_keeps_the_variants_whose_files_were_not_deleted(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 7: each variant is a file of its own, and all of them have the same KEY line."""
    nginx = NginxCache(command=real_program("nginx"))
    async with world_of(directory, nginx) as world:
        await world.page(nginx, View.PIP)
        (first,) = await kept_by(nginx, 1)
        await read_all(world, nginx)
        kept = await kept_by(nginx, len(View))
        await world.take(Step.FIX_PUBLISHED)
        first.unlink()

        verdict, observation, _ = await world.audit(nginx)

        assert len(kept) == len(View)
        assert verdict.status is Status.EXPOSED
        assert {"split-view", "serial-behind"} <= codes(verdict)
        assert serials(observation)[View.PIP] == world.upstream.index.serial
        assert set(Counter(serials(observation).values()).values()) == {1, len(View) - 1}
        for view in View:  # what the audit said is what each client gets
            assert (await world.page(nginx, view)).serial == serials(observation)[view]

        await nginx.purge(nginx.page_path)
        verdict, _, _ = await world.audit(nginx)
        assert verdict.status is Status.ROLLED_FORWARD


@pytest.mark.parametrize("program", ["nginx", "squid", "varnish", "apache"])
async def test_pip_gets_the_old_page_where_uv_gets_the_new_one(
    program: str, real_program: RealProgram, directory: Path
) -> None:
    """Trap 6: `Vary: Accept` keeps a page for each client class, and they age apart."""
    front = FRONTS[program](command=real_program(program))
    async with world_of(directory, front, lifetime=Lifetime(vary="Accept")) as world:
        old = await world.page(front, View.PIP)
        await world.take(Step.FIX_PUBLISHED)
        new = await world.page(front, View.UV)

        verdict, observation, _ = await world.audit(front, settings={})

        assert serials(observation)[View.PIP] == old.serial
        assert serials(observation)[View.UV] == new.serial == world.upstream.index.serial
        assert verdict.status is Status.EXPOSED
        assert {"split-view", "stale-page", "serial-behind"} <= codes(verdict)
        assert verdict.lag is not None
        assert verdict.lag.state is LagState.WITHIN_LAG
        assert "600 s" in verdict.lag.basis
        # The audit has armed nothing: the old page dies when it would have died.
        again = await world.page(front, View.PIP)
        assert again.serial == old.serial


@pytest.mark.real_program("pip", "uv")
@pytest.mark.parametrize(
    "program",
    ["nginx", *(pytest.param(n, marks=pytest.mark.heavy) for n in ("squid", "varnish", "apache"))],
)
async def test_real_pip_and_real_uv_are_split_behind_one_proxy_and_the_audit_says_so(
    program: str, real_program: RealProgram, directory: Path
) -> None:
    """Trap 6 with the clients themselves: each with an empty cache, as in a new container."""
    front = FRONTS[program](command=real_program(program))
    pip, uv = PipClient(), UvClient(command=real_program("uv"))
    async with world_of(directory, front, lifetime=Lifetime(vary="Accept")) as world:
        assert await installed_by(pip, front, directory) == "1.2.3"
        await world.take(Step.FIX_PUBLISHED)

        verdict, _, _ = await world.audit(front, settings={})

        got = [await installed_by(client, front, directory) for client in (pip, uv)]
        assert got == ["1.2.3", "1.2.4"]
        cells = {View.PIP: set[str | None](), View.UV: set[str | None]()}
        for cell in verdict.selections:
            if cell.counts and cell.view in cells:
                cells[cell.view].add(cell.version)
        assert cells == {View.PIP: {"1.2.3"}, View.UV: {"1.2.4"}}
        assert verdict.status is Status.EXPOSED
        assert "split-view" in codes(verdict)


async def installed_by(client: RealClient, front: CachingFront, directory: Path) -> str | None:
    """Install with an empty cache."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        home = Path(name)
        job = Job(index_url=front.simple_url, cache=home / "cache", directory=home)
        return await client.install(job)


async def test_a_404_for_the_fix_is_not_planted_and_one_that_is_kept_is_found(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 5: who asks for the fix before it is out makes a cache refuse it to everybody."""
    nginx = NginxCache(command=real_program("nginx"), more="proxy_cache_valid 404 1m;")
    async with world_of(directory, nginx) as world:
        for settings in AS_OPERATOR_AND_FROM_AFAR:
            await world.audit(nginx, settings=settings)
        asked = [line.path for line in nginx.access_log()]
        assert not [path for path in asked if world.fixed_wheel.filename in path]

        early = await world.file(nginx, world.fixed_wheel)  # somebody's impatient script
        await world.take(Step.FIX_PUBLISHED)
        await nginx.purge(nginx.page_path)
        late = await world.file(nginx, world.fixed_wheel)
        verdict, _, _ = await world.audit(nginx)

        assert (early.status, late.status) == (404, 404)
        assert world.fixed_wheel.filename in told(verdict, "kept-refusal")
        assert "404" in told(verdict, "kept-refusal")
        # The page lists the fix, every client chooses it, and its installs fail.
        assert (verdict.status, verdict.fix.chosen) == (Status.BEHIND, FixChosen.ALL)
        assert world.fixed_wheel.filename in told(verdict, "fix-undelivered")


def keeping_refusals(program: str, command: Path) -> CachingFront:
    """Varnish keeps a 404 for two minutes by itself; squid does so if it is told to."""
    if program == "varnish":
        return VarnishCache(command=command, peek=True)
    clients = tuple(CLIENTS.values())
    return SquidCache(command=command, clients=clients, more="negative_ttl 2 minutes")


@pytest.mark.parametrize("program", ["varnish", "squid"])
async def test_a_404_for_the_fix_is_found_where_only_asking_tells_and_asking_plants_none(
    program: str, real_program: RealProgram, directory: Path
) -> None:
    """Trap 5 without a disk: a page that lists the fix is no fix if its file is refused."""
    front = keeping_refusals(program, real_program(program))
    settings: dict[str, SettingValue] = {"peek": True} if program == "varnish" else {}
    async with world_of(directory, front) as world:
        await world.audit(front, settings=settings)
        asked = [line.path for line in front.access_log()]
        assert not [path for path in asked if world.fixed_wheel.filename in path]

        early = await world.file(front, world.fixed_wheel)
        await world.take(Step.FIX_PUBLISHED)
        await front.refresh()
        late = await world.file(front, world.fixed_wheel)
        before = len(world.upstream.artifact_requests())
        verdict, observation, _ = await world.audit(front, settings=settings)

        assert (early.status, late.status) == (404, 404)
        assert f"404 for {world.fixed_wheel.filename}" in told(verdict, "kept-refusal")
        assert len(world.upstream.artifact_requests()) == before
        assert verdict.status is Status.BEHIND
        touches = {r.touch for r in observation.requests if r.url.endswith(".whl")}
        assert touches == {Touch.INERT}

        await front.purge(world.fixed_wheel.path)
        whole = await world.file(front, world.fixed_wheel)
        verdict, _, _ = await world.audit(front, settings=settings)
        assert whole.body == world.fixed_wheel.content
        assert "kept-refusal" not in codes(verdict)
        assert verdict.status is Status.ROLLED_FORWARD


async def test_no_504_is_planted_in_an_nginx_in_front_of_squid(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 2: nginx passes only-if-cached on, and keeps squid's 504 for everybody."""
    squid = SquidCache(command=real_program("squid"))
    nginx = NginxCache(command=real_program("nginx"), more="proxy_cache_valid any 1m;")
    async with world_of(directory, squid) as world:
        nginx.upstream_url = squid.url
        async with nginx.running(world.upstream, directory):
            held = await world.file(squid, world.wheel)
            verdict, observation, _ = await world.audit(nginx, settings={})
            after = [await world.file(nginx, file) for file in world.script.releases["1.2.3"]]

            assert held.status == 200
            assert verdict.broken.held is HeldState.UNKNOWN
            asked = [line.path for line in nginx.access_log() if line.method == "HEAD"]
            assert not [path for path in asked if path.endswith((".whl", ".gz"))]
            assert [got.status for got in after] == [200, 200]
            assert {page.outcome for page in observation.pages} == {PageOutcome.OBSERVED}

            # Somebody else springs the trap, and the audit says what clients see.
            only = {**CLIENTS[View.UV], "Cache-Control": "only-if-cached"}
            await nginx.purge(nginx.page_path)
            await squid.purge(squid.page_path)
            planted = await world.ask("GET", f"{nginx.url}{nginx.page_path}", only)
            verdict, observation, _ = await world.audit(nginx)
            assert planted.status == 504
            views = {p.view: p.status for p in observation.pages}
            assert views[View.UV] == (await world.page(nginx, View.UV)).status == 504
            assert verdict.status in (Status.UNKNOWN, Status.EXPOSED)
            assert "504" in told(verdict, "kept-refusal")

            # It is kept for the fix's file too, and outlives the day on which the fix comes out.
            file = f"{nginx.url}{world.fixed_wheel.path}"
            await world.ask("GET", file, {"Cache-Control": "only-if-cached"})
            await world.take(Step.FIX_PUBLISHED)
            verdict, _, _ = await world.audit(nginx)
            assert (await world.file(nginx, world.fixed_wheel)).status == 504
            assert f"504 for {world.fixed_wheel.filename}" in told(verdict, "kept-refusal")


async def test_an_empty_file_is_not_planted_by_head_and_one_that_is_kept_is_found(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 3: with `proxy_cache_convert_head off` a HEAD stores an empty file for everybody."""
    nginx = NginxCache(command=real_program("nginx"), more="proxy_cache_convert_head off;")
    async with world_of(directory, nginx, steps=(Step.WARM, Step.BROKEN)) as world:
        await world.take(Step.FIX_PUBLISHED)
        for settings in AS_OPERATOR_AND_FROM_AFAR:
            await world.audit(nginx, settings=settings)
        for file in (*world.script.releases["1.2.3"], world.script.releases["1.2.4"][1]):
            assert (await world.file(nginx, file)).body == file.content

        await world.file(nginx, world.fixed_wheel, "HEAD")  # somebody's monitoring
        empty = await world.file(nginx, world.fixed_wheel)
        verdict, _, _ = await world.audit(nginx)

        assert empty.body == b""
        assert world.fixed_wheel.filename in told(verdict, "corrupt")
        assert verdict.broken.held is HeldState.HELD


def below_a_deletion(
    world: World, front: CachingFront, **settings: SettingValue
) -> tuple[Assignment, Hop]:
    """Delete the broken release with its files, and make what a probe is then handed."""
    wheel, sdist = world.script.releases["1.2.3"]
    world.upstream.index.delete_release("1.2.3", keep_files=False)
    gone = Hop(name="source", kind="pypi", gone=frozenset({wheel.filename, sdist.filename}))
    incident = Incident(
        id="i",
        project="brokenpkg",
        broken=("1.2.3",),
        fixed=("1.2.4",),
        fingerprints=world.known,
    )
    location = Location(
        name=front.name,
        kind="http-cache",
        role=Role.INDEX,
        url=front.simple_url,
        upstream="source",
        settings=settings,
    )
    work = Assignment(
        incident=incident,
        location=location,
        vantage=Vantage(id="here"),
        upstreams=(gone,),
        limits=Limits(8, 4),
        ledger=Ledger(),
        user_agent_suffix="propagation-auditor/test",
        now=lambda: datetime.now(UTC),
    )
    return work, gone


@pytest.mark.parametrize("more", ["proxy_cache_valid any 1m;", "proxy_cache_use_stale error;"])
async def test_bytes_that_have_expired_are_not_asked_for_and_stay(
    more: str, real_program: RealProgram, directory: Path
) -> None:
    """A HEAD would put the 404 of above in place of the bytes, or pass for proof of their lack."""
    nginx = NginxCache(command=real_program("nginx"), more=more)
    async with world_of(directory, nginx, lifetime=Lifetime(pages_s=600, files_s=1)) as world:
        await world.page(nginx)
        await world.file(nginx, world.wheel)
        work, _ = below_a_deletion(world, nginx)
        await asyncio.sleep(2.1)  # until it has expired
        before = nginx.inventory()

        found = await KIND.observe(work)

        assert {h.state for h in found.holdings} == {HeldState.UNKNOWN}
        assert not [r for r in found.requests if r.url.endswith((".whl", ".gz"))]
        assert nginx.inventory() == before != {}
        await world.file(nginx, world.wheel, "HEAD")  # what the audit must not do
        assert (nginx.inventory() == before) is ("stale" in more)


async def test_a_file_that_is_gone_above_is_asked_for_and_its_bytes_are_proof(
    real_program: RealProgram, directory: Path
) -> None:
    """Where the whole chain answers 404, nothing can be fetched: even nginx may be asked."""
    nginx = NginxCache(command=real_program("nginx"))
    async with world_of(directory, nginx) as world:
        wheel, sdist = world.script.releases["1.2.3"]
        await world.file(nginx, wheel)
        work, gone = below_a_deletion(world, nginx, files_expire=False)
        found = await KIND.observe(work)
        states = {h.filename: (h.state, h.sha256) for h in found.holdings}

        assert states[wheel.filename] == (HeldState.HELD, wheel.fingerprint().sha256)
        assert states[sdist.filename] == (HeldState.NOT_HELD, None)
        unsure = replace(work, upstreams=(replace(gone, gone=frozenset()),), ledger=Ledger())
        found = await KIND.observe(unsure)
        assert {h.state for h in found.holdings} == {HeldState.UNKNOWN}
        assert not [r for r in found.requests if r.url.endswith((".whl", ".gz"))]


async def test_a_forward_proxy_is_asked_for_files_under_their_own_addresses(
    real_program: RealProgram, directory: Path
) -> None:
    squid = SquidCache(command=real_program("squid"))
    async with world_of(directory, squid) as world:
        settings = {"url": world.upstream.simple_url, "via": squid.forward_url}
        cold, _, _ = await world.audit(squid, settings=settings)
        url = world.upstream.url_of(world.wheel)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        got = await world.ask("GET", url, headers, proxy=squid.forward_url)
        before = len(world.upstream.artifact_requests())

        warm, observation, _ = await world.audit(squid, settings=settings)
        disk, _, _ = await world.audit(
            squid, settings={**settings, "cache_path": str(squid.cache_path)}
        )

        assert got.status == 200
        assert cold.broken.held is HeldState.NOT_HELD
        assert warm.broken.held is disk.broken.held is HeldState.HELD
        assert observation.proxy == squid.forward_url
        assert len(world.upstream.artifact_requests()) == before


async def test_silent_nginx_tells_no_expiry_and_its_directory_does(
    real_program: RealProgram, directory: Path
) -> None:
    """Trap 8: no Age, and a Date of now; the lifetime is replayed unchanged on every hit."""
    nginx = NginxCache(command=real_program("nginx"), more=IGNORING)
    async with world_of(directory, nginx) as world:
        _, remote, _ = await world.audit(nginx, settings={})
        verdict, local, _ = await world.audit(nginx)
        await world.take(Step.FIX_PUBLISHED)
        verdict, _, _ = await world.audit(nginx)

        assert {page.freshness.expires_at for page in remote.pages} == {None}
        assert any("nothing tells how long" in note for note in remote.notes)
        for page in local.pages:
            until, asked = page.freshness.expires_at, page.freshness.fetched_at
            assert until is not None
            assert asked is not None
            assert 86_000 < (until - asked).total_seconds() <= 86_400
        assert verdict.lag is not None
        assert "86400 s" in verdict.lag.basis


@pytest.mark.parametrize("program", ["squid", "apache"])
async def test_an_expired_file_that_is_still_kept_counts_as_held(
    program: str, real_program: RealProgram, directory: Path
) -> None:
    """Trap 4: only-if-cached alone answers 504 for it, as if its bytes were gone."""
    front = FRONTS[program](command=real_program(program))
    async with world_of(directory, front, lifetime=Lifetime(files_s=1)) as world:
        await world.file(front, world.wheel)
        url = f"{front.url}{world.wheel.path}"
        only = {"Accept": "*/*", "Accept-Encoding": "identity", "Cache-Control": "only-if-cached"}
        async with asyncio.timeout(20):
            await world.until_refused(url, only)
        before = len(world.upstream.artifact_requests())

        afar, _, _ = await world.audit(front, settings={})
        local, _, _ = await world.audit(front)

        assert afar.broken.held is local.broken.held is HeldState.HELD
        assert len(world.upstream.artifact_requests()) == before


@pytest.mark.parametrize("program", FRONTS)
async def test_when_its_page_expires_a_cache_catches_up_by_itself(
    program: str, real_program: RealProgram, directory: Path
) -> None:
    front = FRONTS[program](command=real_program(program))
    async with world_of(directory, front, lifetime=Lifetime(pages_s=1)) as world:
        _, before, _ = await world.audit(front)
        await world.take(Step.FIX_PUBLISHED)
        for view in View:
            async with asyncio.timeout(20):
                await world.until_new(front, view)

        verdict, after, _ = await world.audit(front)

        assert verdict.status is Status.ROLLED_FORWARD
        assert after.stated_lag is not None
        assert after.stated_lag.seconds == 1
        for page in (*before.pages, *after.pages):
            until, asked = page.freshness.expires_at, page.freshness.fetched_at
            if until is not None and asked is not None:
                assert (until - asked).total_seconds() < 2
        known = {page.freshness.expires_at is not None for page in after.pages}
        assert known == {True}
