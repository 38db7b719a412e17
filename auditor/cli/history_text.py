"""What `auditor history` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from auditor.cli.messages import one_line

if TYPE_CHECKING:
    from auditor.history.reading import IncidentEntry, RunEntry
    from auditor.history.state import Change, State
    from auditor.history.trends import RowTrend, Trends
    from auditor.model.timeline import CurvePoint

__all__ = ["text_of"]

_BAR_CHARS = 40
_SHOWN_POINTS = 40
_SHOWN_CHANGES = 60

Answer = Mapping[str, object]


def text_of(what: str, found: Sequence[Answer]) -> str:
    """Write the answer of one word of the command."""
    if not found:
        return "The history knows no incident.\n"
    lines: list[str] = []
    for answer in found:
        lines += [_head(cast("IncidentEntry", answer["incident"])), *_BODIES[what](answer), ""]
    return "\n".join(one_line(line) for line in lines)


def _head(entry: IncidentEntry) -> str:
    runs = f"{entry.runs} run{'' if entry.runs == 1 else 's'}"
    if entry.since is None or entry.until is None:
        return f"{entry.name}: no runs are left"
    return f"{entry.name}: {runs} from {_time(entry.since)} to {_time(entry.until)}"


def _list(answer: Answer) -> Iterator[str]:
    runs = cast("Sequence[RunEntry]", answer["runs"])
    for run in reversed(runs):
        note = ", interrupted" if run.interrupted else ""
        yield (
            f"  {_time(run.finished_at)}  {run.status:<14}  exit {run.exit_code}  "
            f"{run.fix_chosen} of {run.locations} have the fix, {run.unknown} unknown{note}"
        )


def _show(answer: Answer) -> Iterator[str]:
    for row in cast("Sequence[Mapping[str, object]]", answer["rows"]):
        state = cast("State", row["state"])
        since, seen = cast("datetime", row["since"]), cast("datetime", row["last_seen"])
        yield (
            f"  {row['location']}: {state.status} since {_time(since)}, last seen {_time(seen)} "
            f"from {row['vantage']}"
        )
    yield from _changes(answer)


def _compare(answer: Answer) -> Iterator[str]:
    first, second = cast("datetime", answer["from"]), cast("datetime", answer["to"])
    yield f"  between {_time(first)} and {_time(second)}"
    yield from _changes(answer)


def _changes(answer: Answer) -> Iterator[str]:
    changes = cast("Sequence[Change]", answer["changes"])
    several = len({change.vantage for change in changes}) > 1
    if not changes:
        yield "  nothing changed"
        return
    yield "  changes:"
    if len(changes) > _SHOWN_CHANGES:
        yield f"    {len(changes) - _SHOWN_CHANGES} older ones are left out; see --format json"
    for change in changes[-_SHOWN_CHANGES:]:
        place = _place(change, several=several)
        yield f"    {_time(change.at)}  {place}: {_difference(change)}"


def _place(row: Change | RowTrend, *, several: bool) -> str:
    """Name a place; where several looked, also who saw it so."""
    return f"{row.location}, from {row.vantage}" if several else row.location


def _difference(change: Change) -> str:
    """Name what differs; where the status doesn't, the first thing that does."""
    before, after = change.before, change.after
    if before is None:
        return f"first seen: {after.status}"
    if before.status != after.status:
        return f"{before.status} → {after.status}"
    names = [n for n in type(after).__slots__ if getattr(before, n) != getattr(after, n)]
    told = (f"{n} {_value(getattr(before, n))} → {_value(getattr(after, n))}" for n in names)
    return f"still {after.status}; {'; '.join(told)}"


def _value(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case True:
            return "yes"
        case False:
            return "no"
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def _trends(answer: Answer) -> Iterator[str]:
    trends = cast("Trends", answer["trends"])
    if trends.clock_starts_at is None:
        yield "  it is not known when the fix was published, so times cannot be told"
    else:
        yield f"  the clock starts at {_time(trends.clock_starts_at)}"
    for name, seconds in (
        ("half", trends.p50_s),
        ("nine tenths", trends.p90_s),
        ("all", trends.last_s),
    ):
        reached = "not reached yet" if seconds is None else f"after {_duration(seconds)}"
        yield f"  {name} of the places had the fix: {reached}"
    yield from (f"  {line}" for line in _curve(trends.curve))
    several = len({row.vantage for row in trends.rows}) > 1
    for row in trends.rows:
        yield f"  {_place(row, several=several)}: {_row(row)}"


def _curve(points: Sequence[CurvePoint]) -> Iterator[str]:
    # Of very many points the last of each stretch is shown.
    step = -(-len(points) // _SHOWN_POINTS) or 1
    shown = points[step - 1 :: step]
    for point in (*shown, *points[-1:]) if points and points[-1] not in shown else shown:
        bar = "#" * round(point.share * _BAR_CHARS)
        total = point.with_fix + point.without + point.unknown
        yield f"{_time(point.at)}  {bar:<{_BAR_CHARS}}  {point.with_fix} of {total}"


def _row(row: RowTrend) -> str:
    if row.took_s is not None and row.not_before is None:
        arrived = f"it had the fix at first sight, {_duration(row.took_s)} after its publication"
    elif row.took_s is not None:
        arrived = f"the fix was seen after {_duration(row.took_s)}"
    elif row.visible_at is not None:
        arrived = f"the fix was seen at {_time(row.visible_at)}"
    else:
        arrived = "the fix was never seen"
    notes = [arrived]
    if row.regressions:
        notes.append(f"lost it {row.regressions} times" if row.is_flapping else "lost it again")
    if row.is_flapping:
        notes.append("flapping")
    if row.silent_since is not None:
        notes.append(f"silent since {_time(row.silent_since)}")
    elif row.silences:
        notes.append("was silent once" if row.silences == 1 else f"was silent {row.silences} times")
    if row.silences and row.answered_share is not None:
        notes.append(f"answered {_percent(row.answered_share)} of the time")
    return f"{row.status}; {'; '.join(notes)}"


def _percent(share: float) -> str:
    """A share that is not all of it must not be rounded up to all of it."""
    return f"{min(99.9, 100 * share):.1f} %"


_BODIES = {"list": _list, "show": _show, "compare": _compare, "trends": _trends}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    told = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(told[:2]) or "0 s"
