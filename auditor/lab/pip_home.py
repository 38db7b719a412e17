"""Entries of pip's cache, written by pip's own code: what a run of pip leaves behind, at once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.lab.negotiation import PageFormat
from auditor.lab.pages import project_page
from auditor.lab.placement import Expected, Placement
from auditor.lab.story import BROKEN, PROJECT
from auditor.model import Status

if TYPE_CHECKING:
    from auditor.lab.world import World

__all__ = ["PIP_PAGE_HEADERS", "fill_pip_cache", "lay_pip_cache"]

# The user installed the broken release a day ago; pages live for ten minutes.
INSTALLED_AGO = timedelta(days=1)
PAGE_LIFETIME = "max-age=600, public"
FILE_LIFETIME = "max-age=365000000, immutable, public"

# What pip sends for an index page; the answer's Vary decides which of them an entry keeps.
PIP_PAGE_HEADERS: Mapping[str, str] = {
    "Accept": (
        "application/vnd.pypi.simple.v1+json, "
        "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
    ),
    "Accept-Encoding": "gzip, deflate",
}


def fill_pip_cache(
    directory: Path,
    *,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    request_headers: Mapping[str, str] = PIP_PAGE_HEADERS,
) -> None:
    """Store one answer as pip stores it (from 23.3 on, layout `http-v2`).

    Args:
        directory: the cache, as `pip --cache-dir` takes it.
        url: what was asked.
        body: as it was transferred, so that it fits Content-Encoding and Content-Length.
        headers: of the answer. pip needs Date to use it, and max-age or ETag to store it.
        request_headers: what was sent.

    Raises:
        ValueError: pip would not store such an answer.
    """
    # pip has no public interface to its cache. Imported here, since it costs a tenth of a second.
    from pip._internal.network.cache import SafeFileCache
    from pip._vendor.cachecontrol.controller import CacheController
    from pip._vendor.requests import Request
    from pip._vendor.urllib3 import HTTPResponse

    cache = SafeFileCache(str(directory / "http-v2"))
    request = Request("GET", url, headers=dict(request_headers)).prepare()
    answer = HTTPResponse(
        body=io.BytesIO(body),
        headers=dict(headers),
        status=200,
        version=11,
        reason="OK",
        preload_content=False,
        decode_content=False,
        request_url=url,
    )
    CacheController(cache).cache_response(request, answer, body)
    if cache.get(CacheController.cache_url(url)) is None:
        raise ValueError("pip does not store an answer without lifetime, or of another length")


async def lay_pip_cache(world: World) -> Placement:
    """Lay what `pip install brokenpkg` left behind a day ago: the wheel, and a page long expired.

    Run once the world's servers answer: entries are named after URLs.
    """
    directory = world.directory / "pip-cache"
    await asyncio.to_thread(_lay, world, directory)
    return Placement(
        name="pip-cache",
        kind="pip-cache",
        path=directory,
        expected=Expected(Status.LATENT, ("broken-held",)),
    )


def _lay(world: World, directory: Path) -> None:
    wheel = world.story.releases[BROKEN][0]
    form = PageFormat.V1_JSON
    page = project_page(world.story.before_yank, form, world.url_at_source).encode()
    common = {
        "Date": format_datetime(world.now - INSTALLED_AGO, usegmt=True),
        "ETag": '"a-day-ago"',
    }
    fill_pip_cache(
        directory,
        url=f"{world.servers['source'].simple_url}{PROJECT}/",
        body=page,
        headers={
            **common,
            "Cache-Control": PAGE_LIFETIME,
            "Content-Length": str(len(page)),
            "Content-Type": form.content_type,
            "Vary": "Accept, Accept-Encoding",
        },
    )
    fill_pip_cache(
        directory,
        url=world.url_at_source(wheel),
        body=wheel.content,
        headers={
            **common,
            "Cache-Control": FILE_LIFETIME,
            "Content-Length": str(len(wheel.content)),
            "Content-Type": "application/octet-stream",
        },
        request_headers={"Accept": "*/*", "Accept-Encoding": "identity"},
    )
