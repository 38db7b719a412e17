"""Each example is read by its own program, and each command in it is one that this version has."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.arguments import Parser, add_common
from auditor.cli.main import COMMANDS
from tests.cli.conftest import Run, run

__all__ = ["run"]  # the fixture that runs a command in this process

EXAMPLES = Path(__file__).parents[2] / "examples"
YAML = ("github-workflow.yml", "gitlab-ci.yml", "pre-commit-config.yaml")
COMMAND = re.compile(r"(?<![\w./-])auditor (?:[a-z-]+)(?: [^\n\"]*)?")


def commands(name: str) -> Iterator[list[str]]:
    """Every command of ours in an example."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    if name == "Containerfile":
        (cmd,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
        yield json.loads(cmd)
        return
    for line in text.splitlines():
        if not line.lstrip().startswith("#") and (found := COMMAND.search(line)):
            words = re.sub(r"\$\{\{.*?\}\}|%\w", "X", found.group())
            yield shlex.split(words)[1:]


FILES = sorted(path.name for path in EXAMPLES.iterdir())
WITH_COMMANDS = [name for name in FILES if name != "propagation-audit.timer"]


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_every_command_of_an_example_parses(name: str) -> None:
    found = [words for words in commands(name) if words[0] in COMMANDS]

    assert found
    for command, *words in found:
        module = import_module(f"auditor.cli.{command}")
        parser = Parser(prog=f"auditor {command}", allow_abbrev=False)
        module.add_arguments(parser)
        add_common(parser)
        assert vars(parser.parse(words))


@pytest.mark.parametrize("name", FILES)
def test_every_example_says_what_it_is_for(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")

    assert text.startswith("# ")
    assert text.endswith("\n")


# Whatever stands in a file of YAML.
ReadYaml = Callable[[str], dict[str, Any]]


@pytest.fixture
def read_yaml(real_program: Callable[[str], Path]) -> ReadYaml:
    """Read an example as the services do, which YAML 1.1's reader comes closest to."""

    def read(name: str) -> dict[str, Any]:
        load = "json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=str)"
        code = f"import json, sys, yaml; {load}"
        done = subprocess.run(
            [str(real_program("yaml")), "-c", code],
            input=(EXAMPLES / name).read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return read


@pytest.mark.real
def test_the_workflow_probes_from_a_matrix_of_vantages_and_judges_once(
    read_yaml: ReadYaml,
) -> None:
    jobs = read_yaml("github-workflow.yml")["jobs"]

    assert jobs["probe"]["strategy"]["matrix"] == {"vantage": ["ubuntu-latest", "macos-latest"]}
    assert jobs["judge"]["needs"] == "probe"
    for job in jobs.values():
        assert job["timeout-minutes"]
        assert all("uses" in step or "run" in step for step in job["steps"])
    text = (EXAMPLES / "github-workflow.yml").read_text(encoding="utf-8")
    assert "GITHUB_STEP_SUMMARY" in text
    assert "contents: read" in text


@pytest.mark.real
def test_the_gitlab_job_waits_and_keeps_its_history_and_its_report(
    read_yaml: ReadYaml,
) -> None:
    job = read_yaml("gitlab-ci.yml")["wait-for-propagation"]

    assert job["cache"]["paths"] == ["history.sqlite3"]
    assert job["artifacts"]["when"] == "always"
    assert any("auditor watch" in line for line in job["script"])


@pytest.mark.real
def test_the_hook_matches_every_lock_file(
    read_yaml: ReadYaml,
) -> None:
    (repo,) = read_yaml("pre-commit-config.yaml")["repos"]
    (hook,) = repo["hooks"]
    names = ["requirements.txt", "a/requirements-dev.txt", "uv.lock", "poetry.lock", "pdm.lock"]

    assert all(re.search(hook["files"], name) for name in [*names, "Pipfile.lock", "pylock.toml"])
    assert not re.search(hook["files"], "README.md")


@pytest.mark.parametrize(
    ("line", "code"), [("brokenpkg==1.2.3", 1), ("brokenpkg==1.2.4", 0), ("other==1", 0)]
)
def test_the_hook_stops_a_lock_that_forces_the_broken_release(
    line: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    (words,) = commands("pre-commit-config.yaml")

    assert code == run(*words).code


def test_the_units_are_what_systemd_reads() -> None:
    service, timer = (configparser.RawConfigParser(strict=True) for _ in ("service", "timer"))
    for parser, kind in ((service, "service"), (timer, "timer")):
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capitals
        unit = EXAMPLES / f"propagation-audit.{kind}"
        parser.read_string(unit.read_text(encoding="utf-8"))

    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["SuccessExitStatus"] == "1 3"
    assert timer["Timer"]["OnCalendar"] == "*:0/10"


@pytest.mark.slow
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("propagation-audit.service", "propagation-audit.timer"):
        shutil.copy(EXAMPLES / name, tmp_path)
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in done.stderr.splitlines() if "propagation-audit" in line]
    assert said == []


def test_the_crontab_s_lines_are_five_times_and_a_command() -> None:
    lines = (EXAMPLES / "crontab").read_text(encoding="utf-8").splitlines()
    jobs = [line for line in lines if line and not line.startswith("#") and "=" not in line[:8]]

    assert len(jobs) == 2
    for job in jobs:
        *times, command = job.split(maxsplit=5)
        assert all(re.fullmatch(r"\*|\*/\d+|\d+", each) for each in times)
        assert command.startswith("auditor ")
        assert "%" not in command  # cron makes a line break of it


def test_the_container_runs_as_nobody_in_particular() -> None:
    text = (EXAMPLES / "Containerfile").read_text(encoding="utf-8")
    words = [line.split()[0] for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]

    assert words == ["FROM", "RUN", "USER", "VOLUME", "ENTRYPOINT", "CMD"]
    assert 'ENTRYPOINT ["auditor"]' in text
