"""What is shown while watching: a live table on a terminal, and only news elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from auditor.cli.messages import one_line, say
from auditor.cli.outputs import wants_colour
from auditor.model import Severity, Verdict
from auditor.watching import Pass, keeps_waiting

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

__all__ = ["Display", "Lines", "LiveTable", "display_of"]

# Rows beside those of the table itself: its head, the lines above it, the prompt.
_OTHER_LINES = 7
_SIGNS = {
    Severity.FAIL: ("✖", "red"),
    Severity.INCONCLUSIVE: ("?", "yellow"),
    Severity.OK: ("✔", "green"),
}


class Display(AbstractContextManager["Display"], Protocol):
    """Shows how far a watch has come."""

    def looking(self) -> None:
        """Show that a look begins."""
        ...

    def tell(self, seen: Pass) -> None:
        """Show what it came to."""
        ...


def display_of(args: argparse.Namespace, deadline: datetime) -> Display:
    """Return what fits: somebody who looks on sees a table, a log gets lines.

    Args:
        deadline: when the budget ends, UTC.
    """
    shows = sys.stderr.isatty() and not (args.quiet or args.no_progress)
    if shows and os.environ.get("TERM", "") not in ("", "dumb"):
        return LiveTable(deadline, colour=wants_colour(args.color))
    return Lines(is_quiet=args.quiet)


class Lines:
    """One line when something is news, so that the log of a CI job stays short.

    Args:
        is_quiet: whether to say nothing at all.
    """

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._told = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def looking(self) -> None:
        """Say nothing: every look begins."""

    def tell(self, seen: Pass) -> None:
        """Say what a look came to, unless it is what the one before came to."""
        news = _news(seen)
        if self._is_quiet or news == self._told:
            return
        self._told = news
        say(f"{datetime.now(UTC):%H:%M:%S} look {seen.number}: {news}")


class LiveTable:
    """A table of all places that is drawn again in place; the last one stays.

    Args:
        deadline: when the budget ends, UTC.
        colour: whether to colour the signs.
        console: where to draw; None: on stderr.
    """

    def __init__(
        self, deadline: datetime, *, colour: bool = True, console: Console | None = None
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._deadline = deadline
        self._console = console or Console(
            stderr=True, no_color=not colour, highlight=False, soft_wrap=False
        )
        self._seen: Pass | None = None
        self._next_at: datetime | None = None
        self._live: Live = Live(
            get_renderable=self._drawn,
            console=self._console,
            refresh_per_second=2,
            redirect_stdout=False,
        )

    def __enter__(self) -> LiveTable:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(exc_type, exc, traceback)

    def looking(self) -> None:
        """Show that a look begins."""
        self._next_at = None

    def tell(self, seen: Pass) -> None:
        """Show what it came to, and when the next one is."""
        self._seen = seen
        self._next_at = datetime.now(UTC) + timedelta(seconds=seen.wait_s)
        self._live.refresh()

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        now = datetime.now(UTC)
        if self._seen is None:
            return Text(f"watch: the first look is under way, {_left(self._deadline, now)} left")
        return Group(*map(Text, self._head(self._seen, now)), self._table(self._seen, now))

    def _head(self, seen: Pass, now: datetime) -> tuple[str, str]:
        if seen.is_last:
            then = "this was the last one"
        elif self._next_at is None:
            then = "looking"
        else:
            then = f"next look in {_left(self._next_at, now)}"
        left = _left(self._deadline, now)
        news = f"watch: look {seen.number}: {_news(seen)}"
        return news, f"       {then}; {left} of the budget left"

    def _table(self, seen: Pass, now: datetime) -> Table:
        from rich.table import Table
        from rich.text import Text

        several = len(seen.runs) > 1
        rows = sorted(_rows(seen), key=_by_urgency)
        from_several = len({verdict.vantage for _, verdict in rows}) > 1
        table = Table(box=None, pad_edge=False, show_edge=False)
        named = (*(("incident",) if several else ()), "place", *(("from",) if from_several else ()))
        for name in (*named, "status", "fix", "lag"):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        most = max(3, self._console.size.height - _OTHER_LINES)
        for incident, verdict in rows[:most]:
            sign, colour = _SIGNS[verdict.status.severity]
            cells = [
                Text(one_line(verdict.location.name)),
                *([Text(one_line(verdict.vantage))] if from_several else []),
                Text(f"{sign} {verdict.status.value}", style=colour),
                Text(verdict.fix.chosen.value if verdict.fix.chosen else "-"),
                Text(_lag(verdict, now)),
            ]
            table.add_row(*([Text(one_line(incident))] if several else []), *cells)
        if len(rows) > most:
            table.caption = f"and {len(rows) - most} more, none of them more urgent"
            table.caption_justify = "left"
        return table


def _news(seen: Pass) -> str:
    runs = seen.runs
    places = sum(run.summary.locations for run in runs)
    having = sum(run.summary.fix_chosen for run in runs)
    waiting = sum(keeps_waiting(verdict) for run in runs for verdict in run.verdicts)
    return f"{seen.outcome.value}: {having} of {places} places have the fix, {waiting} waited for"


def _left(until: datetime, now: datetime) -> str:
    seconds = max(0, round((until - now).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _rows(seen: Pass) -> Iterator[tuple[str, Verdict]]:
    for run in seen.runs:
        for verdict in run.verdicts:
            yield run.incident.id, verdict


def _by_urgency(row: tuple[str, Verdict]) -> tuple[bool, int, str, str, str]:
    incident, verdict = row
    return (
        not verdict.failing,
        verdict.status.rank,
        verdict.location.name,
        verdict.vantage,
        incident,
    )


def _lag(verdict: Verdict, now: datetime) -> str:
    until = verdict.lag.latest_by
    if until is None or not verdict.failing:
        return verdict.lag.state.value
    day = "" if until.date() == now.date() else f"{until:%Y-%m-%d} "
    return f"{verdict.lag.state.value}, due by {day}{until:%H:%M} UTC"
