"""Programs are waited for, told apart from dead ones, and never left behind."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from auditor.lab.drive.process import ProgramFailed, run, running

SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Quiet(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
child = os.fork()
if child == 0:
    import time
    time.sleep(600)
with open("child", "w") as file:
    file.write(str(child))
print("ready to serve", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
"""


def command(source: str, port: int) -> list[str]:
    return [sys.executable, "-c", source, str(port)]


def has_ended(process: int) -> bool:
    """Whether a process has ended; waits a while for one that is about to."""
    return bool(select.select([process], [], [], 5.0)[0])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs descriptors of processes (Linux)")
async def test_a_server_and_its_children_end_with_the_block_even_when_that_fails(
    tmp_path: Path,
) -> None:
    processes: list[int] = []

    async def fail_while_it_runs() -> None:
        async with running("server", lambda p: command(SERVER, p), home=tmp_path) as program:
            child = int((tmp_path / "child").read_text(encoding="ascii"))
            processes.extend(map(os.pidfd_open, (program.pid, child)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_while_it_runs()

    assert [has_ended(process) for process in processes] == [True, True]
    assert "ready to serve" in (tmp_path / "server.log").read_text(encoding="utf-8")
    for process in processes:
        os.close(process)


async def test_a_program_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="cannot go on"):
        async with running(
            "dying", lambda p: command("raise SystemExit('cannot go on')", p), home=tmp_path
        ):
            raise AssertionError("it never answered")


async def test_a_run_that_hangs_is_ended(tmp_path: Path) -> None:
    hang = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(ProgramFailed, match=r"did not end within 0\.2 s"):
        await run(hang, home=tmp_path, timeout_s=0.2)


async def test_no_setting_of_this_user_reaches_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple/")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")

    done = await run(
        [sys.executable, "-c", "import os; print(sorted(os.environ), os.environ['HOME'])"],
        home=tmp_path,
        environment={"EXTRA": os.devnull},
    )

    assert done.returncode == 0
    assert "PIP_" not in done.stdout
    assert "PROXY" not in done.stdout
    assert "EXTRA" in done.stdout
    assert str(tmp_path) in done.stdout
