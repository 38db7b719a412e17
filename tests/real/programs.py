"""The real servers that tests start, each in an environment of its own, installed once.

`python_program("devpi", "devpi-server", "devpi-client")` returns the directory of its commands.
The environments lie in `.real/` of the checkout, at the versions of `requirements/real.txt`.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from auditor.lab.drive.process import (
    CompletedRun,
    ProgramFailed,
    RunningProgram,
    clean_environment,
    run,
    running,
)

__all__ = [
    "CompletedRun",
    "NotInstallable",
    "ProgramFailed",
    "RunningProgram",
    "clean_environment",
    "installed",
    "python_program",
    "run",
    "running",
]

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".real"
LOCK = ROOT / "requirements" / "real.txt"
_INSTALL_WITHIN_S = 300
_COMPLETE = "complete"


class NotInstallable(Exception):
    """The registry did not give what was asked for; the text ends with what the installer wrote."""


def installed(name: str, *requirements: str) -> Path | None:
    """Return the directory of a program's commands; None if it is not installed yet."""
    home = _home(name, requirements)
    return home / "bin" if (home / _COMPLETE).exists() else None


def python_program(name: str, *requirements: str) -> Path:
    """Return the directory of the commands of an environment, which is made if need be.

    Args:
        name: of the environment.
        requirements: distributions to install; their versions are those of the lock.

    Raises:
        NotInstallable: see there.
    """
    home = _home(name, requirements)
    CACHE.mkdir(exist_ok=True)
    # The workers of pytest-xdist want the same one at the same time.
    with _locked(CACHE / f"{name}.lock"):
        if not (home / _COMPLETE).exists():
            shutil.rmtree(home, ignore_errors=True)
            _make(home, [_pinned(requirement) for requirement in requirements or (name,)])
            (home / _COMPLETE).touch()
    return home / "bin"


def _home(name: str, requirements: Sequence[str]) -> Path:
    """Name an environment after all that goes into it, so that a new lock makes a new one."""
    parts = [sys.version, *sorted(requirements or (name,)), LOCK.read_text(encoding="utf-8")]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return CACHE / f"{name}-{digest[:12]}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pinned(requirement: str) -> str:
    # The lock names a distribution once, whatever extras of it are locked with it.
    name = re.escape(requirement.partition("[")[0])
    pin = re.search(
        rf"^{name}(?:\[[^\]]*\])?(==[^\s;\\]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE
    )
    if pin is None:
        raise LookupError(f"{requirement} is not in requirements/real.in; add it and `make lock`")
    return f"{requirement}{pin[1]}"


def _make(home: Path, pins: Sequence[str]) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    hashed = ["--quiet", "--require-hashes", "--constraint", str(LOCK), *pins]
    python = str(home / "bin" / "python")
    _call([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(home)])
    try:
        _call([uv, "pip", "install", "--python", python, *hashed])
    except NotInstallable:
        # uv does not read how pip is configured here, and the registry may be named nowhere else.
        pip = [sys.executable, "-m", "pip", "--python", python, "install"]
        _call([*pip, "--disable-pip-version-check", *hashed])


def _call(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallable(str(error)) from error
    if done.returncode:
        raise NotInstallable(f"{' '.join(command[:4])} …: {done.stderr[-500:]}")
