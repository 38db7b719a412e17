"""Kind `image`: layers that hide each other, written by hand to the letter of the specification."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import zstandard

from auditor.lab.artifacts import build_release
from auditor.model import HeldState, Observation, Outcome, PinState, Role
from auditor.observations import encode
from probes.image import KIND

from .conftest import MakeAssignment
from .laid_images import Files, Layout, layer

WHEEL, _ = build_release("brokenpkg", "1.2.3")
OTHER, _ = build_release("brokenpkg", "1.2.4")
SITE = "usr/lib/python3.12/site-packages"
Look = Callable[[Path], Awaitable[Observation]]


def metadata(version: str) -> bytes:
    return f"Name: brokenpkg\nVersion: {version}\n".encode()


def info(version: str) -> str:
    return f"{SITE}/brokenpkg-{version}.dist-info/METADATA"


BROKEN_LAYER = {info("1.2.3"): metadata("1.2.3")}


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    async def look(path: Path) -> Observation:
        return await KIND.observe(assign(path=str(path), kind="image", role=Role.PIN))

    return look


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


async def states(look: Look, layout: Layout, *layers: bytes) -> dict[str | None, HeldState]:
    seen = await look(layout.index({"digest": layout.image(*layers)}))
    assert seen.outcome is Outcome.OBSERVED
    assert seen.holdings_complete is True
    return {h.version: h.state for h in seen.holdings}


@pytest.mark.parametrize(
    "upper",
    [
        {f"{SITE}/.wh.brokenpkg-1.2.3.dist-info": b""},
        {"usr/.wh.lib": b""},
        {f"{SITE}/.wh..wh..opq": b""},
        {".wh..wh..opq": b""},
        {info("1.2.3"): metadata("1.2.4")},
        {f"./{SITE}/.wh.brokenpkg-1.2.3.dist-info": b""},
    ],
)
async def test_what_an_upper_layer_removes_or_overwrites_is_hidden(
    look: Look, layout: Layout, upper: Files
) -> None:
    found = await states(look, layout, layer(BROKEN_LAYER), layer(upper))
    assert found["1.2.3"] is HeldState.SHADOWED


@pytest.mark.parametrize(
    "upper",
    [
        {f"{SITE}/.wh.brokenpkg-1.2.30.dist-info": b""},
        {"usr/lib/python3.1/.wh..wh..opq": b""},
        {f"{SITE}/brokenpkg-1.2.3.dist-info/INSTALLER": b"pip"},
        {f"{SITE}/.wh.brokenpkg": b""},
    ],
)
async def test_what_an_upper_layer_does_not_touch_can_be_seen(
    look: Look, layout: Layout, upper: Files
) -> None:
    found = await states(look, layout, layer(BROKEN_LAYER), layer(upper))
    assert found["1.2.3"] is HeldState.HELD


async def test_what_a_layer_hides_and_a_later_one_brings_back_is_there(
    look: Look, layout: Layout
) -> None:
    gone = layer({f"{SITE}/.wh.brokenpkg-1.2.3.dist-info": b""})
    seen = await look(
        layout.index({"digest": layout.image(layer(BROKEN_LAYER), gone, layer(BROKEN_LAYER))})
    )
    assert [pin.state for pin in seen.pins] == [PinState.SHADOWED, PinState.INSTALLED]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
async def test_layers_are_read_however_they_are_packed(
    look: Look, layout: Layout, pack: Callable[[bytes], bytes]
) -> None:
    wheel = layer({f"opt/wheels/{WHEEL.filename}": WHEEL.content})
    seen = await look(layout.index({"digest": layout.image(pack(wheel))}))
    (holding,) = seen.holdings
    assert (holding.sha256, holding.version) == (WHEEL.sha256, "1.2.3")
    assert seen.pins == ()  # a wheel in an image installs nothing by itself


async def test_every_platform_is_read_and_attestations_are_not(look: Look, layout: Layout) -> None:
    amd = {"os": "linux", "architecture": "amd64"}
    arm = {"os": "linux", "architecture": "arm64"}
    images = [
        {"digest": layout.image(layer(BROKEN_LAYER)), "platform": amd},
        {"digest": layout.image(layer({info("1.2.4"): metadata("1.2.4")})), "platform": arm},
        {"digest": layout.image(b"{}"), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    inner = layout.document({"manifests": images})
    seen = await look(layout.index({"digest": inner}))
    assert {(pin.where.split(",")[0], pin.version) for pin in seen.pins} == {
        ("linux/amd64", "1.2.3"),
        ("linux/arm64", "1.2.4"),
    }
    assert seen.holdings_complete is True


async def test_a_layer_that_is_not_here_may_hide_anything(look: Look, layout: Layout) -> None:
    whole = layer({info("1.2.4"): metadata("1.2.4")})
    gone = "sha256:" + "0" * 64
    manifest = {"layers": [{"digest": layout.blob(whole)}, {"digest": gone}]}
    seen = await look(layout.index({"digest": layout.document(manifest)}))
    assert seen.holdings_complete is False
    assert any("layer 2 is not here" in note for note in seen.notes)


@pytest.mark.parametrize("damaged", [b"\x1f\x8b\x08damaged", b"no tar", b""])
async def test_a_damaged_layer_is_told(look: Look, layout: Layout, damaged: bytes) -> None:
    seen = await look(layout.index({"digest": layout.image(layer(BROKEN_LAYER), damaged)}))
    assert seen.holdings_complete is False
    assert [h.version for h in seen.holdings] == ["1.2.3"]


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"manifests": 3}',
        '{"manifests": [{"digest": "../../etc/passwd"}]}',
        '{"manifests": [{"digest": 7}, null]}',
        "[" * 100_000,
    ],
)
async def test_a_hostile_index_never_reads_as_clean(look: Look, layout: Layout, index: str) -> None:
    layout.index()
    (layout.path / "index.json").write_text(index)
    seen = await look(layout.path)
    assert seen.holdings_complete is not True
    assert seen.outcome is Outcome.MALFORMED or seen.notes


async def test_an_index_that_names_itself_ends(look: Look, layout: Layout) -> None:
    # A digest can't be its own content's, but nothing here checks digests.
    name = "0" * 64
    inner = json.dumps({"manifests": [{"digest": f"sha256:{name}"}]}).encode()
    (layout.path / "blobs/sha256" / name).write_bytes(inner)
    seen = await look(layout.index({"digest": f"sha256:{name}"}))
    assert seen.holdings_complete is False


async def test_what_docker_saves_is_read_whatever_the_order_of_its_members(
    look: Look, tmp_path: Path
) -> None:
    manifest = json.dumps([{"RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}])
    files = {
        "b/layer.tar": layer({info("1.2.4"): metadata("1.2.4")}),
        "a/layer.tar": layer(BROKEN_LAYER),
        "manifest.json": manifest.encode(),
    }
    for order in (files, dict(reversed(files.items()))):
        path = tmp_path / "saved.tar"
        path.write_bytes(layer(order))
        seen = await look(path)
        assert [(p.version, p.where.split(":")[0]) for p in seen.pins] == [
            ("1.2.3", "app"),
            ("1.2.4", "app"),
        ]


async def test_a_saved_image_that_ends_early_is_never_complete(look: Look, tmp_path: Path) -> None:
    manifest = json.dumps([{"RepoTags": None, "Layers": ["a/layer.tar"]}]).encode()
    whole = layer({"manifest.json": manifest, "a/layer.tar": layer(BROKEN_LAYER)})
    (tmp_path / "saved.tar").write_bytes(whole[:2048])
    seen = await look(tmp_path / "saved.tar")
    assert seen.holdings_complete is not True


async def test_an_image_without_the_project_is_absent(look: Look, layout: Layout) -> None:
    seen = await look(layout.index({"digest": layout.image(layer({"etc/os-release": b"x"}))}))
    assert (seen.outcome, seen.holdings_complete) == (Outcome.ABSENT, True)


async def test_what_is_not_there_is_unreachable(look: Look, tmp_path: Path) -> None:
    assert (await look(tmp_path / "gone.tar")).outcome is Outcome.UNREACHABLE
    assert (await look(tmp_path)).outcome is Outcome.MALFORMED


async def test_what_was_found_before_a_layer_ends_early_is_there(
    look: Look, layout: Layout
) -> None:
    whole = layer({**BROKEN_LAYER, "z": b"x" * 100_000})
    seen = await look(layout.index({"digest": layout.image(whole[:60_000])}))
    assert [pin.version for pin in seen.pins] == ["1.2.3"]
    assert seen.holdings_complete is False


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
async def test_a_compressed_layer_needs_no_mark_at_its_end(
    look: Look, layout: Layout, pack: Callable[[bytes], bytes]
) -> None:
    content_end = 512 + len(metadata("1.2.3"))
    for end in (1024, content_end):  # with the zeros that fill the block, or as umoci without
        unmarked = layer(BROKEN_LAYER)[:end]
        seen = await look(layout.index({"digest": layout.image(pack(unmarked))}))
        assert [pin.version for pin in seen.pins] == ["1.2.3"]
        assert seen.holdings_complete is True
    for end in (content_end - 1, 513, 500):
        damaged = layer({"first": b"x" * 90, **BROKEN_LAYER})[: 1024 + end]
        seen = await look(layout.index({"digest": layout.image(pack(damaged))}))
        assert seen.holdings_complete is False
    cut = pack(layer({**BROKEN_LAYER, "z": hashlib.sha256().digest() * 100}))[:-40]
    seen = await look(layout.index({"digest": layout.image(cut)}))
    assert seen.holdings_complete is False


def links(kind: bytes, *pairs: tuple[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, target in pairs:
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, target
            archive.addfile(header)
    return stream.getvalue()


CACHED = "root/uvcache/archive-v0/abc/brokenpkg-1.2.3.dist-info/METADATA"


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
async def test_what_links_to_a_cache_stays_installed_when_the_cache_is_removed(
    look: Look, layout: Layout, kind: bytes
) -> None:
    target = CACHED if kind == tarfile.LNKTYPE else f"/{CACHED}"
    cache = layer({CACHED: metadata("1.2.3")})
    upper = links(kind, (info("1.2.3"), target))
    gone = layer({"root/.wh.uvcache": b""})
    seen = await look(layout.index({"digest": layout.image(cache, upper, gone)}))
    assert [(pin.version, pin.state) for pin in seen.pins] == [("1.2.3", PinState.INSTALLED)]
    assert {h.state for h in seen.holdings} == {HeldState.HELD, HeldState.SHADOWED}


async def test_a_link_states_the_version_of_what_it_leads_to_in_a_lower_layer(
    look: Look, layout: Layout
) -> None:
    stored, site = CACHED.replace("1.2.3", "1.2.4"), info("1.2.4")
    upper = links(tarfile.LNKTYPE, (site, stored))
    digest = layout.image(layer({stored: metadata("1.2.3")}), upper)
    assert [p.version for p in (await look(layout.index({"digest": digest}))).pins] == ["1.2.3"]


async def test_a_release_is_installed_also_without_the_file_that_states_it(
    look: Look, layout: Layout
) -> None:
    record = f"{SITE}/brokenpkg-1.2.3.dist-info/RECORD"
    lower = layer({record: b"brokenpkg/__init__.py,,"})
    seen = await look(layout.index({"digest": layout.image(lower)}))
    assert [(p.version, p.state) for p in seen.pins] == [("1.2.3", PinState.INSTALLED)]
    gone = layer({f"{SITE}/brokenpkg-1.2.3.dist-info/.wh.RECORD": b""})
    seen = await look(layout.index({"digest": layout.image(lower, gone)}))
    assert [p.state for p in seen.pins] == [PinState.SHADOWED]


async def test_compressed_layers_of_crane_and_kaniko_are_read(look: Look, tmp_path: Path) -> None:
    name = "0" * 64 + ".tar.gz"
    manifest = json.dumps([{"RepoTags": ["app:1"], "Layers": [name]}]).encode()
    files = {name: gzip.compress(layer(BROKEN_LAYER)), "manifest.json": manifest}
    (tmp_path / "saved.tar").write_bytes(layer(files))
    seen = await look(tmp_path / "saved.tar")
    assert [pin.version for pin in seen.pins] == ["1.2.3"]
    assert seen.holdings_complete is True


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


async def test_a_zipped_application_in_a_layer_is_read_and_can_be_hidden(
    look: Look, layout: Layout
) -> None:
    content = zipped({"brokenpkg-1.2.3.dist-info/METADATA": metadata("1.2.3")})
    lower = layer({"app/run": b"#!/usr/bin/env python3\n" + content})
    for upper in ({"other": b""}, {"app/.wh.run": b""}, {"app/run": b"#!/bin/sh"}):
        seen = await look(layout.index({"digest": layout.image(lower, layer(upper))}))
        is_hidden = "other" not in upper
        expected = PinState.SHADOWED if is_hidden else PinState.INSTALLED
        assert [(pin.version, pin.state) for pin in seen.pins] == [("1.2.3", expected)]


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
async def test_a_symbolic_link_to_a_wheel_in_the_layer_is_no_second_one(
    look: Look, layout: Layout, names: tuple[str, str]
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for place in sorted(names):
            header = tarfile.TarInfo(f"{place}/{OTHER.filename}")
            if place == names[0]:
                header.type, header.linkname = tarfile.SYMTYPE, f"/{names[1]}/{OTHER.filename}"
                archive.addfile(header)
            else:
                header.size = len(OTHER.content)
                archive.addfile(header, io.BytesIO(OTHER.content))
    seen = await look(layout.index({"digest": layout.image(stream.getvalue())}))
    assert [(h.version, h.sha256) for h in seen.holdings] == [("1.2.4", OTHER.sha256)]
    assert seen.holdings_complete is True


async def test_documents_cannot_lead_out_of_the_image(look: Look, tmp_path: Path) -> None:
    (tmp_path / "outside.tar").write_bytes(layer(BROKEN_LAYER))
    home = tmp_path / "saved"
    home.mkdir()
    for path in ("../outside.tar", str(tmp_path / "outside.tar"), "\0", "\ud800"):
        manifest = [{"RepoTags": ["\ud800\x1b[2J"], "Layers": [path]}]
        (home / "manifest.json").write_text(json.dumps(manifest))
        seen = await look(home)
        assert (seen.pins, seen.holdings_complete) == ((), False)
        encode(seen)


def test_squashing_is_offered_only_for_what_a_later_layer_hides() -> None:
    squash = next(r for r in KIND.remedies if "--squash" in r.command)
    assert squash.states == (HeldState.SHADOWED,)
