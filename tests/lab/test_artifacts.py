from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import tomllib
import zipfile
import zlib

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from auditor.lab.artifacts import build_release, build_sdist, build_wheel


def test_the_same_release_has_the_same_bytes_whenever_it_is_built() -> None:
    first, second = build_release("brokenpkg", "1.2.3"), build_release("brokenpkg", "1.2.3")
    assert [a.content for a in first] == [a.content for a in second]


def test_other_code_makes_other_bytes_under_the_same_name() -> None:
    plain, other = build_wheel("brokenpkg", "1.2.3"), build_wheel("brokenpkg", "1.2.3", body="x=1")
    assert plain.filename == other.filename
    assert plain.sha256 != other.sha256
    assert plain.path != other.path


def test_file_names_say_project_version_and_tags() -> None:
    wheel = build_wheel("Broken.Pkg", "1.2.3", tag="cp312-cp312-manylinux_2_28_x86_64", build="7")
    name, version, build, tags = parse_wheel_filename(wheel.filename)
    assert (name, str(version), build) == ("broken-pkg", "1.2.3", (7, ""))
    assert {"cp312-cp312-manylinux_2_28_x86_64"} == {str(tag) for tag in tags}
    name, version = parse_sdist_filename(build_sdist("Broken.Pkg", "1.2.3").filename)
    assert (name, str(version)) == ("broken-pkg", "1.2.3")


def test_every_member_of_a_wheel_is_in_its_record_with_digest_and_size() -> None:
    wheel = build_wheel("brokenpkg", "1.2.3")
    archive = zipfile.ZipFile(io.BytesIO(wheel.content))
    record = "brokenpkg-1.2.3.dist-info/RECORD"
    lines = dict(line.split(",", 1) for line in archive.read(record).decode().splitlines())
    assert set(archive.namelist()) == set(lines)
    assert lines.pop(record) == ","
    for name, rest in lines.items():
        content = archive.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert f"sha256={digest},{len(content)}" == rest


def test_wheel_tags_are_expanded_in_the_wheel_file() -> None:
    wheel = build_wheel("brokenpkg", "1.2.3", tag="py2.py3-none-any")
    archive = zipfile.ZipFile(io.BytesIO(wheel.content))
    text = archive.read("brokenpkg-1.2.3.dist-info/WHEEL").decode()
    assert [
        line.removeprefix("Tag: ") for line in text.splitlines() if line.startswith("Tag: ")
    ] == ["py2-none-any", "py3-none-any"]


@pytest.mark.parametrize("requires_python", [None, ">=3.9"])
def test_metadata_is_valid_and_says_what_was_asked(requires_python: str | None) -> None:
    wheel = build_wheel("brokenpkg", "1.2.3", requires_python=requires_python)
    metadata = Metadata.from_email(wheel.metadata)
    assert (metadata.name, str(metadata.version)) == ("brokenpkg", "1.2.3")
    stated = metadata.requires_python
    assert requires_python == (str(stated) if stated is not None else None)


def test_a_source_distribution_brings_its_own_backend_and_needs_no_other() -> None:
    sdist = build_sdist("brokenpkg", "1.2.3")
    with tarfile.open(fileobj=io.BytesIO(sdist.content)) as archive:
        names = archive.getnames()
        member = archive.extractfile("brokenpkg-1.2.3/pyproject.toml")
        assert member is not None
        build_system = tomllib.loads(member.read().decode())["build-system"]
        info = archive.extractfile("brokenpkg-1.2.3/PKG-INFO")
        assert info is not None
        assert info.read() == sdist.metadata
    assert build_system["requires"] == []
    assert f"brokenpkg-1.2.3/{build_system['build-backend']}.py" in names


def test_the_path_is_made_of_the_content_as_on_pypi() -> None:
    wheel = build_wheel("brokenpkg", "1.2.3")
    digest = hashlib.blake2b(wheel.content, digest_size=32).hexdigest()
    packages, first, second, rest, filename = wheel.path.strip("/").split("/")
    assert ("packages", wheel.filename) == (packages, filename)
    assert digest == first + second + rest
    assert (len(first), len(second), len(rest)) == (2, 2, 60)


def test_a_fingerprint_carries_all_that_stores_can_match() -> None:
    wheel = build_wheel("brokenpkg", "1.2.3")
    fingerprint = wheel.fingerprint()
    assert hashlib.sha256(wheel.content).hexdigest() == fingerprint.sha256
    assert hashlib.md5(wheel.content).hexdigest() == fingerprint.md5
    assert zlib.crc32(wheel.content) == int(fingerprint.crc32 or "", 16)
    assert len(wheel.content) == fingerprint.size
