"""The options that several commands share, and a parser that explains what it does not know."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import NoReturn

from auditor.errors import UsageError

__all__ = [
    "Parser",
    "add_common",
    "add_history",
    "add_judging",
    "add_looking",
    "add_question",
    "add_reporting",
    "add_scope",
    "add_vantages",
]


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, with the next step."""
        raise UsageError(f"{message}; see `{self.prog} --help`")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse; an option that does not exist is answered with the one that was meant.

        Raises:
            UsageError: the words cannot be understood.
        """
        found, unknown = self.parse_known_args(words)
        if not unknown:
            return found
        word = unknown[0]
        close = difflib.get_close_matches(word.partition("=")[0], self._option_string_actions, n=1)
        chosen = " ".join([self.prog, *filter(None, [getattr(found, "action", None)])])
        hint = f"did you mean {close[0]}?" if close else f"see `{chosen} --help`"
        what = "unknown option" if word.startswith("-") else "one argument too many:"
        raise UsageError(f"{what} {word}; {hint}")


def add_question(parser: argparse.ArgumentParser) -> None:
    """What to look for and where."""
    parser.add_argument("project", nargs="?", metavar="PROJECT", help="project that was released")
    add_scope(parser)


def add_scope(
    parser: argparse.ArgumentParser, *, places: str = "what pip is configured to ask"
) -> None:
    """Which releases and which places, without the project; `places` are those of the default."""
    group = parser.add_argument_group("what and where")
    group.add_argument(
        "--broken",
        action="append",
        default=[],
        metavar="VERSION",
        help="broken version or specifier; repeat for several",
    )
    group.add_argument(
        "--fixed",
        action="append",
        default=[],
        metavar="VERSION",
        help="version or specifier that fixes it; repeat for several",
    )
    group.add_argument(
        "--location",
        action="append",
        default=[],
        metavar="[NAME:]KIND=LOCATOR",
        help="a place to look at: a URL as for pip --index-url, a path, or s3://BUCKET/PREFIX; "
        f"repeat for several (default: {places})",
    )
    group.add_argument(
        "--public-mirrors",
        action="store_true",
        help="look at the public mirrors of PyPI as well, as the shipped list names them",
    )
    group.add_argument("--config", metavar="FILE", help="configuration (TOML)")
    group.add_argument(
        "--incident",
        action="append",
        default=[],
        metavar="ID",
        help="only this incident of the configuration; repeat for several",
    )
    group.add_argument("--vantage", metavar="ID", help="from where we look (default: host name)")


def add_looking(parser: argparse.ArgumentParser) -> None:
    """Bounds on what looking may do."""
    group = parser.add_argument_group("looking")
    group.add_argument("--timeout", metavar="SECONDS", help="for each location (default: 30)")
    group.add_argument("--concurrency", metavar="N", help="places at once (default: 64)")
    group.add_argument(
        "--inert",
        action="store_true",
        help="send nothing that could change any state, not even make a cache re-read a page",
    )
    group.add_argument(
        "--allow-store",
        action="store_true",
        help="let a cache fetch and keep a file that is not broken",
    )


def add_vantages(parser: argparse.ArgumentParser) -> None:
    """Who looks, where that is not this process."""
    group = parser.add_argument_group("vantages")
    group.add_argument(
        "--celery",
        action="append",
        default=[],
        metavar="VANTAGE",
        help="let the worker of this vantage look, which Celery runs there (broker: "
        "AUDITOR_BROKER_URL); repeat for several",
    )
    group.add_argument(
        "--celery-wait",
        metavar="TIME",
        default="10m",
        help="for each answer of a worker at most (default: 10m)",
    )


def add_judging(parser: argparse.ArgumentParser) -> None:
    """What counts as a failure, and how the exit code tells it."""
    group = parser.add_argument_group("judging")
    group.add_argument(
        "--fail-on",
        action="append",
        metavar="STATUS",
        help="statuses that fail, separated by commas (default: tampered,exposed,pinned,behind)",
    )
    group.add_argument(
        "--grace", action="store_true", help="a place within its normal lag does not fail"
    )
    group.add_argument(
        "--exit-zero", action="store_true", help="exit 0 also if a place fails or is unknown"
    )
    group.add_argument(
        "--exit-style",
        choices=("plain", "nagios"),
        default="plain",
        help="nagios: one summary line; 0 ok, 1 within lag, 2 failing, 3 unknown",
    )


def add_history(parser: argparse.ArgumentParser, *, only_changes: bool = True) -> None:
    """Where past runs are kept, and whether one that changes nothing is silent."""
    group = parser.add_argument_group("history")
    group.add_argument(
        "--history",
        metavar="FILE",
        help="keep this run beside past ones, and use what they saw (default: `history` of the "
        "configuration)",
    )
    if only_changes:
        group.add_argument(
            "--only-changes",
            action="store_true",
            help="print nothing if nothing changed since the last run; exit code, files and the "
            "line of --exit-style nagios as usual",
        )


def add_reporting(parser: argparse.ArgumentParser) -> None:
    """What to write and where."""
    group = parser.add_argument_group("reporting")
    group.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="write a report; {id} in FILE stands for the incident; repeat for several",
    )
    group.add_argument("--format", metavar="FORMAT", help="what goes to stdout (default: terminal)")
    group.add_argument(
        "--explain",
        metavar="NAME",
        help="instead, tell why each client gets what it gets from the place of this name",
    )
    group.add_argument(
        "-o", "--output", metavar="FILE", help="write that to a file instead of stdout"
    )
    group.add_argument(
        "--site",
        metavar="DIR",
        help="keep a static folder: a page and the JSON of every run, and an index over them",
    )
    group.add_argument(
        "--redact",
        action="store_true",
        help="make every report fit for the public: hosts, names and paths of private places are "
        "replaced",
    )
    add_colour(group)


def add_colour(group: argparse._ActionsContainer) -> None:
    """Whether to colour; a status is a word and a sign in any case."""
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: on a terminal, unless NO_COLOR is set",
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """How much to say on stderr."""
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, no notes")
    group.add_argument(
        "-v", "--verbose", action="count", default=0, help="also say what each place answered"
    )
    group.add_argument("--no-progress", action="store_true", help="no progress on the terminal")
    group.add_argument("--traceback", action="store_true", help="show where an error came from")
