"""Images on disk: an OCI layout, as a directory or a tar file, or what `docker save` writes."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from auditor.errors import ProbeError
from auditor.model import Incident
from probes.archives.members import DAMAGED, MemberType
from probes.archives.nesting import members_of
from probes.archives.peeking import first_names
from probes.images.layers import Layer, read_layer
from probes.kit.answer import shown
from probes.kit.disk import NotReadable, open_regular, read_regular

__all__ = ["Image", "NoImage", "is_saved_image", "read_images"]

_MAX_DOCUMENT_BYTES = 8 * 2**20
# An index of indexes of manifests is one level more than anybody writes.
_MAX_DEPTH = 4
_MAX_IMAGES = 200
# A saved image has its documents, or its first layer, among so many.
_FIRST_MEMBERS = 16
_MARKS = ("oci-layout", "index.json", "manifest.json", "repositories", "blobs/sha256")
_DIGEST = re.compile(r"^(sha256|sha512):([0-9a-f]{64,128})$")
_BLOB = re.compile(r"^blobs/(sha256|sha512)/([0-9a-f]{64,128})$")
# docker save before 25, `podman save --format docker-archive`, crane and kaniko.
_OLD_LAYER = re.compile(r"^([^/]+/layer\.tar|[0-9a-f]{64}\.tar(\.gz)?)$")


# crane calls an image's configuration by its digest.
_CONFIG = re.compile(r"^sha256:[0-9a-f]{64}$")


class NoImage(ProbeError):
    """It is no image that can be read; the text says why."""


@dataclass
class Image:
    """One image: a platform, or a tag.

    Attributes:
        name: tag, platform or digest, for a reader.
        layers: the lowest first.
        unread: what could hide something, in words.
    """

    name: str
    layers: list[Layer] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass
class _Store:
    """Blobs and documents by their path in the layout, however it is stored.

    Attributes:
        document: returns a JSON document; None if there is none of that path.
        layer: returns a layer; None if there is none of that path.
    """

    document: Callable[[str], object | None]
    layer: Callable[[str], Layer | None]


def read_images(path: Path, incident: Incident, stop: threading.Event) -> list[Image]:
    """Read every image at a path.

    Raises:
        NoImage: there is none that can be read.
        OSError: it is not there, or may not be read.
    """
    if path.is_dir():
        images = _images(_directory_store(path, incident, stop))
    else:
        with open_regular(path) as file:
            images = _images(_tar_store(file, incident, stop))
    if not images:
        raise NoImage(f"{path} names no image: it has neither index.json nor manifest.json")
    return images


def is_saved_image(path: Path) -> bool:
    """Say whether an archive begins as `docker save` and its like write them, packed or not."""
    try:
        return any(_is_mark(name.rstrip("/")) for name in first_names(path, _FIRST_MEMBERS))
    except (OSError, ProbeError, *DAMAGED):
        return False


def _is_mark(name: str) -> bool:
    return name in _MARKS or any(p.match(name) for p in (_BLOB, _OLD_LAYER, _CONFIG))


def _directory_store(path: Path, incident: Incident, stop: threading.Event) -> _Store:
    def document(name: str) -> object | None:
        try:
            return _parsed(name, read_regular(path / name, _MAX_DOCUMENT_BYTES))
        except FileNotFoundError:
            return None

    def layer(name: str) -> Layer | None:
        try:
            with open_regular(path / name) as file:
                return _read(name, file, incident, stop)
        except FileNotFoundError:
            return None
        except (OSError, NotReadable) as error:
            return Layer(unread=[f"{name}: {error}"])

    return _Store(document, layer)


def _tar_store(file: BinaryIO, incident: Incident, stop: threading.Event) -> _Store:
    """Read a tar file once. The documents that name its blobs stand behind them, or before."""
    documents: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    damage: list[str] = []
    try:
        for member in members_of(file, stop):
            name = member.path
            if member.type in (MemberType.SYMBOLIC_LINK, MemberType.HARD_LINK):
                links[name] = _target(name, member.target, member.type)
            elif member.type is MemberType.FILE:
                _sort(name, member.size, member.open, documents, layers, incident, stop)
    except (ProbeError, *DAMAGED) as error:
        damage.append(f"the image ends early: {str(error) or type(error).__name__}")

    def document(name: str) -> object | None:
        content = documents.get(links.get(name, name))
        return None if content is None else _parsed(name, content)

    def layer(name: str) -> Layer | None:
        found = layers.get(links.get(name, name))
        return found if found is not None or not damage else Layer(unread=list(damage))

    if damage and not documents:
        raise NoImage(damage[0])
    return _Store(document, layer)


def _sort(
    name: str,
    size: int,
    content: Callable[[], AbstractContextManager[BinaryIO]],
    documents: dict[str, bytes],
    layers: dict[str, Layer],
    incident: Incident,
    stop: threading.Event,
) -> None:
    """Keep a document, read a layer; what a blob is shows at its beginning."""
    if not (_BLOB.match(name) or _OLD_LAYER.match(name) or name.endswith(".json")):
        return
    with content() as stream:
        if size <= _MAX_DOCUMENT_BYTES:
            whole = stream.read(_MAX_DOCUMENT_BYTES + 1)
            if whole.lstrip()[:1] in (b"{", b"["):
                documents[name] = whole
                return
            layers[name] = _read(name, io.BytesIO(whole), incident, stop)
        else:
            layers[name] = _read(name, stream, incident, stop)


def _target(name: str, target: str, kind: MemberType) -> str:
    """Where a link in the image leads: `docker save` links layers that are alike."""
    if kind is MemberType.HARD_LINK:
        return target
    parts = [*name.split("/")[:-1], *target.split("/")]
    clean: list[str] = []
    for part in parts:
        if part == "..":
            clean[-1:] = []
        elif part not in ("", "."):
            clean.append(part)
    return "/".join(clean)


def _read(name: str, file: BinaryIO, incident: Incident, stop: threading.Event) -> Layer:
    layer = read_layer(file, incident, stop)
    layer.unread = [f"{name[:90]}: {text}" for text in layer.unread]
    return layer


def _parsed(name: str, content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoImage(f"{name} is no JSON: {error}") from error


def _images(store: _Store) -> list[Image]:
    index = store.document("index.json")
    found = list(_from_index(store, index, "", 0)) if index is not None else []
    if not found:
        found = list(_from_manifest(store, store.document("manifest.json")))
    return found[:_MAX_IMAGES]


def _from_index(store: _Store, index: object, name: str, depth: int) -> Iterator[Image]:
    """Follow an index to its manifests, one per platform."""
    if depth > _MAX_DEPTH:
        yield Image(name, unread=[f"{name}: indexes too deep in others"])
        return
    for entry in _list(index, "manifests"):
        digest = entry.get("digest")
        label = _label(entry) or name or shown(str(digest), 19)
        document = store.document(_blob(digest)) if _blob(digest) else None
        if not isinstance(document, dict):
            yield Image(label, unread=[f"{label}: its manifest is not here"])
        elif "manifests" in document:
            yield from _from_index(store, document, label, depth + 1)
        elif not _is_attestation(entry):
            yield _image(
                store, label, [_blob(layer.get("digest")) for layer in _list(document, "layers")]
            )


def _from_manifest(store: _Store, manifest: object) -> Iterator[Image]:
    """Read what `docker save` writes, which names its layers by path."""
    for entry in manifest if isinstance(manifest, list) else []:
        if isinstance(entry, dict):
            tags, layers = entry.get("RepoTags"), entry.get("Layers")
            name = shown(str(tags[0]), 100) if isinstance(tags, list) and tags else "image"
            paths = [p for p in layers if isinstance(p, str)] if isinstance(layers, list) else []
            yield _image(store, name, paths)


def _image(store: _Store, name: str, paths: list[str]) -> Image:
    image = Image(name)
    if not paths:
        image.unread.append(f"{name}: its manifest names no layers")
    for number, path in enumerate(paths, start=1):
        layer = store.layer(path) if _is_inside(path) else None
        if layer is None:
            # It may add or hide anything.
            image.unread.append(f"{name}: layer {number} is not here")
            layer = Layer()
        image.unread += [f"{name}: layer {number}: {text}" for text in layer.unread]
        image.layers.append(layer)
    return image


def _is_inside(path: str) -> bool:
    """Whether a path leads to something in the image, and is one that can be opened at all."""
    return path.isprintable() and path[:1] not in ("", "/") and ".." not in path.split("/")


def _blob(digest: object) -> str:
    match = _DIGEST.match(digest) if isinstance(digest, str) else None
    return f"blobs/{match[1]}/{match[2]}" if match else ""


def _label(entry: Mapping[str, object]) -> str:
    platform, notes = entry.get("platform"), entry.get("annotations")
    if isinstance(platform, dict) and platform.get("os"):
        return shown(f"{platform.get('os')}/{platform.get('architecture')}", 100)
    name = notes.get("org.opencontainers.image.ref.name") if isinstance(notes, dict) else None
    return shown(str(name), 100) if name else ""


def _is_attestation(entry: Mapping[str, object]) -> bool:
    """BuildKit's attestations stand in the index like images, for no platform."""
    platform = entry.get("platform")
    return isinstance(platform, dict) and platform.get("os") == "unknown"


def _list(document: object, key: str) -> list[dict[str, object]]:
    found = document.get(key) if isinstance(document, dict) else None
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []
