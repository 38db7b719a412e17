"""Where an environment keeps its distributions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from probes.kit.disk import NotReadable, list_directory, read_regular

__all__ = ["Site", "Sites", "find_sites"]

# What installers write (sysconfig's schemes on Linux, macOS and Windows; Debian's own name).
_BELOW_PREFIX = ("lib", "lib64", "Lib", "local/lib")
_NAMES = ("site-packages", "dist-packages")
_CONFIG_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Site:
    """One directory of installed distributions.

    Attributes:
        path: of the directory.
        root: of the environment; what RECORD names outside of it is left alone.
        names: of what lies in it.
    """

    path: Path
    root: Path
    names: tuple[str, ...]


@dataclass
class Sites:
    """What was found at a path.

    Attributes:
        found: its directories of distributions.
        problems: what could not be looked into, in words.
        notes: what else a reader should know.
        denied: whether the problem is one of rights.
        missing: whether there is nothing at the path.
        system: whether the system's Python is imported from as well.
    """

    found: list[Site] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    denied: bool = False
    missing: bool = False
    system: bool = False


def find_sites(path: Path) -> Sites:
    """Find the directories of distributions of an environment, or the one that the path is."""
    sites = Sites()
    if not os.path.lexists(path):
        sites.missing = True
        sites.problems.append(f"{path} does not exist")
        return sites
    seen: set[Path] = set()
    for directory, root in _candidates(path, sites):
        real = directory.resolve()  # lib64 is a link to lib in most environments
        if real in seen or not directory.is_dir():
            continue
        seen.add(real)
        _list(directory, root, sites)
    if not sites.found and not sites.problems:
        sites.problems.append(f"{path} has no site-packages; name an environment or that directory")
    _read_config(path, sites)
    return sites


def _candidates(path: Path, sites: Sites) -> Iterator[tuple[Path, Path]]:
    if path.name in _NAMES or _has_distributions(path):
        # lib/python3.x/site-packages lies three below the environment, Windows' Lib one less.
        above = 2 if path.parent.name == "Lib" else 3
        root = path.parents[above - 1] if len(path.parents) >= above else path
        yield path, root if path.name in _NAMES else path
        return
    for below in _BELOW_PREFIX:
        base = path / below
        for name in _NAMES:
            yield base / name, path
        for version in _names_in(base, sites):
            if version.startswith(("python", "pypy")):
                for name in _NAMES:
                    yield base / version / name, path


def _has_distributions(path: Path) -> bool:
    try:
        return any(n.endswith((".dist-info", ".egg-info")) for n in list_directory(path).names)
    except OSError:
        return False


def _names_in(path: Path, sites: Sites) -> tuple[str, ...]:
    try:
        return list_directory(path).names
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        _fail(sites, path, error)
        return ()


def _list(directory: Path, root: Path, sites: Sites) -> None:
    try:
        listing = list_directory(directory)
    except OSError as error:
        _fail(sites, directory, error)
        return
    if not listing.complete:
        sites.problems.append(f"{directory} has more entries than are read")
    sites.found.append(Site(directory, root, listing.names))


def _fail(sites: Sites, path: Path, error: OSError) -> None:
    sites.denied = sites.denied or isinstance(error, PermissionError)
    sites.problems.append(f"{path}: {error.strerror or error}")


def _read_config(path: Path, sites: Sites) -> None:
    try:
        text = read_regular(path / "pyvenv.cfg", _CONFIG_BYTES).decode("utf-8", "replace")
    except (OSError, NotReadable):
        return
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "include-system-site-packages" and value.strip().lower() == "true":
            sites.system = True
