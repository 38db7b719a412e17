"""What real pip installs from a requirements file, and what the kind `lockfile` reads in it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from auditor.lab.artifacts import build_release
from auditor.model import Pin
from probes.locks.formats import read_lock
from tests.real.programs import clean_environment

pytestmark = [pytest.mark.real, pytest.mark.real_program("pip")]

VERSIONS = ("1.2.2", "1.2.3", "1.2.4", "1.2.5")
LINE = "brokenpkg==1.2.3\n"
BASE = {"base.txt": LINE.encode()}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    directory = tmp_path / "shelf"
    directory.mkdir()
    for version in VERSIONS:
        artifact, _ = build_release("brokenpkg", version)
        (directory / artifact.filename).write_bytes(artifact.content)
    return directory


def chosen(shelf: Path, requirements: Path) -> str | None:
    """The version that pip would install; None if it refuses the file."""
    command = [sys.executable, "-m", "pip", "install", "--isolated", "--disable-pip-version-check"]
    command += ["--quiet", "--dry-run", "--ignore-installed", "--no-index", "--no-deps"]
    command += ["--find-links", str(shelf), "--report", "-", "-r", str(requirements)]
    done = subprocess.run(
        command,
        capture_output=True,
        env=clean_environment(requirements.parent),
        timeout=60,
        check=False,
    )
    if done.returncode:
        return None
    (installed,) = json.loads(done.stdout)["install"]
    return str(installed["metadata"]["version"])


def admitted(pins: tuple[Pin, ...]) -> list[str]:
    """The versions that all entries together admit."""
    texts = [f"=={pin.version}" if pin.version else pin.specifier for pin in pins]
    return list(SpecifierSet(",".join(text for text in texts if text)).filter(VERSIONS))


@pytest.mark.parametrize(
    ("content", "beside"),
    [
        pytest.param(LINE.encode("utf-16"), {}, id="UTF-16"),
        pytest.param(LINE.encode("utf-32"), {}, id="UTF-32"),
        pytest.param(f"# coding: cp1252\n# é\n{LINE}".encode("cp1252"), {}, id="declared coding"),
        pytest.param(b"--no-index -r base.txt\n", BASE, id="second option of a line"),
        pytest.param(b"--requirem 'base.txt' --pre\n", BASE, id="abbreviated option"),
        pytest.param(
            b"brokenpkg>1.2.2,!=1.2.4\n-c c.txt\n", {"c.txt": b"brokenpkg<1.2.5\n"}, id="constraint"
        ),
        pytest.param(
            b"-r base.txt\nbrokenpkg!=1.2.4\n",
            {"base.txt": b"brokenpkg>1.2.2,<1.2.5"},
            id="constraint in another file",
        ),
    ],
)
def test_what_pip_installs_is_what_the_entries_admit(
    shelf: Path, tmp_path: Path, content: bytes, beside: dict[str, bytes]
) -> None:
    path = tmp_path / "requirements.txt"
    for name, text in {"requirements.txt": content, **beside}.items():
        (tmp_path / name).write_bytes(text)
    reading = read_lock(path, "brokenpkg", threading.Event()).reading
    assert reading is not None
    assert reading.unread == ()
    assert admitted(reading.pins) == ["1.2.3"] == [chosen(shelf, path)]


@pytest.mark.parametrize("line", ["--req base.txt", "--no-such-option -r base.txt"])
def test_what_pip_refuses_is_said_to_be_unread(shelf: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "requirements.txt"
    (tmp_path / "base.txt").write_text(LINE)
    path.write_text(f"{line}\n")
    reading = read_lock(path, "brokenpkg", threading.Event()).reading
    assert reading is not None
    assert reading.unread != ()
    assert chosen(shelf, path) is None
