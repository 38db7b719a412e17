"""A file host: artifacts and their metadata sidecars, as immutable as PyPI's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from aiohttp import web

from auditor.lab.artifacts import Artifact

__all__ = ["FileSite", "FileStore"]

# As on PyPI: a file never changes under its URL, so caches may keep it for eleven years.
IMMUTABLE = "max-age=365000000, immutable, public"

SINGLE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """What a path leads to: an artifact, or the sidecar of one."""

    artifact: Artifact
    content: bytes
    uploaded_at: datetime


class FileStore:
    """The bytes of a file host. What indexes list is another matter."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def put(self, artifact: Artifact, uploaded_at: datetime) -> None:
        """Store an artifact and, for a wheel, its metadata."""
        stored = StoredFile(artifact=artifact, content=artifact.content, uploaded_at=uploaded_at)
        self._files[artifact.path] = stored
        if artifact.has_sidecar:
            self._files[f"{artifact.path}.metadata"] = StoredFile(
                artifact=artifact, content=artifact.metadata, uploaded_at=uploaded_at
            )

    def remove(self, artifact: Artifact) -> None:
        """Remove the bytes: from now on the answer is 404."""
        self._files.pop(artifact.path, None)
        self._files.pop(f"{artifact.path}.metadata", None)

    def get(self, path: str) -> StoredFile | None:
        """Return what a path leads to; None if nothing."""
        return self._files.get(path)


class FileSite:
    """Serves a store at `/packages/`."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def routes(self) -> Sequence[web.RouteDef]:
        """Answer GET and HEAD of every path under `/packages/`."""
        return [web.get("/packages/{path:.+}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        stored = self._store.get(request.path)
        if stored is None:
            raise web.HTTPNotFound(text="404 Not Found")
        return _whole_or_part(stored, request.headers.get("Range"), _headers(stored))


def _headers(stored: StoredFile) -> dict[str, str]:
    artifact = stored.artifact
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
        "Content-Type": "application/octet-stream",
        "ETag": f'"{hashlib.md5(stored.content, usedforsecurity=False).hexdigest()}"',
        "Last-Modified": format_datetime(stored.uploaded_at, usegmt=True),
        # PyPI's file host says which release a URL belongs to, listed or not.
        "X-PyPI-File-Package-Type": artifact.type.value,
        "X-PyPI-File-Project": artifact.project,
        "X-PyPI-File-Python-Version": artifact.python_tag,
        "X-PyPI-File-Version": artifact.version,
    }


def _whole_or_part(
    stored: StoredFile, wanted: str | None, headers: dict[str, str]
) -> web.StreamResponse:
    """Answer one range with 206; anything else that Range may say, with the whole file."""
    match = SINGLE_RANGE.fullmatch(wanted or "")
    size = len(stored.content)
    if match is None or match.group(0) == "bytes=-":
        return web.Response(body=stored.content, headers=headers)
    first, last = match.groups()
    if not first:  # `-500`: the last 500 bytes
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= end:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    part = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return web.Response(status=206, body=stored.content[start:end], headers=part)
