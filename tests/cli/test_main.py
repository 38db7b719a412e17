from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import auditor.cli.main as command_line
from auditor import __version__
from auditor.cli.main import COMMANDS
from auditor.errors import (
    ConfigError,
    ObservationsError,
    RegistryError,
    RenderError,
    UsageError,
)
from tests.cli.conftest import Run

HEAVY = ("pydantic", "msgspec", "aiohttp", "packaging", "rich", "jinja2", "pip", "asyncio")


def test_without_a_command_the_help_goes_to_stderr(run: Run) -> None:
    result = run()
    assert (result.code, result.out) == (2, "")
    assert "usage: auditor COMMAND" in result.err


def test_help_names_every_command_and_no_other(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    section = result.out.partition("commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in section.splitlines()] == list(COMMANDS)


def test_the_package_itself_is_the_command() -> None:
    command = [sys.executable, "-m", "auditor", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == f"auditor {__version__}\n"


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"auditor {__version__}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    script = (
        "import sys; from auditor.cli.main import main; main([sys.argv[1]]); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, option], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stderr.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"auditor {command}" in result.out
    assert result.out.count("--") > 1


@pytest.mark.parametrize("command", ["purge", "delete", "fix"])
def test_commands_that_do_not_exist_are_unknown(run: Run, command: str) -> None:
    result = run(command)
    assert result.code == 2
    assert result.err.startswith(f"auditor: error: unknown command '{command}'; ")


def test_a_mistyped_command_gets_a_suggestion(run: Run) -> None:
    assert run("audti").err == "auditor: error: unknown command 'audti'; did you mean 'audit'?\n"


@pytest.mark.parametrize(
    "error",
    [
        UsageError("one; two"),
        ConfigError(["one; two"]),
        RegistryError("one; two"),
        ObservationsError("one; two"),
        RenderError("one; two"),
    ],
)
def test_errors_made_on_purpose_are_one_line_and_exit_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    raise_in(monkeypatch, error)
    result = run("explain")
    assert (result.code, result.err) == (2, "auditor: error: one; two\n")


def test_each_problem_of_a_configuration_is_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in(monkeypatch, ConfigError(["a; b", "c; d"]))
    assert run("explain").err == "auditor: error: a; b\nauditor: error: c; d\n"


def test_anything_else_is_an_internal_error_without_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in(monkeypatch, ZeroDivisionError("by\nzero\x1b[31m"))
    result = run("explain")
    assert result.code == 4
    assert result.err == (
        "auditor: error: internal error: ZeroDivisionError: by zero\\x1b[31m; "
        "see where with --traceback\n"
    )


def test_the_traceback_is_shown_when_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in(monkeypatch, ZeroDivisionError("x"))
    assert "Traceback" in run("explain", "--traceback").err
    monkeypatch.setenv("AUDITOR_TRACEBACK", "1")
    assert "Traceback" in run("explain").err


def test_a_monitoring_system_sees_every_error_as_unknown(run: Run) -> None:
    result = run("audit", "--exit-style", "nagios")
    assert result.code == 3
    assert result.out.startswith("PROPAGATION UNKNOWN - nothing to look for")


def test_ctrl_c_outside_of_an_audit_exits_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in(monkeypatch, KeyboardInterrupt())
    assert run("explain").code == 130


@pytest.mark.skipif(os.name == "nt", reason="pipes break differently there")
def test_a_reader_that_goes_away_causes_no_complaint() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "auditor.cli.main", "schema"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_sign_that_the_terminal_lacks_does_not_fail() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditor.cli.main", "audit", "p", "--broken", "é→"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 2


def test_every_command_has_a_module_of_its_own() -> None:
    directory = Path(command_line.__file__).parent
    for name in COMMANDS:
        module = import_module(f"auditor.cli.{name.replace('-', '_')}")
        assert Path(str(module.__file__)).parent == directory
        assert module.SUMMARY.endswith(".")


def raise_in(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr("auditor.cli.explain.run", fail)
