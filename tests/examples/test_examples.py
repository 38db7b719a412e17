"""Each example is read by its own program, and each command in it is one that this version has."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.arguments import Parser, add_common
from auditor.cli.main import COMMANDS
from auditor.lab.story import incident_toml
from auditor.lab.world import World
from auditor.vantages.broker import BROKER_VARIABLE
from auditor.vantages.worker import CONFIG_VARIABLE, VANTAGE_VARIABLE
from tests.cli.conftest import Run, run, world
from tests.real.celery_workers import COMMAND_OF_A_WORKER

__all__ = ["run", "world"]  # the fixtures of the commands' tests

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
WITHOUT_COMMANDS = ("propagation-audit.timer", "propagation-worker.service")
WITH_COMMANDS = [name for name in FILES if name not in WITHOUT_COMMANDS]
UNITS = sorted(name for name in FILES if name.startswith("propagation-"))


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


def test_the_worker_s_unit_starts_what_the_tests_of_workers_start() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capitals
    text = (EXAMPLES / "propagation-worker.service").read_text(encoding="utf-8")
    unit.read_string(text)
    program, celery, *words = shlex.split(unit["Service"]["ExecStart"])

    assert (program, celery) == ("/usr/bin/env", "celery")
    assert words[:3] == [*COMMAND_OF_A_WORKER]
    assert {CONFIG_VARIABLE, VANTAGE_VARIABLE} == set(re.findall(r"Environment=(\w+)=", text))
    assert f"{BROKER_VARIABLE}=" in text


@pytest.mark.slow
def test_systemd_itself_accepts_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        shutil.copy(EXAMPLES / name, tmp_path)
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in done.stderr.splitlines() if "propagation-" in line]
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


# What a service replaces in the commands that are played below.
PLAYED = {
    "crontab": {"/etc/propagation-audit/": "", "/var/lib/propagation-audit/": ""},
    "propagation-audit.service": {"%E/propagation-audit/": "", "%S/propagation-audit/": ""},
    "gitlab-ci.yml": {"--passes 3": "--passes 2 --interval 0.1s"},
    "github-workflow.yml": {"${{ matrix.vantage }}": "paris", "-o obs": "-o seen/paris/obs"},
    "Containerfile": {"/audit.toml": "audit.toml", "/state/": ""},
}


def played(name: str) -> Iterator[str]:
    """The commands of an example as its service would give them to a shell."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    if name == "Containerfile":
        text = " ".join(["auditor", *next(commands(name))])
    for old, new in PLAYED[name].items():
        assert old in text
        text = text.replace(old, new)
    for line in text.splitlines():
        found = None if line.lstrip().startswith("#") else COMMAND.search(line)
        if found and found.group().split()[1] in COMMANDS:
            yield found.group()


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAYED)
def test_the_commands_of_an_example_work_one_after_the_other(
    name: str, world: World, tmp_path: Path
) -> None:
    places = [each.toml() for each in world.placements if each.name in ("source", "fresh-mirror")]
    (tmp_path / "audit.toml").write_text("\n".join([incident_toml(), *places]))
    (tmp_path / "seen" / "paris").mkdir(parents=True)
    commands_of_it = list(played(name))
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands_of_it)],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert commands_of_it
    assert done.returncode == 0, done.stderr
    reports = {"github-workflow.yml": "summary.md", "gitlab-ci.yml": "junit.xml"}
    wanted = reports.get(name, "history.sqlite3")
    assert (tmp_path / wanted).stat().st_size > 0


def test_every_example_is_played_or_read_by_its_own_program() -> None:
    assert set(FILES) == {*PLAYED, *UNITS, "pre-commit-config.yaml"}
