"""Archives, wheels, source archives and images: packed, cut, nested, and lying about their size."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import zstandard

from auditor.model import HeldState, Observation, PinState, Role
from probes.archive import KIND as ARCHIVE
from probes.archives.peeking import is_source_archive
from probes.archives.walking import read_archive_file
from probes.image import KIND as IMAGE
from probes.images.opening import is_saved_image
from probes.installed.record import NoRecord, released_in
from probes.kit.disk import NotReadable
from probes.kit.distribution import Unreadable, is_intact, read_metadata
from probes.wheelhouse import KIND as WHEELHOUSE
from tests.fuzz.changes import changed_json, changed_tar, changed_zip
from tests.fuzz.target import (
    BROKEN,
    FIXED,
    INCIDENT,
    PROJECT,
    SDIST,
    Target,
    emptied,
    observed,
    scratch,
)
from tests.probes.laid_images import Layout, layer

__all__ = ["TARGETS"]

_SITE = "usr/lib/python3.12/site-packages"
_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    lambda content: gzip.compress(content, 1, mtime=0),
    lambda content: zstandard.compress(content, 1),
    lambda content: bz2.compress(content, 1),
    lambda content: lzma.compress(content, preset=0),
)


def _zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def _observe_archive(content: bytes, name: str) -> Observation:
    path = scratch("archive") / name
    path.write_bytes(content)
    try:
        return observed(ARCHIVE, path, Role.STORE)
    finally:
        path.unlink()


def read_archive(data: bytes) -> None:
    """Any bytes as a CI job's cache; what is held has the digest that it is said to have."""
    seen = _observe_archive(data, "cache.tar")
    known = {BROKEN.sha256, SDIST.sha256, FIXED.sha256}
    for holding in seen.holdings:
        if holding.state is HeldState.HELD and holding.intact and holding.sha256 in known:
            assert holding.version in ("1.2.3", "1.2.4")
    path = scratch("archive") / SDIST.filename
    path.write_bytes(data)
    is_source_archive(path)
    is_saved_image(path)


def read_packed(data: bytes) -> None:
    """A tar file packed in each way reads as it does unpacked."""
    path = scratch("archive") / "cache"
    if not data:
        return
    reading = []
    for pack in (_PACKERS[0], _PACKERS[data[0] % len(_PACKERS)]):
        path.write_bytes(pack(data[1:]))
        found = read_archive_file(path, INCIDENT, threading.Event())
        reading.append(found)
    plain, packed = reading
    if not plain.unread and not packed.unread:
        assert [f.sha256 for f in plain.found] == [f.sha256 for f in packed.found]


def _tars() -> Iterator[bytes]:
    wheel = {f"wheels/{BROKEN.filename}": BROKEN.content}
    info = {f"{_SITE}/brokenpkg-1.2.3.dist-info/METADATA": b"Name: brokenpkg\nVersion: 1.2.3\n"}
    lock = {"app/uv.lock": b'version = 1\n[[package]]\nname = "brokenpkg"\nversion = "1.2.3"\n'}
    inner = {"deep/inner.tar.gz": gzip.compress(layer(wheel), mtime=0), "app.pyz": _zip(wheel)}
    yield layer(wheel | {f"s/{SDIST.filename}": SDIST.content})
    yield layer(info | lock)
    yield layer(inner | {"blob": gzip.compress(layer(info), mtime=0) * 1})
    yield _with_links()


def _with_links() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        header = tarfile.TarInfo(f"store/{'x' * 120}")
        header.size = len(BROKEN.content)
        archive.addfile(header, io.BytesIO(BROKEN.content))
        for kind, target in ((tarfile.LNKTYPE, header.name), (tarfile.SYMTYPE, "../x")):
            link = tarfile.TarInfo(f"links/{BROKEN.filename}")
            link.type, link.linkname = kind, target
            archive.addfile(link)
    return stream.getvalue()


def _archives() -> Iterator[bytes]:
    tar = next(_tars())
    yield from (pack(tar) for pack in _PACKERS)
    yield _zip({f"w/{BROKEN.filename}": BROKEN.content, "x.tar": tar})
    yield _zip({"x.tar.gz": gzip.compress(tar, mtime=0)}, zipfile.ZIP_STORED)
    yield _with_links()


def read_release(data: bytes) -> None:
    """Files called like releases: what their metadata says is what a plain reading finds."""
    home = emptied("wheelhouse")
    for name in (BROKEN.filename, SDIST.filename, "brokenpkg-1.2.4.zip"):
        (home / name).write_bytes(data)
        _check_metadata(home / name, data)
    observed(WHEELHOUSE, home, Role.INDEX)
    with suppress(NoRecord):
        released_in(home / BROKEN.filename, PROJECT)


def _check_metadata(path: Path, data: bytes) -> None:
    intact = is_intact(path, threading.Event())
    try:
        found = read_metadata(path, threading.Event())
    except (Unreadable, NotReadable):
        return
    assert found.intact is intact
    if path.suffix == ".whl" and found.version:
        plain = _plain_version(data)
        assert plain is None or plain.startswith(found.version)  # a long one is cut
        assert plain is None or plain == found.version or len(found.version) > 1_000


def _plain_version(data: bytes) -> str | None:
    """The version in a wheel as the simplest reader finds it; None where that fails."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            head = archive.read(name).decode().partition("\n\n")[0]
    except Exception:  # noqa: BLE001  # whatever a damaged archive makes the library raise
        return None
    stated = [line for line in head.split("\n") if line.startswith("Version: ")]
    plain = len(stated) == 1 and stated[0].isascii() and stated[0].isprintable()
    return stated[0].removeprefix("Version: ").strip() if plain and "\r" not in head else None


def _releases() -> Iterator[bytes]:
    yield from (BROKEN.content, SDIST.content, FIXED.content)
    info = "brokenpkg-1.2.3.dist-info"
    record = f"{info}/METADATA,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
    metadata = b"Metadata-Version: 2.1\nName: brokenpkg\nVersion: 1.2.3\n\ntext\n"
    members = {f"{info}/METADATA": metadata, f"{info}/RECORD": record.encode()}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield _zip(members, method)
    yield _zip({"brokenpkg-1.2.4/PKG-INFO": metadata})
    yield layer({"brokenpkg-1.2.3/PKG-INFO": metadata})


def read_saved_image(data: bytes) -> None:
    """An image as `docker save` writes it."""
    path = scratch("image") / "saved.tar"
    path.write_bytes(data)
    observed(IMAGE, path, Role.PIN)


def read_image_documents(data: bytes) -> None:
    """A layout whose documents are odd, and whose layers are what they are."""
    home = emptied("layout")
    layout = Layout(home)
    layout.blob(_layer())
    digest = layout.blob(data)
    if len(data) % 2:
        layout.index({"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}})
    else:
        (home / "index.json").write_bytes(data)
        (home / "manifest.json").write_bytes(data)
    observed(IMAGE, home, Role.PIN)


def read_image_layers(data: bytes) -> None:
    """A whole layer below an odd one: what that does not hide is there."""
    layout = Layout(emptied("layers"))
    layout.index({"digest": layout.image(_layer(), data)})
    seen = observed(IMAGE, layout.path, Role.PIN)
    states = {pin.version: pin.state for pin in seen.pins}
    assert states.get("1.2.3") in (PinState.INSTALLED, PinState.SHADOWED)
    if b".wh." not in data and b"brokenpkg" not in data and data[:1] not in _PACKED:
        assert states["1.2.3"] is PinState.INSTALLED


_PACKED = (b"\x1f", b"\x28", b"\xfd", b"B", b"P", b"#", b"\x50")


def _layer() -> bytes:
    name = f"{_SITE}/brokenpkg-1.2.3.dist-info/METADATA"
    return layer({name: b"Name: brokenpkg\nVersion: 1.2.3\n"})


def _documents() -> Iterator[bytes]:
    digest = f"sha256:{hashlib.sha256(_layer()).hexdigest()}"
    platform = {"os": "linux", "architecture": "arm64"}
    name = {"org.opencontainers.image.ref.name": "app:1"}
    entry = {"digest": digest, "platform": platform, "annotations": name}
    for document in (
        {"layers": [{"digest": digest}]},
        {"manifests": [entry, entry]},
        [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": [f"blobs/sha256/{digest[7:]}"]}],
    ):
        text = json.dumps(document).encode()
        yield from (text, text + b" ")


def _saved() -> Iterator[bytes]:
    manifest = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["aa/layer.tar"]}]
    link = json.dumps(manifest).encode()
    yield layer({"manifest.json": link, "aa/layer.tar": _layer(), "c.json": b"{}"})
    yield gzip.compress(layer({"aa/layer.tar": _layer(), "manifest.json": link}), mtime=0)


def _layers() -> Iterator[bytes]:
    yield layer({f"{_SITE}/.wh.brokenpkg-1.2.3.dist-info": b""})
    yield layer({f"{_SITE}/.wh..wh..opq": b"", "etc/hosts": b"x"})
    yield gzip.compress(layer({f"{_SITE}/x.py": b"1"}), mtime=0)
    yield layer({f"{_SITE}/brokenpkg-1.2.4.dist-info/METADATA": b"Name: brokenpkg\nVersion: 1.2.4"})


_TAR_TOKENS = (
    b"ustar\0",
    b"ustar  \0",
    b"././@LongLink",
    b"GNU.sparse.major=1",
    b"size=",
    b"path=",
)
_ZIP_TOKENS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"#!/x\n")
_PACK_TOKENS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh9", b"\x04\x22\x4d\x18")

TARGETS = (
    Target(
        name="archives.any",
        change=changed_zip,
        run=read_archive,
        seeds=_archives,
        tokens=(*_TAR_TOKENS, *_ZIP_TOKENS, *_PACK_TOKENS),
    ),
    Target(
        name="archives.packed",
        change=changed_tar,
        run=read_packed,
        seeds=lambda: [bytes([n]) + tar for n, tar in enumerate(_tars())],
        tokens=_TAR_TOKENS,
    ),
    Target(
        name="archives.release",
        change=changed_zip,
        run=read_release,
        seeds=_releases,
        tokens=(*_ZIP_TOKENS, b".dist-info/METADATA", b"/PKG-INFO", b"Version: ", b"\n\n"),
    ),
    Target(
        name="archives.image",
        change=changed_zip,
        run=read_saved_image,
        seeds=_saved,
        tokens=(*_TAR_TOKENS, b"manifest.json", b"index.json", b"layer.tar", b'"Layers"'),
    ),
    Target(
        name="archives.image_documents",
        change=changed_json,
        run=read_image_documents,
        seeds=_documents,
        tokens=(b'"manifests"', b'"layers"', b'"digest"', b'"platform"', b"\\ud800", b"null"),
    ),
    Target(
        name="archives.image_layers",
        change=changed_tar,
        run=read_image_layers,
        seeds=_layers,
        tokens=(*_TAR_TOKENS, b".wh.", b".wh..wh..opq"),
    ),
)
