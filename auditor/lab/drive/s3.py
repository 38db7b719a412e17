"""A bucket of an S3 server with a static index in it, filled from the embedded PyPI by uploads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from auditor.lab.artifacts import Artifact
from auditor.lab.drive.process import running
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.negotiation import PageFormat
from auditor.lab.pages import project_page
from auditor.lab.server import LOOPBACK
from auditor.lab.story import PROJECT
from auditor.model import SettingValue

__all__ = ["ACCESS_KEY", "BUCKET", "PREFIX", "SECRET_KEY", "S3Bucket", "read_log"]

BUCKET, PREFIX = "wheels", "prod/"
# The server takes any; tests look for these in all that an audit writes.
ACCESS_KEY, SECRET_KEY = "AKIA0CANARY0ACCESS00", "canary-secret-7Qe1/Zk+2bXw9"
# Who installs from it reads objects without credentials, and may list nothing.
_PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    ],
}
_PAGE_TYPE = "text/html; charset=utf-8"
# `127.0.0.1 - - [23/Nov/2026 08:00:00] "GET /wheels?list-type=2 HTTP/1.1" 200 -`
_LOG_LINE = re.compile(r'"([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3}) ')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(kw_only=True)
class S3Bucket:
    """A bucket of an S3 server: here of moto's.

    Attributes:
        command: of the server; here `moto_server`.
        versioned: whether the bucket keeps what is deleted and replaced.
        checksum: that uploads ask for; None: what boto3 does by itself, which is CRC-32.
        upstream: once it runs.
    """

    command: Path
    versioned: bool = True
    checksum: str | None = "SHA256"
    upstream: Upstream | None = field(default=None, init=False)
    _log: Path | None = field(default=None, init=False)
    _url: str | None = field(default=None, init=False)
    _client: Any = field(default=None, init=False)
    _own_lines: set[int] = field(default_factory=set, init=False)

    @property
    def name(self) -> str:
        """Of the program."""
        return "moto"

    @property
    def endpoint_url(self) -> str:
        """Where the server listens."""
        if self._url is None:
            raise RuntimeError("the bucket is not there yet")
        return self._url

    @property
    def access_key(self) -> str:
        """Of the one who fills the bucket."""
        return ACCESS_KEY

    @property
    def index_url(self) -> str:
        """What a client is given."""
        return f"{self.endpoint_url}/{BUCKET}/{PREFIX}"

    @asynccontextmanager
    async def running(self, upstream: Upstream | None, directory: Path) -> AsyncIterator[None]:
        """Start the server and make the bucket; with an upstream, fill it from there."""
        self.upstream = upstream
        async with self._serving(directory) as self._url:
            await asyncio.to_thread(self._make_bucket)
            await self.refresh()
            yield
            self.client().close()
        self._url = self._client = self._log = None

    @asynccontextmanager
    async def _serving(self, directory: Path) -> AsyncIterator[str]:
        """Run the server; its log tells every request."""
        async with running("moto", self._command_line, home=directory) as server:
            self._log = server.log
            yield server.url

    def client(self) -> Any:  # boto3 has no types
        """Return the client of the one who fills the bucket."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    async def refresh(self) -> None:
        """Upload what is new or other, delete what is gone, and make the index anew."""
        if self.upstream is not None:
            await asyncio.to_thread(self.sync, self.upstream)

    def sync(self, upstream: Upstream, *, with_index: bool = True) -> None:
        """Do what `refresh` does; without the index, as somebody does who forgets it."""
        state = upstream.index.state(PROJECT)
        wanted = dict(_objects(file.artifact for file in state.listed))
        page = project_page(state, PageFormat.HTML, lambda artifact: artifact.filename)
        client = self.client()
        present = self._etags(client)
        for key, body in wanted.items():
            if present.get(key) != hashlib.md5(body, usedforsecurity=False).hexdigest():
                self.put(client, key, body)
        for key in present.keys() - wanted.keys() - {page_key()}:
            client.delete_object(Bucket=BUCKET, Key=key)
        if with_index:
            self.put(client, page_key(), page.encode(), ContentType=_PAGE_TYPE)

    def put(self, client: Any, key: str, body: bytes, **more: str) -> None:
        """Upload one object as this bucket's owner does."""
        checksum = {"ChecksumAlgorithm": self.checksum} if self.checksum else {}
        client.put_object(Bucket=BUCKET, Key=key, Body=body, **checksum, **more)

    def places(self) -> Sequence[Place]:
        """Return the bucket as the index that it is."""
        table: Mapping[str, SettingValue] = {
            "kind": "s3",
            "role": "index",
            "url": f"s3://{BUCKET}/{PREFIX}",
            "endpoint_url": self.endpoint_url,
            "username": self.access_key,
            "password": SECRET_KEY,
        }
        return [Place(name="bucket", table=table, index_url=self.index_url)]

    def inventory(self) -> Inventory:
        """Return every artifact in every version; what that asks is no line of the log."""
        begun = len(self._whole_log())
        found = self._artifacts(self.client())
        self._own_lines |= set(range(begun, len(self._whole_log())))
        return found

    def _artifacts(self, client: Any) -> Inventory:
        found: dict[str, set[str]] = {}
        for key, version in self.versions():
            name = key.rpartition("/")[2]
            if name.endswith((".whl", ".tar.gz")):
                got = client.get_object(Bucket=BUCKET, Key=key, VersionId=version)
                digest = hashlib.sha256(got["Body"].read()).hexdigest()
                found.setdefault(name, set()).add(digest)
        return {name: frozenset(digests) for name, digests in found.items()}

    def versions(self, *, markers: bool = False) -> list[tuple[str, str]]:
        """Return key and id of every version, or of every delete marker."""
        pages = self.client().get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        name = "DeleteMarkers" if markers else "Versions"
        return [(e["Key"], e["VersionId"]) for page in pages for e in page.get(name, ())]

    def access_log(self) -> Sequence[AccessLine] | None:
        """Return the server's log. It names no client: between two looks, all lines are ours."""
        if self._log is None:
            return None
        own = self._own_lines
        return [line for number, line in enumerate(self._whole_log()) if number not in own]

    def _whole_log(self) -> Sequence[AccessLine]:
        return read_log(self._log) if self._log else ()

    def _command_line(self, port: int) -> Sequence[str | Path]:
        return [self.command, "-H", LOOPBACK, "-p", str(port)]

    def _make_bucket(self) -> None:
        client = self.client()
        client.create_bucket(Bucket=BUCKET)
        self._open_to_readers(client)
        if self.versioned:
            client.put_bucket_versioning(
                Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
            )

    def _open_to_readers(self, client: Any) -> None:
        """Let everybody read what is in the bucket."""
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(_PUBLIC))

    def _etags(self, client: Any) -> dict[str, str]:
        listed = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
        return {
            entry["Key"]: entry["ETag"].strip('"')
            for page in listed
            for entry in page.get("Contents", ())
        }


def page_key() -> str:
    """Return the key of the project's page, as a client asks for it."""
    return f"{PREFIX}{PROJECT}/"


def _objects(artifacts: Iterator[Artifact]) -> Iterator[tuple[str, bytes]]:
    for artifact in artifacts:
        yield f"{page_key()}{artifact.filename}", artifact.content
        if artifact.has_sidecar:
            yield f"{page_key()}{artifact.filename}.metadata", artifact.metadata


def read_log(path: Path) -> Sequence[AccessLine]:
    """Read the log of moto's server."""
    text = _COLOUR.sub("", path.read_text(encoding="utf-8", errors="replace"))
    line = partial(AccessLine, user_agent="propagation-auditor (not logged)")
    return [
        line(method=found[1], path=_quoted(found[2]), status=int(found[3]))
        for found in _LOG_LINE.finditer(text)
    ]


def _quoted(path: str) -> str:
    """Escape a query again, as it was sent: the log shows it plain."""
    head, sign, query = path.partition("?")
    parts = [part.partition("=") for part in query.split("&")]
    return head + sign + "&".join(f"{k}{s}{quote(unquote(v), safe='')}" for k, s, v in parts)
