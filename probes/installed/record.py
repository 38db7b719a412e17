"""RECORD: which files a distribution installed, and whether they are still the same.

Source: the PyPA specification *Recording installed projects*.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import lzma
import os
import string
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from auditor.model import normalise_project
from probes.kit.disk import NotReadable, open_regular, read_regular

__all__ = [
    "Comparison",
    "NoRecord",
    "RecordMissing",
    "Released",
    "compare",
    "read_record",
    "released_in",
]

# tensorflow has some 30,000 files.
MAX_RECORD_BYTES = 64 * 2**20
_MAX_FILES = 200_000
_MAX_BYTES = 4 * 2**30
_CHUNK_BYTES = 2**20
_ALGORITHMS = ("sha256", "sha384", "sha512")

Record = Mapping[str, tuple[str, str]]
"""Path as written to (algorithm, hexadecimal digest)."""


# With those below, what zipfile and its decoders raise on hostile archives: no closed set.
_DAMAGED = (zlib.error, lzma.LZMAError, struct.error)


class NoRecord(Exception):
    """There is a RECORD and it cannot be read, or is none; the text says why."""


class RecordMissing(NoRecord):
    """There is no RECORD at all: a distribution's own packager installed it (PEP 627)."""


# What Python imports. Where one is missing, something else may stand in for it.
_CODE = (".py", ".pyc", ".so", ".pyd", ".dylib", ".dll")
# Installers write these of a dist-info themselves, and may write them anew.
_NOTES = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")
_EXAMPLES = 3
_HEXADECIMAL = frozenset(string.hexdigits)


class _Fate(Enum):
    """What became of one file."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    REMOVED = "removed"  # missing, and nothing can stand in for it
    REWRITTEN = "rewritten"  # changed, in a place that installers and movers write to
    UNREAD = "unreadable"


@dataclass
class Comparison:
    """What became of the files that a RECORD lists.

    Attributes:
        fates: numbers of files with a digest, by what became of them.
        examples: a few that are not the same.
        code, same_code: numbers of files that Python imports, and of those that are the same.
        stopped: whether it was not looked to the end.
    """

    fates: dict[_Fate, int] = field(default_factory=lambda: dict.fromkeys(_Fate, 0))
    examples: list[str] = field(default_factory=list)
    code: int = 0
    same_code: int = 0
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether every file was read, and there was one to read."""
        return not self.stopped and not self.fates[_Fate.UNREAD] and any(self.fates.values())

    @property
    def had_nothing_to_compare(self) -> bool:
        """Whether the RECORD was read and has no digest: it tells as little as none at all."""
        return not self.stopped and not any(self.fates.values())

    @property
    def agrees(self) -> bool:
        """Whether every file that is here is what RECORD says, and none can stand for another."""
        bad = self.fates[_Fate.CHANGED] or self.fates[_Fate.MISSING]
        is_here = self.same_code > 0 if self.code else self.fates[_Fate.SAME] > 0
        return self.complete and not bad and is_here

    @property
    def is_all_the_same(self) -> bool:
        """Whether every single file is here and is what RECORD says."""
        return self.complete and self.fates[_Fate.SAME] == sum(self.fates.values())

    def told(self) -> str:
        """The comparison in words."""
        total = sum(self.fates.values())
        if not total:
            return "its RECORD lists no file with a digest"
        if self.fates[_Fate.SAME] == total and not self.stopped:
            return f"all {total} files are as RECORD says"
        counts = [f"{n} {fate.value}" for fate, n in self.fates.items() if n]
        cut = ", not all were read" if self.stopped else ""
        return f"of {total} files {', '.join(counts)}{cut}: {', '.join(self.examples)}"

    def add(self, name: str, fate: _Fate) -> None:
        """Count one file."""
        self.fates[fate] += 1
        is_code = name.endswith(_CODE)
        self.code += is_code
        self.same_code += is_code and fate is _Fate.SAME
        if fate is not _Fate.SAME and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{name[:120]} {fate.value}")


@dataclass(frozen=True, slots=True)
class Released:
    """What a released wheel would install.

    Attributes:
        version: as its dist-info says.
        record: its RECORD.
    """

    version: str
    record: Record

    @property
    def code(self) -> Record:
        """Its files but its metadata, and what an installer moves to elsewhere."""
        return {
            name: digest
            for name, digest in self.record.items()
            if ".data/" not in name and ".dist-info/" not in name
        }


def read_record(info: Path) -> Record:
    """Read the RECORD of a dist-info directory.

    Raises:
        NoRecord, RecordMissing: see there.
    """
    try:
        text = read_regular(info / "RECORD", MAX_RECORD_BYTES).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordMissing("it has no RECORD, so its metadata is all that tells") from error
    except (OSError, NotReadable, UnicodeDecodeError) as error:
        raise NoRecord(f"its RECORD cannot be read: {error}") from error
    return _parsed(text)


def released_in(path: Path, project: str) -> Released:
    """Read the RECORD inside a wheel of a project.

    Raises:
        NoRecord: see there, or it is another project's.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            info = _info_in(archive.namelist(), project)
            name = f"{info}.dist-info/RECORD"
            if info is None or archive.getinfo(name).file_size > MAX_RECORD_BYTES:
                raise NoRecord(f"{path} has no RECORD of {project} that can be read")
            with archive.open(name) as record:
                content = record.read(MAX_RECORD_BYTES).decode("utf-8")
        return Released(info.rpartition("-")[2], _parsed(content))
    except (OSError, NotReadable, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise NoRecord(f"{path} cannot be read: {error}") from error
    # What zipfile raises on hostile archives is not a closed set.
    except (ValueError, RuntimeError, EOFError, LookupError, *_DAMAGED) as error:
        raise NoRecord(f"{path} is damaged: {type(error).__name__}") from error


def _info_in(names: Iterable[str], project: str) -> str | None:
    """The `{name}-{version}` of the metadata in a wheel, if it is the project's."""
    end = ".dist-info/RECORD"
    found = [name.removesuffix(end) for name in names if name.endswith(end)]
    if len(found) != 1 or "/" in found[0]:
        return None
    return found[0] if normalise_project(found[0].rpartition("-")[0]) == project else None


def _parsed(text: str) -> Record:
    found: dict[str, tuple[str, str]] = {}
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if len(found) > _MAX_FILES:
                raise NoRecord(f"its RECORD lists more than {_MAX_FILES} files")
            if len(row) < 2 or not row[1]:
                continue  # RECORD itself and compiled files have no digest
            algorithm, _, encoded = row[1].partition("=")
            if algorithm in _ALGORITHMS:
                found[row[0]] = (algorithm, _hexadecimal(algorithm, encoded))
    except csv.Error as error:
        raise NoRecord(f"its RECORD is no CSV: {error}") from error
    return found


def _hexadecimal(algorithm: str, encoded: str) -> str:
    """A digest as it is compared. Debian's own builds write it so already, against PEP 376."""
    if len(encoded) == 2 * hashlib.new(algorithm).digest_size and _HEXADECIMAL.issuperset(encoded):
        return encoded.lower()
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex()
    except (binascii.Error, ValueError):
        return ""


def compare(record: Record, site: Path, root: Path, stop: threading.Event) -> Comparison:
    """Hash the files that a RECORD lists. Those outside the environment are left alone."""
    found, budget = Comparison(), _MAX_BYTES
    for name, (algorithm, digest) in record.items():
        if stop.is_set() or budget <= 0:
            found.stopped = True
            break
        path = _inside(site, name, root)
        if path is None:
            continue
        try:
            seen, size = _digest(path, algorithm, budget)
        except (FileNotFoundError, NotADirectoryError):
            found.add(name, _fate_of_missing(path))
        except (OSError, NotReadable):
            found.add(name, _Fate.UNREAD)
        else:
            budget -= size
            changed = _Fate.REWRITTEN if _may_be_rewritten(name) else _Fate.CHANGED
            found.add(name, _Fate.SAME if seen == digest else changed)
    return found


def _fate_of_missing(path: Path) -> _Fate:
    """What keeps images small removes documents, and tests with their whole directory."""
    is_code = path.name.endswith(_CODE) or path.name == "METADATA"
    return _Fate.MISSING if is_code and path.parent.is_dir() else _Fate.REMOVED


def _may_be_rewritten(name: str) -> bool:
    """Whether a file changes without anybody touching the release's code.

    Programs that start it name their interpreter, which moving an environment changes.
    """
    directory, _, file = name.rpartition("/")
    if directory.endswith(".dist-info"):
        return file in _NOTES
    return name.startswith("../") and not file.endswith(_CODE)


def _inside(site: Path, name: str, root: Path) -> Path | None:
    path = Path(os.path.normpath(site / name))
    return path if path.is_relative_to(root) and "\0" not in name else None


def _digest(path: Path, algorithm: str, limit: int) -> tuple[str, int]:
    digest, read = hashlib.new(algorithm), 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            read += len(chunk)
            if read > limit:
                raise NotReadable("it is larger than what we hash")
            digest.update(chunk)
    return digest.hexdigest(), read
