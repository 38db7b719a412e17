"""Each command in an example is one that this version has; and the hook of pre-commit."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from auditor.cli.arguments import Parser, add_common
from auditor.cli.main import COMMANDS
from tests.cli.conftest import Run, run
from tests.examples.conftest import ReadYaml
from tests.examples.services import EXAMPLES

__all__ = ["run"]  # the fixture of the commands' tests

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


@pytest.mark.real
def test_pre_commit_would_take_the_hook(read_yaml: ReadYaml) -> None:
    (repo,) = read_yaml("pre-commit-config.yaml")["repos"]
    (hook,) = repo["hooks"]

    # https://pre-commit.com/#new-hooks: of a local one, these are demanded.
    assert repo["repo"] == "local"
    assert {"id", "name", "language", "entry"} <= set(hook)
    assert set(hook) <= {
        *("id", "name", "language", "entry", "files", "pass_filenames", "additional_dependencies")
    }
    # It installs what it starts: nobody has to have it.
    assert (hook["language"], hook["additional_dependencies"]) == (
        "python",
        ["propagation-auditor"],
    )


@pytest.mark.real
def test_the_hook_matches_every_lock_file(read_yaml: ReadYaml) -> None:
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


def test_every_example_has_tests_of_its_own() -> None:
    tested = {"crontab", "Containerfile", "github-workflow.yml", "gitlab-ci.yml", *UNITS}

    assert set(FILES) == {*tested, "pre-commit-config.yaml"}
