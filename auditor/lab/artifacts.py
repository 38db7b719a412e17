"""Real wheels and source distributions, made in memory and the same on every machine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from auditor.model import Fingerprint, normalise_project

__all__ = ["Artifact", "ArtifactType", "build_release", "build_sdist", "build_wheel"]

DEFAULT_REQUIRES_PYTHON = ">=3.8"

# One time stamp for every member of every archive: the digests must not change from run to run.
# (ZIP cannot say anything before 1980.)
MEMBER_DATE = (2026, 1, 1, 0, 0, 0)
MEMBER_MTIME_S = 1_767_225_600

# PEP 517 lets a source tree bring its own backend (`backend-path`), so that pip can build it
# without fetching anything. It only packs up what PKG-INFO and the module say.
PYPROJECT = """\
[build-system]
requires = []
build-backend = "in_tree_backend"
backend-path = ["."]
"""
IN_TREE_BACKEND = '''\
"""Packs the one module beside it into a wheel; needs nothing that is not in Python."""

import os
import pathlib
import zipfile

MODULE = "@MODULE@"
VERSION = "@VERSION@"
DIST_INFO = f"{MODULE}-{VERSION}.dist-info"
WHEEL = "Wheel-Version: 1.0\\nGenerator: in-tree\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def _members():
    yield f"{MODULE}.py", pathlib.Path(f"{MODULE}.py").read_text(encoding="utf-8")
    yield f"{DIST_INFO}/METADATA", pathlib.Path("PKG-INFO").read_text(encoding="utf-8")
    yield f"{DIST_INFO}/WHEEL", WHEEL


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    target = pathlib.Path(metadata_directory, DIST_INFO)
    target.mkdir(parents=True)
    for name, text in _members():
        if name.startswith(DIST_INFO):
            (target / pathlib.PurePosixPath(name).name).write_text(text, encoding="utf-8")
    return DIST_INFO


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    filename = f"{MODULE}-{VERSION}-py3-none-any.whl"
    record = f"{DIST_INFO}/RECORD"
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as wheel:
        lines = []
        for name, text in _members():
            wheel.writestr(name, text)
            lines.append(f"{name},,")
        wheel.writestr(record, "\\n".join([*lines, f"{record},,", ""]))
    return filename


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("this tree is already unpacked from its source distribution")
'''


class ArtifactType(StrEnum):
    """What PyPI calls the package type of a file."""

    WHEEL = "bdist_wheel"
    SDIST = "sdist"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file of a release.

    Attributes:
        project: normalised name (PEP 503).
        version: as text.
        filename: as installers see it.
        content: its bytes.
        metadata: the core metadata inside it; for a wheel, the bytes of its sidecar (PEP 658).
        requires_python: specifier; None if it names none.
        type: wheel or source distribution.
        python_tag: such as `py3`; `source` for a source distribution, as PyPI says it.
    """

    project: str
    version: str
    filename: str
    content: bytes
    metadata: bytes
    requires_python: str | None
    type: ArtifactType
    python_tag: str

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def md5(self) -> str:
        """MD5 of the content: an identifier in legacy JSON and S3, no protection."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    @cached_property
    def blake2b_256(self) -> str:
        """BLAKE2b of 256 bits, from which PyPI makes the path of a file."""
        return hashlib.blake2b(self.content, digest_size=32).hexdigest()

    @cached_property
    def metadata_sha256(self) -> str:
        """SHA-256 of the metadata."""
        return hashlib.sha256(self.metadata).hexdigest()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def path(self) -> str:
        """Path on the file host: it follows from the content, so other bytes have another one."""
        digest = self.blake2b_256
        return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{self.filename}"

    @property
    def has_sidecar(self) -> bool:
        """Whether the metadata is offered beside the file: PyPI does it for wheels only."""
        return self.type is ArtifactType.WHEEL

    def fingerprint(self) -> Fingerprint:
        """All that a store could match this file by."""
        return Fingerprint(
            filename=self.filename,
            version=self.version,
            size=self.size,
            sha256=self.sha256,
            md5=self.md5,
            crc32=f"{zlib.crc32(self.content):08x}",
        )


def _module_name(project: str) -> str:
    """The name as wheels, source distributions and imports spell it (PEP 427, PEP 625)."""
    return re.sub(r"[-_.]+", "_", project).lower()


def _metadata(project: str, version: str, requires_python: str | None) -> bytes:
    lines = ["Metadata-Version: 2.4", f"Name: {project}", f"Version: {version}"]
    lines.append(f"Summary: {project} of the embedded world")
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    return ("\n".join(lines) + "\n").encode()


def _module_source(project: str, version: str, body: str) -> bytes:
    return f'"""{project} {version}."""\n\n__version__ = "{version}"\n{body}'.encode()


def _record(members: Mapping[str, bytes], record_name: str) -> bytes:
    """The RECORD of a wheel: digest and size of every member but itself."""
    lines = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{record_name},,", ""]).encode()


def _zip(members: Mapping[str, bytes]) -> bytes:
    # Stored, not deflated: zlib and its rewrites compress differently, and digests would differ.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, MEMBER_DATE)
            member.external_attr = 0o100644 << 16
            member.create_system = 3  # Unix, whatever this runs on
            archive.writestr(member, content)
    return buffer.getvalue()


def _tar_gz(members: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), MEMBER_MTIME_S, 0o644
            archive.addfile(member, io.BytesIO(content))
    # Level 0 stores; see `_zip`.
    return gzip.compress(plain.getvalue(), compresslevel=0, mtime=0)


def build_wheel(
    project: str,
    version: str,
    *,
    tag: str = "py3-none-any",
    build: str = "",
    requires_python: str | None = DEFAULT_REQUIRES_PYTHON,
    body: str = "",
) -> Artifact:
    """Build a wheel that pip installs.

    Args:
        project: any spelling of the name.
        version: PEP 440, in its normal form.
        tag: `PYTHON-ABI-PLATFORM`; its parts may hold several values with dots between.
        build: build tag, such as `1`; empty for none.
        requires_python: specifier; None to name none.
        body: Python code at the end of its one module. Other code, other bytes.
    """
    module = _module_name(project)
    dist_info = f"{module}-{version}.dist-info"
    metadata = _metadata(project, version, requires_python)
    python, abi, platform = tag.split("-")
    tags = [
        f"Tag: {p}-{a}-{f}\n"
        for p in python.split(".")
        for a in abi.split(".")
        for f in platform.split(".")
    ]
    build_line = f"Build: {build}\n" if build else ""
    pure = "true" if platform == "any" else "false"
    wheel = f"Wheel-Version: 1.0\nGenerator: auditor-lab\nRoot-Is-Purelib: {pure}\n{build_line}"
    members = {
        f"{module}.py": _module_source(project, version, body),
        f"{dist_info}/METADATA": metadata,
        f"{dist_info}/WHEEL": (wheel + "".join(tags)).encode(),
    }
    members[f"{dist_info}/RECORD"] = _record(members, f"{dist_info}/RECORD")
    return Artifact(
        project=normalise_project(project),
        version=version,
        filename="-".join(filter(None, (module, version, build, tag))) + ".whl",
        content=_zip(members),
        metadata=metadata,
        requires_python=requires_python,
        type=ArtifactType.WHEEL,
        python_tag=python,
    )


def build_sdist(
    project: str,
    version: str,
    *,
    requires_python: str | None = DEFAULT_REQUIRES_PYTHON,
    body: str = "",
) -> Artifact:
    """Build a source distribution that pip builds and installs without any other package.

    Args:
        project, version, requires_python, body: as for `build_wheel`.
    """
    module = _module_name(project)
    top = f"{module}-{version}"
    metadata = _metadata(project, version, requires_python)
    backend = IN_TREE_BACKEND.replace("@MODULE@", module).replace("@VERSION@", version)
    members = {
        f"{top}/PKG-INFO": metadata,
        f"{top}/pyproject.toml": PYPROJECT.encode(),
        f"{top}/in_tree_backend.py": backend.encode(),
        f"{top}/{module}.py": _module_source(project, version, body),
    }
    return Artifact(
        project=normalise_project(project),
        version=version,
        filename=f"{top}.tar.gz",
        content=_tar_gz(members),
        metadata=metadata,
        requires_python=requires_python,
        type=ArtifactType.SDIST,
        python_tag="source",
    )


def build_release(project: str, version: str, *, body: str = "") -> tuple[Artifact, Artifact]:
    """Build what most releases consist of: a wheel for every platform, and its source."""
    return build_wheel(project, version, body=body), build_sdist(project, version, body=body)
