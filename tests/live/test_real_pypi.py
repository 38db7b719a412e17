"""Two incidents of the past, audited on PyPI as pip is configured here (`make live`)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.version import Version

from auditor.selection.environments import running_environment

pytestmark = pytest.mark.live
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Incident:
    project: str
    broken: tuple[str, ...]
    fixed: str

    def arguments(self) -> list[str]:
        broken = [part for version in self.broken for part in ("--broken", version)]
        return [self.project, *broken, "--fixed", self.fixed]


INCIDENTS = [
    Incident("requests", ("2.32.0", "2.32.1"), "2.32.2"),
    Incident("attrs", ("21.1.0",), "21.2.0"),
]


def newest_that_pip_offers(project: str) -> Version:
    """Ask the real pip, which searches everything that it is configured to search."""
    answer = subprocess.run(
        [BIN / "pip", "index", "versions", project],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    first = re.match(rf"{project} \(([^)]+)\)", answer.stdout)
    assert first, answer.stdout
    return Version(first.group(1))


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.project)
def test_a_past_incident_is_rolled_forward_and_pip_agrees(
    incident: Incident, tmp_path: Path
) -> None:
    audit = subprocess.run(
        [
            BIN / "auditor",
            "audit",
            *incident.arguments(),
            "--report",
            "json=run.json",
            "--report",
            "html=run.html",
            "--report",
            "terminal=run.txt",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert incident.project in audit.stdout
    assert (tmp_path / "run.txt").read_text(encoding="utf-8").strip()
    assert (tmp_path / "run.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    source = next(row for row in run["locations"] if row["kind"] == "pypi")
    assert (source["status"], source["fix"]["chosen"]) in {
        ("rolled-forward", "all"),
        ("clean", "all"),
    }
    # pip takes the best of all the indexes and directories that it is configured to search.
    chosen = [
        Version(cell["chosen"])
        for row in run["locations"]
        for cell in row["selection"]
        if cell["environment"] == running_environment().id
        and cell["view"] == "pip"
        and cell["chosen"]
    ]
    assert newest_that_pip_offers(incident.project) == max(chosen)
