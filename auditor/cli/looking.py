"""Runs the probes of a plan, shows progress, and stops early when the user says so."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from auditor.cli.messages import complain
from auditor.cli.progress import Progress, wants_progress
from auditor.contracts import ProbeKind
from auditor.engine import Audit, Event
from auditor.model import Observation

if TYPE_CHECKING:
    from auditor.config import Resolved

__all__ = ["Seen", "look", "look_now", "stopping_on_signals"]

# So long the first answer lets the other places be asked before anything is imported beside them.
_HEAD_START_S = 0.05
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What looking gave.

    Attributes:
        observations: one per location and incident.
        interrupted: whether it was stopped before the end.
    """

    observations: tuple[Observation, ...]
    interrupted: bool


def look_now(args: argparse.Namespace, resolved: Resolved, kinds: Mapping[str, ProbeKind]) -> Seen:
    """Look at everything; returns when every place has answered or run out of time."""
    from auditor.eventloop import run

    return run(look(args, resolved, kinds))


async def look(
    args: argparse.Namespace, resolved: Resolved, kinds: Mapping[str, ProbeKind]
) -> Seen:
    """Look at everything from within an event loop."""
    progress = Progress(several=len(resolved.plan.incidents) > 1, verbose=args.verbose > 0)
    shows = wants_progress(args) or args.verbose > 0
    ahead: list[asyncio.Task[None]] = []

    def note(event: Event) -> None:
        if event.phase == "finished" and not ahead:
            ahead.append(asyncio.create_task(_import_what_comes_after()))
        if shows:
            progress(event)

    audit = _looker(args, resolved, kinds, note)
    with stopping_on_signals(audit):
        observations = await audit.run()
    for importing in ahead:
        importing.cancel()  # what has begun goes on: whoever needs it waits for its end
    await asyncio.gather(*ahead, return_exceptions=True)
    if shows:
        progress.finish()
    return Seen(observations=observations, interrupted=audit.interrupted)


async def _import_what_comes_after() -> None:
    """Import, while places are waited for, what judges and tells."""
    await asyncio.sleep(_HEAD_START_S)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, import_module, "auditor.cli.telling")


class _Looker(Protocol):
    """What looks at everything, here or through others."""

    @property
    def interrupted(self) -> bool: ...

    def stop(self) -> None: ...

    async def run(self) -> tuple[Observation, ...]: ...


def _looker(
    args: argparse.Namespace,
    resolved: Resolved,
    kinds: Mapping[str, ProbeKind],
    note: Callable[[Event], None],
) -> _Looker:
    if not getattr(args, "celery", None):
        return Audit(resolved.plan, resolved.credentials, kinds, on_event=note)
    from auditor.config.values import parse_duration
    from auditor.errors import UsageError
    from auditor.vantages.asking import Asking
    from auditor.vantages.broker import open_application

    try:
        wait_s = parse_duration(args.celery_wait)
    except ValueError as error:
        raise UsageError(f"--celery-wait: {error}") from error
    vantages = tuple(dict.fromkeys(args.celery))
    application = open_application(os.environ)
    return Asking(application, resolved.plan, kinds, vantages, wait_s=wait_s, on_event=note)


@contextmanager
def stopping_on_signals(audit: _Looker) -> Iterator[None]:
    """The first Ctrl-C (or TERM) finishes early with what is there; the second one quits."""
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    before = {each: signal.getsignal(each) for each in _STOP_SIGNALS}

    def release() -> None:
        while handled:
            loop.remove_signal_handler(handled.pop())

    def stop() -> None:
        release()
        complain("stopping; reporting what was seen so far (again to quit at once)")
        audit.stop()

    for each in _STOP_SIGNALS:
        try:
            loop.add_signal_handler(each, stop)
        except (NotImplementedError, RuntimeError, ValueError):
            continue  # Windows, or not the main thread: there the signal simply quits
        handled.append(each)
    try:
        yield
    finally:
        was_handled = list(handled)
        release()
        for each in was_handled:
            # The loop leaves the system's own: a watch would die of what comes between two looks.
            if before[each] is not None:
                signal.signal(each, before[each])
