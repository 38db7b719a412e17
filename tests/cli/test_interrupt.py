"""Ctrl-C: the first one reports what was seen, the second one quits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals are different there"),
    pytest.mark.slow,
]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


def start(config: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "auditor.cli.main", *words, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def silent_place(silent: socket.socket) -> str:
    port = silent.getsockname()[1]
    return f'[[locations]]\nname = "silent"\nkind = "simple"\nurl = "http://127.0.0.1:{port}/"\n'


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_reports_what_was_seen_so_far(
    config: Callable[..., Path], silent: socket.socket, sent: signal.Signals
) -> None:
    process = start(config("source", more=silent_place(silent)), "audit")
    connection, _ = silent.accept()  # the source has been seen, this place is being asked
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    connection.close()
    assert process.returncode == 3
    assert "stopping; reporting what was seen so far" in err
    assert "interrupted" in out
    assert "rolled-forward" in out
    assert "Traceback" not in err


def test_what_was_seen_so_far_is_written_down(
    config: Callable[..., Path], silent: socket.socket, tmp_path: Path
) -> None:
    seen = tmp_path / "seen.jsonl"
    file = config("source", more=silent_place(silent))
    process = start(file, "probe", "-o", str(seen))
    connection, _ = silent.accept()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    connection.close()
    assert process.returncode == 3
    judged = subprocess.run(
        [sys.executable, "-m", "auditor.cli.main", "judge", str(seen)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 3
    assert "interrupted" in judged.stdout


def test_the_second_one_quits_at_once(config: Callable[..., Path], silent: socket.socket) -> None:
    # A stopping probe is made to hang, as one could that waits for a slow disk.
    script = (
        "import sys, time\n"
        "from auditor.engine import Audit\n"
        "Audit.stop = lambda self: None\n"
        "from auditor.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    file = config("source", more=silent_place(silent))
    process = subprocess.Popen(
        [sys.executable, "-c", script, "audit", "--config", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    connection, _ = silent.accept()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    connection.close()
    assert (process.returncode, out) == (130, "")
    assert err == "auditor: interrupted\n"
