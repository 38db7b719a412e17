"""Reads distributions that are going to be uploaded. Nothing is unpacked, nothing is executed."""

from __future__ import annotations

import hashlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement

from auditor.errors import UsageError
from auditor.model import Candidate, Yank, normalise_project
from auditor.model.filename import version_in
from auditor.verdict.release_check import Proposed, Wanted

__all__ = ["read_proposed", "read_wanted"]

_SUFFIXES = (".whl", ".tar.gz", ".zip")
# Real metadata is a README at most.
_MAX_METADATA_BYTES = 8 * 2**20
# PKG-INFO lies in the top directory; archives with more members than this are no source releases.
_MAX_MEMBERS = 200_000
_MAX_FILES = 2_000


class _Unreadable(Exception):
    """The file holds no metadata; the text says why."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a distribution says of itself; None where it says nothing."""

    name: str | None = None
    version: str | None = None
    requires_python: str | None = None
    problem: str = ""


def read_proposed(paths: Iterable[Path], project: str) -> tuple[Proposed, ...]:
    """Read the wheels and source archives at these paths, or in these directories.

    Raises:
        UsageError: a path does not exist, or there is no distribution at it.
    """
    files = sorted({file.name: file for path in paths for file in _files(path)}.items())
    if len(files) > _MAX_FILES:
        raise UsageError(f"more than {_MAX_FILES} files to upload; name the right directory")
    return tuple(_proposed(file, project) for _, file in files)


def read_wanted(texts: Iterable[str], project: str) -> tuple[Wanted, ...]:
    """Read requirements of dependants, such as `brokenpkg<1.2.4`.

    Raises:
        UsageError: one is none, or is for another project.
    """
    return tuple(_wanted(text, project) for text in texts)


def _wanted(text: str, project: str) -> Wanted:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise UsageError(
            f"--requirement {text!r} is no requirement; write one such as '{project}<2'"
        ) from None
    if normalise_project(requirement.name) != project:
        raise UsageError(f"--requirement {text!r} is for {requirement.name}, not for {project}")
    return Wanted(specifier=requirement.specifier, text=text, where="--requirement")


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        found = [file for file in path.iterdir() if _is_distribution(file)]
        if not found:
            raise UsageError(f"--candidate {path}: no wheel and no source archive lies there")
        yield from found
    elif not path.exists():
        raise UsageError(f"--candidate {path} does not exist; check the path")
    elif not _is_distribution(path):
        raise UsageError(f"--candidate {path} is neither a wheel nor a source archive")
    else:
        yield path


def _is_distribution(path: Path) -> bool:
    return path.name.endswith(_SUFFIXES) and path.is_file()


def _proposed(path: Path, project: str) -> Proposed:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"--candidate {path} cannot be read: {error.strerror}") from error
    stated = _stated(path)
    candidate = Candidate(
        filename=path.name,
        version=version_in(path.name, project),
        hashes={"sha256": digest},
        yanked=Yank.NO,
        requires_python=stated.requires_python or "",
        size=size,
    )
    return Proposed(
        candidate=candidate,
        metadata_name=stated.name,
        metadata_version=stated.version,
        problem=stated.problem,
    )


def _stated(path: Path) -> _Stated:
    read = _of_tar if path.name.endswith(".tar.gz") else _of_zip
    try:
        raw, _ = parse_email(read(path))
    except _Unreadable as error:
        return _Stated(problem=str(error))
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error) as error:
        return _Stated(problem=f"it cannot be opened ({type(error).__name__})")
    except (RuntimeError, ValueError, LookupError, struct.error, lzma.LZMAError) as error:
        # zipfile's words for encrypted members, compression it lacks, and mangled directories
        return _Stated(problem=f"its archive cannot be read ({type(error).__name__})")
    return _Stated(raw.get("name"), raw.get("version"), raw.get("requires_python"))


def _of_zip(path: Path) -> bytes:
    """METADATA of a wheel, PKG-INFO of a zipped source archive."""
    ending = ".dist-info/METADATA" if path.name.endswith(".whl") else "/PKG-INFO"
    with zipfile.ZipFile(path) as archive:
        found = [m for m in archive.infolist() if _is_wanted(m.filename, ending)]
        if len(found) != 1:
            raise _Unreadable(f"{len(found)} files *{ending} in place of one")
        with archive.open(found[0]) as file:
            return _bounded(file.read(_MAX_METADATA_BYTES + 1))


def _of_tar(path: Path) -> bytes:
    with tarfile.open(path, "r|gz") as archive:
        for number, member in enumerate(archive):
            if number > _MAX_MEMBERS:
                break
            if member.isreg() and _is_wanted(member.name.removeprefix("./"), "/PKG-INFO"):
                file = archive.extractfile(member)
                return _bounded(file.read(_MAX_METADATA_BYTES + 1) if file else b"")
    raise _Unreadable("no PKG-INFO in its top directory")


def _is_wanted(name: str, ending: str) -> bool:
    return name.endswith(ending) and name.count("/") == 1


def _bounded(content: bytes) -> bytes:
    if len(content) > _MAX_METADATA_BYTES:
        raise _Unreadable(f"more than {_MAX_METADATA_BYTES // 2**20} MiB of metadata")
    return content
