"""What is printed for whoever locks or publishes is run by the programs that it names."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive.driver import audit_places
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.pypiserver import PypiServer
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.experiment.asking import download
from auditor.lab.experiment.scenarios import begin, play
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, FIXED, GOOD, PROJECT
from auditor.model import Gets, Status, Verdict
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import ROLLED_FORWARD, paste, printed

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]
ANY = f"{PROJECT}>=1.2"


@dataclass(frozen=True)
class Project:
    """A project that was locked while the broken release was the newest one."""

    upstream: Upstream
    home: Path
    commands: Path

    async def paste(self, command: str, **more: str) -> str:
        """In the project's directory."""
        environment = {
            "PIP_INDEX_URL": self.upstream.simple_url,
            "PIP_TRUSTED_HOST": LOOPBACK,
            "PIP_TOOLS_CACHE_DIR": str(self.home / "pip-tools-cache"),
            "PIPENV_CACHE_DIR": str(self.home / "pipenv-cache"),
            "PIPENV_NOSPIN": "1",
            # The environment that it runs in will do: it only locks.
            "VIRTUAL_ENV": str(self.commands.parent),
            "UV_CACHE_DIR": str(self.home / "uv-cache"),
            "UV_INSECURE_HOST": LOOPBACK,
            **more,
        }
        here = f"cd {shlex.quote(str(self.home))} && {command}"
        return await paste(here, self.home, path=self.commands, **environment)

    async def audit(self, lock: str) -> Verdict:
        """Look at one of its locks."""
        table = {"kind": "lockfile", "path": str(self.home / lock)}
        place = Place(name="lock", table=table, index_url=self.upstream.simple_url)
        run, _ = await audit_places(self.upstream, [place])
        return next(v for v in run.verdicts if v.location.name == "lock")

    async def fixed(self) -> None:
        """The fix comes out, and the broken release is yanked."""
        await play(Deed.FIXED_THEN_YANKED, self.upstream)


@asynccontextmanager
async def project(home: Path, commands: Path) -> AsyncIterator[Project]:
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        yield Project(upstream, home, commands)


async def test_pipenv_locks_the_fix_by_what_is_printed(
    real_program: RealProgram, tmp_path: Path
) -> None:
    async with project(tmp_path, real_program("pipenv").parent) as user:
        write_pipfile(user)
        # As pipenv writes it; to let it do so takes as long again.
        hashes = [f"sha256:{a.sha256}" for a in build_release(PROJECT, BROKEN)]
        pin = {"hashes": hashes, "index": "lab", "version": f"=={BROKEN}"}
        lock = {"_meta": {"pipfile-spec": 6}, "default": {PROJECT: pin}, "develop": {}}
        (tmp_path / "Pipfile.lock").write_text(json.dumps(lock), encoding="utf-8")
        await user.fixed()
        await moves_by_what_is_printed(user)


@pytest.mark.heavy
async def test_pipenv_finds_no_fix_while_it_trusts_its_cached_page(
    real_program: RealProgram, tmp_path: Path
) -> None:
    """The trap that the printed command steps around; should it go, so should the warning."""
    async with project(tmp_path, real_program("pipenv").parent) as user:
        write_pipfile(user)
        await user.paste("pipenv lock")
        await user.fixed()
        for option in ("", " --clear"):
            said = await user.paste(f"! pipenv upgrade{option} '{PROJECT}>={FIXED}' 2>&1")
            assert "No matching distribution" in said
            assert (await user.audit("Pipfile.lock")).status is Status.PINNED
        await moves_by_what_is_printed(user)


def write_pipfile(user: Project) -> None:
    (user.home / "Pipfile").write_text(
        f'[[source]]\nname = "lab"\nurl = "{user.upstream.simple_url}"\nverify_ssl = false\n'
        f'[packages]\n{PROJECT} = ">=1.2"\n',
        encoding="utf-8",
    )


async def moves_by_what_is_printed(user: Project) -> None:
    before = await user.audit("Pipfile.lock")
    assert before.status is Status.PINNED
    await user.paste(printed(before, "pipenv upgrade"))
    after = await user.audit("Pipfile.lock")
    assert after.status in ROLLED_FORWARD
    assert after.broken.files == ()


@pytest.mark.parametrize(("options", "keeps_hashes"), [("", False), (" --generate-hashes", True)])
async def test_pip_compile_moves_to_the_fix_with_hashes_only_if_it_is_told_again(
    options: str, keeps_hashes: bool, real_program: RealProgram, tmp_path: Path
) -> None:
    async with project(tmp_path, real_program("pip-tools").parent) as user:
        (tmp_path / "requirements.in").write_text(f"{ANY}\n", encoding="utf-8")
        lock = tmp_path / "requirements.txt"
        digests = "".join(f" --hash=sha256:{a.sha256}" for a in build_release(PROJECT, BROKEN))
        lock.write_text(f"{PROJECT}=={BROKEN}{digests}\n", encoding="utf-8")
        await user.fixed()
        before = await user.audit(lock.name)
        assert before.status is Status.PINNED
        remedy = next(r for r in before.remedies if r.command.startswith("pip-compile"))
        assert "--generate-hashes" in remedy.caution

        await user.paste(f"{remedy.command}{options}")

        assert (await user.audit(lock.name)).status in ROLLED_FORWARD
        assert ("--hash=" in lock.read_text(encoding="utf-8")) is keeps_hashes


async def test_a_line_of_constraints_keeps_every_later_install_away_from_the_broken_release(
    real_program: RealProgram, tmp_path: Path
) -> None:
    async with project(tmp_path, real_program("pip").parent) as user:
        (tmp_path / "requirements.txt").write_text(f"{PROJECT}=={BROKEN}\n", encoding="utf-8")
        before = await user.audit("requirements.txt")
        await user.paste(printed(before, "echo "))

        index = ("--index-url", user.upstream.simple_url)
        constrained = ("--constraint", str(tmp_path / "constraints.txt"), ANY)
        assert await download(*index, ANY) is Gets.BROKEN
        assert await download(*index, *constrained) is Gets.OLDER
        await user.fixed()
        assert await download(*index, *constrained) is Gets.FIX


async def test_uv_exports_the_fix_into_a_pylock(real_program: RealProgram, tmp_path: Path) -> None:
    async with project(tmp_path, real_program("uv").parent) as user:
        text = (
            '[project]\nname = "user"\nversion = "0"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["{ANY}"]\n[[tool.uv.index]]\ndefault = true\n'
            f'url = "{user.upstream.simple_url}"\n'
        )
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        await user.paste(f"uv lock -P {PROJECT}=={BROKEN} && uv export --quiet -o pylock.toml")
        await user.fixed()
        before = await user.audit("pylock.toml")
        assert before.status is Status.PINNED
        # uv asks for its cached page again only once that has expired.
        await user.paste(printed(before, "uv export"), UV_CACHE_DIR=str(tmp_path / "another"))
        assert (await user.audit("pylock.toml")).status in ROLLED_FORWARD


async def test_the_printed_exemption_brings_the_fix_past_an_age_of_uploads(
    real_program: RealProgram, tmp_path: Path
) -> None:
    commands, now = real_program("uv").parent, datetime.now(UTC)
    async with preloaded_pip(), serving(EmbeddedIndex(PROJECT)) as upstream:
        for version, days in ((GOOD, 60), (BROKEN, 30), (FIXED, 0)):
            at = now - timedelta(days=days)
            upstream.index.publish(*build_release(PROJECT, version), at=at)
        user = Project(upstream, tmp_path, commands)
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "user"\nversion = "0"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["{ANY}"]\n[tool.uv]\n'
            f'exclude-newer = "{now - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"\n'
            f'[[tool.uv.index]]\ndefault = true\nurl = "{upstream.simple_url}"\n',
            encoding="utf-8",
        )
        await user.paste("uv lock")
        assert (await user.audit("uv.lock")).status is Status.PINNED
        table = {"kind": "simple", "url": upstream.simple_url, "exclude_newer": "7 days"}
        cooled = Place(name="cooled", table=table, index_url=upstream.simple_url)
        run, _ = await audit_places(upstream, [cooled])
        before = next(v for v in run.verdicts if v.location.name == "cooled")
        assert before.status is Status.EXPOSED
        command = printed(before, "--exclude-newer-package")
        await user.paste(f"uv lock --upgrade-package {PROJECT}")
        assert (await user.audit("uv.lock")).status is Status.PINNED
        await user.paste(command)
        assert (await user.audit("uv.lock")).status in ROLLED_FORWARD


async def test_what_twine_uploads_to_the_source_is_what_everybody_gets_from_then_on(
    real_program: RealProgram, tmp_path: Path
) -> None:
    uploads = ("--passwords", ".", "--authenticate", ".")
    origin = PypiServer(command=real_program("pypiserver"), name="origin", options=uploads)
    commands = real_program("twine").parent
    dist = tmp_path / "dist"
    dist.mkdir()
    for artifact in build_release(PROJECT, FIXED):
        (dist / artifact.filename).write_bytes(artifact.content)
    async with preloaded_pip(), origin.running(f"http://{LOOPBACK}:9/", tmp_path):
        origin.put(*build_release(PROJECT, GOOD), *build_release(PROJECT, BROKEN))
        # The source, and the same server as somebody else's.
        table = {"kind": "pypiserver", "url": origin.simple_url, "path": str(origin.root)}
        as_server = Place(name="server", table=table, index_url=origin.simple_url)

        async def audit() -> dict[str, Verdict]:
            run, _ = await audit_places(origin, [as_server])
            return {v.location.name: v for v in run.verdicts}

        before = await audit()
        assert before["source"].status is before["server"].status is Status.EXPOSED
        assert await download("--index-url", origin.simple_url, PROJECT) is Gets.BROKEN
        credentials = {
            "TWINE_REPOSITORY_URL": origin.url,
            "TWINE_USERNAME": "user",
            "TWINE_PASSWORD": "secret",
            "TWINE_NON_INTERACTIVE": "1",
        }
        command = printed(before["source"], "twine upload")
        await paste(command, tmp_path, path=commands, **credentials)
        for _ in range(2):
            after = await audit()
            assert after["source"].status in ROLLED_FORWARD
            assert after["server"].status in ROLLED_FORWARD
            assert await download("--index-url", origin.simple_url, PROJECT) is Gets.FIX
        # The caution beside it: no name can be used again.
        await paste(f"! {command}", tmp_path, path=commands, **credentials)
