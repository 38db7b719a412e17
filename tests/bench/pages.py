"""Made index pages with the shapes of real ones: as many files, versions and bytes per file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

__all__ = ["JSON_TYPE", "SHAPES", "MadePage", "Shape", "make_page"]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"

_FIRST_UPLOAD = datetime(2015, 3, 1, 9, 30, 12, 345678, tzinfo=UTC)
# A nightly build is made for each of these, an extension module for most.
_BINARY_TAGS = tuple(
    f"cp{minor}-cp{minor}-{platform}"
    for minor in ("39", "310", "311", "312", "313")
    for platform in (
        "macosx_12_0_arm64",
        "manylinux_2_27_aarch64",
        "manylinux_2_27_x86_64",
        "win_amd64",
    )
)
_PURE_TAGS = ("py2.py3-none-any", "py3-none-any")
_SPECIFIERS = (">=2.7, !=3.0.*, !=3.1.*, !=3.2.*", ">=3.6", ">=3.8", ">=3.9")


@dataclass(frozen=True)
class Shape:
    """What a page is like.

    Attributes:
        project: normalised.
        files, versions: how many.
        binary: whether most files are wheels of one platform each.
        every_prerelease: whether every version is a development release.
        sidecars: whether each wheel announces its metadata and attestations (PEP 714, PEP 740).
    """

    project: str
    files: int
    versions: int
    binary: bool = False
    every_prerelease: bool = False
    sidecars: bool = False


@dataclass(frozen=True)
class MadePage:
    """One page in both forms.

    Attributes:
        shape: what was asked for.
        json, html: the bodies.
        broken, fixed: versions of which the page lists files; the fixed one is the newer.
    """

    shape: Shape
    json: bytes
    html: bytes
    broken: str
    fixed: str


# Files and versions as counted on PyPI's pages of requests, tf-nightly, botocore and grpcio, whose
# entries took 395 to 460 bytes each. `sidecars` is what PyPI adds to most projects that upload
# today.
SHAPES = (
    Shape("requests", 244, 160),
    Shape("tf-nightly", 2388, 179, binary=True, every_prerelease=True),
    Shape("botocore", 4984, 2554),
    Shape("grpcio", 11_221, 291, binary=True),
    Shape("numpy", 3200, 140, binary=True, sidecars=True),
)


def make_page(shape: Shape) -> MadePage:
    """Make the page of a shape; equal shapes make equal pages."""
    versions = _versions(shape)
    entries = [_entry(shape, index, versions) for index in range(shape.files)]
    body = {
        "files": entries,
        "meta": {"_last-serial": 25_000_000, "api-version": "1.1"},
        "name": shape.project,
        "versions": versions,
    }
    return MadePage(
        shape=shape,
        json=json.dumps(body, separators=(",", ":")).encode(),
        html=_html(shape.project, entries),
        broken=versions[-2],
        fixed=versions[-1],
    )


def _versions(shape: Shape) -> list[str]:
    if shape.every_prerelease:
        first = datetime(2025, 1, 1, tzinfo=UTC)
        days = (first + timedelta(days=number) for number in range(shape.versions))
        return [f"2.{20 + day.month // 4}.0.dev{day:%Y%m%d}" for day in days]
    return [
        f"{1 + number // 900}.{number // 30 % 30}.{number % 30}" for number in range(shape.versions)
    ]


def _entry(shape: Shape, index: int, versions: list[str]) -> dict[str, object]:
    number = index * shape.versions // shape.files
    version = versions[number]
    place = index - -(-number * shape.files // shape.versions)
    filename = _filename(shape, version, place)
    digest = sha256(filename.encode()).hexdigest()
    folder = sha256(digest.encode()).hexdigest()
    uploaded = _FIRST_UPLOAD + timedelta(seconds=index * 40_007, microseconds=index)
    entry: dict[str, object] = {
        "filename": filename,
        "hashes": {"sha256": digest},
        "requires-python": _SPECIFIERS[number * len(_SPECIFIERS) // shape.versions],
        "size": 100_000 + index,
        "upload-time": f"{uploaded:%Y-%m-%dT%H:%M:%S.%fZ}",
        "url": f"https://files.example/packages/{folder[:2]}/{folder[2:4]}/{folder[4:]}/{filename}",
        "yanked": "incompatible with its own dependencies" if index % 211 == 210 else False,
    }
    if shape.sidecars:
        flag: object = {"sha256": folder} if filename.endswith(".whl") else False
        entry |= {"core-metadata": flag, "data-dist-info-metadata": flag, "provenance": None}
        if number > shape.versions // 2:
            address = f"https://index.example/integrity/{shape.project}/{version}/{filename}"
            entry["provenance"] = f"{address}/provenance"
    return entry


def _filename(shape: Shape, version: str, place: int) -> str:
    escaped = shape.project.replace("-", "_")
    if shape.binary:
        tags = _BINARY_TAGS[place % len(_BINARY_TAGS)]
        build = f"-{place // len(_BINARY_TAGS)}" if place >= len(_BINARY_TAGS) else ""
        return f"{escaped}-{version}{build}-{tags}.whl"
    if place == 0:
        return f"{shape.project}-{version}.tar.gz"
    build = f"-{place}" if place > len(_PURE_TAGS) else ""
    return f"{escaped}-{version}{build}-{_PURE_TAGS[place % len(_PURE_TAGS)]}.whl"


def _html(project: str, entries: list[dict[str, object]]) -> bytes:
    head = '<meta name="pypi:repository-version" content="1.1">'
    lines = [
        f"<!DOCTYPE html>\n<html>\n  <head>\n    {head}\n    <title>Links for {project}</title>",
        f"  </head>\n  <body>\n    <h1>Links for {project}</h1>",
        *(_anchor(entry) for entry in entries),
        "  </body>\n</html>\n<!--SERIAL 25000000-->",
    ]
    return "\n".join(lines).encode()


def _anchor(entry: dict[str, object]) -> str:
    hashes = entry["hashes"]
    digest = hashes["sha256"] if isinstance(hashes, dict) else ""
    requires = str(entry["requires-python"]).replace(">", "&gt;")
    attributes = f'href="{entry["url"]}#sha256={digest}" data-requires-python="{requires}"'
    if isinstance(entry["yanked"], str):
        attributes += f' data-yanked="{entry["yanked"]}"'
    sidecar = entry.get("core-metadata")
    if isinstance(sidecar, dict):
        attributes += f' data-core-metadata="sha256={sidecar["sha256"]}"'
    if entry.get("provenance"):
        attributes += f' data-provenance="{entry["provenance"]}"'
    return f"    <a {attributes}>{entry['filename']}</a><br />"
