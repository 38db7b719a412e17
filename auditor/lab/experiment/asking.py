"""Real pip asking a place in every way: unpinned, pinned, with a hash, by URL."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from auditor.lab.drive.preloaded_pip import run_pip
from auditor.lab.experiment.scenarios import broken_wheel
from auditor.lab.server import LOOPBACK
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Gets
from auditor.model.filename import version_in

__all__ = ["ASKERS", "NO_NETWORK", "ask", "ask_from", "download", "warm"]

UNPINNED, PINNED, BY_HASH, BY_URL, OFFLINE = "unpinned", "pinned", "by-hash", "by-url", "offline"
# Nothing listens there: a request through this proxy is one without a network.
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), f"http://{LOOPBACK}:9")
ASKERS = (UNPINNED, PINNED, BY_HASH, BY_URL, OFFLINE)


async def ask(index_url: str, file_url: str | None) -> Mapping[str, Gets]:
    """Ask an index in every way.

    Args:
        index_url: what pip is given.
        file_url: of the broken file at this place, as its page said before; None: it said none.
    """
    return await ask_from(("--index-url", index_url), file_url)


async def ask_from(options: Sequence[str], file_url: str | None) -> Mapping[str, Gets]:
    """Ask in every way, with these options of pip that say where to look."""
    pinned = f"{PROJECT}=={BROKEN}"
    locked = f"{pinned} --hash=sha256:{broken_wheel().sha256}"
    asked = {
        UNPINNED: download(*options, PROJECT),
        PINNED: download(*options, pinned),
        BY_HASH: download(*options, "--only-binary=:all:", requirements=locked),
        OFFLINE: download(*options, pinned, environment=NO_NETWORK),
    }
    if file_url is not None:
        url = f"{file_url.partition('#')[0]}#sha256={broken_wheel().sha256}"
        asked[BY_URL] = download(*options, f"{PROJECT} @ {url}")
    got = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    # Nobody who pinned it is content with nothing.
    failed = {how: Gets.ERROR for how, gets in got.items() if gets is Gets.NOTHING}
    failed.pop(UNPINNED, None)
    return {**got, **failed}


async def warm(index_url: str) -> Gets:
    """Install the broken release as everybody did before it was known to be broken."""
    return await download("--index-url", index_url, f"{PROJECT}=={BROKEN}")


async def download(
    *arguments: str,
    requirements: str | None = None,
    cache: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Gets:
    """Let the pip of this environment download, and say what came.

    Args:
        arguments: of `pip download`.
        requirements: the text of a requirements file; None: there is none.
        cache: pip's cache directory; None: it has none.
        environment: variables beside the clean ones.
    """
    with tempfile.TemporaryDirectory(prefix="auditor-lab-") as name:
        home = Path(name)
        target = home / "got"
        more: list[str | Path] = list(arguments)
        if requirements is not None:
            file = home / "requirements.txt"
            file.write_text(requirements, encoding="utf-8")
            more += ["--require-hashes", "--requirement", file]
        kept: Sequence[str | Path] = ("--cache-dir", cache) if cache else ("--no-cache-dir",)
        await run_pip(
            *("download", "--isolated", "--quiet", *kept),
            *("--disable-pip-version-check", "--no-deps", "--no-input", "--retries", "0"),
            *("--trusted-host", LOOPBACK, "--dest", target, *more),
            home=home,
            environment=environment,
        )
        return _what_came(target)


def _what_came(target: Path) -> Gets:
    found = sorted(target.iterdir()) if target.is_dir() else []
    if not found:
        return Gets.NOTHING
    version = version_in(found[0].name, PROJECT)
    if version == BROKEN:
        digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
        return Gets.BROKEN if digest == broken_wheel().sha256 else Gets.FIX
    return Gets.FIX if version == FIXED else Gets.OLDER
