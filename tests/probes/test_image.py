"""Kind `image`: layers that hide each other, written by hand to the letter of the specification."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from auditor.lab.artifacts import build_release
from auditor.model import HeldState, Observation, Outcome, PinState, Role
from probes.image import KIND

from .conftest import MakeAssignment

WHEEL, _ = build_release("brokenpkg", "1.2.3")
OTHER, _ = build_release("brokenpkg", "1.2.4")
SITE = "usr/lib/python3.12/site-packages"
Look = Callable[[Path], Awaitable[Observation]]
Files = Mapping[str, bytes]


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


def layer(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


class Layout:
    """An OCI layout in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)

    def blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(content)
        return f"sha256:{digest}"

    def document(self, value: object) -> str:
        return self.blob(json.dumps(value).encode())

    def image(self, *layers: bytes) -> str:
        return self.document({"layers": [{"digest": self.blob(content)} for content in layers]})

    def index(self, *manifests: Mapping[str, object]) -> Path:
        (self.path / "index.json").write_text(json.dumps({"manifests": list(manifests)}))
        return self.path


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
