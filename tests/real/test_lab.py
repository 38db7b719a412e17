"""A quick lab on two real programs: it predicts, plays, and is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.lab.experiment.table import TABLE_VERSION

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "pypiserver", "pip"),
]


def marks(row: dict[str, dict[str, dict[str, str]]]) -> set[str]:
    return {cell["mark"] for cell in row["cells"].values()}


def test_what_deleting_does_at_two_programs_was_known_before(
    tmp_path: Path, real_program: Callable[[str], Path]
) -> None:
    real_program("nginx")
    table, page = tmp_path / "lab.json", tmp_path / "lab.html"
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "auditor", "lab", "--quick", "--jobs", "2"),
            *("--program", "nginx", "--program", "pypiserver"),
            *("--programs", real_program("pypiserver").parent),
            *("--scenario", "delete-with-file"),
            *("--report", f"json={table}", "--report", f"html={page}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong, " in done.stdout
    document = json.loads(table.read_text(encoding="utf-8"))
    assert document["table_version"] == TABLE_VERSION
    assert document["failures"] == []
    rows = {(r["settings"], r["place"]): r for r in document["rows"]}
    warm = rows["pages live for 1 s", "nginx"]
    # It is off the page, and the lock with its URL still gets the bytes.
    seen = {how: warm["seen"][how] for how in ("unpinned", "pinned", "by-url", "bytes")}
    assert seen == {"unpinned": "older", "pinned": "error", "by-url": "broken", "bytes": "held"}
    assert warm["seen"] == {how: cell["seen"] for how, cell in warm["cells"].items()}
    local = rows["with a fallback", "local"]
    assert (local["predicted"]["when"], local["seen"]["pinned"]) == ("never", "broken")
    # From its URL alone nobody can tell how long an nginx keeps a page; all else is known.
    unknown = {r["place"] for r in rows.values() if "unknown" in marks(r)}
    assert unknown <= {"nginx from afar"}
    assert "delete" in page.read_text(encoding="utf-8")
