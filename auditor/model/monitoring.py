"""A run as a monitoring plugin tells it: one line, numbers behind a bar, and one of four codes.

The rules are those of https://nagios-plugins.org/doc/guidelines.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from auditor.model.run import Run
from auditor.model.verdict import LagState, Verdict

__all__ = ["monitoring_code", "monitoring_line"]

OK, FAILING, INCONCLUSIVE = 0, 1, 3
_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def monitoring_code(runs: Sequence[Run], exit_code: int) -> int:
    """Turn our exit code into theirs: 0 ok, 1 within lag, 2 failing, 3 unknown.

    Ours of 2 and 4 are none of theirs: places that fail beside an error still fail.
    """
    if exit_code in (OK, INCONCLUSIVE):
        return exit_code
    failing = list(_failing(runs))
    has_finding = any(finding.failing for run in runs for finding in run.findings)
    if exit_code != FAILING and not failing and not has_finding:
        return INCONCLUSIVE
    is_late_only = all(v.lag.state is LagState.WITHIN_LAG for v in failing)
    return 1 if is_late_only and not has_finding else 2


def monitoring_line(
    runs: Sequence[Run], exit_code: int, one_line: Callable[[str], str], *, problem: str = ""
) -> str:
    """Return the line that a monitoring system shows, without a line break.

    Args:
        runs: one per incident.
        exit_code: ours, over all of them.
        one_line: makes foreign text safe to show.
        problem: what went wrong beside the audit; "" if nothing did.
    """
    code = monitoring_code(runs, exit_code)
    # The bar separates text from numbers (AEN197 there).
    told = (problem, *(run.summary.sentence for run in runs))
    text = one_line(" ".join(filter(None, told))).replace("|", "/")
    numbers = {
        "locations": sum(run.summary.locations for run in runs),
        "failing": len(list(_failing(runs))),
        "unknown": sum(run.summary.unknown for run in runs),
    }
    data = " ".join(f"{label}={number}" for label, number in numbers.items())
    return f"PROPAGATION {_WORDS.get(code, 'UNKNOWN')} - {text} | {data}"


def _failing(runs: Sequence[Run]) -> Iterator[Verdict]:
    return (verdict for run in runs for verdict in run.verdicts if verdict.failing)
