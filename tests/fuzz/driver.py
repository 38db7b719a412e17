"""Runs targets in processes of their own, and tells what each did and found."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.trial import MAX_INPUT_BYTES, MAX_RSS_MB, Finding

__all__ = ["HEAD", "ROOT", "Found", "Outcome", "fuzz", "fuzz_all", "replay_command", "row"]

ROOT = Path(__file__).parents[2]
# What never ends is ended by libFuzzer; what merely takes too long is noticed by the child.
# Wide, since the machine may be busy: the replay measures CPU.
_ENDLESS_S = 25
_MAX_RESTARTS = 5
_LEAST_S = 2.0
_STARTS_WITHIN_S = 300
_STATS = re.compile(rb"^#(\d+)\s.*?cov: (\d+)", re.MULTILINE)
_FATAL = re.compile(r"^(timeout|oom|crash|leak|slow-unit)-[0-9a-f]{40}$")
_CHILD = (sys.executable, "-m", "tests.fuzz.child")
_MARK = b"fuzz-finding "


@dataclass(frozen=True, slots=True)
class Found:
    """An input that a reader did not survive.

    Attributes:
        finding: what is wrong.
        path: of the input.
    """

    finding: Finding
    path: Path


@dataclass(slots=True)
class Outcome:
    """What became of one target.

    Attributes:
        target: its name.
        executions, edges: inputs tried, and branches seen.
        found: one input for each defect.
        problem: why it could not run; "" if it did.
    """

    target: str
    executions: int = 0
    edges: int = 0
    found: list[Found] = field(default_factory=list)
    problem: str = ""


def replay_command(found: Found, target: str) -> str:
    """Return what runs the input again."""
    return f"python -m tests.fuzz.trial {target} {found.path}"


def fuzz_all(targets: Sequence[str], seconds: float, work: Path, workers: int) -> Iterator[Outcome]:
    """Share the time out among targets, as many at once as there are workers."""
    share_s = max(_LEAST_S, seconds * workers / max(1, len(targets)))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(lambda name: fuzz(name, share_s, work / name), targets)


def fuzz(
    target: str, seconds: float, work: Path, *, root: Path = ROOT, first: bool = False
) -> Outcome:
    """Fuzz one target.

    Args:
        target: its name.
        seconds: for how long.
        work: where the corpus and what is found are kept.
        root: of the packages to run.
        first: whether to stop at the first finding.
    """
    outcome = Outcome(target)
    corpus, kept = work / "corpus", work / "found"
    for directory in (corpus, kept):
        directory.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    for _ in range(_MAX_RESTARTS):
        left_s = deadline - time.monotonic()
        if left_s < 1 or (first and outcome.found):
            break
        before = {path.name for path in kept.iterdir()}
        code, told = _run(target, left_s, corpus, kept, root, first=first)
        _take_up(outcome, told, root)
        fatal = [p for p in kept.iterdir() if _FATAL.match(p.name) and p.name not in before]
        outcome.found += [found for path in fatal if (found := _confirmed(target, path, root))]
        if code == 0 or (not fatal and not outcome.executions):
            if code:
                outcome.problem = told.decode("utf-8", "replace")[-600:]
            break
    return outcome


def _run(
    target: str, seconds: float, corpus: Path, kept: Path, root: Path, *, first: bool
) -> tuple[int, bytes]:
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_directory()) as scratch:
        extent = "first" if first else "all"
        options = (
            *(f"-max_total_time={int(seconds)}", f"-rss_limit_mb={MAX_RSS_MB}", "-verbosity=1"),
            *(f"-timeout={_ENDLESS_S}", f"-max_len={MAX_INPUT_BYTES}"),
        )
        try:
            done = subprocess.run(
                [*_CHILD, target, extent, str(corpus.resolve()), str(kept.resolve()), *options],
                cwd=root,
                env={**os.environ, "TMPDIR": scratch, "PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds + _STARTS_WITHIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return -1, error.stdout or b""
    return done.returncode, done.stdout


def _fast_directory() -> str | None:
    """Memory where a system offers it: every input is a file or two."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _take_up(outcome: Outcome, told: bytes, root: Path) -> None:
    stats = _STATS.findall(told)
    if stats:
        outcome.executions += int(stats[-1][0])
        outcome.edges = max(outcome.edges, int(stats[-1][1]))
    known = {each.finding.where for each in outcome.found}
    for line in told.split(b"\n"):
        if line.startswith(_MARK):
            seen = json.loads(line.removeprefix(_MARK))
            found = Found(Finding(seen["kind"], seen["where"], seen["text"]), Path(seen["path"]))
            if found.finding.kind == "hang" and not _confirmed(outcome.target, found.path, root):
                continue
            if found.finding.where not in known:
                outcome.found.append(found)


def _confirmed(target: str, path: Path, root: Path) -> Found | None:
    """Try an input again in a fresh process without instrumentation; None if all is well then."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.trial", target, str(path.resolve())],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        path.unlink()
        return None
    told = done.stdout[-2000:] + done.stderr[-500:]
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode)
        is_endless = ended in (signal.SIGXCPU, signal.SIGKILL)
        return Found(Finding("hang" if is_endless else "crash", target, ended.name), path)
    kind = next((kind for kind in ("memory", "hang") if f": {kind}," in told), "crash")
    return Found(Finding(kind, target, told), path)


HEAD = f"{'target':28}{'inputs':>10}{'edges':>8}{'defects':>9}"


def row(outcome: Outcome) -> str:
    """One target's line below `HEAD`."""
    counts = f"{outcome.executions:>10,}{outcome.edges:>8,}{len(outcome.found):>9}"
    return f"{outcome.target:28}{counts}"
