"""A line for each place that is finished, one for those awaited, the slowest at the end."""

from __future__ import annotations

import argparse
import sys
import time

from auditor.cli.awaited import Awaited, can_rewrite
from auditor.cli.messages import say
from auditor.engine import Event
from auditor.model import Observation

__all__ = ["Progress", "wants_progress"]

# Of more looks than this, not each gets a line, but one in a second.
MANY = 500


def wants_progress(args: argparse.Namespace) -> bool:
    """Only on a terminal: logs of a CI job need no ticking."""
    return not (args.quiet or args.no_progress) and sys.stderr.isatty()


class Progress:
    """Follows an audit's events.

    Args:
        several: whether there are several incidents, so that lines must name theirs.
        verbose: whether to say what each place answered.
    """

    def __init__(self, *, several: bool = False, verbose: bool = False) -> None:
        self._several = several
        self._said_at_s = 0.0
        self._verbose = verbose
        self._slowest: tuple[float, str] | None = None
        self._awaited = Awaited() if can_rewrite() else None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        name = f"{event.incident}: {event.location}" if self._several else event.location
        if event.observation is None:
            if self._awaited is not None:
                self._awaited.started(name)
            return
        if self._awaited is not None:
            self._awaited.finished(name)
        seconds = duration_s(event.observation)
        self._slowest = max(self._slowest or (0.0, name), (seconds, name))
        if event.total > MANY and not self._is_time(event):
            return
        total = str(event.total)
        if self._awaited is not None:
            self._awaited.erase()
        say(
            f"[{event.done:>{len(total)}}/{total}] {name}: {event.observation.outcome.value}, "
            f"{seconds:.2f} s{self._detail(event.observation)}"
        )

    def finish(self) -> None:
        """Name the slowest place."""
        if self._awaited is not None:
            self._awaited.end()
        if self._slowest is not None:
            say(f"slowest: {self._slowest[1]}, {self._slowest[0]:.2f} s")

    def _is_time(self, event: Event) -> bool:
        now_s = time.monotonic()
        if now_s - self._said_at_s < 1 and event.done < event.total:
            return False
        self._said_at_s = now_s
        return True

    def _detail(self, observation: Observation) -> str:
        if not observation.detail and not self._verbose:
            return ""
        requests = f"{len(observation.requests)} requests" if self._verbose else ""
        return "".join(f"; {text}" for text in (observation.detail, requests) if text)


def duration_s(observation: Observation) -> float:
    """Seconds that looking took."""
    return (observation.finished_at - observation.started_at).total_seconds()
