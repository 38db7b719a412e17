"""Past runs beside a command: what they change in the question, what is kept, whom it tells.

Whatever goes wrong here costs no report: it is said on stderr, and nothing is called ok any more.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.messages import complain
from auditor.errors import AuditorError, HistoryError, UsageError
from auditor.model import Observation, Plan, Run

if TYPE_CHECKING:
    import sqlite3

    from auditor.config import Resolved
    from auditor.history import Recorded
    from auditor.history.watches import WatchEntry
    from auditor.notify import Channel
    from auditor.watching import Pass

__all__ = ["EXIT_NOT_KEPT", "Memory"]

# An internal error: what was asked for beside the audit did not happen.
EXIT_USAGE, EXIT_NOT_KEPT = 2, 4


class Memory:
    """The history of a command, if it has one.

    Attributes:
        path: of the history; None: none is kept.
        changed: whether anything differs from the run before, or that cannot be known.
        problem: the first thing that could not be kept or told; "" if everything could.

    Args:
        path: of the history.
        channels: whom to tell.
        only_changes: whether to be silent where nothing changed.
    """

    def __init__(
        self,
        path: Path | None = None,
        channels: Sequence[Channel] = (),
        *,
        only_changes: bool = False,
    ) -> None:
        self.path = path
        self.changed = True
        self.problem = ""
        self._channels = tuple(channels)
        self._only_changes = only_changes
        self._said: set[str] = set()
        self._watch: WatchEntry | None = None

    @classmethod
    def of(cls, args: argparse.Namespace, resolved: Resolved | None) -> Memory:
        """Make it as the arguments and the configuration want it.

        Raises:
            UsageError: `--only-changes` has nothing to compare with.
            ConfigError: the secret of a channel cannot be had.
        """
        only_changes = getattr(args, "only_changes", False)
        if resolved is not None:
            path = resolved.history
        else:
            path = Path(args.history) if args.history else None
        if path is None:
            if only_changes:
                raise UsageError(
                    "--only-changes needs past runs to compare with; say --history FILE, or set "
                    "history in [audit] of the configuration"
                )
            return cls()
        channels: tuple[Channel, ...] = ()
        if resolved is not None and resolved.channels:
            from auditor.notify import open_channels

            channels = open_channels(resolved.channels, resolved.document, os.environ)
        return cls(path, channels, only_changes=only_changes)

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be printed."""
        return self._only_changes and not self.changed and not self.problem

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """With `--only-changes`, let one run at a time work: a slow one is not overtaken by cron's.

        Yields:
            False if another run is at it.
        """
        if self.path is None or not self._only_changes:
            yield True
            return
        from auditor.history.lock import only_run

        is_ours = True
        with ExitStack() as stack:
            try:
                is_ours = stack.enter_context(only_run(self.path))
            except HistoryError as error:
                self._complain(error)
            yield is_ours

    def recalled(self, plan: Plan) -> Plan:
        """Add what past runs saw to the question."""
        if self.path is None:
            return plan
        from auditor.history import recall

        try:
            return recall(plan, self.path)
        except (HistoryError, OSError) as error:
            self._complain(error)
            return plan

    def with_first_sight(self, plan: Plan, observations: Sequence[Observation]) -> Plan:
        """Start the clock of a fix that is seen for the first time."""
        if self.path is None:
            return plan
        from auditor.history import with_first_sight

        return with_first_sight(plan, observations)

    def keep(
        self,
        runs: Sequence[Run],
        observations: Sequence[Observation],
        plan: Plan,
        *,
        redact: bool = False,
    ) -> tuple[Run, ...]:
        """Record these runs, all or none, and what is to be told of them.

        Returns:
            The runs with the timeline of their incident; without, where they are for the public.
        """
        self._keep(runs, observations, plan)
        return self.with_timelines(runs, redact=redact)

    def _keep(
        self,
        runs: Sequence[Run],
        observations: Sequence[Observation],
        plan: Plan,
        also: Callable[[sqlite3.Connection], None] = lambda connection: None,
    ) -> None:
        if self.path is None:
            return
        from auditor.history import History

        try:
            with History(self.path) as history, history.writing() as connection:
                recorded = self._record(connection, runs, observations, plan)
                also(connection)
        except (HistoryError, OSError) as error:
            self._complain(error)
            self.changed = True
            return
        self.changed = any(each.changes or each.notes for each in recorded)
        for note in dict.fromkeys(note for each in recorded for note in each.notes):
            complain(f"history {self.path}: {note}")

    def resumed_watch(
        self, plan: Plan, passes: int, budget: timedelta, vantages: Sequence[str] = ()
    ) -> WatchEntry:
        """Return the watch of this question that was cut off, or one that begins now."""
        from auditor.history.watches import WatchEntry, find_watch
        from auditor.watching import question_of

        now = datetime.now(UTC)
        fresh = WatchEntry(
            question=question_of(plan, passes, vantages),
            started_at=now,
            deadline=now + budget,
            updated_at=now,
        )
        if self.path is None or not self.path.exists():
            return fresh
        from auditor.history.database import explained, open_readable

        try:
            with closing(open_readable(self.path)) as connection, explained(self.path):
                return find_watch(connection, fresh.question, now) or fresh
        except (HistoryError, OSError) as error:
            self._complain(error)
            return fresh

    def keep_pass(self, seen: Pass, entry: WatchEntry) -> None:
        """Record one look of a watch, and how far it has come."""
        from auditor.history.watches import keep_watch

        self._watch = entry
        self._keep(
            seen.runs,
            seen.observations,
            seen.plan,
            lambda connection: keep_watch(connection, entry),
        )

    def end_watch(self) -> None:
        """Forget how far the watch has come: it is over."""
        entry = self._watch
        if self.path is None or entry is None:
            return
        from auditor.history import History
        from auditor.history.watches import end_watch

        try:
            with History(self.path) as history, history.writing() as connection:
                end_watch(connection, entry.question)
        except (HistoryError, OSError) as error:
            self._complain(error)

    def with_timelines(self, runs: Sequence[Run], *, redact: bool = False) -> tuple[Run, ...]:
        """The runs with the timeline of their incident; without, where they are for the public."""
        if self.path is None or redact:
            return tuple(runs)
        from auditor.history.curve import timeline_of
        from auditor.history.database import explained, open_readable
        from auditor.history.reading import incidents_of

        try:
            with closing(open_readable(self.path)) as connection, explained(self.path):
                entries = {entry.name: entry for entry in incidents_of(connection)}
                return tuple(
                    replace(run, timeline=timeline_of(connection, entries[run.incident.id]))
                    if run.incident.id in entries
                    else run
                    for run in runs
                )
        except (HistoryError, OSError) as error:
            if not self.problem:  # else it was said, in other words
                self._complain(error)
            return tuple(runs)

    def tell(self) -> None:
        """Deliver every message that waits."""
        if self.path is None or not self._channels:
            return
        from auditor.history import History
        from auditor.notify import deliver

        try:
            with History(self.path) as history:
                for problem in deliver(history, self._channels):
                    self._complain(problem)
        except (HistoryError, OSError) as error:
            self._complain(error)

    def exit_code(self, code: int) -> int:
        """Put first what could not be kept or told: design section 5 has 4 before 1 and 3."""
        return EXIT_NOT_KEPT if self.problem and code != EXIT_USAGE else code

    def _record(
        self,
        connection: sqlite3.Connection,
        runs: Sequence[Run],
        observations: Sequence[Observation],
        plan: Plan,
    ) -> list[Recorded]:
        from auditor.history.store import record_run
        from auditor.notify.composing import compose

        recorded: list[Recorded] = []
        for run in runs:
            one = record_run(connection, run, observations, plan)
            compose(connection, self._channels, run, one)
            recorded.append(one)
        return recorded

    def _complain(self, problem: AuditorError | OSError | str) -> None:
        text = str(problem)
        self.problem = self.problem or text
        if text not in self._said:
            self._said.add(text)
            complain(f"error: {text}")
