"""Ratios of two things measured in one run: a machine that slows down slows both."""

from __future__ import annotations

import compileall
import gc
import importlib
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Goal",
    "Measure",
    "compile_product",
    "cpu_of_call",
    "cpu_of_command",
    "interleaved",
    "median_ratio",
]

Measure = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One promise, as measured.

    Attributes:
        name: what is promised.
        ratio: what was measured.
        gate: the value to fail on; None: shown only.
        at_least: whether the ratio must reach the gate; False: it must not exceed it.
        floor: what it was compared with, as a command or a call that anyone can repeat.
        note: absolute values and doubts.
    """

    name: str
    ratio: float
    gate: float | None
    at_least: bool = False
    floor: str
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the promise was kept. What has no gate always is."""
        if self.gate is None:
            return True
        return self.ratio >= self.gate if self.at_least else self.ratio <= self.gate

    @property
    def wanted(self) -> str:
        """The gate in words."""
        if self.gate is None:
            return "-"
        return f"{'>=' if self.at_least else '<='} {self.gate:g}"


def compile_product() -> None:
    """Compile the modules of the product, as installing it does: those of a checkout may not be.

    Whoever starts the program from here would otherwise measure Python's compiler.
    """
    for package in ("auditor", "probes", "reports"):
        for directory in importlib.import_module(package).__path__:
            compileall.compile_dir(directory, quiet=2)


def interleaved(cases: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure every case once per round, so that a slow minute slows all of them."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, measure in cases.items():
            found[name].append(measure())
    return found


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def cpu_of_call(call: Callable[[], object], repeat: int = 1) -> Measure:
    """Return what measures CPU seconds of one call, after one that warms the caches."""

    def measure() -> float:
        gc.collect()  # another case's garbage is no cost of this one
        call()  # after the collector, which leaves nothing of ours in the processor's caches
        started = time.process_time()
        for _ in range(repeat):
            call()
        return (time.process_time() - started) / repeat

    return measure


def cpu_of_command(command: Sequence[str], codes: frozenset[int] = frozenset({0})) -> Measure:
    """Return what measures CPU seconds of one process, user and system."""

    def measure() -> float:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            raise RuntimeError(f"{' '.join(command)} exited {process.returncode}")
        return usage.ru_utime + usage.ru_stime

    return measure
