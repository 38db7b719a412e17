"""A cache of PDM in an archive: its database is read there, and unpacked nowhere."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from auditor.lab.artifacts import build_release
from auditor.model import Observation, Role
from probes.archive import KIND

from .conftest import MakeAssignment
from .laid_caches import pdm_database, store_answer

WHEEL, _ = build_release("brokenpkg", "1.2.3")
Look = Callable[..., Awaitable[Observation]]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    async def look(path: Path) -> Observation:
        return await KIND.observe(assign(path=str(path), kind="archive", role=Role.STORE))

    return look


def pdm_cache(directory: Path, *, in_wal_mode: bool = False) -> Path:
    """A cache of PDM that keeps the broken wheel."""
    database = pdm_database(directory)
    store_answer(database, f"http://files.example/{WHEEL.filename}", WHEEL.content)
    if in_wal_mode:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    return database


@pytest.mark.parametrize("in_wal_mode", [False, True])
async def test_pdms_database_in_an_archive_is_read(
    look: Look, tmp_path: Path, *, in_wal_mode: bool
) -> None:
    database = pdm_cache(tmp_path / "pdm", in_wal_mode=in_wal_mode)
    with tarfile.open(tmp_path / "cache.tgz", "w:gz") as archive:
        archive.add(database, "pdm/http/http-cache.db")
    seen = await look(tmp_path / "cache.tgz")
    (held,) = seen.holdings
    assert (held.filename, held.version, held.sha256) == (WHEEL.filename, "1.2.3", WHEEL.sha256)
    assert "http-cache.db" in held.how
    assert seen.holdings_complete is True


@pytest.mark.parametrize("log", ["-wal", "-journal"])
async def test_what_is_not_yet_written_into_pdms_database_is_unread(
    look: Look, tmp_path: Path, log: str
) -> None:
    database = pdm_database(tmp_path / "pdm")
    database.with_name(f"{database.name}{log}").write_bytes(b"not yet written")
    with tarfile.open(tmp_path / "cache.tar", "w") as archive:
        archive.add(tmp_path / "pdm", "pdm")
    seen = await look(tmp_path / "cache.tar")
    assert (seen.holdings, seen.holdings_complete) == ((), False)


@pytest.mark.parametrize("keep", [0, 100, -700])
async def test_a_damaged_database_in_an_archive_is_unread(
    look: Look, tmp_path: Path, keep: int
) -> None:
    content = pdm_cache(tmp_path / "pdm").read_bytes()[:keep]
    (tmp_path / "http-cache.db").write_bytes(content)
    with tarfile.open(tmp_path / "cache.tar", "w") as archive:
        archive.add(tmp_path / "http-cache.db", "http-cache.db")
    assert (await look(tmp_path / "cache.tar")).holdings_complete is False
