"""`auditor watch`: a release gate that ends when the fix is chosen everywhere."""

from __future__ import annotations

import argparse
import gc
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from auditor.cli.arguments import (
    add_history,
    add_judging,
    add_looking,
    add_question,
    add_reporting,
    add_vantages,
)
from auditor.cli.messages import complain, say
from auditor.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from auditor.cli.memory import Memory
    from auditor.cli.outputs import Outputs
    from auditor.config import Resolved
    from auditor.contracts import ProbeKind
    from auditor.history.watches import WatchEntry
    from auditor.model import Plan
    from auditor.watching import Look, Looked, Pass

__all__ = ["SUMMARY", "add_arguments", "run"]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A worker that is there answers the last question of a watch within this.
_SHORTEST_WAIT_S = 1.0

SUMMARY = "Look again and again, until the fix is chosen everywhere or the budget is spent."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_question(parser)
    group = parser.add_argument_group("watching")
    group.add_argument(
        "--budget", metavar="TIME", default="30m", help="how long at most (default: 30m)"
    )
    group.add_argument(
        "--passes", metavar="N", default="3", help="looks in a row that must agree (default: 3)"
    )
    group.add_argument(
        "--interval",
        metavar="TIME",
        default="10s",
        help="between two looks at least; more while nothing changes (default: 10s)",
    )
    add_looking(parser)
    add_vantages(parser)
    add_judging(parser)
    add_history(parser, only_changes=False)
    add_reporting(parser)


def run(args: argparse.Namespace) -> int:
    """Watch; return 0 when the fix is everywhere, else 1, or 3 if nothing fails."""
    from auditor.cli.memory import Memory
    from auditor.cli.outputs import plan_outputs
    from auditor.cli.question import resolve_question
    from auditor.registry import load_kinds

    budget_s, passes, interval_s = _bounds(args)
    if args.grace and not args.quiet:
        complain("warning: --grace excuses nothing here: a watch waits for what is late")
    kinds = load_kinds()
    resolved = resolve_question(args, kinds)
    outputs = plan_outputs(args, [incident.id for incident in resolved.plan.incidents])
    memory = Memory.of(args, resolved)

    from auditor.watching import Watch

    entry = memory.resumed_watch(resolved.plan, passes, timedelta(seconds=budget_s), args.celery)
    if entry.looks and not args.quiet:
        _tell_resumed(entry, passes)
    watch = Watch(
        memory.recalled(resolved.plan),
        _look_with(args, resolved, kinds, entry.deadline),
        entry,
        passes=passes,
        interval_s=interval_s,
    )
    from auditor.cli.watch_display import display_of

    stopping = Stopping()
    with stopping.heard(), display_of(args, entry.deadline) as display:
        while True:
            display.looking()
            seen = watch.next_pass()
            memory.keep_pass(seen, watch.entry)
            memory.tell()
            display.tell(seen)
            if seen.is_last or not stopping.slept(seen.wait_s):
                break
    return _end(args, memory, outputs, seen, stopped=not seen.is_last)


def _bounds(args: argparse.Namespace) -> tuple[float, int, float]:
    from auditor.config.values import parse_duration

    found: dict[str, float] = {}
    for name in ("budget", "interval", "celery_wait"):
        try:
            found[name] = parse_duration(getattr(args, name))
        except ValueError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from error
    if found["interval"] <= 0:
        raise UsageError("--interval: nobody may be asked without a pause; write such as 10s")
    if not (args.passes.isascii() and args.passes.isdigit() and 1 <= int(args.passes) <= 1000):
        raise UsageError(f"--passes: {args.passes!r} is no number of looks; write 1 to 1000")
    return found["budget"], int(args.passes), found["interval"]


def _look_with(
    args: argparse.Namespace,
    resolved: Resolved,
    kinds: Mapping[str, ProbeKind],
    deadline: datetime,
) -> Look:
    """Look as an audit does, without its progress: a watch has lines of its own.

    No worker is waited for beyond the budget.
    """
    from dataclasses import replace

    from auditor.cli.looking import look_now
    from auditor.config.values import parse_duration
    from auditor.watching import Looked

    wait_s = parse_duration(args.celery_wait)

    def look(plan: Plan) -> Looked:
        # Each look freezes what is alive (see `eventloop.run`); the last one's is not any more.
        gc.unfreeze()
        left_s = max(_SHORTEST_WAIT_S, (deadline - datetime.now(UTC)).total_seconds())
        ours = {"no_progress": True, "celery_wait": f"{min(wait_s, left_s):.3f}s"}
        quiet = argparse.Namespace(**{**vars(args), **ours})
        seen = look_now(quiet, replace(resolved, plan=plan), kinds)
        return Looked(observations=seen.observations, interrupted=seen.interrupted)

    return look


class Stopping:
    """A CI system that ends a job says so with SIGTERM; the report is still to be written.

    Likewise after the first Ctrl-C; the second one quits.

    While somebody looks, the look itself is stopped (`stopping_on_signals`); whatever is written
    between two looks is written to its end.
    """

    def __init__(self) -> None:
        self._is_wanted = False
        self._is_asleep = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take SIGTERM and Ctrl-C for as long as this lasts."""
        try:
            before = {each: signal.signal(each, self._stop) for each in _STOP_SIGNALS}
        except ValueError:  # not the main thread
            yield
            return
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def slept(self, seconds: float) -> bool:
        """Wait; False if somebody wants it to end."""
        try:
            self._is_asleep = True
            if not self._is_wanted:
                time.sleep(seconds)
        except KeyboardInterrupt:
            return False
        finally:
            self._is_asleep = False
        return not self._is_wanted

    def _stop(self, number: int, frame: FrameType | None) -> None:
        was_wanted, self._is_wanted = self._is_wanted, True
        if self._is_asleep or was_wanted:
            raise KeyboardInterrupt


def _end(
    args: argparse.Namespace, memory: Memory, outputs: Outputs, seen: Pass, *, stopped: bool
) -> int:
    """Write the reports of the last look, and return the exit code."""
    from auditor.cli.conclusion import masked, print_summary_line

    if not (stopped or seen.interrupted):
        memory.end_watch()
    runs = outputs.shown(memory.with_timelines(seen.runs, redact=outputs.redact))
    code = seen.exit_code
    if stopped and code == 0:
        code = 3
    code = memory.exit_code(code)
    if args.exit_style == "nagios":
        print_summary_line(runs, code, memory.problem, redact=outputs.redact)
    written = outputs.write(runs)
    if not args.quiet:
        for path in written:
            say(f"wrote {path}")
        if stopped or seen.interrupted:
            complain("stopped; the same command goes on from here if it keeps a history")
        say(f"watch: {_sentence(seen, stopped=stopped)}")
    return masked(args, runs, code)


def _sentence(seen: Pass, *, stopped: bool) -> str:
    looks = f"{seen.number} look{'' if seen.number == 1 else 's'}"
    if seen.is_confirmed:
        agree = "1 look says so" if seen.agreeing == 1 else f"{seen.agreeing} looks agree"
        return f"{seen.outcome.value}, {agree}; ended after {looks}"
    cause = "stopped" if stopped or seen.interrupted else "out of budget"
    return f"{seen.outcome.value}; {cause} after {looks}"


def _tell_resumed(entry: WatchEntry, passes: int) -> None:
    left_s = max(0.0, (entry.deadline - datetime.now(UTC)).total_seconds())
    say(
        f"watch: goes on from {entry.started_at:%Y-%m-%d %H:%M:%S} UTC; {entry.looks} looks so "
        f"far, {entry.agreeing} of {passes} agree on {entry.outcome}, {left_s:.0f} s left"
    )
