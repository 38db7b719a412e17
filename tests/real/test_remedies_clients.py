"""What is printed for a client's cache or a wheelhouse is run on it, and nothing comes back."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.driver import audit_places, observe_places, remembered
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.subject import Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.experiment.client_caches import (
    ClientCache,
    PdmCache,
    PipCache,
    PoetryCache,
    UvCache,
    Wheelhouse,
)
from auditor.lab.experiment.scenarios import begin, broken_wheel, play
from auditor.lab.index import EmbeddedIndex
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Fingerprint, HeldState, Status, Verdict
from auditor.verdict.behaviour import Deed
from tests.real.remedy_runs import ROLLED_FORWARD, paste, printed

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]


@dataclass
class Kept:
    """A directory that somebody filled before the fix came out."""

    client: ClientCache
    upstream: Upstream
    known: tuple[Fingerprint, ...]

    async def audit(self, *more: Place, name: str | None = None) -> Verdict:
        places = [*self.client.places(), *more]
        run, _ = await audit_places(self.upstream, places, self.known)
        wanted = name or self.client.kind
        return next(v for v in run.verdicts if v.location.name == wanted)

    async def paste(self, command: str, **environment: str) -> str:
        index = self.upstream.simple_url
        given = {
            "PIP_INDEX_URL": index,
            "PIP_TRUSTED_HOST": LOOPBACK,
            "UV_INDEX_URL": index,
            "UV_INSECURE_HOST": LOOPBACK,
            "UV_NO_CONFIG": "1",
        }
        home = self.client.home
        beside = self.client.command.parent
        mine = {**given, **self.client.environment, **environment}
        return await paste(command, home, path=beside, **mine)


@asynccontextmanager
async def kept_by(client: ClientCache, home: Path) -> AsyncIterator[Kept]:
    serving = serving_together(EmbeddedIndex(PROJECT), Lifetime())
    async with preloaded_pip(), serving as upstream:
        begin(upstream.index)
        async with client.running(upstream, home / "client"):
            plan, seen = await observe_places(upstream, client.places())
            known = remembered((), seen, plan.incidents[0])
            await play(Deed.FIXED_THEN_YANKED, upstream)
            yield Kept(client, upstream, known)


CACHES: dict[str, tuple[type[ClientCache], str, tuple[str, ...]]] = {
    "pip": (PipCache, "pip cache purge", ()),
    "uv": (UvCache, "uv cache clean", ()),
    "poetry": (PoetryCache, "rm --recursive", ()),
    "pdm": (PdmCache, "pdm cache clear", ()),
}


@pytest.mark.parametrize(
    "name", ["pip", "uv", *(pytest.param(n, marks=pytest.mark.heavy) for n in ("poetry", "pdm"))]
)
async def test_what_is_printed_removes_the_broken_bytes_and_no_install_brings_them_back(
    name: str, real_program: RealProgram, tmp_path: Path
) -> None:
    make, part, _ = CACHES[name]
    async with kept_by(make(command=real_program(name)), tmp_path) as kept:
        before = await kept.audit()
        assert before.broken.held is HeldState.HELD
        # Poetry's is printed for who no longer trusts the page.
        command = printed(before, part) if name != "poetry" else removal(before)
        await kept.paste(command)
        assert (await kept.audit()).broken.held is HeldState.NOT_HELD
        # Another client fills the same cache.
        if name in ("pip", "uv"):
            install = {"pip": f"{sys.executable} -m pip", "uv": "uv pip"}[name]
            target = f"--target {tmp_path / 'again'} --no-deps"
            python = f" --python {sys.executable}" if name == "uv" else ""
            cache = f"--cache-dir {kept.client.cache}"
            await kept.paste(f"{install} install {cache} {target}{python} {PROJECT}")
            assert (tmp_path / "again" / f"{PROJECT}-{FIXED}.dist-info").exists()
            after = await kept.audit()
            assert (after.status, after.broken.held) == (Status.CLEAN, HeldState.NOT_HELD)


def removal(verdict: Verdict) -> str:
    """What Poetry's kind declares for a cache whose page has expired."""
    from probes.poetry_cache import KIND

    (command,) = [r.command for r in KIND.facts().remedies if "rm --recursive" in r.command]
    return command.replace("{path}", str(verdict.location.path))


@pytest.mark.parametrize("name", ["pip", "uv"])
async def test_a_client_that_is_told_to_refresh_gets_the_fix_and_so_does_the_next_one(
    name: str, real_program: RealProgram, tmp_path: Path
) -> None:
    make = CACHES[name][0]
    async with kept_by(make(command=real_program(name)), tmp_path) as kept:
        before = await kept.audit()
        if before.status is not Status.EXPOSED:
            pytest.skip(f"this {name} does not trust the page that it keeps")
        python = f" --python {sys.executable}" if name == "uv" else ""
        first, second = (f" --no-deps --target {tmp_path / t}{python}" for t in ("one", "two"))
        await kept.paste(printed(before, "--refresh-package") + first)
        after = await kept.audit()
        assert (after.status, after.broken.held) == (Status.LATENT, HeldState.HELD)
        install = {"pip": "python -m pip", "uv": "uv pip"}[name]
        cache = f"--cache-dir {kept.client.cache}"
        await kept.paste(f"{install} install {cache} {PROJECT}{second}")
        for target in ("one", "two"):
            assert (tmp_path / target / f"{PROJECT}-{FIXED}.dist-info").exists()
        assert (await kept.audit()).status is Status.LATENT


@pytest.mark.heavy
async def test_poetry_locks_the_fix_without_its_cache_or_after_clearing_its_source(
    real_program: RealProgram, tmp_path: Path
) -> None:
    async with kept_by(PoetryCache(command=real_program("poetry")), tmp_path) as kept:
        project = kept.client.home / "project"
        widen(project)
        before = await kept.audit()
        assert before.status is Status.EXPOSED
        here = f"cd {project} && "
        await kept.paste(here + printed(before, "update --no-cache --lock"))
        assert locked(project / "poetry.lock") == FIXED
        clear = printed(before, "cache clear --all").replace("SOURCE", "lab")
        await kept.paste(clear)
        assert (await kept.audit()).status is Status.LATENT
        (project / "poetry.lock").unlink()
        await kept.paste(f"{here}poetry lock")
        assert locked(project / "poetry.lock") == FIXED


async def test_a_wheelhouse_rolls_forward_by_a_download_and_loses_what_is_removed(
    real_program: RealProgram, tmp_path: Path
) -> None:
    async with kept_by(Wheelhouse(command=real_program("pip")), tmp_path) as kept:
        before = await kept.audit()
        assert before.status is Status.EXPOSED
        await kept.paste(printed(before, "pip download"))
        rolled = await kept.audit()
        assert rolled.status is Status.ROLLED_FORWARD
        await kept.paste(printed(rolled, "rm -- "))
        assert not (kept.client.cache / broken_wheel().filename).exists()
        assert (await kept.audit()).status is Status.CLEAN
        got = await kept.client.ask()
        assert {got["unpinned"], got["pinned"], got["by-url"]} == {"fix", "error"}
        assert (await kept.audit()).status is Status.CLEAN


LOCKS = {
    "uv": ("uv.lock", "uv lock --upgrade-package"),
    "poetry": ("poetry.lock", "poetry update"),
    "pdm": ("pdm.lock", "pdm cache clear && pdm update"),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", LOCKS)
async def test_a_lock_moves_to_the_fix_by_what_is_printed_for_it(
    name: str, real_program: RealProgram, tmp_path: Path
) -> None:
    file, part = LOCKS[name]
    async with kept_by(CACHES[name][0](command=real_program(name)), tmp_path) as kept:
        project = kept.client.home / "project"
        if name == "uv":
            project.mkdir()
            text = '[project]\nname = "user"\nversion = "0"\nrequires-python = ">=3.11"\n'
            text += f'dependencies = ["{PROJECT}>=1.2"]\n[[tool.uv.index]]\ndefault = true\n'
            text += f'url = "{kept.upstream.simple_url}"\n'
            (project / "pyproject.toml").write_text(text, encoding="utf-8")
            cache = f"UV_CACHE_DIR={kept.client.cache} UV_NO_CONFIG=0"
            await kept.paste(f"cd {project} && {cache} uv lock -P {PROJECT}=={BROKEN}")
        else:
            widen(project)
        lock = project / file
        table = {"kind": "lockfile", "path": str(lock)}
        place = Place(name="lock", table=table, index_url=kept.upstream.simple_url)
        before = await kept.audit(place, name="lock")
        assert before.status is Status.PINNED
        command = printed(before, part)
        extra = {"UV_CACHE_DIR": str(kept.client.cache)} if name == "uv" else {}
        if name == "poetry":
            await kept.paste(f"cd {project} && poetry cache clear --all --no-interaction lab")
            command += " --lock"
        await kept.paste(f"cd {project} && {command}", **extra)
        assert locked(lock) == FIXED
        assert (await kept.audit(place, name="lock")).status in ROLLED_FORWARD


def widen(project: Path) -> None:
    """Let the project take any release from now on."""
    file = project / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f"{PROJECT}=={BROKEN}", f"{PROJECT}>=1.2"), encoding="utf-8")


def locked(lock: Path) -> str:
    """The version of the project that a lock pins."""
    import tomllib

    document = tomllib.loads(lock.read_text(encoding="utf-8"))
    (entry,) = [p for p in document["package"] if p["name"] == PROJECT]
    return str(entry["version"])


@pytest.mark.heavy
@pytest.mark.parametrize("tool", ["pip", "uv"])
async def test_an_environment_gets_the_fix_by_what_is_printed_for_it(
    tool: str, real_program: RealProgram, tmp_path: Path
) -> None:
    async with kept_by(PipCache(command=real_program("pip")), tmp_path) as kept:
        place = tmp_path / "venv"
        await kept.paste(f"{sys.executable} -m venv {place}")
        old = f"{place}/bin/python -m pip install --no-deps {PROJECT}=={BROKEN}"
        await kept.paste(old)
        table = {"kind": "environment", "path": str(place)}
        here = Place(name="venv", table=table, index_url=kept.upstream.simple_url)
        before = await kept.audit(here, name="venv")
        assert before.status is Status.PINNED
        part = {"pip": "/bin/python -m pip", "uv": "uv pip install --python"}[tool]
        await kept.paste(printed(before, part))
        assert (await kept.audit(here, name="venv")).status in ROLLED_FORWARD
