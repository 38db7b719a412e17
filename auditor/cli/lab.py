"""`auditor lab`: play the incident on real servers, and measure what each deed does."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.arguments import add_colour
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.lab.experiment.programs import Programs
    from auditor.lab.experiment.table import Experiment
    from auditor.lab.experiment.variants import Variant

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = (
    "Predict what deleting, yanking and fixing forward do, play it on real servers, and compare."
)
EXIT_WRONG = 1
_FORMATS = ("json", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--scenario",
        action="append",
        metavar="NAME",
        help="play only this one; repeats (default: all)",
    )
    parser.add_argument(
        "--program",
        action="append",
        metavar="NAME",
        help="play only on this program; repeats (default: all that are installed)",
    )
    parser.add_argument(
        "--programs",
        action="append",
        metavar="DIR",
        default=[],
        help="look for programs in this directory and its environments, too; repeats",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="play on each program with one of its settings only",
    )
    parser.add_argument(
        "--report",
        action="append",
        metavar="FORMAT=FILE",
        default=[],
        help=f"write the table; formats: {', '.join(_FORMATS)}; repeats",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        default=2 * (os.cpu_count() or 1),
        help="play so many at a time (default: two per processor, as most of it is waiting)",
    )
    add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """Predict, play, compare; return 1 if a prediction was wrong or something did not play."""
    from auditor.cli.messages import say
    from auditor.eventloop import run as run_to_end
    from auditor.lab.experiment.programs import find_programs
    from auditor.lab.experiment.running import run_experiment
    from auditor.lab.experiment.variants import one_each, variants_of

    targets = _targets(args.report)
    scenarios = _scenarios(args.scenario)
    programs = find_programs([Path(d) for d in args.programs])
    variants = _chosen(args.program, programs, variants_of(programs))
    if args.quick:
        variants = one_each(variants)
    if args.jobs < 1:
        raise UsageError("--jobs: at least 1")
    if not args.quiet:
        say(_told(programs))
    experiment = run_to_end(
        run_experiment(
            programs,
            variants,
            scenarios,
            jobs=args.jobs,
            say=(lambda text: None) if args.quiet else say,
        )
    )
    _write(experiment, targets)
    _print(experiment)
    return 0 if experiment.succeeded else EXIT_WRONG


def _targets(words: list[str]) -> list[tuple[str, Path]]:
    from auditor.cli.outputs import check_file

    targets = []
    for word in words:
        name, sign, file = word.partition("=")
        if not sign or not file or name not in _FORMATS:
            raise UsageError(f"--report: {word!r} is none of json=FILE and html=FILE")
        try:
            check_file(file)
        except ValueError as error:
            raise UsageError(f"--report: {error}") from error
        targets.append((name, Path(file)))
    return targets


def _scenarios(names: list[str] | None) -> list[str]:
    from auditor.lab.experiment.scenarios import SCENARIOS

    for name in names or ():
        if name not in SCENARIOS:
            raise UsageError(f"--scenario: {name!r} is none of {', '.join(SCENARIOS)}")
    return list(dict.fromkeys(names or SCENARIOS))


def _chosen(
    names: list[str] | None, programs: Programs, variants: tuple[Variant, ...]
) -> list[Variant]:
    from auditor.lab.experiment.programs import COMMANDS

    for name in names or ():
        if name not in COMMANDS:
            raise UsageError(f"--program: {name!r} is none of {', '.join(COMMANDS)}")
        if name in programs.missing:
            raise UsageError(
                f"--program: {name} is not installed; install it, or name the directory of its "
                f"command `{COMMANDS[name][0]}` with --programs"
            )
    return [v for v in variants if not names or v.program in names]


def _told(programs: Programs) -> str:
    found = ", ".join(f"{name} {version}".strip() for name, version in programs.versions.items())
    missing = f"; not installed: {', '.join(programs.missing)}" if programs.missing else ""
    return f"found {found}{missing}"


def _write(experiment: Experiment, targets: list[tuple[str, Path]]) -> None:
    from auditor.cli.messages import say
    from auditor.lab.experiment.page import to_html
    from auditor.lab.experiment.table import to_json
    from auditor.observations import write_text

    render = {"json": to_json, "html": to_html}
    for name, path in targets:
        write_text(path, render[name](experiment))
        say(f"wrote {path}")


def _print(experiment: Experiment) -> None:
    import sys

    from auditor.lab.experiment.outcome import Mark

    for result, cell in experiment.wrong():
        sys.stdout.write(
            f"wrong: {result.scenario}: {result.variant.title}: {result.place}: {cell.subject}: "
            f"predicted {cell.predicted}, seen {cell.seen}\n"
        )
    for result, cell in experiment.contradicted():
        sys.stdout.write(
            f"audited wrongly: {result.scenario}: {result.variant.title}: {result.place}: "
            f"{cell.subject}: said {cell.predicted}, seen {cell.seen}\n"
        )
    for failure in experiment.failures:
        sys.stdout.write(
            f"not played: {failure.scenario}: {failure.program} ({failure.settings}): "
            f"{failure.text}\n"
        )
    if experiment.missing:
        sys.stdout.write(f"not installed: {', '.join(experiment.missing)}\n")
    count = experiment.count()
    total = sum(count.values())
    sys.stdout.write(
        f"{total} predictions: {count[Mark.RIGHT]} right, {count[Mark.WRONG]} wrong, "
        f"{count[Mark.UNKNOWN]} unknown\n"
    )
