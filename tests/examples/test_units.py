"""The units of systemd: read by itself where it is installed, and what they start is started."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from auditor.vantages.broker import BROKER_VARIABLE
from auditor.vantages.worker import CONFIG_VARIABLE, VANTAGE_VARIABLE
from tests.examples.services import EXAMPLES, Shell
from tests.real.celery_workers import COMMAND_OF_A_WORKER

UNITS = sorted(path.name for path in EXAMPLES.iterdir() if path.name.startswith("propagation-"))


def read(name: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False)  # a key may come twice
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capitals
    unit.read_string((EXAMPLES / name).read_text(encoding="utf-8"))
    return unit


def test_the_audit_ends_and_its_answers_are_no_crashes() -> None:
    service = read("propagation-audit.service")["Service"]

    assert service["Type"] == "oneshot"
    assert service["SuccessExitStatus"] == "1 3"
    assert read("propagation-audit.timer")["Timer"]["OnCalendar"] == "*:0/10"


@pytest.mark.slow
def test_what_the_audit_s_unit_starts_keeps_its_history_and_its_report(shell: Shell) -> None:
    command = read("propagation-audit.service")["Service"]["ExecStart"]
    # systemd.unit(5): /etc and /var/lib of the system.
    for directory in ("%E/propagation-audit/", "%S/propagation-audit/"):
        assert directory in command
        command = command.replace(directory, f"{shell.directory}/")
    done = shell.run(command)

    assert done.returncode == 0, done.stderr
    assert all((shell.directory / n).stat().st_size > 0 for n in ("history.sqlite3", "report.html"))


def test_the_worker_s_unit_starts_what_the_tests_of_workers_start() -> None:
    text = (EXAMPLES / "propagation-worker.service").read_text(encoding="utf-8")
    program, celery, *words = shlex.split(
        read("propagation-worker.service")["Service"]["ExecStart"]
    )

    assert (program, celery) == ("/usr/bin/env", "celery")
    assert words[:3] == [*COMMAND_OF_A_WORKER]
    assert {CONFIG_VARIABLE, VANTAGE_VARIABLE} == set(re.findall(r"Environment=(\w+)=", text))
    assert f"{BROKER_VARIABLE}=" in text


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_secrets_come_from_a_file_that_the_unit_does_not_hold(name: str) -> None:
    service = read(name)["Service"]

    assert service["EnvironmentFile"].lstrip("-").startswith("%E/propagation-audit/")
    assert service["DynamicUser"] == "yes"


def systemd(*words: str) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([analyze, *words], capture_output=True, text=True, check=False)


def verified(directory: Path) -> list[str]:
    """What systemd says of the units in a directory."""
    done = systemd("verify", "--man=no", *map(str, sorted(directory.iterdir())))
    return [line for line in done.stderr.splitlines() if "propagation-" in line]


@pytest.mark.slow
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        shutil.copy(EXAMPLES / name, tmp_path)

    assert verified(tmp_path) == []
    # It would say so if one were wrong.
    unit = tmp_path / "propagation-audit.service"
    unit.write_text(unit.read_text().replace("PrivateTmp=yes", "PrivatTmp=yes"))
    assert "PrivatTmp" in "\n".join(verified(tmp_path))


@pytest.mark.slow
def test_the_timer_elapses_every_ten_minutes() -> None:
    when = read("propagation-audit.timer")["Timer"]["OnCalendar"]
    done = systemd("calendar", "--iterations=4", when)
    minutes = [int(minute) for minute in re.findall(r" \d\d:(\d\d):00", done.stdout)]

    assert done.returncode == 0, done.stderr
    assert {(after - before) % 60 for before, after in pairwise(minutes)} <= {0, 10}
    assert len(set(minutes)) >= 3
