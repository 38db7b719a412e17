"""One input, run within the bounds that every reader has to keep; replays what was kept.

    python -m tests.fuzz.trial TARGET FILE...

Runs without instrumentation, so that time and memory are those of the product.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.registry import find_target
from tests.fuzz.target import Target

__all__ = ["MAX_CPU_S", "MAX_INPUT_BYTES", "MAX_RSS_MB", "Finding", "attempt"]

MAX_CPU_S = 1.0
MAX_RSS_MB = 512
MAX_INPUT_BYTES = 2**20
_SEEN_FRAMES = 3
# What does not end by then is ended, and counts as a hang.
_ENDLESS_CPU_S = 20
_OURS = ("/auditor/", "/probes/", "/tests/fuzz/")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the answer to an input.

    Attributes:
        kind: `crash`, `hang` or `memory`.
        where: the same for every input that shows the same defect.
        text: the traceback, or the figure.
    """

    kind: str
    where: str
    text: str

    @property
    def name(self) -> str:
        """A short name for files."""
        return f"{self.kind}-{hashlib.sha256(self.where.encode()).hexdigest()[:10]}"


def attempt(target: Target, data: bytes, *, max_cpu_s: float = MAX_CPU_S) -> Finding | None:
    """Run one input; None if all is well."""
    started = time.process_time()
    try:
        target.accepts(data)
    except Exception as error:  # noqa: BLE001  # any error that is no refusal is a finding
        return Finding("crash", _place(error), traceback.format_exc(limit=-12))
    spent_s = time.process_time() - started
    if spent_s > max_cpu_s:
        return Finding("hang", target.name, f"{spent_s:.1f} s of CPU for {len(data)} bytes")
    return None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if any(part in f.filename for part in _OURS)]
    names = [f"{Path(f.filename).name}:{f.name}" for f in ours[-_SEEN_FRAMES:]]
    return " < ".join([type(error).__name__, *reversed(names)])


def main(arguments: list[str]) -> int:
    """Replay files and say what became of each."""
    resource.setrlimit(resource.RLIMIT_CPU, (_ENDLESS_CPU_S, _ENDLESS_CPU_S))
    name, *files = arguments
    code = 0
    for file in files:
        found = attempt(find_target(name), Path(file).read_bytes())
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if found is None and peak_mb > MAX_RSS_MB:
            found = Finding("memory", name, f"{peak_mb} MB")
        print(f"{file}: {found.kind if found else 'good'}, {peak_mb} MB")
        if found:
            code = 1
            print(found.where, found.text, sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
