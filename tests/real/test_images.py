"""Kind `image` on images that umoci builds and skopeo converts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.artifacts import build_release
from auditor.lab.drive.process import run
from auditor.lab.story import incident_toml
from auditor.model import HeldState, Status, Verdict
from auditor.registry import load_kinds
from auditor.verdict import judge
from tests.real.conftest import Upstream

pytestmark = [pytest.mark.real, pytest.mark.slow]

SITE = "usr/lib/python3.11/site-packages"
RealProgram = Callable[[str], str]


class Builder:
    """Builds an image layer by layer, as a Dockerfile's steps do."""

    def __init__(self, umoci: str, directory: Path) -> None:
        self._umoci = umoci
        self._directory = directory
        self.layout = directory / "layout"

    async def begin(self) -> None:
        await self._call("init", "--layout", str(self.layout))
        await self._call("new", "--image", f"{self.layout}:app")

    async def layer(self, change: Callable[[Path], None]) -> None:
        bundle = self._directory / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        image = f"{self.layout}:app"
        await self._call("unpack", "--rootless", "--image", image, str(bundle))
        await asyncio.to_thread(change, bundle / "rootfs")
        await self._call("repack", "--image", image, str(bundle))

    async def insert(self, source: Path, target: str) -> None:
        """Add a layer without unpacking the image; umoci writes it without the mark at its end."""
        await self._call(
            *("insert", "--rootless", "--image", f"{self.layout}:app", str(source), target)
        )

    async def _call(self, *arguments: str) -> None:
        done = await run([self._umoci, *arguments], home=self._directory)
        assert done.returncode == 0, done


def installed(version: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        site = root / SITE
        for other in site.glob("brokenpkg-*.dist-info"):
            shutil.rmtree(other)
        info = site / f"brokenpkg-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: brokenpkg\nVersion: {version}\n")

    return change


def with_wheel(version: str) -> Callable[[Path], None]:
    wheel, _ = build_release("brokenpkg", version)

    def change(root: Path) -> None:
        (root / "wheels").mkdir()
        (root / "wheels" / wheel.filename).write_bytes(wheel.content)

    return change


def without_wheels(root: Path) -> None:
    shutil.rmtree(root / "wheels")


@pytest.fixture
async def builder(real_program: RealProgram, tmp_path: Path) -> Builder:
    made = Builder(real_program("umoci"), tmp_path)
    await made.begin()
    return made


async def test_an_upgraded_image_still_has_the_broken_release_below(
    builder: Builder, upstream: Upstream, real_program: RealProgram, tmp_path: Path
) -> None:
    upstream.publish_fix()
    await builder.layer(installed("1.2.3"))
    found = await audited(upstream, builder.layout)
    assert (found.status, found.broken.held) == (Status.PINNED, HeldState.HELD)

    await builder.layer(installed("1.2.4"))
    for path in (builder.layout, *await converted(real_program("skopeo"), builder, tmp_path)):
        found = await audited(upstream, path)
        assert (found.status, found.broken.held) == (Status.LATENT, HeldState.SHADOWED), path
        states = {pin.version: pin.state.value for pin in found.pins}
        assert states == {"1.2.3": "shadowed", "1.2.4": "installed"}


async def test_a_wheel_that_a_later_layer_removes_is_shadowed(
    builder: Builder, upstream: Upstream
) -> None:
    upstream.publish_fix()
    await builder.layer(with_wheel("1.2.3"))
    assert (await audited(upstream, builder.layout)).broken.held is HeldState.HELD
    await builder.layer(without_wheels)
    found = await audited(upstream, builder.layout)
    assert (found.status, found.broken.held) == (Status.LATENT, HeldState.SHADOWED)


async def test_an_image_with_the_fix_alone_is_clean(builder: Builder, upstream: Upstream) -> None:
    upstream.publish_fix()
    await builder.layer(installed("1.2.4"))
    assert (await audited(upstream, builder.layout)).status is Status.CLEAN


async def test_layers_that_umoci_inserts_are_whole(
    builder: Builder, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.publish_fix()
    for version, status in (("1.2.4", Status.CLEAN), ("1.2.3", Status.PINNED)):
        root = tmp_path / version
        (root / SITE).mkdir(parents=True)
        installed(version)(root)
        await builder.insert(root / SITE, f"/opt/{version}/site-packages")
        found = await audited(upstream, builder.layout)
        assert found.status is status
        assert not any(reason.code == "unreadable" for reason in found.reasons)


async def converted(skopeo: str, builder: Builder, directory: Path) -> list[Path]:
    """The same image as `docker save` writes it, and as one OCI file."""
    written = []
    for form, tag in (("docker-archive", ":app:latest"), ("oci-archive", "")):
        path = directory / f"{form}.tar"
        command = [skopeo, "--insecure-policy", "copy", "--quiet"]
        command += [f"oci:{builder.layout}:app", f"{form}:{path}{tag}"]
        done = await run(command, home=directory)
        assert done.returncode == 0, done
        written.append(path)
    return written


async def audited(upstream: Upstream, path: Path) -> Verdict:
    text = (
        incident_toml()
        + f"""
[[locations]]
name = "source"
kind = "pypi"
url = "{upstream.server.simple_url}"

[[locations]]
name = "image"
kind = "image"
path = "{path}"
"""
    )
    kinds = load_kinds()
    resolved = resolve(parse_document(text, name="t", directory=Path.cwd()), kinds, environ={})
    observations = await Audit(resolved.plan, resolved.credentials, kinds).run()
    (done,) = judge(resolved.plan, observations)
    return next(verdict for verdict in done.verdicts if verdict.location.name == "image")
