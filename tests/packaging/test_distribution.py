"""What users install: the built wheel works in a clean environment, far from this source tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor import __version__

ROOT = Path(__file__).parents[2]

# One worker builds once for all of these tests.
pytestmark = [
    pytest.mark.real,
    pytest.mark.real_program("python", "pip-command"),
    pytest.mark.xdist_group("distribution"),
]

IMPORT_PACKAGES = {"auditor", "probes", "reports"}
SOURCE_ONLY = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "PKG-INFO",
    "README.md",
    "config.example.toml",
    "conftest.py",
    "examples",
    "pyproject.toml",
    "requirements",
    "tests",
    "tools",
}
STRAY = re.compile(
    r"__pycache__|\.pyc$|\.venv|\.coverage|\.[a-z_]+_cache/|\.egg-info|\.hypothesis|/build/"
)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of this test run in its environment."""
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "NO_COLOR"}
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in own and not key.startswith(("COV", "PYTEST"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from the tree, and the wheel from that sdist: so the sdist is complete."""
    target = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT, cwd=target)
    return target


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with the locked versions into an empty environment; return its bin."""
    home = tmp_path_factory.mktemp("clean")
    succeed(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    bin_ = home / "venv" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "--quiet")
    lock = ROOT / "requirements" / "runtime.txt"
    succeed(*pip, "--require-hashes", "-r", lock, cwd=home)
    succeed(*pip, "--no-deps", "--no-index", wheel, cwd=home)
    succeed(sys.executable, "-m", "pip", "--python", bin_ / "python", "check", cwd=home)
    return bin_


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    roots = {name.partition("/")[0] for name in names}
    assert roots == IMPORT_PACKAGES | {f"propagation_auditor-{__version__}.dist-info"}
    assert [name for name in names if STRAY.search(name)] == []


def test_the_wheel_carries_its_data_files_and_its_licence(wheel: Path) -> None:
    shipped = {Path(name).name for name in zipfile.ZipFile(wheel).namelist()}
    wanted = {
        path.name
        for package in IMPORT_PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }

    assert wanted | {"LICENSE"} <= shipped


def test_the_sdist_holds_no_stray_file(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = archive.getnames()

    inside = [name.partition("/")[2] for name in names if "/" in name]
    assert {name.partition("/")[0] for name in inside} <= IMPORT_PACKAGES | SOURCE_ONLY
    assert [name for name in names if STRAY.search(name)] == []


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert __version__ in succeed(installed / "auditor", "--version", cwd=tmp_path)


def test_what_runs_is_the_installed_code_not_the_source_tree(
    installed: Path, tmp_path: Path
) -> None:
    code = "import auditor, probes, reports; print(auditor.__file__)"
    imported = succeed(installed / "python", "-c", code, cwd=tmp_path)

    assert Path(imported.strip()).is_relative_to(installed.parent)


def test_every_plugin_of_the_wheel_loads(installed: Path, tmp_path: Path) -> None:
    succeed(installed / "auditor", "plugins", cwd=tmp_path)


def test_the_installed_command_prints_the_schema(installed: Path, tmp_path: Path) -> None:
    schema = json.loads(succeed(installed / "auditor", "schema", cwd=tmp_path))

    assert "schema_version" in schema["properties"]


def test_the_installed_demo_writes_and_names_an_html_report(
    installed: Path, tmp_path: Path
) -> None:
    done = run(installed / "auditor", "demo", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    named = re.findall(r"\S+\.html", done.stdout + done.stderr)
    assert any(
        (tmp_path / name).read_text(encoding="utf-8").startswith("<!doctype html>")
        for name in named
        if (tmp_path / name).exists()
    ), done.stdout[-500:]


def test_uv_installs_the_wheel_with_its_command(
    wheel: Path, tmp_path: Path, real_program: Callable[[str], Path]
) -> None:
    uv = real_program("uv")
    quiet = ("--quiet", "--offline", "--no-config", "--cache-dir", tmp_path / "cache")
    succeed(uv, *quiet, "venv", "--python", sys.executable, "uv-venv", cwd=tmp_path)
    bin_ = tmp_path / "uv-venv" / "bin"
    succeed(
        *(uv, *quiet, "pip", "install", "--python", bin_ / "python"),
        *("--no-index", "--no-deps", wheel),
        cwd=tmp_path,
    )

    assert __version__ in succeed(bin_ / "auditor", "--version", cwd=tmp_path)
