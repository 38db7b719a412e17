"""Finds the programs that an experiment can use, and asks them for their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.lab.drive.process import interpreter_of

__all__ = ["COMMANDS", "Programs", "find_programs"]

# What a program is called as a command, and how it tells its version. proxpi has no command: it is
# served by the gunicorn of its environment.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "devpi-server": ("devpi-server", "--version"),
    "bandersnatch": ("bandersnatch", "--version"),
    "proxpi": ("gunicorn", ""),
    "pypiserver": ("pypi-server", "--version"),
    "moto": ("moto_server", ""),
    "swift": ("swift-proxy-server", ""),
    "nginx": ("nginx", "-v"),
    "squid": ("squid", "-v"),
    "varnish": ("varnishd", "-V"),
    "apache": ("apache2", "-v"),
    "pip": ("pip", "--version"),
    "uv": ("uv", "--version"),
    "poetry": ("poetry", "--version"),
    "pdm": ("pdm", "--version"),
}
# Debian keeps servers where only root looks for commands.
_SERVER_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin")
_DISTRIBUTIONS = {"proxpi": "proxpi", "moto": "moto"}
# What else must be there for a program to run.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "swift": ("memcached", "swift-account-server", "swift-container-server", "swift-object-server"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What is installed.

    Attributes:
        found: path of each program's command.
        versions: as each of them says; "" if it does not.
        missing: programs that were not found.
    """

    found: Mapping[str, Path]
    versions: Mapping[str, str]
    missing: tuple[str, ...]


def find_programs(directories: Sequence[Path] = ()) -> Programs:
    """Look in these directories (and the `bin` of their subdirectories), beside Python, on PATH.

    Args:
        directories: named by the user.
    """
    path = _search_path(directories)
    found = {name: _find(name, path) for name in COMMANDS}
    here = {name: command for name, command in found.items() if command is not None}
    return Programs(
        found=here,
        versions={name: _version(name, command) for name, command in here.items()},
        missing=tuple(name for name in COMMANDS if name not in here),
    )


def _search_path(directories: Sequence[Path]) -> tuple[Path, ...]:
    given = [
        found
        # Programs are started in directories of their own.
        for d in map(Path.absolute, directories)
        for found in (d, d / "bin", *sorted(d.glob("*/bin"), reverse=True))
    ]
    own = [Path(sys.executable).parent]
    on_path = [Path(d) for d in os.environ.get("PATH", os.defpath).split(os.pathsep) if d]
    return (*given, *own, *on_path, *map(Path, _SERVER_DIRECTORIES))


def _find(name: str, path: Sequence[Path]) -> Path | None:
    command = COMMANDS[name][0]
    everywhere = os.pathsep.join(map(str, path))
    if not all(shutil.which(needed, path=everywhere) for needed in _NEEDED.get(name, ())):
        return None
    for directory in path:
        found = shutil.which(command, path=str(directory))
        if found and (name not in _DISTRIBUTIONS or _dist_version(Path(found), name)):
            return Path(found)
    return None


def _dist_version(command: Path, name: str) -> str:
    """Read the version of a distribution beside a command, from its directory's name."""
    prefix = f"{_DISTRIBUTIONS[name]}-"
    for info in (command.parent.parent / "lib").glob(f"python*/site-packages/{prefix}*.dist-info"):
        return info.name.removeprefix(prefix).removesuffix(".dist-info")
    return ""


def _version(name: str, command: Path) -> str:
    if name in _DISTRIBUTIONS:
        return _dist_version(command, name)
    asked: list[str | Path] = [command, COMMANDS[name][1]]
    if name == "swift":
        # It starts whatever it is asked.
        asked = [interpreter_of(command), "-c", "import swift; print(swift.__version__)"]
    try:
        done = subprocess.run(  # noqa: S603  # a program that the user wants to be run
            asked, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found.group() if found else ""
