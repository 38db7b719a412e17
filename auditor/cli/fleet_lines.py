"""One line for each of several incidents, and one for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from auditor.cli.messages import one_line
from auditor.model import Run
from auditor.model.conclusion import Conclusion, conclusion_of

__all__ = ["line_of", "totals"]

# A status is a sign and a word, never a colour alone.
_SIGNS = {
    Conclusion.BAD: ("✖", "31"),
    Conclusion.FAILED: ("!", "31"),
    Conclusion.UNKNOWN: ("?", "33"),
    Conclusion.TOLERATED: ("∥", "33"),
    Conclusion.GOOD: ("✔", "32"),
}
_WIDEST_STATUS = len("rolled-forward")


def line_of(run: Run, colour: bool) -> str:
    """Say in one line what became of an incident: its status, name, numbers and sentence."""
    summary = run.summary
    sign, code = _SIGNS[conclusion_of(run)]
    words = f"{sign} {summary.status.value:<{_WIDEST_STATUS}}"
    if colour:
        words = f"\x1b[{code}m{words}\x1b[0m"
    numbers = ", ".join(
        f"{number} {status.value}"
        for status in type(summary.status)
        if (number := summary.by_status.get(status, 0))
    )
    return f"{words}  {one_line(f'{run.incident.id}  ({numbers})  {summary.sentence}')}"


def totals(runs: Sequence[Run], colour: bool) -> str:
    """Say in one line what became of all of them, and how to see more of one."""
    number = Counter(map(conclusion_of, runs))
    counted = ", ".join(f"{number[each]} {each.value}" for each in _SIGNS if number[each])
    bold = ("\x1b[1m", "\x1b[0m") if colour else ("", "")
    which = "one in full: --incident ID, or --report html=DIR/{id}.html, or --site DIR"
    return f"{bold[0]}{len(runs)} incidents: {counted}{bold[1]} ({which})"
