"""Several incidents: each is judged, reported and dropped as soon as every place was seen for it.

What is kept of an incident afterwards is what the exit code and the last line need, so that a
thousand incidents take no more memory than the few that are under way.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.cli.conclusion import concluded, masked, print_summary_line
from auditor.cli.fleet_lines import line_of, totals
from auditor.cli.looking import stopping_on_signals
from auditor.cli.memory import Memory
from auditor.cli.messages import complain, say
from auditor.cli.outputs import Outputs
from auditor.cli.progress import Progress, wants_progress
from auditor.contracts import ProbeKind
from auditor.engine import Audit, Sight
from auditor.errors import RenderError, UsageError
from auditor.model import Run
from auditor.verdict import judge

if TYPE_CHECKING:
    from auditor.config import Resolved

__all__ = ["audit_each", "slim"]

USAGE, INTERNAL = 2, 4


def audit_each(
    args: argparse.Namespace,
    resolved: Resolved,
    kinds: Mapping[str, ProbeKind],
    outputs: Outputs,
    memory: Memory,
) -> int:
    """Look, judge and report one incident after the other; return the exit code over all."""
    from auditor.eventloop import run

    teller = _Teller(args, resolved, outputs, memory)
    run(_audit(args, resolved, kinds, teller))
    return teller.finish()


async def _audit(
    args: argparse.Namespace,
    resolved: Resolved,
    kinds: Mapping[str, ProbeKind],
    teller: _Teller,
) -> None:
    progress = Progress(several=True, verbose=args.verbose > 0)
    shows = wants_progress(args) or args.verbose > 0
    audit = Audit(resolved.plan, resolved.credentials, kinds, on_event=progress if shows else None)
    with stopping_on_signals(audit):
        async with aclosing(audit.stream()) as sights:
            async for sight in sights:
                if teller.may_wait:  # for another process that writes its history
                    await asyncio.to_thread(teller.take, sight, interrupted=audit.interrupted)
                else:
                    # A thread that works beside the event loop takes the interpreter's lock from it
                    # at every read and digest, which costs more than to judge in between.
                    teller.take(sight, interrupted=audit.interrupted)
    if shows:
        progress.finish()


class _Teller:
    """Judges and reports each incident, and sums them up in the end.

    Attributes:
        may_wait: whether taking an incident can wait for somebody else.
    """

    def __init__(
        self, args: argparse.Namespace, resolved: Resolved, outputs: Outputs, memory: Memory
    ) -> None:
        self._args = args
        self._plan = resolved.plan
        self._incidents = {incident.id: incident for incident in resolved.plan.incidents}
        self._outputs = outputs
        self._memory = memory
        self._told: list[Run] = []
        self._code = 0
        self._problem = ""
        self._is_silent = True
        self.may_wait = memory.path is not None

    def take(self, sight: Sight, *, interrupted: bool) -> None:
        """Judge one incident, keep it and report it."""
        memory = self._memory
        plan = replace(self._plan, incidents=(self._incidents[sight.incident],))
        plan = memory.with_first_sight(plan, sight.observations)
        try:
            judged = judge(plan, sight.observations, interrupted=interrupted)
        except UsageError as error:  # one name that nobody knows costs the others nothing
            self._failed(f"incident {sight.incident}: {error}", USAGE)
            return
        kept = memory.keep(judged, sight.observations, plan, redact=self._outputs.redact)
        for run in self._outputs.shown(kept):
            self._told.append(slim(run))
            self._write(run)

    def finish(self) -> int:
        """Say what is to be said of all of them; return the exit code."""
        outputs, args = self._outputs, self._args
        if outputs.site is not None and self._told:
            try:
                self._say_written(outputs.site.write(()))
            except OSError as error:
                self._failed(f"--site: {error.filename} cannot be written: {error.strerror}")
        self._memory.tell()
        code = self._code or self._memory.exit_code(concluded(self._told))
        if args.exit_style == "nagios":
            problem = self._memory.problem or self._problem
            print_summary_line(self._told, code, problem, redact=outputs.redact)
        if outputs.lines and not self._is_silent:
            sys.stdout.write(totals(self._told, outputs.colour) + "\n")
        return masked(args, self._told, code)

    def _write(self, run: Run) -> None:
        outputs, is_silent = self._outputs, self._memory.is_silent
        self._is_silent &= is_silent
        try:
            for path in outputs.write_one(run, silent=is_silent):
                self._say_written(path)
        except RenderError as error:
            self._failed(str(error))
        if outputs.lines and not is_silent:
            sys.stdout.write(line_of(run, outputs.colour) + "\n")

    def _say_written(self, path: object) -> None:
        if not (self._args.quiet or self._memory.is_silent or self._outputs.lines):
            say(f"wrote {path}")

    def _failed(self, problem: str, code: int = INTERNAL) -> None:
        complain(f"error: {problem}")
        self._problem = self._problem or problem
        self._code = USAGE if USAGE in (code, self._code) else code


def slim(run: Run) -> Run:
    """Return what exit codes and last lines need of a run."""
    failing = tuple(
        replace(
            verdict,
            selections=(),
            counterfactuals={},
            reasons=(),
            remedies=(),
            evidence=(),
            notes=(),
            surfaces=(),
            pins=(),
        )
        for verdict in run.verdicts
        if verdict.failing
    )
    incident = replace(run.incident, fingerprints=(), references=())
    return replace(run, incident=incident, verdicts=failing, requests=(), notices=(), timeline=None)
