"""Picks the command, runs it, and turns whatever goes wrong into one line and an exit code.

Nothing heavy is imported here: `auditor --help` costs little more than starting Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, cast

from auditor import __version__
from auditor.cli.messages import complain, one_line, print_unknown
from auditor.errors import AuditorError, UsageError

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMANDS", "EXIT_INTERNAL", "EXIT_USAGE", "main"]

EXIT_USAGE = 2
EXIT_INTERNAL = 4
EXIT_NAGIOS_UNKNOWN = 3
# 128 and the signal's number, as shells have it.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

COMMANDS = {
    "audit": "look at every place, judge, report",
    "watch": "look until the fix is chosen everywhere",
    "probe": "only look, and write down what was seen",
    "judge": "judge what was seen, here or elsewhere",
    "trace": "tell where a copy came from",
    "scan": "recognise what lies in directories, and audit it",
    "check-release": "say whether the fix is a good one, before or after publishing",
    "history": "list, show, compare and sum up past runs",
    "report": "render a stored run again",
    "demo": "play an incident on embedded servers and audit it",
    "lab": "predict what deleting does, play it on real servers, compare",
    "config": "write, check or show a configuration",
    "explain": "say what a status or reason means",
    "plugins": "list the kinds of places and the report formats",
    "doctor": "check this installation and its surroundings",
    "schema": "print the JSON Schema of a run",
}

_HELP = """\
usage: auditor COMMAND ...

Follows one broken release through every index, mirror and cache that holds a
copy, and confirms that the fix is what installers get.

commands:
{commands}

  auditor audit PROJECT --broken 1.2.3 --fixed 1.2.4
  auditor COMMAND --help

exit codes: 0 ok, 1 a place fails, 2 usage or configuration error,
            3 something required is not known, 4 internal error
"""


class _Command(Protocol):
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run `auditor` with these arguments, or those of the process; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _never_fail_to_print()
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`). Python would complain once more when it
        # flushes at exit: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except AuditorError as error:
        return _failed(str(error), words, EXIT_USAGE, error)
    except Exception as error:  # noqa: BLE001 (the last resort, so that nobody sees a traceback)
        text = f"internal error: {type(error).__name__}: {one_line(str(error))}"
        return _failed(f"{text}; see where with --traceback", words, EXIT_INTERNAL, error)


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else None
    if first in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    if first in ("-V", "--version"):
        sys.stdout.write(f"auditor {__version__}\n")
        return 0
    if first is None:
        sys.stderr.write(_help())
        return EXIT_USAGE
    if first not in COMMANDS:
        raise UsageError(_unknown_command(first))
    return _run(first, words[1:])


def _run(name: str, words: list[str]) -> int:
    from auditor.cli.arguments import Parser, add_common

    command = cast("_Command", import_module(f"auditor.cli.{name.replace('-', '_')}"))
    parser = Parser(prog=f"auditor {name}", description=command.SUMMARY, allow_abbrev=False)
    command.add_arguments(parser)
    add_common(parser)
    try:
        args = parser.parse(words)
    except SystemExit as stop:  # after --help
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    return command.run(args)


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    rows = (f"  {name:<{width}}{summary}" for name, summary in COMMANDS.items())
    return _HELP.format(commands="\n".join(rows))


def _unknown_command(word: str) -> str:
    from difflib import get_close_matches

    what = "option" if word.startswith("-") else "command"
    close = get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "see `auditor --help`"
    return f"unknown {what} {word!r}; {hint}"


def _failed(text: str, words: list[str], code: int, error: BaseException) -> int:
    """Say what went wrong, one line for each problem, and return the exit code."""
    lines = [one_line(line) for line in text.splitlines()] or [type(error).__name__]
    for line in lines:
        complain(f"error: {line}")
    if "--traceback" in words or os.environ.get("AUDITOR_TRACEBACK", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if _is_nagios(words):
        # To a monitoring system, 2 would mean that the places fail; 3 is its *unknown*:
        # https://nagios-plugins.org/doc/guidelines.html#AEN78
        print_unknown(lines[0])
        return EXIT_NAGIOS_UNKNOWN
    return code


def _is_nagios(words: list[str]) -> bool:
    return "--exit-style=nagios" in words or ("--exit-style", "nagios") in pairwise(words)


def _never_fail_to_print() -> None:
    """Show `?` where the terminal's encoding lacks a sign, instead of failing at the last step."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
