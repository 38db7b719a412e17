"""The README's probe of a third party is complete: it is installed, found, and looks."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from auditor import registry
from tests.docs import readme

BIN = Path(sys.executable).parent
HEADING = "Your own kind of location"
BROKEN = b"the broken bytes"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install the README's module as a distribution of its own: a directory on the path."""
    (code,) = readme.blocks("python", HEADING)
    directory = tmp_path / "site"
    info = directory / "tape_probe-1.0.dist-info"
    info.mkdir(parents=True)
    (directory / "tape_probe.py").write_text(code, encoding="utf-8")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tape-probe\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        f"[{registry.PROBES}]\nchecksums = tape_probe:KIND\n", encoding="utf-8"
    )
    return directory


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    listing = tmp_path / "SHA256SUMS"
    digest = sha256(BROKEN).hexdigest()
    listing.write_text(
        f"{digest}  brokenpkg-1.2.3-py3-none-any.whl\n{digest}  other-1.0.tar.gz\n",
        encoding="utf-8",
    )
    return listing


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Make a find-links directory that has the fix."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    (directory / "brokenpkg-1.2.4-py3-none-any.whl").write_bytes(b"the fix")
    return directory


def test_the_readme_names_the_entry_point_group_of_the_code() -> None:
    assert f"`{registry.PROBES}`" in readme.section(HEADING)


def test_the_readmes_probe_is_short() -> None:
    (code,) = readme.blocks("python", HEADING)

    assert len([line for line in code.splitlines() if line.strip()]) <= 40


def test_the_readmes_probe_finds_the_broken_file_and_the_judge_calls_it_latent(
    site: Path, tape: Path, index: Path, tmp_path: Path
) -> None:
    report = tmp_path / "run.json"
    done = subprocess.run(
        [
            *(BIN / "auditor", "audit", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4"),
            *("--location", f"wheelhouse={index}", "--location", f"tape:checksums={tape}"),
            *("--report", f"json={report}"),
        ],
        env={"PATH": "", "PYTHONPATH": str(site), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert report.exists(), done.stderr
    rows = {row["name"]: row for row in json.loads(report.read_bytes())["locations"]}
    assert rows["tape"]["status"] == "latent"
    assert rows["tape"]["broken"]["held"] == "held"
    assert rows["tape"]["broken"]["files"] == ["brokenpkg-1.2.3-py3-none-any.whl"]
