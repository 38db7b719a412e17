"""The README's example is what `auditor demo` prints; `--update-goldens` rewrites it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.docs import readme

# One worker plays the demo once for all of these tests.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

AUDITOR = Path(sys.executable).parent / "auditor"
BLOCK = re.compile(r"(<!-- demo: [^\n]*-->\n```text\n)(.*?)(^```)", re.MULTILINE | re.DOTALL)
CHANGING = {
    r"127\.0\.0\.1(:|', )\d+": r"127.0.0.1\1PORT",
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "TIME",
    r"/\S*/auditor-demo-\w+": "/DIRECTORY",
}
REMEDIES = "What to do now"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the real thing, as a terminal of 100 columns would show it."""
    environ = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [AUDITOR, "demo"],
        cwd=tmp_path_factory.mktemp("demo"),
        env={**os.environ, **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shortened(output: str) -> str:
    """Leave out, and mark with `…`, the remedies of every place but the first."""
    paragraphs = output.strip().split("\n\n")
    return "\n\n".join(map(_first_remedies, paragraphs)) + "\n"


def _first_remedies(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if lines[0] != REMEDIES:
        return paragraph
    places = [number for number, line in enumerate(lines) if re.match(r"  \S", line)]
    return "\n".join([*lines[: places[1]], "  …"])


def normalised(text: str) -> str:
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    return text


def test_the_readmes_example_is_what_the_demo_prints(demo: str, golden: Golden) -> None:
    document = readme.README.read_text(encoding="utf-8")
    found = BLOCK.search(document)
    assert found
    if golden.update and normalised(shortened(demo)) != normalised(found.group(2)):
        document = document[: found.start(2)] + shortened(demo) + document[found.end(2) :]
        readme.README.write_text(document, encoding="utf-8")
        return

    assert normalised(shortened(demo)) == normalised(found.group(2))


def test_shortening_marks_what_it_leaves_out(demo: str) -> None:
    assert shortened(demo).count("  …\n") == 1
    assert REMEDIES in shortened(demo)
    assert len(shortened(demo)) < len(demo)


def test_the_readme_counts_the_places_of_the_demo(demo: str) -> None:
    stated = re.search(r"on (\w+) small\s+servers", readme.section("One minute"))
    words = {"fourteen": 14, "fifteen": 15}

    assert stated
    assert f"of {words[stated.group(1)]} places" in " ".join(demo.split())
