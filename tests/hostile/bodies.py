"""The pages that hostile servers spoil, and bodies that are larger than they look."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence

import zstandard

from tests.hostile.server import Request

__all__ = [
    "BARE_HTML",
    "FILES",
    "HTML",
    "HTML_TYPE",
    "JSON",
    "JSON_TYPE",
    "entry",
    "gzip_bomb",
    "html_page",
    "json_page",
    "negotiated",
    "zlib_bomb",
    "zstd_bomb",
]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"

# Files on a host of their own: then nothing is held here, and a page that is read makes `clean`.
FILES = "https://files.example/packages"


def entry(version: str, **more: object) -> dict[str, object]:
    """Write one entry of a JSON page."""
    filename = f"brokenpkg-{version}-py3-none-any.whl"
    digest = f"{int(version.replace('.', '')):064x}"
    url = f"{FILES}/{filename}"
    return {"filename": filename, "url": url, "hashes": {"sha256": digest}, **more}


def json_page(entries: Sequence[object], **more: object) -> bytes:
    """Write a page by PEP 691."""
    page = {"meta": {"api-version": "1.1", "_last-serial": 7}, "name": "brokenpkg"}
    return json.dumps({**page, "files": list(entries), **more}).encode()


def html_page(anchors: str, *, bare: bool = False) -> bytes:
    """Write a page by PEP 503; `bare`: without anything around the anchors."""
    if bare:
        return anchors.encode()
    title = "<title>Links for brokenpkg</title>"
    return f"<!doctype html><html><head>{title}</head><body>{anchors}</body></html>".encode()


def _anchors(*versions: str) -> str:
    lines = []
    for each in map(entry, versions):
        digest = f"{int(str(each['filename'])[10:15].replace('.', '')):064x}"
        lines.append(f'<a href="{each["url"]}#sha256={digest}">{each["filename"]}</a><br>\n')
    return "".join(lines)


# What a place says that never had the broken release: read in full, it is `clean`.
JSON = json_page([entry("1.2.2"), entry("1.2.4")])
HTML = html_page(_anchors("1.2.2", "1.2.4"))
# The same with the broken release at its end, where a cut hides it, and nothing around it.
BARE_HTML = html_page(_anchors("1.2.2", "1.2.4", "1.2.3"), bare=True)


def negotiated(request: Request) -> tuple[str, bytes]:
    """Return type and body of the page that a client asked for."""
    if "json" in request.headers.get("accept", ""):
        return JSON_TYPE, JSON
    return HTML_TYPE, HTML


def gzip_bomb(mib: int, text: bytes = b" ") -> bytes:
    """Return so many MiB of the same text, compressed about a thousand times."""
    return gzip.compress(text * (mib * 2**20 // len(text)), 9)


def zlib_bomb(mib: int) -> bytes:
    """Return the same as what HTTP calls deflate."""
    return zlib.compress(bytes(mib * 2**20), 9)


def zstd_bomb(mib: int) -> bytes:
    """Return the same by zstandard, which gets along with a few bytes for each MiB."""
    return zstandard.ZstdCompressor(level=3).compress(bytes(mib * 2**20))
