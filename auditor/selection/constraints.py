"""What a constraints file leaves of a page: caps and pins that an installer is given beside it.

Source: pip 26.3, whose reading of such files the tests compare with this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from msgspec import structs
from packaging.specifiers import SpecifierSet

from auditor.model.filename import version_in
from auditor.model.observation import Candidate, Yank
from auditor.model.version import parse_version

__all__ = ["Constraint", "admitted", "filename_of"]

_HASH = re.compile(r"(?:^|\s)--hash=(\S+)")
_PINS = ("==", "===")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What one line of a constraints file says of a project.

    Attributes:
        project: normalised name.
        specifier: versions that it admits; "" for any.
        filename: of the one file that it names by an address, which is then installed whatever the
            index lists; None if it names none.
        hashes: digests such as `sha256:…` that a file must have one of; empty for any.
        marker: where it holds (PEP 508); "" for everywhere.
    """

    project: str
    specifier: str = ""
    filename: str | None = None
    hashes: tuple[str, ...] = ()
    marker: str = ""

    @classmethod
    def of(cls, line: str) -> Constraint:
        """Read a line that `str` has written."""
        hashes = tuple(_HASH.findall(line))
        text, _, marker = _HASH.sub("", line).partition(" ; ")
        project, _, rest = text.strip().partition(" ")
        filename = rest[2:] if rest.startswith("@ ") else None
        specifier = "" if filename else rest
        return cls(
            project=project,
            specifier=specifier,
            filename=filename,
            hashes=hashes,
            marker=marker.strip(),
        )

    def __str__(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        hashes = "".join(f" --hash={each}" for each in self.hashes)
        return f"{self.told}{marker}{hashes}"

    @property
    def told(self) -> str:
        """What it admits, in the words of the file."""
        if self.filename is not None:
            return f"{self.project} @ {self.filename}"
        if not self.specifier and self.hashes:
            return f"{self.project} with the stated hashes"
        return f"{self.project} {self.specifier}"

    @property
    def is_pin(self) -> bool:
        """Whether it admits one version only, which is then taken though it is yanked (PEP 592)."""
        specifiers = SpecifierSet(self.specifier)
        return any(s.operator in _PINS and not s.version.endswith(".*") for s in specifiers)

    def admits(self, candidate: Candidate) -> bool:
        """Say whether a file may be installed; one without a version never."""
        return _admits(self.specifier, candidate.version or "") and self._has_hash(candidate)

    def _has_hash(self, candidate: Candidate) -> bool:
        """Whether its digest is one of those stated, as far as they can be compared."""
        stated = [text.partition(":") for text in self.hashes]
        comparable = [
            candidate.hashes[name] == digest.lower()
            for name, _, digest in stated
            if name in candidate.hashes
        ]
        return not comparable or any(comparable)


def admitted(
    candidates: Sequence[Candidate], constraints: Iterable[Constraint]
) -> tuple[Candidate, ...]:
    """Return the files that constraints leave of a page, in page order.

    A file that a constraint names by its address takes the place of the whole page.
    """
    files, wanted = tuple(candidates), tuple(constraints)
    for each in wanted:
        if each.filename is not None:
            files = _forced(files, each)
    for each in wanted:
        if each.filename is None:
            files = tuple(candidate for candidate in files if each.admits(candidate))
    if any(each.is_pin for each in wanted):
        return tuple(structs.replace(candidate, yanked=Yank.NO) for candidate in files)
    return files


@lru_cache(maxsize=1 << 14)
def _admits(specifier: str, version: str) -> bool:
    parsed = parse_version(version)
    return parsed is not None and SpecifierSet(specifier).contains(parsed, prereleases=True)


def filename_of(address: str) -> str:
    """Return the last part of an address or path, without query and fragment; "" if none."""
    try:
        path = urlsplit(address).path if "://" in address else address.partition("#")[0]
    except ValueError:  # such as `http://[`
        return ""
    return unquote(path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def _forced(files: Sequence[Candidate], constraint: Constraint) -> tuple[Candidate, ...]:
    """Return the file that is named by an address; as it is listed here, where it is."""
    name = constraint.filename or ""
    same = [each for each in files if each.filename == name]
    if same:
        return (structs.replace(same[0], yanked=Yank.NO),)
    return (
        Candidate(
            filename=name,
            version=version_in(name, constraint.project),
            yanked=Yank.NO,
            requires_python="",
        ),
    )
