"""Answers and files that no honest place would have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from auditor.testing.stage import PASSWORD, USERNAME

__all__ = ["HOSTILE_ANSWERS", "echo", "spoil", "take_away"]

_JSON = "application/vnd.pypi.simple.v1+json"
_NOISE = bytes(range(256)) * 64


def _answer(
    body: bytes, status: int = 200, **headers: str
) -> Callable[[web.Request], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=status, body=body, headers=named)


HOSTILE_ANSWERS = {
    "noise that says it is JSON": _answer(_NOISE, Content_Type=_JSON),
    "noise that says it is HTML": _answer(_NOISE, Content_Type="text/html; charset=utf-8"),
    "JSON nested a hundred thousand deep": _answer(b"[" * 100_000, Content_Type=_JSON),
    "JSON of other types": _answer(
        b'{"meta": [], "name": {}, "files": [1, null, {"filename": 7, "url": []}], "versions": 3}',
        Content_Type=_JSON,
    ),
    "HTML with control characters": _answer(
        b'<a href="brokenpkg-1.2.3.tar.gz\x00\x1b[2J">\x1b]0;x\x07brokenpkg-1.2.3.tar.gz</a>',
        Content_Type="text/html",
    ),
    "a body that does not decode": _answer(
        b"not gzip at all", Content_Type=_JSON, Content_Encoding="gzip"
    ),
    "an empty answer": _answer(b"", Content_Type=_JSON),
    "a redirect to itself": _answer(b"", status=302, Location=""),
    "a redirect to a file of this machine": _answer(b"", status=302, Location="file:///etc/passwd"),
    "an error with a long text": _answer(b"x" * 200_000, status=500, Content_Type="text/plain"),
}


def echo(request: web.Request) -> web.Response:
    """Answer with a page that repeats every credential which the request carried."""
    sent = request.headers.get("Authorization", "")
    return web.Response(
        text=f"<html><body>{sent} {USERNAME}:{PASSWORD} "
        f'<a href="/files/brokenpkg-1.2.3.tar.gz?token={PASSWORD}#sha256={"0" * 64}" '
        f'data-requires-python="{PASSWORD}">brokenpkg-1.2.3.tar.gz</a>'
        f'<a href="/files/{PASSWORD}.tar.gz">{PASSWORD}.tar.gz</a></body></html>',
        content_type="text/html",
        headers={"ETag": f'"{PASSWORD}"', "X-Echo": sent or "-", "Via": f"1.1 {PASSWORD}"},
    )


def spoil(path: Path) -> None:
    """Put hostile things where a probe is going to read."""
    if path.is_dir():
        for name in ("brokenpkg-1.2.3.tar.gz", "brokenpkg-1.2.3-py2-none-any.whl", "\x1b[2J.whl"):
            (path / name).write_bytes(_NOISE)
        (path / "brokenpkg-1.2.4.tar.gz").mkdir()
        (path / os.fsdecode(b"brokenpkg-1.2.3-\xff.whl")).write_bytes(b"")
        (path / "loop").symlink_to("loop")
    else:
        path.write_bytes(_NOISE)


def take_away(path: Path) -> None:
    """Remove what a probe is going to look for."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
