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
from auditor.lab.drive.preloaded_pip import preloaded_pip
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
    total: int
    done: int = 0
    results: list[Result] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    async def one(self, variant: Variant, scenario: str) -> None:
        async with self.jobs:
            begun = asyncio.get_running_loop().time()
            await self._play(variant, scenario)
            took = asyncio.get_running_loop().time() - begun
            self.done += 1
            self.say(f"{self.done} of {self.total}: {scenario}: {variant.title}: {took:.0f} s")

    async def _play(self, variant: Variant, scenario: str) -> None:
        try:
            with _directory() as directory:
                deed = SCENARIOS[scenario][0]
                self.results += await play_variant(variant, scenario, deed, directory)
        except Exception as error:  # noqa: BLE001  # one that fails must not cost all the others
            self.failures.append(
                Failure(
                    program=variant.program,
                    settings=variant.settings,
                    scenario=scenario,
                    text=f"{type(error).__name__}: {error}"[-_TEXT_CHARS:],
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
    plays = [
        (variant, scenario)
        for variant in variants
        for scenario in scenarios
        if not variant.only or scenario in variant.only
    ]
    play = _Play(say, asyncio.Semaphore(jobs), len(plays))
    async with preloaded_pip(), asyncio.TaskGroup() as tasks:
        for variant, scenario in plays:
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
