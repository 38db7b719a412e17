"""Buckets of moto's real server, and looks into them."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from auditor.contracts import Assignment, Credentials, GuardPolicy, Ledger
from auditor.lab.drive.process import running
from auditor.model import (
    Fingerprint,
    Holding,
    Incident,
    Location,
    Observation,
    Role,
    SettingValue,
    Vantage,
)
from probes.s3 import KIND

ACCESS_KEY, SECRET_KEY = "AKIA0CANARY0ACCESS00", "canary-secret-7Qe1/Zk+2bXw9"
LOGIN = Credentials(username=ACCESS_KEY, password=SECRET_KEY)


class Limits:
    """Lets everybody through, and counts."""

    def __init__(self) -> None:
        self.most = self._held = 0

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        self._held += 1
        self.most = max(self.most, self._held)
        try:
            yield
        finally:
            self._held -= 1


@dataclass
class Bucket:
    """One bucket that a test fills, and looks into."""

    endpoint_url: str
    name: str = field(default_factory=lambda: f"b-{uuid.uuid4().hex[:20]}")

    def __post_init__(self) -> None:
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="filler",
            aws_secret_access_key="filler",
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )
        self.client.create_bucket(Bucket=self.name)

    def keep_versions(self, state: str = "Enabled") -> None:
        self.client.put_bucket_versioning(
            Bucket=self.name, VersioningConfiguration={"Status": state}
        )

    def put(self, key: str, body: bytes = b"x", **more: Any) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def put_in_parts(self, key: str, body: bytes, **more: Any) -> None:
        named = {"Bucket": self.name, "Key": key}
        upload = self.client.create_multipart_upload(**named, **more)["UploadId"]
        part = self.client.upload_part(**named, UploadId=upload, PartNumber=1, Body=body, **more)
        kept = {k: v for k, v in part.items() if k == "ETag" or k.startswith("Checksum")}
        parts = {"Parts": [{**kept, "PartNumber": 1}]}
        self.client.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)

    def everything(self) -> list[tuple[str, str, str]]:
        """Key, id and kind of every version and marker."""
        found = []
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for kind in ("Versions", "DeleteMarkers"):
                found += [(e["Key"], e["VersionId"], kind) for e in page.get(kind, ())]
        return found

    def assignment(
        self,
        *,
        role: Role = Role.STORE,
        prefix: str = "",
        credentials: Credentials = LOGIN,
        fingerprints: tuple[Fingerprint, ...] = (),
        policy: GuardPolicy | None = None,
        project: str = "brokenpkg",
        timeout_s: float = 30.0,
        **settings: SettingValue,
    ) -> Assignment:
        incident = Incident(
            id="incident",
            project=project,
            broken=("1.2.3",),
            fixed=("1.2.4",),
            fingerprints=fingerprints,
        )
        chosen = {"bucket": self.name, "endpoint_url": self.endpoint_url, "prefix": prefix}
        location = Location(
            name="here",
            kind="s3",
            role=role,
            url=f"s3://{self.name}/{prefix}",
            timeout_s=timeout_s,
            settings={**chosen, **settings},
        )
        return Assignment(
            incident=incident,
            location=location,
            vantage=Vantage(id="test"),
            policy=policy or GuardPolicy(),
            credentials=credentials,
            limits=Limits(),
            ledger=Ledger(),
            user_agent_suffix="propagation-auditor/0.1",
            now=lambda: datetime.now(UTC),
        )

    async def look(self, **how: Any) -> Observation:
        return await KIND.observe(self.assignment(**how))


def by_name(found: Observation) -> Mapping[str, list[Holding]]:
    """Holdings by file name, the visible one first."""
    names: dict[str, list[Holding]] = {}
    for holding in found.holdings:
        names.setdefault(holding.filename, []).append(holding)
    return names


@contextmanager
def moto(command: Path, home: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run one server for several tests, each with an event loop of its own."""
    started: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        def command_line(port: int) -> list[str | Path]:
            return [command, "-H", "127.0.0.1", "-p", str(port)]

        async with running("moto", command_line, home=home, environment=environment) as server:
            started.append(server.url)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: _serve_until_over(serve, ready))
    thread.start()
    ready.wait()
    try:
        assert started, "moto did not start"
        yield started[0]
    finally:
        over.set()
        thread.join()


def _serve_until_over(serve: Any, ready: threading.Event) -> None:
    try:
        asyncio.run(serve())
    finally:
        ready.set()
