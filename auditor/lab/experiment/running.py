"""Runs every scenario on every variant, a few at a time."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from auditor import __version__
from auditor.lab.drive.process import ProgramFailed
from auditor.lab.experiment.playing import Result, play_variant
from auditor.lab.experiment.programs import Programs
from auditor.lab.experiment.scenarios import SCENARIOS
from auditor.lab.experiment.table import Experiment, Failure
from auditor.lab.experiment.variants import Variant

__all__ = ["run_experiment"]

_TEXT_CHARS = 2000


@dataclass(slots=True)
class _Play:
    """What is being gathered."""

    say: Callable[[str], None]
    jobs: asyncio.Semaphore
    results: list[Result] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    async def one(self, variant: Variant, scenario: str) -> None:
        async with self.jobs:
            self.say(f"{scenario}: {variant.title}")
            with _directory() as directory:
                try:
                    deed = SCENARIOS[scenario][0]
                    self.results += await play_variant(variant, scenario, deed, directory)
                except (ProgramFailed, TimeoutError, OSError) as error:
                    text = f"{type(error).__name__}: {error}"[-_TEXT_CHARS:]
                    self.failures.append(
                        Failure(
                            program=variant.program,
                            settings=variant.settings,
                            scenario=scenario,
                            text=text,
                        )
                    )


async def run_experiment(
    programs: Programs,
    variants: Sequence[Variant],
    scenarios: Sequence[str],
    *,
    jobs: int,
    say: Callable[[str], None],
) -> Experiment:
    """Play.

    Args:
        programs: what is installed.
        variants: what to play on.
        scenarios: names of what to play.
        jobs: how many at a time.
        say: told what is being played.
    """
    began_at = datetime.now(UTC)
    play = _Play(say, asyncio.Semaphore(jobs))
    async with asyncio.TaskGroup() as tasks:
        for variant in variants:
            for scenario in (s for s in scenarios if not variant.only or s in variant.only):
                tasks.create_task(play.one(variant, scenario))
    return Experiment(
        began_at=began_at,
        ended_at=datetime.now(UTC),
        tool_version=__version__,
        versions=programs.versions,
        missing=programs.missing,
        results=play.results,
        failures=play.failures,
    )


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory that servers which give up root may enter."""
    with tempfile.TemporaryDirectory(prefix="auditor-lab-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            Path(name).chmod(0o755)
        yield Path(name)
