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
import struct
import threading
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.kit.disk import NotReadable, open_regular, read_regular

__all__ = ["Comparison", "NoRecord", "compare", "read_record", "record_of_wheel"]

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
    """There is no RECORD, or none that can be read; the text says which."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the files that a RECORD lists.

    Attributes:
        same, changed, missing: numbers of files with a digest.
        examples: a few that are changed or missing.
        complete: whether every one was read.
    """

    same: int
    changed: int
    missing: int
    examples: tuple[str, ...]
    complete: bool

    @property
    def agrees(self) -> bool:
        """Whether every file is what RECORD says."""
        return self.complete and not self.changed and not self.missing and self.same > 0

    def told(self) -> str:
        """The comparison in words."""
        if self.agrees:
            return f"all {self.same} files are as RECORD says"
        bad = f"{self.changed} changed and {self.missing} missing of {self._total()} files"
        cut = "" if self.complete else ", not all were read"
        return f"{bad}{cut}: {', '.join(self.examples)}" if self.examples else f"{bad}{cut}"

    def _total(self) -> int:
        return self.same + self.changed + self.missing


def read_record(info: Path) -> Record:
    """Read the RECORD of a dist-info directory.

    Raises:
        NoRecord: see there.
    """
    try:
        text = read_regular(info / "RECORD", MAX_RECORD_BYTES).decode("utf-8")
    except (OSError, NotReadable, UnicodeDecodeError) as error:
        raise NoRecord(f"its RECORD cannot be read: {error}") from error
    return _parsed(text)


def record_of_wheel(path: Path) -> Record:
    """Read the RECORD inside a wheel.

    Raises:
        NoRecord: see there.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = [n for n in archive.namelist() if n.endswith(".dist-info/RECORD")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_RECORD_BYTES:
                raise NoRecord(f"{path} has no RECORD that can be read")
            with archive.open(names[0]) as record:
                return _parsed(record.read(MAX_RECORD_BYTES).decode("utf-8"))
    except (OSError, NotReadable, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise NoRecord(f"{path} cannot be read: {error}") from error
    # What zipfile raises on hostile archives is not a closed set.
    except (ValueError, RuntimeError, EOFError, LookupError, *_DAMAGED) as error:
        raise NoRecord(f"{path} is damaged: {type(error).__name__}") from error


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
                found[row[0]] = (algorithm, _hexadecimal(encoded))
    except csv.Error as error:
        raise NoRecord(f"its RECORD is no CSV: {error}") from error
    return found


def _hexadecimal(encoded: str) -> str:
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex()
    except (binascii.Error, ValueError):
        return ""


def compare(record: Record, site: Path, root: Path, stop: threading.Event) -> Comparison:
    """Hash the files that a RECORD lists. Those outside the environment are left alone."""
    same, changed, missing, budget = 0, 0, 0, _MAX_BYTES
    examples: list[str] = []
    for name, (algorithm, digest) in record.items():
        if stop.is_set() or budget <= 0:
            return Comparison(same, changed, missing, tuple(examples), complete=False)
        path = _inside(site, name, root)
        if path is None:
            continue
        try:
            found, size = _digest(path, algorithm, budget)
        except (OSError, NotReadable):
            missing += 1
            verdict = "missing"
        else:
            budget -= size
            verdict = "" if found == digest else "changed"
            same, changed = same + (not verdict), changed + bool(verdict)
        if verdict and len(examples) < 3:
            examples.append(f"{name[:120]} {verdict}")
    return Comparison(same, changed, missing, tuple(examples), complete=True)


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
