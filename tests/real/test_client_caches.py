"""Kinds `uv-cache`, `poetry-cache` and `pdm-cache` against caches that the real clients filled."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Ledger, ProbeKind
from auditor.lab.drive.process import CompletedRun, run
from auditor.model import (
    Fingerprint,
    HeldState,
    Holding,
    Incident,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Plan,
    Role,
    Status,
    Vantage,
    Verdict,
    View,
)
from auditor.selection import parse_environment
from auditor.verdict import judge
from probes import pdm_cache, poetry_cache, uv_cache

from .conftest import Upstream

pytestmark = [pytest.mark.real, pytest.mark.slow]

PAGE_LIFETIME = timedelta(seconds=600)
Find = Callable[[str], Path]
KINDS = {kind.name: kind for kind in (uv_cache.KIND, poetry_cache.KIND, pdm_cache.KIND)}


class NoLimits:
    """These kinds send no request."""

    def slot(self, host: str) -> None:  # type: ignore[override]  # never asked
        raise AssertionError(f"a request to {host}")


def incident_of(*prints: Fingerprint) -> Incident:
    return Incident(
        id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",), fingerprints=prints
    )


async def look(
    kind: ProbeKind, cache: Path, *prints: Fingerprint, later: timedelta = timedelta()
) -> Observation:
    return await kind.observe(
        Assignment(
            incident=incident_of(*prints),
            location=Location(name="c", kind=kind.name, role=Role.STORE, path=str(cache)),
            vantage=Vantage(id="test"),
            limits=NoLimits(),
            ledger=Ledger(),
            user_agent_suffix="",
            now=lambda: datetime.now(UTC) + later,
        )
    )


def judged(kind: ProbeKind, observation: Observation) -> Verdict:
    plan = Plan(
        incidents=(incident_of(),),
        locations=(Location(name="c", kind=kind.name, role=Role.STORE, path="cache"),),
        vantage=Vantage(id="test"),
        environments=(parse_environment("cp311-manylinux_2_28_x86_64"),),
        kinds={kind.name: kind.facts()},
        tool_version="0",
        created_at=observation.started_at,
    )
    (found,) = judge(plan, [observation])
    (verdict,) = found.verdicts
    return verdict


async def status(kind: ProbeKind, cache: Path, later: timedelta = timedelta()) -> Status:
    return judged(kind, await look(kind, cache, later=later)).status


def broken(observation: Observation) -> list[Holding]:
    assert observation.outcome is Outcome.OBSERVED, observation.detail
    return [h for h in observation.holdings if h.version == "1.2.3"]


def snapshot(directory: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a directory: names, sizes, contents, and when it was changed or read."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(directory.rglob("*")):
        s = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        found[str(path)] = (
            *(s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_atime_ns if is_file else 0),
        )
    for name in found:
        path = Path(name)
        if path.is_file() and not path.is_symlink():
            found[name] += (hashlib.sha256(path.read_bytes()).hexdigest(),)
    return found


async def look_without_a_trace(kind: ProbeKind, cache: Path, *prints: Fingerprint) -> Observation:
    # The first reading of a file by the test itself moves its access time.
    snapshot(cache)
    before = snapshot(cache)
    observation = await look(kind, cache, *prints)
    assert before == snapshot(cache)
    assert not observation.requests
    return observation


def lives_as_long_as_stated(page: Page) -> bool:
    """Whether it expires in time, counted from when its answer was made.

    A Date has whole seconds, and the answer is kept a moment later.
    """
    fetched, expires = page.freshness.fetched_at, page.freshness.expires_at
    assert fetched is not None
    assert expires is not None
    return timedelta() <= fetched + PAGE_LIFETIME - expires <= timedelta(seconds=2)


def exposed_until(verdict: Verdict) -> str:
    (reason,) = [reason for reason in verdict.reasons if reason.code == "exposed"]
    return reason.observed


# -- uv


class Uv:
    """uv with a cache of its own."""

    kind = uv_cache.KIND

    def __init__(self, program: Path, home: Path, index_url: str = "") -> None:
        self.program, self.home, self.index_url = program, home, index_url
        self.cache = home / "uv"
        self._targets = 0

    async def call(self, *words: str | Path) -> CompletedRun:
        return await run(
            [self.program, *words, "--no-config", "--cache-dir", self.cache], home=self.home
        )

    async def install(self, *words: str | Path) -> CompletedRun:
        self._targets += 1
        target = self.home / f"installed-{self._targets}"
        index = ("--index-url", self.index_url) if self.index_url else ("--no-index",)
        python = ("--python", sys.executable, "--target", target)
        return await self.call("pip", "install", *index, *python, *words)


@pytest.fixture
def uv(real_program: Find, upstream: Upstream, tmp_path: Path) -> Uv:
    return Uv(real_program("uv"), tmp_path, upstream.server.simple_url)


async def test_what_uv_unpacked_is_found_by_name_digest_and_url(uv: Uv, upstream: Upstream) -> None:
    wheel = upstream.releases["1.2.3"][0]
    done = await uv.install("brokenpkg")
    assert done.returncode == 0, done.stderr

    by_name = await look_without_a_trace(uv.kind, uv.cache)
    digest = Fingerprint(sha256=wheel.sha256, filename="named-by-digest", version="1.2.3")
    by_digest = await look_without_a_trace(uv.kind, uv.cache, digest)
    url = Fingerprint(url=upstream.url(wheel), filename=wheel.filename, version="1.2.3")
    by_url = await look_without_a_trace(uv.kind, uv.cache, url)

    for observation in (by_name, by_digest, by_url):
        assert observation.holdings_complete
        (held,) = broken(observation)
        assert (wheel.filename, wheel.sha256) == (held.filename, held.sha256)
        assert (held.state, held.intact) == (HeldState.HELD, True)
        assert "every file is as its RECORD says" in held.how
    assert not (await look(uv.kind, uv.cache)).notes


async def test_uv_is_exposed_until_its_page_expires_then_latent_then_clean(
    uv: Uv, upstream: Upstream
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    await uv.install("brokenpkg")
    upstream.publish_fix()
    asked = len(upstream.server.log)
    again = await uv.install("brokenpkg")
    assert "brokenpkg==1.2.3" in again.stderr
    assert asked == len(upstream.server.log)

    observation = await look(uv.kind, uv.cache)
    (page,) = observation.pages
    assert (View.UV, f"{upstream.server.simple_url}brokenpkg/") == (page.view, page.url)
    fetched, expires = page.freshness.fetched_at, page.freshness.expires_at
    assert fetched is not None
    assert before <= fetched <= datetime.now(UTC)
    assert lives_as_long_as_stated(page)
    verdict = judged(uv.kind, observation)
    assert verdict.status is Status.EXPOSED
    assert f"until {expires:%Y-%m-%d %H:%M:%S} UTC" in exposed_until(verdict)
    assert await status(uv.kind, uv.cache, PAGE_LIFETIME * 2) is Status.LATENT

    refreshed = await uv.install("brokenpkg", "--refresh-package", "brokenpkg")
    assert "brokenpkg==1.2.4" in refreshed.stderr
    assert await status(uv.kind, uv.cache) is Status.LATENT
    await uv.call("cache", "prune")
    assert await status(uv.kind, uv.cache) is Status.LATENT
    await uv.call("cache", "clean", "brokenpkg")
    assert await status(uv.kind, uv.cache) is Status.CLEAN


async def test_a_source_that_uv_unpacked_and_what_it_built_are_told_apart(
    uv: Uv, upstream: Upstream
) -> None:
    sdist = upstream.releases["1.2.3"][1]
    done = await uv.install("brokenpkg==1.2.3", "--no-binary", ":all:")
    assert done.returncode == 0, done.stderr
    found = broken(await look_without_a_trace(uv.kind, uv.cache))
    assert {sdist.filename: sdist.sha256} == {h.filename: h.sha256 for h in found if h.sha256}
    built = [h for h in found if h.sha256 is None]
    assert {"brokenpkg-1.2.3-py3-none-any.whl"} == {h.filename for h in built}
    assert all("built here" in h.how for h in built)
    # Once nothing leads to it, uv does not use it; it lies here all the same.
    (pointer,) = uv.cache.rglob("revision.http")
    pointer.unlink()
    (left,) = [h for h in broken(await look(uv.kind, uv.cache)) if h.filename == sdist.filename]
    assert left.state is HeldState.SHADOWED


async def test_a_local_wheel_and_a_direct_url_are_found_too(
    uv: Uv, upstream: Upstream, tmp_path: Path
) -> None:
    wheel = upstream.releases["1.2.3"][0]
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    await uv.install(tmp_path / wheel.filename)
    await uv.install(f"brokenpkg @ {upstream.url(wheel)}")
    found = broken(await look(uv.kind, uv.cache))
    assert {wheel.filename} == {h.filename for h in found}
    assert any(".rev leads to it" in h.how for h in found)
    assert any(".http leads to it" in h.how for h in found)
    assert len(found) == 2


async def test_a_copy_that_was_altered_or_lost_its_pointer_says_so(uv: Uv) -> None:
    await uv.install("brokenpkg")
    (module,) = uv.cache.glob("archive-v*/*/brokenpkg.py")
    content = module.read_bytes()
    # uv links what it installs: whoever patches an environment patches the cache.
    module.write_bytes(content + b"# patched\n")
    (altered,) = broken(await look(uv.kind, uv.cache))
    assert (altered.sha256, altered.state) == (None, HeldState.HELD)
    assert "altered: brokenpkg.py" in altered.how
    module.unlink()
    (cut,) = broken(await look(uv.kind, uv.cache))
    assert (False, "missing: brokenpkg.py" in cut.how) == (cut.intact, True)
    module.write_bytes(content)
    for pointer in uv.cache.glob("wheels-v*/*/*/*/*"):
        pointer.unlink()
    (orphan,) = broken(await look(uv.kind, uv.cache))
    assert orphan.state is HeldState.SHADOWED


async def test_a_cut_page_of_uv_is_unknown_and_never_clean(uv: Uv) -> None:
    await uv.install("brokenpkg")
    (stored,) = uv.cache.rglob("*.rkyv")
    for archive in uv.cache.glob("archive-v*/*"):
        shutil.rmtree(archive)
    whole = stored.read_bytes()
    stored.write_bytes(whole[: len(whole) // 2])
    observation = await look(uv.kind, uv.cache)
    assert [page.outcome for page in observation.pages] == [PageOutcome.MALFORMED]
    assert not broken(observation)
    assert judged(uv.kind, observation).status is Status.UNKNOWN


async def test_uv_writing_meanwhile_does_not_stop_the_reading(uv: Uv) -> None:
    async def write() -> None:
        for _ in range(4):
            await uv.install("brokenpkg")
            await uv.call("cache", "clean", "brokenpkg")

    await uv.install("brokenpkg")
    writing = asyncio.create_task(write())
    looks = 0
    while not writing.done():
        observation = await look(uv.kind, uv.cache)
        assert observation.outcome in (Outcome.OBSERVED, Outcome.ABSENT, Outcome.MALFORMED)
        looks += 1
    await writing
    assert looks > 3
    assert await status(uv.kind, uv.cache) is Status.CLEAN


async def test_the_caches_of_two_users_are_read_as_one_place(
    real_program: Find, upstream: Upstream, tmp_path: Path
) -> None:
    for user, version in (("ada", "1.2.2"), ("bob", "1.2.3")):
        home = tmp_path / user
        home.mkdir()
        client = Uv(real_program("uv"), home, upstream.server.simple_url)
        done = await client.install(f"brokenpkg=={version}")
        assert done.returncode == 0, done.stderr
    observation = await look(uv_cache.KIND, tmp_path / "*" / "uv")
    assert {"1.2.2", "1.2.3"} == {h.version for h in observation.holdings}
    (held,) = broken(observation)
    assert held.how.startswith(f"{tmp_path / 'bob' / 'uv'}: ")
    assert len(observation.pages) == 2


FILES: list[dict[str, object]] = [
    {"version": "1.2.3", "hashes": {"sha256": "a" * 64}, "requires-python": ">=3.8,<4,!=3.9.*"},
    {"version": "1.2.2", "yanked": "short", "size": 3, "core-metadata": {"sha256": "b" * 64}},
    {
        "version": "1.2.1",
        "yanked": "a reason longer than eight bytes",
        "requires-python": "~=3.9.1",
    },
    {"version": "1.2.0.post4", "yanked": True, "upload-time": "2026-01-01T00:00:00Z"},
    {"version": "1.1rc1", "hashes": {"sha256": "c" * 64, "md5": "d" * 32}, "size": 4_000_000_000},
    {"version": "1.0+local", "hashes": {"sha512": "e" * 128}, "requires-python": ""},
    {"version": "0.9", "requires-python": ">=2.7, !=3.0.*, ==3.*", "url": "https://files.example/"},
    {"version": "0.8", "requires-python": ">3.0.dev1", "yanked": False},
]


async def test_uvs_own_form_of_a_page_says_what_the_page_said(
    real_program: Find, tmp_path: Path
) -> None:
    async with serving_page(FILES, {"Cache-Control": "max-age=600"}) as url:
        uv = Uv(real_program("uv"), tmp_path, url)
        await uv.install("--dry-run", "brokenpkg")
        (page,) = (await look(uv.kind, uv.cache)).pages
    assert page.complete
    said = {c.version: c for c in page.candidates}
    assert {file["version"] for file in FILES} == set(said)
    for file in FILES:
        version, found = str(file["version"]), said[str(file["version"])]
        assert f"brokenpkg-{version}-py3-none-any.whl" == found.filename
        base = str(file.get("url", url.replace("simple/", "")))
        assert f"{base}{found.filename}" == found.url
        hashes = file.get("hashes", {})
        assert isinstance(hashes, dict)
        assert hashes.get("sha256") == found.hashes.get("sha256")
        yanked = file.get("yanked", False)
        assert ("yes" if yanked else "no") == found.yanked.value
        assert (yanked if isinstance(yanked, str) else None) == found.yank_reason
        assert (file.get("size"), "core-metadata" in file) == (found.size, found.has_metadata)
    assert datetime(2026, 1, 1, tzinfo=UTC) == said["1.2.0.post4"].uploaded_at
    pythons = {version: c.requires_python for version, c in said.items()}
    assert {
        "1.2.3": {">=3.8", "<4", "!=3.9.*"},
        "1.2.1": {"~=3.9.1"},
        "0.9": {">=2.7", "!=3.0.*", "==3.*"},
    } == {v: set(str(pythons[v]).split(",")) for v in ("1.2.3", "1.2.1", "0.9")}
    # One that is not read is not known, and never taken for none.
    assert (pythons["1.0+local"], pythons["1.2.2"], pythons["0.8"]) == ("", "", None)


def date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


async def test_until_when_uv_trusts_a_page_is_what_its_headers_make_of_it(
    real_program: Find, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    ago = {s: date(now - timedelta(seconds=s)) for s in (100, 100_000)}
    cases: dict[str, tuple[Mapping[str, str], int]] = {
        "max-age": ({"Cache-Control": "public, max-age=600"}, 600),
        "age": ({"Cache-Control": "max-age=600", "Age": "33"}, 567),
        "expires": ({"Expires": date(now + timedelta(seconds=900)), "Date": ago[100]}, 900),
        "heuristic": ({"Last-Modified": ago[100_000]}, 10_000),
        "no-cache": ({"Cache-Control": "no-cache, max-age=600"}, 0),
        "shared": ({"Cache-Control": "s-maxage=900, must-revalidate, max-age=45"}, 45),
        "nothing": ({}, 0),
    }
    for name, (headers, lifetime_s) in cases.items():
        async with serving_page(FILES, headers) as url:
            home = tmp_path / name
            home.mkdir()
            uv = Uv(real_program("uv"), home, url)
            await uv.install("--dry-run", "brokenpkg")
            (page,) = (await look(uv.kind, uv.cache)).pages
        fetched, expires = page.freshness.fetched_at, page.freshness.expires_at
        assert fetched is not None, name
        assert expires is not None, name
        assert (expires - fetched).total_seconds() == pytest.approx(lifetime_s, abs=3), name


class serving_page:  # noqa: N801  # reads as the verb that it is in `async with serving_page(…)`
    """Serves one project page with these headers."""

    def __init__(self, files: list[dict[str, object]], headers: Mapping[str, str]) -> None:
        self.files, self.headers = files, headers
        self.runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.root = f"http://127.0.0.1:{self.runner.addresses[0][1]}/"
        return f"{self.root}simple/"

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path != "/simple/brokenpkg/":
            return web.Response(status=404)
        page = {"meta": {"api-version": "1.1"}, "name": "brokenpkg"}
        body = json.dumps({**page, "files": [self.entry(file) for file in self.files]})
        kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
        return web.Response(body=body.encode(), headers={**kind, **self.headers})

    def entry(self, file: dict[str, object]) -> dict[str, object]:
        filename = f"brokenpkg-{file['version']}-py3-none-any.whl"
        url = f"{file.get('url', '../../')}{filename}"
        facts = {key: value for key, value in file.items() if key != "version"}
        return {"hashes": {}, **facts, "filename": filename, "url": url}


# -- Poetry

PROJECT = """\
[project]
name = "demo"
version = "0"
requires-python = ">=3.11"
"""


class Poetry:
    """Poetry with a cache and a project of its own."""

    kind = poetry_cache.KIND

    def __init__(self, program: Path, home: Path, index_url: str) -> None:
        self.program = program
        self.cache, self.project = home / "pypoetry", home / "demo"
        self.project.mkdir()
        text = (
            f'{PROJECT}[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "corp"\n'
            f'url = "{index_url}"\npriority = "primary"\n'
        )
        (self.project / "pyproject.toml").write_text(text)

    async def call(self, *words: str) -> CompletedRun:
        settings = {
            "POETRY_CACHE_DIR": str(self.cache),
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "POETRY_KEYRING_ENABLED": "false",
        }
        return await run(
            [self.program, *words, "--no-interaction"], home=self.project, environment=settings
        )


async def test_poetry_is_exposed_then_latent_and_its_own_command_leaves_the_broken_file(
    real_program: Find, upstream: Upstream, tmp_path: Path
) -> None:
    poetry = Poetry(real_program("poetry"), tmp_path, upstream.server.simple_url)
    wheel = upstream.releases["1.2.3"][0]
    done = await poetry.call("add", "brokenpkg")
    assert done.returncode == 0, done.stderr

    observation = await look_without_a_trace(poetry.kind, poetry.cache)
    assert observation.holdings_complete
    found = broken(observation)
    assert {wheel.sha256} == {h.sha256 for h in found}
    assert {wheel.filename} == {h.filename for h in found}
    assert any(h.how.startswith("artifacts/") for h in found)
    assert any("describes brokenpkg 1.2.3 for ever" in note for note in observation.notes)
    (page,) = observation.pages
    assert (View.POETRY, {"1.2.2", "1.2.3"}) == (page.view, {c.version for c in page.candidates})
    assert lives_as_long_as_stated(page)

    upstream.publish_fix()
    await poetry.call("lock", "--regenerate")
    assert 'version = "1.2.3"' in (poetry.project / "poetry.lock").read_text()
    assert await status(poetry.kind, poetry.cache) is Status.EXPOSED
    assert await status(poetry.kind, poetry.cache, PAGE_LIFETIME * 2) is Status.LATENT

    url = Fingerprint(url=upstream.url(wheel), version="1.2.3", filename=wheel.filename)
    assert broken(await look(poetry.kind, poetry.cache, url))
    await poetry.call("cache", "clear", "corp", "--all")
    cleared = await look(poetry.kind, poetry.cache)
    assert not cleared.pages
    # Nothing says any more where it came from; it is the same wheel all the same.
    digest = Fingerprint(sha256=wheel.sha256, size=len(wheel.content), version="1.2.3")
    assert {wheel.sha256} == {
        h.sha256 for h in broken(await look(poetry.kind, poetry.cache, digest))
    }
    assert judged(poetry.kind, cleared).status is Status.LATENT

    (artifact,) = (poetry.cache / "artifacts").rglob("*.whl")
    artifact.write_bytes(wheel.content[:-40])
    cut = [h for h in broken(await look(poetry.kind, poetry.cache)) if "artifacts" in h.how]
    assert [(h.state, h.intact) for h in cut] == [(HeldState.UNKNOWN, False)]
    for store in ("artifacts", "cache"):  # as the remedy says
        shutil.rmtree(poetry.cache / store)
    assert await status(poetry.kind, poetry.cache) is Status.CLEAN


# -- PDM


class Pdm:
    """PDM with a cache and a project of its own."""

    kind = pdm_cache.KIND

    def __init__(self, program: Path, home: Path, index_url: str) -> None:
        self.program = program
        self.cache, self.project = home / "pdm", home / "demo"
        self.project.mkdir()
        text = (
            f'{PROJECT}[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\n'
            f'url = "{index_url}"\nverify_ssl = false\n'
        )
        (self.project / "pyproject.toml").write_text(text)

    @property
    def database(self) -> Path:
        return self.cache / "http" / "http-cache.db"

    async def call(self, *words: str, **settings: str) -> CompletedRun:
        quiet = {"PDM_CHECK_UPDATE": "0", "PDM_USE_VENV": "0", "PDM_IGNORE_ACTIVE_VENV": "1"}
        place = {"PDM_CACHE_DIR": str(self.cache), "PDM_PYTHON": sys.executable}
        environment = {**quiet, **place, **settings}
        return await run([self.program, *words], home=self.project, environment=environment)


@pytest.fixture
def pdm(real_program: Find, upstream: Upstream, tmp_path: Path) -> Pdm:
    return Pdm(real_program("pdm"), tmp_path, upstream.server.simple_url)


async def test_pdm_is_exposed_then_latent_and_only_clearing_all_of_its_cache_helps(
    pdm: Pdm, upstream: Upstream
) -> None:
    wheel = upstream.releases["1.2.3"][0]
    await pdm.call("config", "--local", "install.cache", "true")
    done = await pdm.call("add", "brokenpkg")
    assert done.returncode == 0, done.stderr

    observation = await look_without_a_trace(pdm.kind, pdm.cache)
    assert observation.holdings_complete
    found = broken(observation)
    assert {wheel.sha256} == {h.sha256 for h in found if "http-cache.db" in h.how}
    assert {wheel.filename} == {h.filename for h in found}
    (unpacked,) = [h for h in found if h.how.startswith("packages/")]
    assert (unpacked.sha256, unpacked.state) == (None, HeldState.HELD)
    (page,) = observation.pages
    assert (f"{upstream.server.simple_url}brokenpkg/", True) == (page.url, page.complete)
    assert lives_as_long_as_stated(page)
    url = Fingerprint(url=upstream.url(wheel), filename="named-by-its-url", version="1.2.3")
    by_url = broken(await look(pdm.kind, pdm.cache, url))
    assert any("stored as the answer to its URL" in h.how for h in by_url)

    upstream.publish_fix()
    (pdm.project / "pdm.lock").unlink()
    await pdm.call("lock")
    assert 'version = "1.2.3"' in (pdm.project / "pdm.lock").read_text()
    assert await status(pdm.kind, pdm.cache) is Status.EXPOSED
    assert await status(pdm.kind, pdm.cache, PAGE_LIFETIME * 2) is Status.LATENT

    await pdm.call("cache", "remove", "brokenpkg*")
    assert broken(await look(pdm.kind, pdm.cache))
    await pdm.call("cache", "clear")
    cleared = await look(pdm.kind, pdm.cache)
    assert not cleared.pages
    # What an environment links to stays.
    assert {"packages"} == {h.how.partition("/")[0] for h in broken(cleared)}
    assert judged(pdm.kind, cleared).status is Status.LATENT
    shutil.rmtree(pdm.cache / "packages")
    assert await status(pdm.kind, pdm.cache) is Status.CLEAN


async def test_a_cache_of_pdm_with_its_own_defaults_is_known_to_its_end(
    pdm: Pdm, upstream: Upstream
) -> None:
    # It asks the index for a newer PDM: the one here, and never PyPI.
    await pdm.call(
        "add", "brokenpkg", PDM_CHECK_UPDATE="1", PDM_PYPI_URL=upstream.server.simple_url
    )
    assert (pdm.cache / "self-check").is_dir()
    observation = await look_without_a_trace(pdm.kind, pdm.cache)
    assert observation.holdings_complete
    assert not any("does not know" in note for note in observation.notes)
    assert judged(pdm.kind, observation).status is not Status.UNKNOWN


async def test_what_pdm_has_not_yet_written_to_its_database_is_read_from_the_log(
    pdm: Pdm, upstream: Upstream
) -> None:
    wheel = upstream.releases["1.2.3"][0]
    await pdm.call("add", "brokenpkg")
    with closing(sqlite3.connect(pdm.database)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        entries = list(writer.execute("SELECT * FROM entries"))
        streams = list(writer.execute("SELECT * FROM streams"))
        writer.execute("DELETE FROM streams")
        writer.execute("DELETE FROM entries")
        writer.commit()
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert not (await look(pdm.kind, pdm.cache)).holdings
        writer.executemany("INSERT INTO entries VALUES (?,?,?,?,?)", entries)
        writer.executemany("INSERT INTO streams VALUES (?,?,?)", streams)
        writer.commit()
        assert pdm.database.with_name("http-cache.db-wal").stat().st_size
        # A transaction is open: a reader that took a lock would wait for it, or disturb it.
        writer.execute("BEGIN IMMEDIATE")
        observation = await look_without_a_trace(pdm.kind, pdm.cache)
        writer.rollback()
    assert observation.holdings_complete
    assert {wheel.sha256} == {h.sha256 for h in broken(observation)}


async def test_a_damaged_database_and_half_stored_bodies_of_pdm_are_never_clean(pdm: Pdm) -> None:
    await pdm.call("add", "brokenpkg")
    with closing(sqlite3.connect(pdm.database)) as writer:
        writer.execute("DELETE FROM streams WHERE chunk_number = -1")
        writer.commit()
        half = broken(await look(pdm.kind, pdm.cache))
        assert {HeldState.SHADOWED} == {h.state for h in half}
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = pdm.database.read_bytes()
    pdm.database.write_bytes(content[: len(content) // 2])
    observation = await look(pdm.kind, pdm.cache)
    assert observation.holdings_complete is False
    assert any("cannot be read to their end" in note for note in observation.notes)
    assert judged(pdm.kind, observation).status is not Status.CLEAN
