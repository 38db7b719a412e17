"""Directories that an environment imports from besides its own: `.pth` files and `.egg-link`s.

Source: the documentation of Python's `site` module, and setuptools' development mode.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auditor.model import normalise_project
from probes.installed.sites import Site
from probes.kit.disk import NotReadable, list_directory, read_regular

__all__ = ["Elsewhere", "find_elsewhere", "links_of"]

_MAX_BYTES = 256 * 1024
_MAX_FILES = 500
_MAX_DIRECTORIES = 200
# What old setuptools writes to move its own entries to the front adds none.
_REORDERS = "sys.__plen"
_ADDS = ("sys.path", "addsitedir")


@dataclass
class Elsewhere:
    """Where else a directory of distributions leads.

    Attributes:
        found: directories, as `Site`.
        problems: what could not be followed, in words.
    """

    found: list[Site] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def links_of(site: Site, project: str) -> Iterator[tuple[Path, Site | None]]:
    """The `.egg-link`s of a project, each with the source tree it leads to; None: not readable."""
    for name in site.names:
        stem, dot, ending = name.rpartition(".")
        if dot and ending == "egg-link" and normalise_project(stem[:300]) == project:
            lines = _lines(site.path / name)
            yield site.path / name, _site(site.path / lines[0]) if lines else None


def find_elsewhere(site: Site) -> Elsewhere:
    """Follow the `.pth` files of a directory; what they run is not run."""
    elsewhere = Elsewhere()
    files = [site.path / name for name in site.names if name.endswith(".pth")]
    if len(files) > _MAX_FILES:
        elsewhere.problems.append(f"{site.path} has more than {_MAX_FILES} .pth files")
    seen = {os.path.realpath(site.path)}
    for path in files[:_MAX_FILES]:
        _follow(path, elsewhere, seen)
    return elsewhere


def _follow(path: Path, elsewhere: Elsewhere, seen: set[str]) -> None:
    lines = _lines(path)
    if lines is None:
        elsewhere.problems.append(f"{path} cannot be read, which may add directories")
        return
    for line in lines:
        if line.startswith(("import ", "import\t")):
            if any(word in line for word in _ADDS) and _REORDERS not in line:
                elsewhere.problems.append(f"{path} runs code that may add directories")
            continue
        _add(path, line, elsewhere, seen)


def _add(path: Path, line: str, elsewhere: Elsewhere, seen: set[str]) -> None:
    directory = Path(os.path.normpath(path.parent / line))
    real = os.path.realpath(directory)
    if real in seen or not directory.is_dir():
        return  # Python passes over what is not there
    seen.add(real)
    if len(seen) > _MAX_DIRECTORIES:
        elsewhere.problems.append(f"{path}: more than {_MAX_DIRECTORIES} directories are added")
        return
    found = _site(directory)
    if found is None:
        elsewhere.problems.append(f"{directory}, which {path} adds, may not be read")
    else:
        elsewhere.found.append(found)


def _lines(path: Path) -> list[str] | None:
    """The lines of a small file that say something; None if it cannot be read."""
    try:
        text = read_regular(path, _MAX_BYTES).decode("utf-8-sig", "surrogateescape")
    except (OSError, NotReadable):
        return None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and "\0" not in line]


def _site(directory: Path) -> Site | None:
    path = Path(os.path.normpath(directory))
    try:
        listing = list_directory(path)
    except (OSError, ValueError):
        return None
    return Site(path, path, listing.names)
