"""What is printed for an index server is run on it; it rolls forward, and nothing comes back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.lab.artifacts import build_release
from auditor.lab.drive.bandersnatch import BandersnatchMirror
from auditor.lab.drive.devpi import DevpiServers
from auditor.lab.drive.driver import audit_places, observe_places, remembered
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.proxpi import ProxpiCache
from auditor.lab.drive.pypiserver import PypiServers
from auditor.lab.drive.s3 import BUCKET, S3Bucket, page_key
from auditor.lab.drive.subject import Subject
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.experiment.asking import download
from auditor.lab.experiment.scenarios import begin, broken_wheel, play
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Fingerprint, Gets, HeldState, Status, Verdict
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import ROLLED_FORWARD, paste, printed

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-remedies-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


class Story:
    """A program that has the broken release, while its source goes on."""

    def __init__(self, upstream: Upstream, subject: Subject, home: Path) -> None:
        self.upstream, self.subject, self.home = upstream, subject, home
        self.known: tuple[Fingerprint, ...] = ()

    async def remember(self) -> None:
        plan, seen = await observe_places(self.upstream, self.subject.places())
        self.known = remembered((), seen, plan.incidents[0])

    async def audit(self, place: str) -> Verdict:
        run, _ = await audit_places(self.upstream, self.subject.places(), self.known)
        return next(v for v in run.verdicts if v.location.name == place)

    def url(self, place: str) -> str:
        return next(p.index_url for p in self.subject.places() if p.name == place)

    async def gets(self, place: str, requirement: str = PROJECT) -> Gets:
        return await download("--index-url", self.url(place), requirement)

    async def rolls_forward(self, place: str) -> Verdict:
        """It has rolled forward, and has so still after another client has asked."""
        first = await self.audit(place)
        assert first.status in ROLLED_FORWARD
        assert await self.gets(place) is Gets.FIX
        again = await self.audit(place)
        assert again.status in ROLLED_FORWARD
        return again

    async def is_rid_of_it(self, place: str) -> None:
        """Nobody gets it, also not after somebody has asked for it."""
        for _ in range(2):
            verdict = await self.audit(place)
            assert verdict.broken.held is HeldState.NOT_HELD
            assert await self.gets(place, f"{PROJECT}=={BROKEN}") is Gets.NOTHING


@asynccontextmanager
async def story_of(subject: Subject, home: Path, place: str) -> AsyncIterator[Story]:
    """Install the broken release from a place before anybody knows."""
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        async with subject.running(upstream, home):
            story = Story(upstream, subject, home)
            assert await story.gets(place) is Gets.BROKEN
            await story.remember()
            yield story


@pytest.mark.heavy
@pytest.mark.real_program("curl")
async def test_devpi_rolls_forward_by_its_refresh_and_loses_the_file_by_its_own_url(
    real_program: RealProgram, directory: Path
) -> None:
    subject = DevpiServers(command=real_program("devpi-server"), expiry_s=1800, with_replica=False)
    async with story_of(subject, directory, "mirror") as story:
        await play(Deed.ROLLED_FORWARD, story.upstream)
        before = await story.audit("mirror")
        assert before.status is Status.EXPOSED
        await paste(printed(before, "curl -fsS -X POST"), directory)
        rolled = await story.rolls_forward("mirror")
        assert rolled.broken.held is HeldState.HELD

        await play(Deed.DELETED_FILE_GONE, story.upstream)
        assert "DELETE its own +f URL" in printed(rolled, "to remove")
        await subject.remove("root/mir", *(a.filename for a in build_release(PROJECT, BROKEN)))
        await paste(f"curl -fsS -X POST {story.url('mirror')}{PROJECT}/refresh", directory)
        await story.is_rid_of_it("mirror")
        assert await story.gets("mirror") is Gets.FIX


@pytest.mark.heavy
async def test_a_stage_that_hides_the_fix_rolls_forward_by_an_upload_to_it(
    real_program: RealProgram, directory: Path
) -> None:
    subject = DevpiServers(command=real_program("devpi-server"), with_replica=False)
    async with story_of(subject, directory, "closed stage") as story:
        await play(Deed.FIXED_THEN_YANKED, story.upstream)
        before = await story.audit("closed stage")
        assert before.status is Status.EXPOSED
        assert "to this stage" in printed(before, "# upload ")
        for artifact in build_release(PROJECT, FIXED):
            await subject.upload("root/closed", artifact)
        rolled = await story.rolls_forward("closed stage")
        assert rolled.broken.held is HeldState.HELD


@pytest.mark.heavy
@pytest.mark.real_program("nginx")
@pytest.mark.parametrize("part", [f"sync {PROJECT}", "bandersnatch.conf mirror"])
async def test_bandersnatch_rolls_forward_by_either_command(
    part: str, real_program: RealProgram, directory: Path
) -> None:
    subject = BandersnatchMirror(command=real_program("bandersnatch"), nginx=real_program("nginx"))
    async with story_of(subject, directory, "both") as story:
        await play(Deed.ROLLED_FORWARD, story.upstream)
        command = printed(await story.audit("both"), part)
        await bandersnatch(command, subject)
        await story.rolls_forward("both")


@pytest.mark.heavy
@pytest.mark.real_program("nginx")
async def test_bandersnatch_loses_a_project_that_is_gone_at_its_source_by_delete(
    real_program: RealProgram, directory: Path
) -> None:
    subject = BandersnatchMirror(command=real_program("bandersnatch"), nginx=real_program("nginx"))
    async with story_of(subject, directory, "both") as story:
        command = printed(await story.audit("both"), f"delete {PROJECT}")
        await play(Deed.PROJECT_DELETED, story.upstream)
        await subject.refresh()
        assert await story.gets("both") is Gets.BROKEN
        await bandersnatch(command, subject, offline=True)
        assert broken_wheel().filename not in subject.inventory()
        assert await story.gets("both") is Gets.NOTHING
        with pytest.raises(UsageError, match="no location knows"):
            await story.audit("both")


@pytest.mark.heavy
@pytest.mark.real_program("nginx")
async def test_bandersnatch_loses_the_orphans_of_what_its_source_deleted_by_verify(
    real_program: RealProgram, directory: Path
) -> None:
    subject = BandersnatchMirror(command=real_program("bandersnatch"), nginx=real_program("nginx"))
    async with story_of(subject, directory, "both") as story:
        await play(Deed.ROLLED_FORWARD, story.upstream)
        await play(Deed.DELETED_FILE_GONE, story.upstream)
        await subject.refresh()
        before = await story.rolls_forward("both")
        assert before.broken.held is HeldState.SHADOWED
        dry = await bandersnatch(printed(before, "--dry-run --delete"), subject, offline=True)
        assert broken_wheel().filename in dry
        assert broken_wheel().filename in subject.inventory()
        await bandersnatch(printed(before, "verify --delete"), subject, offline=True)
        await story.is_rid_of_it("both")
        assert (await story.audit("both")).status is Status.CLEAN


async def bandersnatch(command: str, subject: BandersnatchMirror, *, offline: bool = False) -> str:
    """Run it with its own settings; `verify` and `delete` refuse a master without TLS."""
    settings = subject.home / "bandersnatch.conf"
    if offline:
        text = settings.read_text(encoding="utf-8").replace("master = http:", "master = https:")
        settings = settings.with_name("offline.conf")
        settings.write_text(text, encoding="utf-8")
    ours = {"/etc/bandersnatch.conf": str(settings)}
    return await paste(command, subject.home, instead=ours, path=subject.command.parent)


@pytest.mark.heavy
@pytest.mark.real_program("curl")
async def test_proxpi_rolls_forward_by_its_delete_and_loses_the_file_while_it_is_stopped(
    real_program: RealProgram, directory: Path
) -> None:
    subject = ProxpiCache(command=real_program("proxpi"))
    async with serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        story = Story(upstream, subject, directory)
        async with subject.running(upstream, directory):
            await story.remember()
            await play(Deed.ROLLED_FORWARD, upstream)
            before = await story.audit("with disk")
            assert before.status is Status.EXPOSED
            await paste(printed(before, "curl"), directory)
            rolled = await story.rolls_forward("with disk")
            assert rolled.broken.held is HeldState.HELD
            assert "stop proxpi" in printed(rolled, "below PROXPI_CACHE_DIR")
        await play(Deed.DELETED_FILE_GONE, upstream)
        for name in (a.filename for a in build_release(PROJECT, BROKEN)):
            for path in [*subject.cache.rglob(name), *subject.cache.rglob(f"{name}.metadata")]:
                path.unlink()
        async with subject.serving(upstream.simple_url, directory):
            await story.is_rid_of_it("with disk")
            assert await story.gets("with disk") is Gets.FIX


async def test_pypiserver_rolls_forward_by_a_download_and_loses_what_is_removed(
    real_program: RealProgram, directory: Path
) -> None:
    subject = PypiServers(command=real_program("pypiserver"))
    async with story_of(subject, directory, "local with disk") as story:
        await play(Deed.ROLLED_FORWARD, story.upstream)
        before = await story.audit("local with disk")
        assert before.status is Status.EXPOSED
        index = {"PIP_INDEX_URL": story.upstream.simple_url, "PIP_TRUSTED_HOST": "127.0.0.1"}
        await paste(printed(before, "pip download"), directory, **index)
        rolled = await story.rolls_forward("local with disk")
        assert "remove it and the other files" in printed(rolled, "pypiserver serves")
        for artifact in build_release(PROJECT, BROKEN):
            (subject.local.root / artifact.filename).unlink()
        await story.is_rid_of_it("local with disk")
        assert await story.gets("local with disk") is Gets.FIX


@pytest.mark.heavy
@pytest.mark.parametrize("versioned", [True, False])
async def test_a_bucket_rolls_forward_with_its_index_and_loses_every_version(
    versioned: bool, real_program: RealProgram, directory: Path
) -> None:
    subject = S3Bucket(command=real_program("moto"), versioned=versioned)
    async with story_of(subject, directory, "bucket") as story:
        await play(Deed.FIXED_THEN_YANKED, story.upstream)
        before = await story.audit("bucket")
        assert "make the static index" in printed(before, "static index")
        await subject.refresh()
        rolled = await story.rolls_forward("bucket")
        assert "list-object-versions" in printed(rolled, "every version")
        await asyncio.to_thread(remove_versions, subject)
        await play(Deed.DELETED_FILE_GONE, story.upstream)
        await subject.refresh()
        await asyncio.to_thread(remove_versions, subject)
        await story.is_rid_of_it("bucket")
        assert (await story.audit("bucket")).status is Status.CLEAN


def remove_versions(subject: S3Bucket) -> None:
    """What the two printed calls of `aws s3api` do."""
    files = {f"{page_key()}{a.filename}" for a in build_release(PROJECT, BROKEN)}
    for key, version in [*subject.versions(), *subject.versions(markers=True)]:
        if key.removesuffix(".metadata") in files:
            subject.client().delete_object(Bucket=BUCKET, Key=key, VersionId=version)
