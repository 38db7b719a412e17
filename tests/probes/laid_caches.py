"""Caches of clients, laid by hand as the real ones lay them, for what those cannot be made to do.

Whether the real ones lay them so is what tests/real/test_client_caches.py shows.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sqlite3
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import msgspec

from auditor.lab.artifacts import Artifact

__all__ = [
    "NEW_PAGE",
    "OLD_PAGE",
    "lay_artifact",
    "lay_release",
    "lay_uv_page",
    "lay_uv_wheel",
    "pdm_database",
    "store_answer",
]

ARCHIVE_ID = "EIYCaqFsY48bDSx9"
INDEX = "index/49de3a439aa7e62c"

# What uv 0.13.9 stored of a page that lists 1.2.2 and 1.2.3 (simple-v28), fetched at
# 2026-11-23 07:43:44 UTC for ten minutes.
_NEW = (
    "eNqlVG1oHEUYvlwqpghqbYwUFI78sNXkdudj53YnVjQWazCgjaF4EdHM116uue5tctukORoQPDA/iq3SIEV/aNGaqhDR"
    "H378qClUCFgq2moVKokY9JcWqdiINutcbtMca7WlvrvDzOy8zwzPM8+7A0Hgd5gmRLYB9AM7sGU5tlnK7/QLyuTDxUHl"
    "+YM50zCqr8/EIMupkulAE1MTQU6gzSHmhFLJLeFSDpEDGLdJBgOXW4wySwhHL1EliCMpVpgDJix3de80NJCB0v4YTntF"
    "T6WZN2aMDhQSy7E2EY9tiURTYyLZUJvNh2G4PNxy4bP396D94etv3jr+Z+XT7uyuuTuGR+ZP3DUz5IcTQ/sjdNuaWv/F"
    "U09ef6gKPL524/BS12uTO3qbp24Y7XvwZvXz2SPmzPm5O/f0kA+L5yPclG7fLIXhexqzuFQ7sxKdXW3PVMcNDYmBa9OT"
    "S5MCE2UEksIBFtMYTGRGMCwZETTDpeKujRhWVKEMUVwJhW2h1ZTModhVIq6nEbBhI1e+bVOMb6e58LXoeeKnNb+/NB+e"
    "+GTihw1vZ3/d2zJz9Jbnznz88DvH6vg6mtOUxmQjngeWVvkua37tfAk2bWIqyxacWK6rqVGBbJtTYVFKWYZxiyAImWQI"
    "WJwJyQkHNrWYY9m2pAyyGF98Of/cV9o+/fl3sxN9mR9TH239oOXcxRe/feH4I4fPZCfpwXTzH3V++HJFn/JDlYXpQ72/"
    "nX78aNvChs7xnsn7NzfzdTdubjnwdNPzN52q06cprPlhU6RPcHFVn8r/84MCJgQmdRDCUEFGtS0UdixOHSogpIAT1yVA"
    "WdUgUmvmcICYix1m6yRJCYrrE/PDJb6nuk4vNh3z+nvvBotvwWfHX+6YO7nx8Pf72CvnptddeAP8hx8qf/3TD/V1mtRF"
    "2hh9mohy/UijWd0nVnCx+m6sw/VHnuuKznw1/DdcLap1mKxbf7QzGO3L7t66ZVt3+bFu37na+2i1hBQQKf3rAjZ2bIdn"
    "XOW4GYYI1v816bYy3y/kBQvyRc8c8aThj/l5o7aPMQLbdpSKXnvqCkkDwc7CPUP3AgO1pwK1OzAvfQCQCaH8IK08UZR5"
    "L5cr5/32lFRugQWqPVUuBbKWEYYjmnO/5rpPt5N6/JVu62O6rPg1cZUR1/fdXxoHq/1sNM8mr7DBdZfHxyNZd95efdet"
    "sfzbo/tcPLjrgbNRrf4NSSbhIQ=="
)
# What uv 0.10.12 stored of another one (simple-v20), fetched at 07:52:41 for ten minutes.
_OLD = (
    "eNpLKsrPTs0ryE5PgjF0DfWM9Ax1CyqNdfPy81J1E/Mq9cozcpIGGDAwMDADcQMTA0Pl////M0pKCqz09Q2NzPUMgNDQ"
    "ysTU3NxUvzgztyAnVR/uGX39NH1CPmNgYGSAg04g/vDv/38YnxkuE8DAyMSIrJSBkZkBJwCpWwDEa4FmeQDdy8hAOlgB"
    "xDJAvYuBtA3UjJD/CLeBQBL2+DPC4ksw4ESzgwnJfwwczHD/kR2+mDZnlihkFiskJaYwQsP3M9APINrjP/ZwZiIhnBmg"
    "4cwKNEsBah5IrwQ0vGDm+CLFCyRwb5XNZkSEswg0nE1IC2djDN8mUgigbmwAEjspSefG2FMAKNwtcIQ7Mxnh/hWYvgMo"
    "SN8q0HB3QQtvdIArHwb8gdj94w9+/ZQCXOnT4i/E/gd/6Wc/cjwZ/IPYf+Mfbe2HgQKgPcwklA/IcX3hP33cCAInPzBn"
    "g+gTaPk+gom29jKi2U+2u6HxmQE1EACAXUpJ"
)
NEW_PAGE = zlib.decompress(base64.b64decode(_NEW))
OLD_PAGE = zlib.decompress(base64.b64decode(_OLD))


def lay_uv_wheel(
    cache: Path,
    wheel: Artifact,
    *,
    archive: str = ARCHIVE_ID,
    url: str | None = None,
    pointer: bool = True,
    wheels: str = "wheels-v8",
) -> Path:
    """Unpack a wheel as uv does; return the directory."""
    (cache / "CACHEDIR.TAG").parent.mkdir(parents=True, exist_ok=True)
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    directory = cache / "archive-v0" / archive
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as opened:
        opened.extractall(directory)
    stem = wheel.filename.removesuffix(".whl").partition("-")[2]
    if pointer:
        path = cache / wheels / INDEX / wheel.project / f"{stem}.http"
        path.parent.mkdir(parents=True, exist_ok=True)
        read = [archive, [{"Sha256": wheel.sha256}], wheel.filename, 0, len(wheel.content)]
        named = (url or f"https://files.example/{wheel.filename}").encode()
        path.write_bytes(msgspec.msgpack.encode(read) + bytes(13) + named + bytes(90))
        path.with_suffix("").symlink_to(f"../../../../archive-v0/{archive}")
    return directory


def lay_uv_page(cache: Path, content: bytes = NEW_PAGE, bucket: str = "simple-v28") -> Path:
    """Lay a stored page; return its path."""
    path = cache / bucket / INDEX / "brokenpkg.rkyv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def lay_artifact(
    cache: Path, artifact: Artifact, *, url: str | None = None, name: str | None = None
) -> Path:
    """Lay a downloaded file as Poetry does; return its path."""
    key = {"url": url or f"https://files.example/{artifact.filename}", "sha256": artifact.sha256}
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    directory = cache / "artifacts" / digest[:2] / digest[2:4] / digest[4:6] / digest[6:]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (name or artifact.filename)
    path.write_bytes(artifact.content)
    return path


def lay_release(cache: Path, artifact: Artifact, content: bytes | None = None) -> Path:
    """Lay the description of a release as Poetry does; return its path."""
    digest = hashlib.sha256(f"{artifact.project}:{artifact.version}".encode()).hexdigest()
    parts = [digest[at : at + 2] for at in range(0, 16, 2)]
    path = cache.joinpath("cache", "repositories", "corp", *parts, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = {
        "file": artifact.filename,
        "hash": f"sha256:{artifact.sha256}",
        "url": f"https://files.example/{artifact.filename}",
    }
    release = {"name": artifact.project, "version": artifact.version, "files": [file]}
    path.write_bytes(b"9999999999" + json.dumps(release).encode() if content is None else content)
    return path


def pdm_database(cache: Path) -> Path:
    """Make an empty database as PDM does; return its path."""
    path = cache / "http" / "http-cache.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE entries (id BLOB PRIMARY KEY, cache_key BLOB, data BLOB NOT NULL, "
            "created_at REAL NOT NULL, deleted_at REAL)"
        )
        db.execute(
            "CREATE TABLE streams (entry_id BLOB NOT NULL, chunk_number INTEGER NOT NULL, "
            "chunk_data BLOB NOT NULL, PRIMARY KEY (entry_id, chunk_number))"
        )
        db.commit()
    return path


def store_answer(
    database: Path,
    url: str,
    body: bytes,
    *,
    headers: dict[str, str] | None = None,
    stored_s: float = 1_795_400_000.0,
    deleted: bool = False,
    chunk_bytes: int = 700,
    data: bytes | None = None,
) -> None:
    """Store an answer as PDM does, in small chunks."""
    key = hashlib.sha256(url.encode()).digest()[:16]
    pair = {
        "request": {"method": "GET", "url": url, "headers": {"accept": ["*/*"]}},
        "response": {
            "status_code": 200,
            "headers": {name.lower(): [value] for name, value in (headers or {}).items()},
        },
        "meta": {"created_at": stored_s, "deleted_at": None},
    }
    chunks = [body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    rows = [(key, number, chunk) for number, chunk in enumerate(chunks)]
    stored = msgspec.msgpack.encode(pair) if data is None else data
    with closing(sqlite3.connect(database)) as db:
        entry = (key, None, stored, stored_s, stored_s if deleted else None)
        db.execute("INSERT INTO entries VALUES (?,?,?,?,?)", entry)
        db.executemany("INSERT INTO streams VALUES (?,?,?)", [*rows, (key, -1, b"")])
        db.commit()
