"""Made runs, a file, and another process that writes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WRITER = Path(__file__).with_name("writer.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the history goes."""
    return tmp_path / "history.sqlite3"


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def writer() -> Start:
    """Start a process that records runs one after the other, and says so after each."""

    def start(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.history.writer", *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
