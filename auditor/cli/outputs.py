"""Report files and stdout: checked before anything is probed, written when all is judged."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.explaining import explain_place
from auditor.cli.fleet_lines import line_of, totals
from auditor.contracts import ReportFormat
from auditor.errors import AuditorError, RenderError, UsageError
from auditor.model import Run
from auditor.observations import is_stream, write_text
from auditor.registry import find_format

if TYPE_CHECKING:
    from auditor.cli.site import Site

__all__ = ["Outputs", "check_file", "plan_outputs", "wants_colour"]

ID_PLACEHOLDER = "{id}"
DEFAULT_FORMAT = "terminal"
# Formats of which several runs one after the other are still what a reader expects.
SEVERAL_RUNS = (DEFAULT_FORMAT, "jsonl")
# Reports that go to a file or a pipe are as wide as a page that people mail around.
_WIDTH_WITHOUT_TERMINAL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One report file.

    Attributes:
        format: loads the one to write in.
        file: its name, perhaps with `{id}`.
    """

    format: Callable[[], ReportFormat]
    file: str

    def path(self, run: Run) -> Path:
        """Where the report of this run goes."""
        return Path(self.file.replace(ID_PLACEHOLDER, run.incident.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Everything that an audit writes.

    Attributes:
        targets: report files.
        main: loads the format of stdout; None: nothing goes there.
        colour: whether stdout gets colours.
        redact: whether everything private is replaced first.
        site: a static folder that gets every run as well; None: there is none.
        explained: the place of which stdout tells why clients get what they get; None: a report.
        lines: whether stdout gets one line for each of several incidents in place of a report.
    """

    targets: tuple[Target, ...]
    main: Callable[[], ReportFormat] | None
    colour: bool
    redact: bool = False
    site: Site | None = None
    explained: str | None = None
    lines: bool = False

    def shown(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        """The runs as they may be shown: with `--redact`, fit for the public."""
        if not self.redact:
            return tuple(runs)
        from auditor.redacting import public_hosts, redact

        public = public_hosts()
        return tuple(redact(run, public) for run in runs)

    def write(self, runs: Sequence[Run]) -> tuple[Path, ...]:
        """Write the files, then stdout: a pipe that breaks must not cost a report.

        Returns:
            The files that were written.

        Raises:
            RenderError: a file cannot be written. Everything else is written first.
        """
        written, problems = self._write_files(runs)
        if self.site is not None:
            try:
                written.append(self.site.write(runs))
            except OSError as error:
                problems.append(f"--site: {error.filename} cannot be written: {error.strerror}")
        self._print(runs)
        if self.lines:
            sys.stdout.writelines(f"{line_of(run, self.colour)}\n" for run in runs)
            sys.stdout.write(f"{totals(runs, self.colour)}\n")
        if problems:
            raise RenderError("\n".join(problems))
        return tuple(written)

    def write_one(self, run: Run, *, silent: bool) -> tuple[Path, ...]:
        """Write all that is written of one run among several; the site's index comes in the end.

        Args:
            run: the one.
            silent: whether stdout gets nothing.

        Raises:
            RenderError: a file cannot be written. Everything else is written first.
        """
        written, problems = self._write_files([run])
        if self.site is not None:
            try:
                self.site.add(run)
            except OSError as error:
                problems.append(f"--site: {error.filename} cannot be written: {error.strerror}")
        if not silent:
            self._print([run])
        if problems:
            raise RenderError("\n".join(problems))
        return tuple(written)

    def _write_files(self, runs: Sequence[Run]) -> tuple[list[Path], list[str]]:
        """Write the report files; return which were written, and what went wrong."""
        problems: list[str] = []
        written: list[Path] = []
        for target in self.targets:
            for run in runs:
                path = target.path(run)
                try:
                    write_text(path, target.format().render(run, _options(colour=False)))
                    written.append(path)
                except OSError as error:
                    problems.append(f"{path} cannot be written: {error.strerror or error}")
        return written, problems

    def _print(self, runs: Sequence[Run]) -> None:
        if self.main is not None:
            main = self.main()
            for run in runs:
                sys.stdout.write(_ended(main.render(run, _options(colour=self.colour))))
        if self.explained is not None:
            for run in runs:
                sys.stdout.write(explain_place(run, self.explained))


def plan_outputs(args: argparse.Namespace, incident_ids: Sequence[str]) -> Outputs:
    """Check formats and files before the work begins.

    Raises:
        UsageError: with every problem, such as an unknown format or a missing directory.
    """
    problems: list[str] = []
    targets: list[Target] = []
    for option, text in _reports(args):
        try:
            targets.append(_target(text, several=len(incident_ids) > 1))
        except (AuditorError, ValueError) as error:
            problems.append(f"{option}: {error}")
    site = None
    try:
        site = _site(args)
    except ValueError as error:
        problems.append(f"--site: {error}")
    main, name = None, args.format or DEFAULT_FORMAT
    explained: str | None = getattr(args, "explain", None)
    if args.output is None and not _is_summary_line_only(args) and explained is None:
        try:
            main = find_format(name)
        except AuditorError as error:
            problems.append(f"--format: {error}")
    several = len(incident_ids) > 1
    lines = several and main is not None and args.format is None
    if main is not None and several and name not in SEVERAL_RUNS:
        problems.append(
            f"--format {name}: holds one run, and there are {len(incident_ids)} incidents; "
            f"choose one with --incident, or write --report {name}={{id}}{main().suffix}"
        )
    files = [target.file for target in targets]
    problems += [f"two reports go to {f}; name another" for f in sorted(_repeated(files))]
    if problems:
        raise UsageError("\n".join(problems))
    return Outputs(
        targets=tuple(targets),
        main=None if lines else main,
        lines=lines,
        colour=wants_colour(args.color),
        redact=getattr(args, "redact", False),
        site=site,
        explained=explained,
    )


def check_file(file: str) -> None:
    """Refuse a file that could not be written in the end. Raises ValueError."""
    path = Path(file)
    if path.is_dir():
        raise ValueError(f"{file} is a directory; name a file in it")
    if is_stream(path):
        return
    if not path.parent.is_dir():
        raise ValueError(f"there is no directory {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"the directory {path.parent} is not writable; name another")


def wants_colour(choice: str) -> bool:
    """Decide as https://no-color.org/ asks: an option wins, then NO_COLOR, then the terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def _reports(args: argparse.Namespace) -> list[tuple[str, str]]:
    """`-o FILE` is a report as well: in the format that would have gone to stdout."""
    main = [("-o", f"{args.format or DEFAULT_FORMAT}={args.output}")] if args.output else []
    return [*((f"--report {text}", text) for text in args.report), *main]


def _is_summary_line_only(args: argparse.Namespace) -> bool:
    return getattr(args, "exit_style", "plain") == "nagios" and args.format is None


def _site(args: argparse.Namespace) -> Site | None:
    directory = getattr(args, "site", None)
    if directory is None:
        return None
    from auditor.cli.site import Site, check_site

    path = check_site(directory)
    return Site(directory=path, page=find_format("html"), data=find_format("json"))


def _target(text: str, *, several: bool) -> Target:
    name, separator, file = text.partition("=")
    if not separator or not file or not name:
        raise ValueError("must be FORMAT=FILE; write html=report.html")
    report_format = find_format(name)
    if several and ID_PLACEHOLDER not in file:
        raise ValueError(f"there are several incidents; put {ID_PLACEHOLDER} into the file's name")
    check_file(file)
    return Target(format=report_format, file=file)


def _repeated(files: Sequence[str]) -> set[str]:
    return {file for file in files if files.count(file) > 1}


def _options(*, colour: bool) -> Mapping[str, str | int | bool]:
    columns = shutil.get_terminal_size((_WIDTH_WITHOUT_TERMINAL, 24)).columns
    return {"width": columns, "colour": colour}


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
