"""A process that records made runs; what it has said is recorded must be there afterwards.

`python -m tests.history.writer FILE FIRST COUNT [BYTES]`: runs FIRST … FIRST+COUNT-1 of `made`,
with no file larger than BYTES.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from auditor.errors import HistoryError
from auditor.history import History
from tests.history.made import made


def main(file: Path, first: int, count: int, most_bytes: int | None) -> int:
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        for number in range(first, first + count):
            run, plan, observations = made(number)
            with History(file) as history:
                history.record(run, observations, plan, now=run.finished_at)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
    except HistoryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    path, begin, runs, *rest = sys.argv[1:]
    sys.exit(main(Path(path), int(begin), int(runs), int(rest[0]) if rest else None))
