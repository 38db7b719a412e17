"""The crontab as cron takes it: with its variables alone, and `sh` to run each line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.examples.services import EXAMPLES, Shell

VARIABLE = re.compile(r"([A-Z]+)=(.*)")  # crontab(5)
LINES = [
    line
    for line in (EXAMPLES / "crontab").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
VARIABLES = {found[1]: found[2] for line in LINES if (found := VARIABLE.fullmatch(line))}
JOBS = [line.split(maxsplit=5) for line in LINES if not VARIABLE.fullmatch(line)]
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def test_the_lines_are_five_times_and_a_command() -> None:
    assert len(JOBS) == 2
    for *times, command in JOBS:
        for text, (least, most) in zip(times, BOUNDS, strict=True):
            assert re.fullmatch(r"\*|\*/\d+|\d+", text)
            assert all(least <= int(number) <= most for number in re.findall(r"\d+", text))
        assert command.startswith("auditor ")
        assert "%" not in command  # cron makes a line break of it


def test_cron_finds_the_program_where_pip_puts_it() -> None:
    # Debian's cron has /usr/bin:/bin, and root's `pip install` writes to /usr/local/bin.
    assert VARIABLES["PATH"].split(":") == ["/usr/local/bin", "/usr/bin", "/bin"]
    assert "$" not in VARIABLES["PATH"]  # cron replaces nothing in it


@pytest.mark.slow
def test_the_lines_run_with_what_cron_gives_them_and_only_news_are_mailed(shell: Shell) -> None:
    ours = str(Path(sys.executable).parent)
    shell.path = VARIABLES["PATH"].replace("/usr/local/bin", ours)
    environ = {**VARIABLES, "PATH": shell.path, "SHELL": "/bin/sh", "LOGNAME": "root"}
    audit, prune = (_here(command, shell) for *_, command in JOBS)
    mails = [shell.run(line, shell=("/bin/sh", "-c"), **environ) for line in (audit, audit, prune)]

    assert [mail.returncode for mail in mails] == [0, 0, 0]
    assert "brokenpkg is rolled forward" in mails[0].stdout
    assert [(mail.stdout, mail.stderr) for mail in mails[1:]] == [("", ""), ("", "")]
    assert (shell.directory / "history.sqlite3").stat().st_size > 0


def _here(command: str, shell: Shell) -> str:
    for name in ("/etc/propagation-audit/", "/var/lib/propagation-audit/"):
        command = command.replace(name, f"{shell.directory}/")
    return command
