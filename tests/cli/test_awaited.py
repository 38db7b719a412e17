"""While an audit runs, its terminal names the places that have not answered yet."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auditor.cli.awaited import PATIENCE_S, Awaited


def test_those_that_are_awaited_for_longest_are_named_first() -> None:
    awaited = Awaited()
    now_s = time.monotonic()
    awaited._since_s = {"a": now_s - 9, "b\x1b[2J": now_s - 11, "c": now_s - 2, "d": now_s - 3}
    awaited._since_s["new"] = now_s - PATIENCE_S / 2
    assert awaited.line(now_s) == "waiting for b\\x1b[2J (11 s), a (9 s), d (3 s) and 1 more"
    awaited.finished("a")
    awaited.finished("b\x1b[2J")
    assert awaited.line(now_s) == "waiting for d (3 s), c (2 s)"


def test_nobody_is_named_who_answers_at_once() -> None:
    awaited = Awaited()
    awaited._since_s = {"a": time.monotonic()}
    assert awaited.line(time.monotonic()) == ""


@pytest.mark.slow
def test_a_terminal_shows_and_then_erases_what_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "auditor.cli.main", "audit", "brokenpkg"]
        command += ["--broken", "1.2.3", "--fixed", "1.2.4", "--timeout", "3"]
        command += ["--location", f"hung:simple=http://127.0.0.1:{port}/simple/"]
        environment = {**os.environ, "TERM": "xterm", "HOME": str(tmp_path)}
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, check=False
        )
        os.write(theirs, b"end")
        shown = b""
        while not shown.endswith(b"end"):
            shown += os.read(ours, 65536)
    text = shown.decode()
    assert "waiting for hung (" in text
    assert text.rindex("\x1b[2K") > text.rindex("waiting for")
    os.close(theirs)
    os.close(ours)
