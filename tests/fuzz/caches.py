"""What programs keep on disk: clients' caches and caches of servers, byte by byte."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import msgspec
from pip._vendor.cachecontrol.serialize import Serializer
from pip._vendor.requests import Request
from pip._vendor.urllib3 import HTTPResponse

from auditor.errors import ProbeError
from auditor.lab.negotiation import PageFormat
from auditor.model import Role
from probes.bandersnatch import KIND as BANDERSNATCH
from probes.cache_server.directory import read_directory
from probes.cache_server.formats import read_apache, read_kept
from probes.cache_server.kept import Damaged as DamagedAnswer
from probes.cache_server.kept import KeptAnswer
from probes.devpi_server.disk import read_disk
from probes.http_stores.entry import Damaged, Foreign, entry_path, parse_entry, read_entry
from probes.kit.evidence import EvidenceRecorder
from probes.pdm_cache import KIND as PDM
from probes.pip_cache import KIND as PIP
from probes.poetry_cache import KIND as POETRY
from probes.proxpi_cache.disk import read_cache as read_proxpi
from probes.uv_cache import KIND as UV
from probes.uv_store.page_archive import read_candidates
from probes.uv_store.policy import read_policy
from probes.uv_store.rkyv import NotArchived
from tests.fuzz.changes import changed_json, changed_msgpack, changed_numbers
from tests.fuzz.pages import pages_of
from tests.fuzz.target import (
    BROKEN,
    INCIDENT,
    PROJECT,
    SDIST,
    Target,
    emptied,
    observed,
    scratch,
)
from tests.probes.cache_files import apache_entry, nginx_entry, squid_entry
from tests.probes.laid_caches import (
    ARCHIVE_ID,
    INDEX,
    NEW_PAGE,
    OLD_PAGE,
    lay_artifact,
    lay_release,
    lay_uv_wheel,
    pdm_database,
    store_answer,
)

__all__ = ["TARGETS"]

URL = f"https://files.example/packages/{BROKEN.filename}"
PAGE_URL = "https://index.example/simple/brokenpkg/"
_SMALL_BYTES = 2**16


def read_pip_entry(data: bytes) -> None:
    """From memory and from a file the same, and what pip's own reader sees in it."""
    ours = parse_entry(data)
    path = scratch("entry") / "entry"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert read_entry(descriptor, len(data)) == ours
    finally:
        os.close(descriptor)
    assert 0 <= ours.body_at <= ours.body_at + ours.body_size <= len(data)
    ours.is_cut(ours.body_size)
    if len(data) > _SMALL_BYTES:
        return
    theirs = _by_pip(data)
    if theirs is not None:
        body = data[ours.body_at : ours.body_at + ours.body_size]
        assert theirs.read(decode_content=False) == body
        assert theirs.status == ours.status
        assert {k.lower() for k in theirs.headers} <= set(ours.headers) | {"transfer-encoding"}


def _by_pip(data: bytes) -> HTTPResponse | None:
    """What pip reads; None where it reads nothing, or ends with an error."""
    try:
        return Serializer().loads(Request("GET", URL).prepare(), data)
    except Exception:  # noqa: BLE001  # what pip raises on an odd entry is no closed set
        return None


def _entry(body: bytes, headers: dict[str, str], vary: dict[str, str | None]) -> bytes:
    response = {"body": body, "headers": headers, "status": 200, "version": 11, "reason": "OK"}
    response["decode_content"] = False
    return b"cc=4," + msgspec.msgpack.encode({"response": response, "vary": vary})


def _entries() -> Iterator[bytes]:
    page = next(iter(pages_of(PageFormat.V1_JSON)))
    headers = {
        "Content-Type": PageFormat.V1_JSON.value,
        "Date": "Mon, 23 Nov 2026 11:59:00 GMT",
        "Cache-Control": "max-age=600",
        "Vary": "Accept",
    }
    yield _entry(b"", headers, {"Accept": "*/*"})
    yield _entry(page, headers | {"Content-Length": str(len(page))}, {"Accept": None})
    packed = gzip.compress(page, mtime=0)
    yield _entry(packed, headers | {"Content-Encoding": "gzip"}, {})
    yield _entry(BROKEN.content, {"content-type": "application/octet-stream"}, {})
    yield b"cc=2,\x78\x9c"


def read_pip_cache(data: bytes) -> None:
    """A cache of both layouts with one odd entry, and an odd body beside a good one."""
    cache = emptied("pip")
    for store in ("http", "http-v2"):
        path = cache / store / entry_path(PAGE_URL)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    good = cache / "http-v2" / entry_path(URL)
    good.parent.mkdir(parents=True)
    good.write_bytes(_entry(b"", {"content-type": "x"}, {}))
    Path(f"{good}.body").write_bytes(data)
    wheel = cache / "wheels" / "aa" / "bb" / "cc" / BROKEN.filename
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(data)
    (wheel.parent / "origin.json").write_bytes(data)
    observed(PIP, cache, Role.STORE)


def read_uv_page(data: bytes) -> None:
    """The page and the policy of both layouts."""
    refused = 0
    for new in (True, False):
        try:
            policy = read_policy(data, new=new)
            assert policy.expires_at >= policy.fetched_at
        except NotArchived:
            refused += 1
    try:
        msgspec.json.encode(read_candidates(data, PAGE_URL, PROJECT))
    except NotArchived:
        refused += 1
    if refused == 3:
        raise NotArchived("nothing of it")


def _uv_pages() -> Iterator[bytes]:
    yield from (NEW_PAGE, OLD_PAGE)
    start = int.from_bytes(NEW_PAGE[-8:], "little")
    yield NEW_PAGE[:start]


def read_uv_cache(data: bytes) -> None:
    """Pages and pointers, and what they lead to."""
    cache = emptied("uv")
    lay_uv_wheel(cache, BROKEN)
    for bucket in ("simple-v28", "simple-v20"):
        path = cache / bucket / INDEX / "brokenpkg.rkyv"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    pointers = cache / "wheels-v8" / INDEX / PROJECT
    for name in ("1.2.4-py3-none-any.http", "1.2.2-py3-none-any.rev", "1.2.1-py3-none-any.msgpack"):
        (pointers / name).write_bytes(data)
    source = cache / "sdists-v11" / INDEX / PROJECT / "1.2.3"
    source.mkdir(parents=True)
    (source / "revision.http").write_bytes(data)
    (cache / "archive-v0" / ARCHIVE_ID / "brokenpkg-1.2.3.dist-info" / "RECORD").write_bytes(data)
    observed(UV, cache, Role.STORE)


def _uv_seeds() -> Iterator[bytes]:
    yield from (NEW_PAGE, OLD_PAGE)
    read = [ARCHIVE_ID, [{"Sha256": BROKEN.sha256}], BROKEN.filename, 0, len(BROKEN.content)]
    named = URL.encode()
    yield msgspec.msgpack.encode(read) + bytes(13) + named + bytes(90)
    yield msgspec.msgpack.encode({"id": ARCHIVE_ID, "hashes": []}) + bytes(20)
    yield b"brokenpkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\n"


def read_poetry_cache(data: bytes) -> None:
    """The description of a release, an artifact, and an answer."""
    cache = emptied("poetry")
    lay_release(cache, BROKEN, data)
    lay_artifact(cache, BROKEN).write_bytes(data)
    stored = cache / "cache" / "repositories" / "corp" / "_http" / entry_path(PAGE_URL)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(data)
    observed(POETRY, cache, Role.STORE)


def _poetry_seeds() -> Iterator[bytes]:
    yield lay_release(emptied("poetry-seed"), BROKEN).read_bytes()
    yield BROKEN.content
    yield next(_entries())


def read_pdm_answer(data: bytes) -> None:
    """What PDM writes down of an answer, and its body."""
    cache = emptied("pdm")
    database = pdm_database(cache)
    half = len(data) // 2
    store_answer(database, URL, BROKEN.content, data=data, chunk_bytes=2**16)
    headers = {"content-type": "text/html", "cache-control": "max-age=60"}
    store_answer(database, PAGE_URL, data[half:], headers=headers, chunk_bytes=2**16)
    observed(PDM, cache, Role.STORE)


def _pdm_answers() -> Iterator[bytes]:
    pair = {
        "request": {"method": "GET", "url": PAGE_URL, "headers": {"accept": ["*/*"]}},
        "response": {"status_code": 200, "headers": {"content-type": ["text/html"]}},
        "meta": {"created_at": 1_795_400_000.0, "deleted_at": None},
    }
    yield msgspec.msgpack.encode(pair)
    yield next(iter(pages_of(PageFormat.HTML)))


def read_pdm_database(data: bytes) -> None:
    """A database of which any byte may be another."""
    cache = emptied("pdm-raw")
    (cache / "http").mkdir()
    (cache / "http" / "http-cache.db").write_bytes(data)
    observed(PDM, cache, Role.STORE)


def _databases() -> Iterator[bytes]:
    database = pdm_database(emptied("pdm-seed"))
    yield database.read_bytes()
    store_answer(database, URL, BROKEN.content)
    yield database.read_bytes()


def read_kept_answer(data: bytes) -> None:
    """The files of nginx, squid and Apache, from their first bytes."""
    refused = 0
    for read, head in product((read_kept, read_apache), (data, data[:1000])):
        try:
            found = read(head)
        except DamagedAnswer:
            refused += 1
            continue
        if found is not None:
            _check_answer(found, head)
    if refused == 4:
        raise DamagedAnswer("it is neither")


def _check_answer(found: KeptAnswer, data: bytes) -> None:
    assert 0 <= found.body_at <= len(data)
    shown = [found.key, found.shown_key, found.filename, found.variant, found.announced_size]
    msgspec.json.encode([*shown, found.stored_at, found.expires_at, found.status])
    for time in (found.stored_at, found.expires_at):
        assert time is None or datetime(1970, 1, 1, tzinfo=UTC) <= time


def read_cache_directory(data: bytes) -> None:
    """A directory in which one program keeps an odd file beside a good one."""
    home = emptied("served")
    for name in ("c/29/b7f54b2df7773722d382f4809d65029c", "00/00/00000001", "x/a.header"):
        path = home / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    (home / "x" / "a.data").write_bytes(data)
    nginx_entry(home, URL, BROKEN.content)
    recorder = EvidenceRecorder()
    found = read_directory(home, INCIDENT, recorder, threading.Event(), limit_s=20.0)
    msgspec.json.encode([*found.holdings, *recorder.all(), found.problem, *found.notes])
    assert any(holding.sha256 == BROKEN.sha256 for holding in found.holdings)


def _kept() -> Iterator[bytes]:
    home = emptied("kept-seed")
    page = next(iter(pages_of(PageFormat.V1_JSON)))
    more = {"kind": PageFormat.V1_JSON.value, "Cache_Control": "max-age=600", "Vary": "Accept"}
    for url, body in ((URL, BROKEN.content), (PAGE_URL, page)):
        yield nginx_entry(home, url, body, vary="Accept", variant=b"0" * 16).read_bytes()
        yield squid_entry(home, 1, url, body, vary='accept="*/*"', **more).read_bytes()
        yield apache_entry(home / "a", "x", f"{url}?", None, **more).read_bytes()
    yield struct.pack("<I", 5) + bytes(8) + b"Accept\r\n"


def read_index_on_disk(data: bytes) -> None:
    """A mirror of bandersnatch whose pages and JSON are odd."""
    mirror = emptied("mirror")
    page = mirror / "web" / "simple" / PROJECT
    page.mkdir(parents=True)
    for name in ("index.v1_json", "index.html"):
        (page / name).write_bytes(data)
    versions = page / "versions"
    versions.mkdir()
    (versions / "index_7_2026-11-23T000000Z.v1_json").write_bytes(data)
    (mirror / "web" / "json").mkdir()
    (mirror / "web" / "json" / PROJECT).write_bytes(data)
    for mark in ("status", "todo", "generation"):
        (mirror / mark).write_bytes(data)
    (mirror / "web" / "last-modified").write_bytes(data)
    observed(BANDERSNATCH, mirror, Role.INDEX, orphans=True)


def _mirror_seeds() -> Iterator[bytes]:
    yield from pages_of(PageFormat.V1_JSON)
    yield from pages_of(PageFormat.HTML)
    file = {"filename": BROKEN.filename, "url": f"https://f.example/packages/aa/{BROKEN.filename}"}
    yield json.dumps({"info": {}, "last_serial": 7, "releases": {"1.2.3": [file]}}).encode()
    yield b"20261123T10:00:00\n"
    yield b"{"


def read_files_on_disk(data: bytes) -> None:
    """Files where proxpi and devpi keep them, whatever is in them."""
    recorder, stop = EvidenceRecorder(), threading.Event()
    top = emptied("proxpi")
    place = top / "files-example-org" / "packages" / "aa"
    place.mkdir(parents=True)
    for name in (BROKEN.filename, SDIST.filename, "blob"):
        (place / name).write_bytes(data)
    proxpi = read_proxpi(top, INCIDENT, (), stop, recorder)
    server = emptied("devpi") / "+files" / "root" / "pypi" / "+f" / "aa0"
    server.mkdir(parents=True)
    (server / BROKEN.filename).write_bytes(data)
    devpi = read_disk(scratch("devpi"), ["root/pypi"], INCIDENT, (), stop, recorder)
    msgspec.json.encode([*proxpi.holdings, *proxpi.notes, *devpi.holdings, *recorder.all()])
    for holding in (*proxpi.holdings, *devpi.holdings):
        same = holding.sha256 in (BROKEN.sha256, SDIST.sha256)
        assert same == (data in (BROKEN.content, SDIST.content))


def _file_seeds() -> Iterator[bytes]:
    yield from (BROKEN.content, SDIST.content, io.BytesIO(b"PK").getvalue())


_ENTRY_TOKENS = (b"cc=4,", b"\xa8response", b"\xa4body", b"\xc4\x00", b"\xa4vary", b"\xa7headers")
_KEPT_TOKENS = (
    *(b"\nKEY: ", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\n", b"\x05\0\0\0\0\0\0\0", b"\x06\0\0\0"),
    *(b"Vary: Accept\r\n", b"Content-Length: ", b"Expires: ", b"\xff\xff\xff\x7f", b"http"),
)

TARGETS = (
    Target(
        name="caches.pip_entry",
        change=changed_msgpack,
        run=read_pip_entry,
        seeds=_entries,
        refusals=(Foreign, Damaged),
        tokens=_ENTRY_TOKENS,
    ),
    Target(
        name="caches.pip",
        change=changed_msgpack,
        run=read_pip_cache,
        seeds=_entries,
        tokens=_ENTRY_TOKENS,
    ),
    Target(
        name="caches.uv_page",
        change=changed_numbers,
        run=read_uv_page,
        seeds=_uv_pages,
        refusals=(NotArchived,),
    ),
    Target(name="caches.uv", change=changed_msgpack, run=read_uv_cache, seeds=_uv_seeds),
    Target(
        name="caches.poetry",
        run=read_poetry_cache,
        seeds=_poetry_seeds,
        tokens=(b'"files"', b'"hash"', b'"name"', b"9999999999{", b'"url"', *_ENTRY_TOKENS),
    ),
    Target(name="caches.pdm", change=changed_msgpack, run=read_pdm_answer, seeds=_pdm_answers),
    Target(
        name="caches.pdm_database",
        change=changed_numbers,
        run=read_pdm_database,
        seeds=_databases,
        tokens=(b"SQLite format 3\0", b"entries", b"streams", b"CREATE VIEW "),
    ),
    Target(
        name="caches.kept",
        change=changed_numbers,
        run=read_kept_answer,
        seeds=_kept,
        refusals=(DamagedAnswer,),
        tokens=_KEPT_TOKENS,
    ),
    Target(
        name="caches.served",
        change=changed_numbers,
        run=read_cache_directory,
        seeds=_kept,
        tokens=_KEPT_TOKENS,
    ),
    Target(
        name="caches.mirror",
        change=changed_json,
        run=read_index_on_disk,
        seeds=_mirror_seeds,
        refusals=(ProbeError,),
        tokens=(b'"releases"', b'"filename"', b'"url"', b"/packages/", b"<a href="),
    ),
    Target(name="caches.files", run=read_files_on_disk, seeds=_file_seeds),
)
