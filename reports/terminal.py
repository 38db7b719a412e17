"""The run for a terminal or a log: the answer first, then the worst, then what to do about it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from auditor.contracts import ReportFormat
from auditor.model import Remedy, Run, Severity
from reports.safe_text import one_line
from reports.view import RowView, RunView, view_of
from reports.words import Fact, Tone, plural

__all__ = ["FORMAT", "MIN_WIDTH", "render"]

DEFAULT_WIDTH = 80
MIN_WIDTH = 40
# From here on the reason has a column of its own; below it is a line under its row.
WIDE = 120
# Below it, a row is written in several lines.
NARROW = 76
LONGEST_NAME = 28
MOST_ACTIONS = 10
MOST_DOUBTS = 3
# Rows that are fine are summed up once a list is longer than a screen.
MOST_FINE_ROWS = 30

# SGR codes (ECMA-48 8.3.117). The sign and the word say the same without them.
_COLOURS = {
    Tone.BAD: "1;31",
    Tone.WARN: "33",
    Tone.UNKNOWN: "35",
    Tone.GOOD: "32",
    Tone.PLAIN: "2",
}

Options = Mapping[str, str | int | bool]


def render(run: Run, options: Options) -> str:
    """Write the report in lines of at most `width` columns, commands excepted.

    Args:
        run: what to show.
        options: `width` in columns (default 80), `colour` for SGR codes (default off).
    """
    view = view_of(run)
    pen = _Pen(
        width=max(MIN_WIDTH, int(options.get("width", DEFAULT_WIDTH))),
        colour=bool(options.get("colour", False)),
    )
    blocks = (
        _answer(view, pen),
        _table(view, pen),
        _actions(view, pen),
        _deletion(view, pen),
        _notes(view, pen),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


class _Pen:
    """Writes words in columns, in colour if wanted. Every text from elsewhere goes through it."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self.width = width
        self.colour = colour

    def paint(self, tone: Tone, text: str) -> str:
        return f"\x1b[{_COLOURS[tone]}m{text}\x1b[0m" if self.colour else text

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def fact(self, fact: Fact, columns: int) -> str:
        return self.paint(fact.tone, _fit(f"{fact.sign} {fact.word}", columns))

    def wrap(self, text: str, indent: str = "", first: str | None = None) -> list[str]:
        return textwrap.wrap(
            one_line(text),
            self.width,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )


def _answer(view: RunView, pen: _Pen) -> list[str]:
    head = f"{view.verdict.sign} {view.verdict.word}"
    lines = pen.wrap(view.sentence)
    about = (
        f"{view.run.incident.project}: broken {view.broken}, fixed by {view.fixed}. "
        f"{view.finished}, exit code {view.run.summary.exit_code}."
    )
    findings = [
        line
        for finding in view.findings
        for line in (
            *pen.wrap(f"{finding.about.capitalize()}: {finding.text} [{finding.code}]", "  ", "! "),
            *pen.wrap(f"expected {finding.expected}; observed {finding.observed}", "    "),
        )
    ]
    whose = pen.wrap(view.whose) if view.whose else []
    answer = (pen.paint(view.verdict.tone, head), *map(pen.bold, lines))
    return [*answer, *whose, *pen.wrap(about), *findings]


def _table(view: RunView, pen: _Pen) -> list[str]:
    shown, hidden = _shown_rows(view)
    if not view.rows:
        return []
    name = min(LONGEST_NAME, max(len("PLACE"), *(_columns(_name(r, view)) for r in view.rows)))
    name = max(8, min(name, pen.width - 16 - 19 - 12 - 13 - 4))
    widths = (16, name, 19, 12, 13)
    head = ("STATUS", "PLACE", "BROKEN", "FIX CHOSEN", "DELAY")
    titles = [_fit(text, width) for text, width in zip(head, widths, strict=True)]
    if pen.width < NARROW:
        lines = [line for row in shown for line in _stacked(row, _name(row, view), pen)]
    else:
        lines = [" ".join([*titles, "WHY" if pen.width >= WIDE else ""]).rstrip()]
        lines += [line for row in shown for line in _row(row, _name(row, view), widths, pen)]
    lines += [f"  and {count} more {word}" for word, count in hidden.items()]
    return lines


def _row(row: RowView, name: str, widths: Sequence[int], pen: _Pen) -> Iterator[str]:
    status, place, broken, fix, lag = widths
    cells = (
        pen.fact(row.status, status),
        _fit(name, place),
        _fit(_broken(row), broken),
        pen.fact(row.fix_chosen, fix),
        pen.fact(row.lag, lag),
    )
    line = " ".join(cells)
    why = _why(row)
    if pen.width >= WIDE:
        room = pen.width - sum(widths) - len(widths)
        first, *rest = textwrap.wrap(one_line(why), room, break_on_hyphens=False) or [""]
        yield f"{line} {first}".rstrip()
        yield from (" " * (pen.width - room) + text for text in rest)
        return
    yield line.rstrip()
    if row.verdict.status.severity is not Severity.OK or row.verdict.waived is not None:
        yield from pen.wrap(why, "    ", "  └ ")


def _stacked(row: RowView, name: str, pen: _Pen) -> Iterator[str]:
    yield f"{pen.fact(row.status, 16)} {_fit(name, pen.width - 17)}".rstrip()
    facts = f"broken: {_broken(row)}; fix chosen: {row.fix_chosen.word}; delay: {row.lag.word}"
    yield from pen.wrap(facts, "  ")
    yield from pen.wrap(_why(row), "    ", "  └ ")


def _why(row: RowView) -> str:
    due = row.lag.detail if row.verdict.lag.latest_by and row.failing else ""
    waived = f"Waived: {row.verdict.waived}. " if row.verdict.waived is not None else ""
    return f"{waived}{row.why} {due}".strip()


def _broken(row: RowView) -> str:
    """The broken release here, in two words."""
    if row.verdict.broken.listed is None:
        return f"{row.held.sign} {row.held.word}"
    if not row.verdict.broken.listed:
        gone = row.held.tone is Tone.GOOD
        return f"{row.held.sign} none" if gone else f"{row.held.sign} bytes {row.held.word}"
    words = {"no": "not yanked", "mixed": "partly yanked", "unknown": "listed", "n/a": "listed"}
    return f"{row.listed.sign} {words.get(row.yanked.word, 'yanked')}"


def _name(row: RowView, view: RunView) -> str:
    return one_line(f"{row.name} @{row.verdict.vantage}" if view.several_vantages else row.name)


def _shown_rows(view: RunView) -> tuple[list[RowView], Counter[str]]:
    if len(view.rows) <= MOST_FINE_ROWS:
        return list(view.rows), Counter()
    fine = [row for row in view.rows if row.verdict.status.severity is Severity.OK]
    return [row for row in view.rows if row not in fine], Counter(r.status.word for r in fine)


def _actions(view: RunView, pen: _Pen) -> list[str]:
    places: dict[Remedy, list[str]] = {}
    for row in view.failing:
        if row.remedies:
            places.setdefault(row.remedies[0], []).append(row.name)
    if not places:
        return []
    lines = [pen.bold("What to do now")]
    for remedy, names in list(places.items())[:MOST_ACTIONS]:
        lines += pen.wrap(", ".join(names), "  ")
        lines += _step(remedy.command, pen)
        lines += pen.wrap(remedy.effect, "      ")
        if remedy.caution:
            lines += pen.wrap(f"! Caution: {remedy.caution}", "      ")
    more = len(places) - MOST_ACTIONS
    if more > 0:
        lines.append(f"  and {plural(more, 'more command')}: --report html=FILE shows them all")
    return lines


def _step(command: str, pen: _Pen) -> list[str]:
    """A command stays on one line, so that it can be pasted; what a person must do is prose."""
    if command.startswith("# "):
        return list(pen.wrap(command[2:], "      ", "    → "))
    return [f"    $ {one_line(command)}"]


def _deletion(view: RunView, pen: _Pen) -> list[str]:
    deletion = view.deletion
    lines = [
        pen.bold(f"{deletion.asked} deleting {one_line(view.broken)} help?"),
        *pen.wrap(deletion.answer, "  "),
    ]
    if deletion.total:
        told = (f"{share.count} {share.word}" for share in deletion.shares if share.count)
        lines += pen.wrap("; ".join(told) + ".", "  ")
    for doubt in view.doubts[:MOST_DOUBTS]:
        lines += pen.wrap(f"{len(doubt.verdicts)} of them: {one_line(doubt.why)}", "    ", "  ? ")
    if deletion.pins:
        pins = f"{deletion.would_break_pins} of {deletion.pins} audited pins would break."
        lines += pen.wrap(pins, "  ")
    return lines


def _notes(view: RunView, pen: _Pen) -> list[str]:
    return [line for note in view.notes for line in pen.wrap(note, "  ", "! ")]


def _columns(text: str) -> int:
    """Columns that a text takes (UAX #11: wide characters take two, combining marks none)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _fit(text: str, columns: int) -> str:
    """Cut or pad to exactly so many columns."""
    if _columns(text) <= columns:
        return text + " " * (columns - _columns(text))
    kept = ""
    for char in text:
        if _columns(kept + char) > columns - 1:
            break
        kept += char
    return kept + "…" + " " * (columns - 1 - _columns(kept))


FORMAT = ReportFormat(
    name="terminal",
    summary="the answer, the table and the next steps, for a terminal or a log",
    suffix=".txt",
    render=render,
)
