"""The README's commands, options and exit codes are those of the program."""

from __future__ import annotations

import re
import shlex
from importlib import import_module

import pytest

from auditor.cli import conclusion, main
from auditor.cli.arguments import Parser, add_common
from tests.docs import readme

# Options of other programs that the README speaks of.
FOREIGN = {"--index-url", "--find-links", "--require-hashes", "--help"}


def parser_of(command: str) -> Parser:
    """Build the parser of a command as the program does."""
    module = import_module(f"auditor.cli.{command.replace('-', '_')}")
    parser = Parser(prog=f"auditor {command}", allow_abbrev=False)
    module.add_arguments(parser)
    add_common(parser)
    return parser


def test_every_command_is_listed() -> None:
    assert [f"auditor {name}" for name in main.COMMANDS] == readme.names("Commands")


@pytest.mark.parametrize("line", readme.commands())
def test_every_example_command_parses(line: str) -> None:
    _, command, *words = shlex.split(line, comments=True)

    parsed = parser_of(command).parse_args(words)

    assert vars(parsed)


def test_there_are_example_commands_to_parse() -> None:
    assert len(readme.commands()) >= 8


def test_every_option_that_the_readme_names_exists() -> None:
    known = {
        option
        for command in main.COMMANDS
        for action in parser_of(command)._actions
        for option in action.option_strings
    }
    named = set(re.findall(r"`(--[a-z][a-z-]*)", readme.README.read_text(encoding="utf-8")))

    assert {"--report", "--inert"} <= named
    assert named - known - FOREIGN == set()


def test_every_exit_code_is_listed() -> None:
    ours = {0, conclusion.FAILING, conclusion.INCONCLUSIVE, main.EXIT_USAGE, main.EXIT_INTERNAL}

    assert sorted(ours) == [int(code) for code in readme.names("Exit codes")]


def test_the_exit_codes_of_shells_are_mentioned() -> None:
    mentioned = set(map(int, re.findall(r"\b1\d\d\b", readme.section("Exit codes"))))

    assert {main.EXIT_INTERRUPTED, main.EXIT_BROKEN_PIPE} == mentioned


def test_every_subcommand_of_config_is_named() -> None:
    (row,) = [row for row in readme.rows("Commands") if row[0] == "`auditor config`"]
    words = [action.choices for action in parser_of("config")._actions if action.choices]
    (choices,) = [sorted(choice) for choice in words if "show" in choice]

    assert choices == sorted(re.findall(r"`(\w+)`", row[1]))
