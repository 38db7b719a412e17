"""Kind `pip-cache` against caches that real pip filled: one version per layout and policy."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from auditor.contracts import Assignment, Ledger
from auditor.lab.pip_home import fill_pip_cache
from auditor.model import (
    Fingerprint,
    HeldState,
    Holding,
    Incident,
    Location,
    Observation,
    Outcome,
    Role,
    Vantage,
)
from probes.pip_cache import KIND

from .conftest import INSTALLED, Pip, PipOf, Upstream

pytestmark = [pytest.mark.real, pytest.mark.real_program("pip")]

OLD_LAYOUT = "23.2.1"
DISTRUSTING = "26.1"  # the last one that never takes a cached page without asking
VERSIONS = (OLD_LAYOUT, DISTRUSTING, INSTALLED)


class NoLimits:
    """This kind sends no request."""

    def slot(self, host: str) -> None:  # type: ignore[override]  # never asked
        raise AssertionError(f"a request to {host}")


async def look(cache: Path, *prints: Fingerprint) -> Observation:
    incident = Incident(
        id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",), fingerprints=prints
    )
    return await KIND.observe(
        Assignment(
            incident=incident,
            location=Location(name="c", kind="pip-cache", role=Role.STORE, path=str(cache)),
            vantage=Vantage(id="test"),
            limits=NoLimits(),
            ledger=Ledger(),
            user_agent_suffix="",
            now=lambda: datetime.now(UTC),
        )
    )


def broken(observation: Observation) -> list[Holding]:
    assert observation.outcome is Outcome.OBSERVED
    return [h for h in observation.holdings if h.version == "1.2.3"]


def digests(holdings: Sequence[Holding]) -> set[str | None]:
    return {h.sha256 for h in holdings if h.state is HeldState.HELD}


def contents(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def times(directory: Path) -> dict[str, tuple[int, int, int]]:
    """When everything was changed; of files, also when they were read."""
    stats = {path: path.stat() for path in directory.rglob("*")}
    return {
        str(path): (s.st_mtime_ns, s.st_ctime_ns, s.st_atime_ns if path.is_file() else 0)
        for path, s in stats.items()
    }


async def download(pip: Pip, upstream: Upstream, cache: Path, *wanted: str | Path) -> None:
    target = cache.parent / f"got-{len(list(cache.parent.iterdir()))}"
    run = await pip.run("download", *upstream.arguments(cache), "--dest", target, *wanted)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_pip_downloaded_is_found_by_digest_by_url_and_by_content_alone(
    version: str, pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache, wheel = tmp_path / "cache", upstream.releases["1.2.3"][0]
    before = datetime.now(UTC).replace(microsecond=0)
    await download(pip_of(version), upstream, cache, "brokenpkg==1.2.3")
    layout = "http" if version == OLD_LAYOUT else "http-v2"
    assert layout in {path.name for path in cache.iterdir()}
    content, stamps = contents(cache), times(cache)

    by_content = await look(cache)
    by_digest = await look(cache, Fingerprint(sha256=wheel.sha256, size=len(wheel.content)))
    by_url = await look(cache, Fingerprint(url=upstream.url(wheel), filename="named-by-its-url"))

    assert stamps == times(cache)
    assert content == contents(cache)
    for observation in (by_content, by_digest, by_url):
        assert observation.holdings_complete
        assert {wheel.sha256} == {h.sha256 for h in observation.holdings}
        assert not observation.requests
    assert [wheel.filename] == [h.filename for h in broken(by_content)]
    assert [wheel.filename] == [h.filename for h in by_digest.holdings]
    assert "digest" in by_digest.holdings[0].how
    assert "URL" in by_url.holdings[0].how
    (page,) = by_content.pages
    assert {"1.2.2", "1.2.3"} == {c.version for c in page.candidates}
    assert page.complete
    fetched, expires = page.freshness.fetched_at, page.freshness.expires_at
    assert fetched is not None
    assert before <= fetched <= datetime.now(UTC)
    # Whoever reads the old layout asks the index each time.
    lifetime = timedelta(0) if version == OLD_LAYOUT else timedelta(seconds=600)
    assert fetched + lifetime == expires


async def test_a_source_archive_is_found_by_its_own_metadata(
    pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache, sdist = tmp_path / "cache", upstream.releases["1.2.3"][1]
    await download(pip_of(INSTALLED), upstream, cache, "--no-binary", ":all:", "brokenpkg==1.2.3")
    held = broken(await look(cache))
    assert {sdist.filename: sdist.sha256} == {h.filename: h.sha256 for h in held}


async def test_pages_are_stored_compressed_so_that_their_text_is_not_in_the_bytes(
    pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    await download(pip_of(INSTALLED), upstream, cache, "brokenpkg==1.2.3")
    (page,) = (await look(cache)).pages
    body = await asyncio.to_thread(Path(page.url.removeprefix("file://")).read_bytes)
    assert b"brokenpkg" not in body
    assert body.startswith(b"\x1f\x8b")


async def test_cache_remove_leaves_the_broken_bytes_and_purge_takes_them(
    pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache, pip = tmp_path / "cache", pip_of(INSTALLED)
    await download(pip, upstream, cache, "brokenpkg==1.2.3")
    await pip.run("cache", "remove", "brokenpkg", "--cache-dir", cache)
    assert broken(await look(cache))
    await pip.run("cache", "purge", "--cache-dir", cache)
    purged = await look(cache)
    assert purged.outcome is Outcome.OBSERVED
    assert not purged.holdings
    assert not purged.pages
    assert purged.holdings_complete


async def test_a_wheel_built_here_is_known_by_its_origin_and_accuses_nobody(
    pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache, sdist = tmp_path / "cache", upstream.releases["1.2.3"][1]
    run = await pip_of(INSTALLED).run(
        *("install", *upstream.arguments(cache), "--target", tmp_path / "site"),
        *("--no-binary", ":all:", "brokenpkg==1.2.3"),
    )
    assert run.returncode == 0, run.stderr
    # Under a name that says nothing, only its origin betrays it.
    (wheel,) = (cache / "wheels").rglob("*.whl")
    digest = Fingerprint(sha256=sdist.sha256, version="1.2.3")
    for name in (wheel.name, "innocent-9-py3-none-any.whl"):
        wheel = wheel.rename(wheel.with_name(name))
        (built,) = [h for h in broken(await look(cache, digest)) if "built here" in h.how]
        assert (name, None, None) == (built.filename, built.sha256, built.size)
        assert f"{upstream.url(sdist)} (sha256:{sdist.sha256})" in built.how


@pytest.mark.parametrize(
    ("version", "got"), [(DISTRUSTING, "1.2.4"), (INSTALLED, "1.2.3")], ids=["26.1", "26.3"]
)
async def test_only_pip_from_26_2_on_trusts_a_cached_page(
    version: str, got: str, pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache, pip = tmp_path / "cache", pip_of(version)
    await download(pip, upstream, cache, "brokenpkg")
    upstream.publish_fix()
    target = tmp_path / "after"
    run = await pip.run("download", *upstream.arguments(cache), "--dest", target, "brokenpkg")
    assert run.returncode == 0, run.stderr
    assert [f"brokenpkg-{got}-py3-none-any.whl"] == [path.name for path in target.iterdir()]


def answer_headers(body: bytes, content_type: str, lifetime_s: int) -> dict[str, str]:
    return {
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
        "Cache-Control": f"max-age={lifetime_s}",
        "Content-Length": str(len(body)),
        "Content-Type": content_type,
        "Vary": "Accept, Accept-Encoding",
    }


async def test_pip_takes_an_entry_that_the_lab_wrote_for_its_own(
    pip_of: PipOf, upstream: Upstream, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    wheel = upstream.releases["1.2.3"][0]
    page = f'<a href="../../{wheel.path.lstrip("/")}">{wheel.filename}</a>'.encode()
    fill_pip_cache(
        cache,
        url=f"{upstream.server.simple_url}brokenpkg/",
        body=page,
        headers=answer_headers(page, "text/html", 600),
    )
    fill_pip_cache(
        cache,
        url=upstream.url(wheel),
        body=wheel.content,
        headers=answer_headers(wheel.content, "application/octet-stream", 600),
        request_headers={"Accept": "*/*", "Accept-Encoding": "identity"},
    )
    await download(pip_of(INSTALLED), upstream, cache, "brokenpkg")
    assert upstream.server.log == []
    observation = await look(cache)
    assert {wheel.sha256} == digests(broken(observation))
    assert [c.version for p in observation.pages for c in p.candidates] == ["1.2.3"]
